//! Lists of hosts, as annotations and policies write them: entries `host`, `host:port` or `*.parent.domain[:port]`, separated by
//! commas.
use std::fmt;
use std::net::IpAddr;

/// Entries of a list.
const MOST: usize = 64;

/// Hosts, each at one port or at any.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hosts(Vec<Host>);

/// Not a list of hosts. It says which entry is wrong, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NotHosts(String);

/// One entry: a host, or all names below a domain; at one port, or at any.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Host {
    /// In its canonical form.
    name: String,
    below: bool,
    port: Option<u16>,
}

impl Hosts {
    /// Reads a list.
    ///
    /// # Errors
    /// When an entry is no host, or when there is none: a list that says nothing must not mean "anywhere".
    pub fn parse(list: &str) -> Result<Hosts, NotHosts> {
        let entries = list.split(',').map(str::trim).filter(|entry| !entry.is_empty());
        let hosts = entries.map(entry).collect::<Result<Vec<_>, _>>()?;
        match hosts.len() {
            0 => Err(NotHosts("names no host".to_owned())),
            1..=MOST => Ok(Hosts(hosts)),
            _ => Err(NotHosts(format!("has more than {MOST} entries"))),
        }
    }

    /// Whether a host is one of them.
    pub fn hold(&self, host: &str, port: u16) -> bool {
        let host = canonical(host);
        // Names below a domain are names: 10.0.0.1 does not lie below 0.0.1.
        let address = is_address(&host);
        self.0.iter().any(|entry| {
            let fits = if entry.below {
                !address && host.strip_suffix(&entry.name).is_some_and(|rest| rest.len() > 1 && rest.ends_with('.'))
            } else {
                host == entry.name
            };
            fits && entry.port.is_none_or(|wanted| wanted == port)
        })
    }

    /// All entries in their normal form, joined by commas.
    pub fn list(&self) -> String {
        self.0.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
    }
}

/// The first entries, for people.
impl fmt::Display for Hosts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, host) in self.0.iter().take(4).enumerate() {
            write!(f, "{}{host}", if number == 0 { "" } else { ", " })?;
        }
        if self.0.len() > 4 { write!(f, ", and {} more", self.0.len() - 4) } else { Ok(()) }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Host { name, below, port } = self;
        let prefix = if *below { "*." } else { "" };
        match port {
            Some(port) if name.contains(':') => write!(f, "{prefix}[{name}]:{port}"),
            Some(port) => write!(f, "{prefix}{name}:{port}"),
            None => write!(f, "{prefix}{name}"),
        }
    }
}

fn entry(text: &str) -> Result<Host, NotHosts> {
    let shown: String = text.chars().take(64).flat_map(char::escape_default).collect();
    let wrong = |why: &str| {
        NotHosts(format!("'{shown}' {why}; write host, host:port, or *.parent.domain, separated by commas"))
    };
    let (below, rest) = text.strip_prefix("*.").map_or((false, text), |rest| (true, rest));
    let (name, port) = match rest.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') || (host.starts_with('[') && host.ends_with(']')) => {
            let digits = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
            let port = port.parse().ok().filter(|port| digits && *port > 0);
            (host, Some(port.ok_or_else(|| wrong("has no port between 1 and 65535"))?))
        }
        _ => (rest, None),
    };
    let name = canonical(name);
    if !is_host(&name) {
        return Err(wrong("is no host"));
    }
    if below && (is_address(&name) || !name.contains('.')) {
        return Err(wrong("is too wide: a parent domain has at least two labels"));
    }
    Ok(Host { name, below, port })
}

/// A host as it is compared: an address in its usual form, a name in lower case without its last dot; neither in brackets.
pub fn canonical(host: &str) -> String {
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    match bare.parse::<IpAddr>() {
        Ok(address) => address.to_string(),
        Err(_) => bare.strip_suffix('.').unwrap_or(bare).to_ascii_lowercase(),
    }
}

/// Whether a canonical host is one that may be looked up: an address without a zone, or a name of letters, digits, `-` and `_`
/// in labels. Percent signs, at signs and letters of other scripts (write `xn--…`) belong in no name, and different programs
/// read them differently.
pub fn is_host(host: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    };
    host.parse::<IpAddr>().is_ok() || (host.len() <= 253 && host.split('.').all(label))
}

/// An address, also in the forms that only old parsers take (`127.1`, `0x7f000001`): no name's last label begins with a digit.
fn is_address(host: &str) -> bool {
    host.contains(':') || host.rsplit('.').next().is_some_and(|last| last.starts_with(|c: char| c.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_that_are_none() {
        for list in [
            "",
            " , ",
            "*",
            "*.com",
            "*.0.0.1",
            "*.[::1]",
            "a b",
            "http://a",
            "a/b",
            "a:0",
            "a:x",
            "a:",
            "a:+1",
            "a:65536",
            "user@host",
            "a..b",
            "b%C3%BCcher.example",
            "bücher.example",
            "fe80::1%eth0",
            "x.*.example",
            "good.example,*",
        ] {
            assert!(Hosts::parse(list).is_err(), "{list}");
        }
        assert!(Hosts::parse(&"a.example,".repeat(65)).is_err());
    }

    #[test]
    fn hosts_have_one_form() {
        for (written, form) in [
            ("Db.Example.", "db.example"),
            ("[2001:DB8:0::1]", "2001:db8::1"),
            ("::FFFF:10.0.0.1", "::ffff:10.0.0.1"),
            ("10.0.0.1", "10.0.0.1"),
            ("010.0.0.1", "010.0.0.1"),
        ] {
            assert_eq!(canonical(written), form);
        }
    }
}
