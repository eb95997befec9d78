//! Addresses that are nobody's business, in whatever form they come.
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The IPv4 address that an IPv6 address leads to.
pub(super) fn within(address: IpAddr) -> Option<IpAddr> {
    let IpAddr::V6(v6) = address else { return None };
    let octets = v6.octets();
    let v4 = |at: usize| match octets.get(at..at + 4) {
        Some(&[a, b, c, d]) => Some(IpAddr::V4(Ipv4Addr::new(a, b, c, d))),
        _ => None,
    };
    match v6.segments() {
        _ if v6.is_loopback() || v6.is_unspecified() => None,
        // IPv4-mapped (::ffff:0:0/96), IPv4-translated (::ffff:0:0:0/96), IPv4-compatible (::/96), NAT64 (64:ff9b::/96).
        [0, 0, 0, 0, 0, 0xffff, ..]
        | [0, 0, 0, 0, 0xffff, 0, ..]
        | [0, 0, 0, 0, 0, 0, ..]
        | [0x64, 0xff9b, 0, 0, 0, 0, ..] => v4(12),
        // 6to4.
        [0x2002, ..] => v4(2),
        // ISATAP, below any prefix.
        [_, _, _, _, 0 | 0x200, 0x5efe, ..] => v4(12),
        _ => None,
    }
}

/// Why an address is closed to everybody, wherever we run.
pub(super) fn closed(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(v4) => closed_v4(v4),
        IpAddr::V6(v6) => closed_v6(v6),
    }
}

fn closed_v4(address: Ipv4Addr) -> Option<&'static str> {
    let [a, b, c, d] = address.octets();
    if address.is_link_local() {
        Some("a link-local address (cloud metadata lives there)")
    } else if address.is_unspecified() || a == 0 {
        Some("an unspecified address")
    } else if address.is_multicast() || address.is_broadcast() || a >= 240 {
        Some("no unicast address")
    } else if (a, b, c) == (100, 100, 100) || (a, b, c) == (168, 63, 129) || (a, b, c, d) == (192, 0, 0, 192) {
        // The metadata services of Alibaba Cloud, Azure, and Oracle Cloud.
        Some("a cloud metadata address")
    } else {
        None
    }
}

fn closed_v6(address: Ipv6Addr) -> Option<&'static str> {
    match address.segments() {
        _ if address.is_unspecified() => Some("an unspecified address"),
        _ if address.is_multicast() => Some("no unicast address"),
        [first, ..] if first & 0xffc0 == 0xfe80 => Some("a link-local address"),
        // Amazon's and Google's metadata services.
        [0xfd00, 0x0ec2, ..] | [0xfd20, 0x00ce, ..] => Some("a cloud metadata address"),
        // Which IPv4 address these lead to depends on a network that we do not know.
        [0x64, 0xff9b, 1, ..] => Some("an address of a NAT64 of its own"),
        [0x2001, 0, ..] => Some("a Teredo address"),
        _ => None,
    }
}
