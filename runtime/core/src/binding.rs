//! Credentials that are bound to hosts: an authentication may list where its secrets may go, and they go nowhere else.
//!
//! The list is an annotation of the authentication: entries `host`, `host:port` or `*.parent.domain[:port]`, separated by
//! commas. A trigger that refers to the authentication is bound as a whole, whichever of its values it uses: what a component
//! has seen it could send to any endpoint.
use crate::key::Text;
use std::fmt;
use std::net::IpAddr;

/// The annotation of an authentication that lists the hosts.
pub const ANNOTATION: &str = "windlass.dev/hosts";

/// Entries of a list.
const MOST_HOSTS: usize = 64;

/// Where the secrets of one authentication may go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    authentication: Text,
    hosts: Vec<Host>,
}

/// Not a list of hosts. It says which entry is wrong, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NotABinding(String);

/// One entry: a host, or all names below a domain; at one port, or at any.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Host {
    /// In its canonical form.
    name: String,
    below: bool,
    port: Option<u16>,
}

impl Binding {
    /// The binding of an authentication, from the text of its annotation.
    ///
    /// # Errors
    /// When an entry is no host, or when there is none: a list that says nothing must not mean "anywhere".
    pub fn parse(authentication: impl Into<Text>, list: &str) -> Result<Binding, NotABinding> {
        let entries = list.split(',').map(str::trim).filter(|entry| !entry.is_empty());
        let hosts = entries.map(entry).collect::<Result<Vec<_>, _>>()?;
        match hosts.len() {
            0 => Err(NotABinding("names no host".to_owned())),
            1..=MOST_HOSTS => Ok(Binding { authentication: authentication.into(), hosts }),
            _ => Err(NotABinding(format!("has more than {MOST_HOSTS} entries"))),
        }
    }

    /// Whether the secrets may go to a host.
    pub fn permits(&self, host: &str, port: u16) -> bool {
        let host = canonical(host);
        // Names below a domain are names: 10.0.0.1 does not lie below 0.0.1.
        let address = is_address(&host);
        self.hosts.iter().any(|entry| {
            let fits = if entry.below {
                !address && host.strip_suffix(&entry.name).is_some_and(|rest| rest.len() > 1 && rest.ends_with('.'))
            } else {
                host == entry.name
            };
            fits && entry.port.is_none_or(|wanted| wanted == port)
        })
    }

    /// Why the secrets may not go to a host, and what to do about it.
    pub fn refusal(&self, host: &str, port: u16) -> Option<String> {
        if self.permits(host, port) {
            return None;
        }
        let host: String = host.chars().take(100).flat_map(char::escape_default).collect();
        let host = if host.contains(':') { format!("[{host}]") } else { host };
        Some(format!(
            "authentication '{}' may not be used for {host}:{port}: its annotation {ANNOTATION} allows only {self}; add the \
             host to it, or use another authentication",
            self.authentication
        ))
    }

    /// The name of the authentication.
    pub fn authentication(&self) -> &str {
        &self.authentication
    }

    /// All entries in their normal form, joined by commas.
    pub fn list(&self) -> String {
        self.hosts.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
    }
}

/// The first entries, for people.
impl fmt::Display for Binding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, host) in self.hosts.iter().take(4).enumerate() {
            write!(f, "{}{host}", if number == 0 { "" } else { ", " })?;
        }
        if self.hosts.len() > 4 { write!(f, ", and {} more", self.hosts.len() - 4) } else { Ok(()) }
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

fn entry(text: &str) -> Result<Host, NotABinding> {
    let shown: String = text.chars().take(64).flat_map(char::escape_default).collect();
    let wrong = |why: &str| {
        NotABinding(format!("'{shown}' {why}; write host, host:port, or *.parent.domain, separated by commas"))
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
    fn hosts_that_are_listed() {
        let binding =
            Binding::parse("a", "db.example, Queue.example.:8080,*.brokers.example:9092, [::1]:80, 10.0.0.1").unwrap();
        for (host, port, may) in [
            ("db.example", 1, true),
            ("DB.Example.", 2, true),
            ("x.db.example", 1, false),
            ("db.example.evil", 1, false),
            ("evildb.example", 1, false),
            ("queue.example", 8080, true),
            ("queue.example", 80, false),
            ("b1.brokers.example", 9092, true),
            ("b1.eu.brokers.example", 9092, true),
            ("brokers.example", 9092, false),
            (".brokers.example", 9092, false),
            ("evilbrokers.example", 9092, false),
            ("b1.brokers.example", 22, false),
            ("[0:0::1]", 80, true),
            ("::1", 81, false),
            ("10.0.0.1", 5, true),
            ("10.0.0.1.evil.example", 5, false),
            ("", 80, false),
        ] {
            assert_eq!(binding.permits(host, port), may, "{host}:{port}");
            assert_eq!(binding.refusal(host, port).is_none(), may);
        }
        let told = binding.refusal("evil.example", 443).unwrap();
        for part in ["'a'", "evil.example:443", ANNOTATION, "db.example", "and 1 more"] {
            assert!(told.contains(part), "{part}: {told}");
        }
    }

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
            assert!(Binding::parse("a", list).is_err(), "{list}");
        }
        assert!(Binding::parse("a", &"a.example,".repeat(65)).is_err());
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
