//! The one place where a connection to a source is made: the name is resolved here, once, every address is checked here, and
//! exactly an address that was checked is dialled, so a name that changes its mind in between gains nothing.
//!
//! Of a name with several addresses only those that may be reached are dialled; it is `denied` when there is none of these.
mod address;
mod resolver;
mod rule;

pub use resolver::{Resolver, SystemResolver};
pub use rule::{Denial, NotARange, Range, Rule};
pub(crate) use windlass_core::hosts::{canonical, is_host};

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use windlass_core::failure::{Failure, FailureKind};

/// How long a name may take to be resolved and an address to be connected.
const CONNECT: Duration = Duration::from_secs(5);
/// Addresses of one name that are tried.
const MOST_TRIED: usize = 8;

/// Which addresses no component may reach, whoever named them.
#[derive(Clone, Debug)]
pub struct Egress {
    /// Loopback is open: local mode and tests.
    pub allow_loopback: bool,
    /// What the operator opens, whatever else would close it.
    pub allowed: Vec<Rule>,
    /// What is closed beside the built-in ranges: the API server, our own pod.
    pub denied: Vec<Denial>,
    /// Every connection goes to this address, whatever its endpoint says, and no name is resolved: for one who plays a
    /// component's source. It is refused like any other address.
    pub via: Option<SocketAddr>,
    /// From names to addresses.
    pub resolver: Arc<dyn Resolver>,
}

impl Default for Egress {
    fn default() -> Egress {
        Egress {
            allow_loopback: false,
            allowed: Vec::new(),
            denied: Vec::new(),
            via: None,
            resolver: Arc::new(SystemResolver),
        }
    }
}

impl Egress {
    /// Why an address may not be reached at a port.
    pub fn refusal(&self, address: IpAddr, port: u16) -> Option<&'static str> {
        // What an address is, and what it leads to.
        let faces = [Some(address), address::within(address)];
        let mut faces = faces.into_iter().flatten();
        if faces.clone().any(|face| self.allowed.iter().any(|rule| rule.fits(face, port))) {
            return None;
        }
        faces.find_map(|face| {
            if let Some(denial) = self.denied.iter().find(|denial| denial.rule.fits(face, port)) {
                return Some(denial.why);
            }
            if face.is_loopback() {
                return (!self.allow_loopback).then_some("a loopback address");
            }
            address::closed(face)
        })
    }

    /// Connects to the first address of a host that may be reached and answers.
    ///
    /// # Errors
    /// `Denied` when it has no address that may be reached or is no host, `Unreachable` or `Timeout` else.
    pub async fn connect(&self, host: &str, port: u16) -> Result<TcpStream, Failure> {
        let mut refused = None;
        let mut open = Vec::new();
        for address in self.addresses(host, port).await? {
            match self.refusal(address.ip(), address.port()) {
                Some(why) => refused = Some(why),
                None => open.push(address),
            }
        }
        let mut last = match refused {
            Some(why) if open.is_empty() => denied(format!("{host} is {why}, which scalers may not reach")),
            _ => Failure::new(FailureKind::Unreachable, format!("the name {host} has no address")),
        };
        for address in open.into_iter().take(MOST_TRIED) {
            match tokio::time::timeout(CONNECT, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => {
                    let _ = stream.set_nodelay(true);
                    return Ok(stream);
                }
                Ok(Err(error)) => last = Failure::new(FailureKind::Unreachable, told(host, port, &error)),
                Err(_) => {
                    let message = format!("{host}:{port} did not accept a connection in time");
                    last = Failure::new(FailureKind::Timeout, message);
                }
            }
        }
        Err(last)
    }

    async fn addresses(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, Failure> {
        let form = self::host(host)?;
        if let Some(address) = self.via {
            return Ok(vec![address]);
        }
        if let Ok(address) = form.parse() {
            return Ok(vec![SocketAddr::new(address, port)]);
        }
        // As it was written: a last dot says that no search domain is meant.
        let found = tokio::time::timeout(CONNECT, self.resolver.resolve(host))
            .await
            .map_err(|_| Failure::new(FailureKind::Timeout, format!("the name {host} was not resolved in time")))?;
        let found =
            found.map_err(|_| Failure::new(FailureKind::Unreachable, format!("the name {host} does not resolve")))?;
        Ok(found.into_iter().map(|address| SocketAddr::new(address, port)).collect())
    }
}

/// The canonical form of a host that may be looked up.
///
/// # Errors
/// `Denied` when it is none.
pub(crate) fn host(host: &str) -> Result<String, Failure> {
    let form = canonical(host);
    if is_host(&form) { Ok(form) } else { Err(denied(format!("'{}' is no host", crate::clean::line(host)))) }
}

fn denied(message: String) -> Failure {
    Failure::new(FailureKind::Denied, message)
}

fn told(host: &str, port: u16, error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::ConnectionRefused => format!("{host}:{port} refused the connection"),
        kind => format!("{host}:{port} cannot be connected: {kind}"),
    }
}
