//! Where a server is, as other servers tell it.
use std::fmt;

/// Host and port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// Name or address, without brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Place { host, port } = self;
        if host.contains(':') { write!(f, "[{host}]:{port}") } else { write!(f, "{host}:{port}") }
    }
}

/// Where a node of a cluster sends on to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Redirection {
    pub(crate) to: Place,
    /// For this one command, which has to be announced: the slot is moving.
    pub(crate) once: bool,
}

impl Redirection {
    /// Parses `MOVED <slot> <host>:<port>` or `ASK …`, as told by `teller`; `None`: it is neither.
    ///
    /// Without a host, or with `?`, it is the teller's: nodes that do not know their own name say so.
    pub(crate) fn parse(error: &str, teller: &Place) -> Option<Redirection> {
        let mut words = error.split_ascii_whitespace();
        let once = match words.next()? {
            "MOVED" => false,
            "ASK" => true,
            _ => return None,
        };
        let _slot: u16 = words.next()?.parse().ok()?;
        let (host, port) = words.next()?.rsplit_once(':')?;
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let host = if matches!(host, "" | "?") { &teller.host } else { host };
        let port = port.parse().ok().filter(|port| *port > 0)?;
        Some(Redirection { to: Place { host: host.to_owned(), port }, once })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirections() {
        let teller = Place { host: "10.0.0.1".to_owned(), port: 6379 };
        for (error, expected) in [
            ("MOVED 3999 127.0.0.1:6381", Some(("127.0.0.1:6381", false))),
            ("ASK 3999 127.0.0.1:6381", Some(("127.0.0.1:6381", true))),
            ("MOVED 3999 2001:db8::1:6381", Some(("[2001:db8::1]:6381", false))),
            ("MOVED 3999 :6381", Some(("10.0.0.1:6381", false))),
            ("MOVED 3999 ?:6381", Some(("10.0.0.1:6381", false))),
            ("MOVED 3999 node-1.redis:6381", Some(("node-1.redis:6381", false))),
            ("MOVED 3999 127.0.0.1:0", None),
            ("MOVED 3999 127.0.0.1", None),
            ("MOVED x 127.0.0.1:1", None),
            ("MOVED", None),
            ("ERR MOVED 1 a:1", None),
        ] {
            let parsed = Redirection::parse(error, &teller);
            let told = parsed.map(|redirection| (redirection.to.to_string(), redirection.once));
            assert_eq!(told, expected.map(|(to, once)| (to.to_owned(), once)), "{error}");
        }
    }
}
