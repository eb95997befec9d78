//! Hosts that a grant names.
use crate::pattern::glob;
use std::fmt;
use std::str::FromStr;

/// `api.example`, `*.api.example` (one label), each with `:PORT` or for all ports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPattern {
    host: String,
    port: Option<u16>,
}

impl HostPattern {
    /// Whether the grant covers this host and port.
    pub fn covers(&self, host: &str, port: u16) -> bool {
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        let (pattern, host): (Vec<&str>, Vec<&str>) = (self.host.split('.').collect(), host.split('.').collect());
        self.port.is_none_or(|own| own == port)
            && pattern.len() == host.len()
            && pattern.iter().zip(&host).all(|(pattern, label)| glob(pattern, label))
    }
}

impl FromStr for HostPattern {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<HostPattern, &'static str> {
        let (host, port) = match text.rsplit_once(':') {
            None => (text, None),
            Some((host, port)) => (
                host,
                Some(port.parse().ok().filter(|port| *port != 0).ok_or("the port is no number from 1 to 65535")?),
            ),
        };
        if host.is_empty() || host.split('.').any(str::is_empty) {
            return Err("no host: write NAME, NAME:PORT or *.NAME");
        }
        if host.split('.').all(|label| label.contains('*')) {
            return Err("would be every host: name the domain, as *.example.com");
        }
        if !host.bytes().all(|c| c.is_ascii_alphanumeric() || matches!(c, b'.' | b'-' | b'_' | b'*')) {
            return Err("no host: write NAME, NAME:PORT or *.NAME, without scheme or path");
        }
        Ok(HostPattern { host: host.to_ascii_lowercase(), port })
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            Some(port) => write!(f, "{}:{port}", self.host),
            None => f.write_str(&self.host),
        }
    }
}
