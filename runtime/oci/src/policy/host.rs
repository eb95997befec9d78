//! Hosts that a grant names.
use std::fmt;
use std::str::FromStr;

/// `api.example`, or `*.api.example` for all names below it; each with `:PORT` or for all ports. In lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPattern {
    host: String,
    port: Option<u16>,
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
        let (below, name) = host.strip_prefix("*.").map_or((false, host), |name| (true, name));
        let label = |label: &str| {
            (1..=63).contains(&label.len())
                && label.bytes().all(|c| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_'))
        };
        if name.len() > 253 || !name.split('.').all(label) {
            return Err("no host: write NAME, NAME:PORT or *.DOMAIN, without scheme or path");
        }
        if below && !name.contains('.') {
            return Err("would be far too many hosts: name a domain of two labels, as *.example.com");
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
