//! Ranges of addresses, with a port or without, as an operator writes them.
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// An address range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    address: IpAddr,
    bits: u8,
}

/// The addresses of a range, at one port or at any.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    range: Range,
    port: Option<u16>,
}

/// Addresses that are closed, and what they are for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Denial {
    /// The addresses.
    pub rule: Rule,
    /// What they are, as "the API server's address".
    pub why: &'static str,
}

/// Not an address range.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}: not an address range; write it as 10.96.0.0/16, 10.96.0.1:443 or [2001:db8::/32]:443")]
pub struct NotARange(String);

impl FromStr for Range {
    type Err = NotARange;
    fn from_str(text: &str) -> Result<Range, NotARange> {
        let wrong = || NotARange(text.to_owned());
        let (address, bits) = text.split_once('/').map_or((text, None), |(a, b)| (a, Some(b)));
        let address: IpAddr = address.trim().parse().map_err(|_| wrong())?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.map_or(Ok(most), |bits| bits.trim().parse().map_err(|_| wrong()))?;
        if bits > most { Err(wrong()) } else { Ok(Range { address, bits }) }
    }
}

/// `RANGE` or `RANGE:PORT`; an IPv6 range with a port stands in brackets.
impl FromStr for Rule {
    type Err = NotARange;
    fn from_str(text: &str) -> Result<Rule, NotARange> {
        let wrong = |_| NotARange(text.to_owned());
        let trimmed = text.trim();
        let (range, port) = match trimmed.rsplit_once(':') {
            Some((range, port)) if !range.contains(':') => (range, Some(port)),
            Some((range, port)) if range.starts_with('[') && range.ends_with(']') => (range, Some(port)),
            _ => (trimmed, None),
        };
        let range = range.strip_prefix('[').and_then(|range| range.strip_suffix(']')).unwrap_or(range);
        let range = range.parse().map_err(wrong)?;
        let port = port.map(|port| match port.parse::<u16>() {
            Ok(port) if port > 0 => Ok(port),
            _ => Err(NotARange(text.to_owned())),
        });
        Ok(Rule { range, port: port.transpose()? })
    }
}

/// A rule that an operator wrote.
impl FromStr for Denial {
    type Err = NotARange;
    fn from_str(text: &str) -> Result<Denial, NotARange> {
        Ok(Denial { rule: text.parse()?, why: "an address that the operator closed" })
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Range { address, bits } = self.range;
        match self.port {
            Some(port) if address.is_ipv6() => write!(f, "[{address}/{bits}]:{port}"),
            Some(port) => write!(f, "{address}/{bits}:{port}"),
            None => write!(f, "{address}/{bits}"),
        }
    }
}

impl Range {
    /// Whether an address lies in the range.
    pub fn contains(&self, address: IpAddr) -> bool {
        fn same<const N: usize>(a: [u8; N], b: [u8; N], bits: u8) -> bool {
            a.iter().zip(b).enumerate().all(|(i, (a, b))| {
                let kept = usize::from(bits).saturating_sub(i * 8).min(8);
                let mask = if kept == 0 { 0 } else { 0xff_u8 << (8 - kept) };
                (a ^ b) & mask == 0
            })
        }
        match (self.address, address) {
            (IpAddr::V4(a), IpAddr::V4(b)) => same(a.octets(), b.octets(), self.bits),
            (IpAddr::V6(a), IpAddr::V6(b)) => same(a.octets(), b.octets(), self.bits),
            _ => false,
        }
    }
}

impl Rule {
    /// One address, at one port or at any.
    pub fn address(address: IpAddr, port: Option<u16>) -> Rule {
        let bits = if address.is_ipv4() { 32 } else { 128 };
        Rule { range: Range { address, bits }, port }
    }

    /// All addresses of this machine alone, at a port.
    pub fn loopback(port: u16) -> [Rule; 2] {
        let v4 = Range { address: IpAddr::from([127, 0, 0, 0]), bits: 8 };
        let v6 = Range { address: IpAddr::from(std::net::Ipv6Addr::LOCALHOST), bits: 128 };
        [v4, v6].map(|range| Rule { range, port: Some(port) })
    }

    /// Whether it speaks of an address and port.
    pub fn fits(&self, address: IpAddr, port: u16) -> bool {
        self.range.contains(address) && self.port.is_none_or(|wanted| wanted == port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_speak_of_ranges_and_ports() {
        for (rule, address, port, fits) in [
            ("10.96.0.0/16", "10.96.3.4", 80, true),
            ("10.96.0.0/16", "10.97.3.4", 80, false),
            ("10.96.0.1", "10.96.0.1", 1, true),
            ("10.96.0.1:443", "10.96.0.1", 443, true),
            ("10.96.0.1:443", "10.96.0.1", 80, false),
            ("10.0.0.0/8:443", "10.96.0.1", 443, true),
            ("2001:db8::/32", "2001:db8::1", 80, true),
            ("[2001:db8::/32]:443", "2001:db8::1", 443, true),
            ("[2001:db8::/32]:443", "2001:db8::1", 80, false),
            ("[::1]:443", "::1", 443, true),
            ("0.0.0.0/0", "::1", 443, false),
        ] {
            let parsed: Rule = rule.parse().unwrap();
            assert_eq!(parsed.fits(address.parse().unwrap(), port), fits, "{rule} {address}:{port}");
            assert_eq!(parsed.to_string().parse(), Ok(parsed), "{parsed}");
        }
        for wrong in ["", "x", "10.0.0.0/33", "::/129", "10.0.0.1:0", "10.0.0.1:x", "10.0.0.1:65536", "host:80"] {
            assert!(wrong.parse::<Rule>().is_err(), "{wrong}");
        }
    }
}
