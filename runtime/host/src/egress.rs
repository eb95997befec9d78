//! The one place where a connection to a source is made: the name is resolved here, every address is checked here, and
//! exactly the address that was checked is dialled, so a name that changes its mind in between gains nothing.
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;
use tokio::net::TcpStream;
use windlass_core::failure::{Failure, FailureKind};

/// How long a name may take to be resolved and an address to be connected.
const CONNECT: Duration = Duration::from_secs(5);

/// An address range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    address: IpAddr,
    bits: u8,
}

/// Not an address range.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}: not an address range; write it as 10.96.0.0/16")]
pub struct NotARange(String);

impl std::str::FromStr for Range {
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

/// Which addresses no component may reach, whoever named them.
#[derive(Clone, Debug, Default)]
pub struct Egress {
    /// Loopback is open: local mode and tests.
    pub allow_loopback: bool,
    /// Further ranges that are closed: the API server, our own pod.
    pub denied: Vec<Range>,
    /// Every connection goes to this address, whatever its endpoint says, and no name is resolved: for one who plays a
    /// component's source. It is refused like any other address.
    pub via: Option<SocketAddr>,
}

impl Egress {
    /// Why an address may not be reached.
    pub fn refusal(&self, address: IpAddr) -> Option<&'static str> {
        let address = plain(address);
        if address.is_loopback() {
            return (!self.allow_loopback).then_some("a loopback address");
        }
        let built_in = match address {
            IpAddr::V4(v4) => refused_v4(v4),
            IpAddr::V6(v6) => refused_v6(v6),
        };
        built_in.or_else(|| self.denied.iter().any(|range| range.contains(address)).then_some("a denied address"))
    }

    /// Connects to the first address of a host that may be reached and answers.
    ///
    /// # Errors
    /// `Denied` when no address may be reached, `Unreachable` or `Timeout` else.
    pub async fn connect(&self, host: &str, port: u16) -> Result<TcpStream, Failure> {
        let name = host.trim_start_matches('[').trim_end_matches(']');
        let found = match self.via {
            Some(address) => vec![address],
            None => resolve(host, name, port).await?,
        };
        let mut last = Failure::new(FailureKind::Unreachable, format!("the name {host} has no address"));
        let mut refused = None;
        for address in found {
            if let Some(why) = self.refusal(address.ip()) {
                refused =
                    Some(Failure::new(FailureKind::Denied, format!("{host} is {why}, which scalers may not reach")));
                continue;
            }
            match tokio::time::timeout(CONNECT, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => {
                    let _ = stream.set_nodelay(true);
                    return Ok(stream);
                }
                Ok(Err(error)) => last = Failure::new(FailureKind::Unreachable, told(host, address, &error)),
                Err(_) => {
                    last = Failure::new(
                        FailureKind::Timeout,
                        format!("{host}:{port} did not accept a connection in time"),
                    );
                }
            }
        }
        Err(refused.unwrap_or(last))
    }
}

async fn resolve(host: &str, name: &str, port: u16) -> Result<Vec<SocketAddr>, Failure> {
    let found = tokio::time::timeout(CONNECT, tokio::net::lookup_host((name, port)))
        .await
        .map_err(|_| Failure::new(FailureKind::Timeout, format!("the name {host} was not resolved in time")))?
        .map_err(|_| Failure::new(FailureKind::Unreachable, format!("the name {host} does not resolve")))?;
    Ok(found.collect())
}

fn told(host: &str, address: SocketAddr, error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::ConnectionRefused => format!("{host}:{} refused the connection", address.port()),
        kind => format!("{host}:{} cannot be connected: {kind}", address.port()),
    }
}

/// A host as it is compared: without the brackets of an IPv6 address and a name's last dot, in lower case.
pub(crate) fn canonical(host: &str) -> String {
    host.trim_start_matches('[').trim_end_matches(']').trim_end_matches('.').to_ascii_lowercase()
}

/// An IPv4 address in IPv6 clothes is that IPv4 address.
fn plain(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(v6) => {
            let segments = v6.segments();
            if let Some(v4) = v6.to_ipv4_mapped() {
                return IpAddr::V4(v4);
            }
            // NAT64 (64:ff9b::/96) and IPv4-compatible addresses.
            let embedded = segments.starts_with(&[0x64, 0xff9b, 0, 0, 0, 0])
                || (segments.starts_with(&[0, 0, 0, 0, 0, 0]) && !v6.is_loopback() && !v6.is_unspecified());
            if embedded {
                let [.., a, b, c, d] = v6.octets();
                return IpAddr::V4(Ipv4Addr::new(a, b, c, d));
            }
            address
        }
        IpAddr::V4(_) => address,
    }
}

fn refused_v4(address: Ipv4Addr) -> Option<&'static str> {
    let [a, b, c, _] = address.octets();
    if address.is_link_local() {
        Some("a link-local address (cloud metadata lives there)")
    } else if address.is_unspecified() || a == 0 {
        Some("an unspecified address")
    } else if address.is_multicast() || address.is_broadcast() || a >= 240 {
        Some("no unicast address")
    } else if (a, b, c) == (100, 100, 100) || (a, b, c) == (168, 63, 129) {
        // Alibaba Cloud's and Azure's metadata services.
        Some("a cloud metadata address")
    } else {
        None
    }
}

fn refused_v6(address: Ipv6Addr) -> Option<&'static str> {
    let segments = address.segments();
    let [first, ..] = segments;
    if address.is_unspecified() {
        Some("an unspecified address")
    } else if address.is_multicast() {
        Some("no unicast address")
    } else if first & 0xffc0 == 0xfe80 {
        Some("a link-local address")
    } else if segments.starts_with(&[0xfd00, 0x0ec2]) {
        Some("a cloud metadata address")
    } else {
        None
    }
}
