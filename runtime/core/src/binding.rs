//! Credentials that are bound to hosts: an authentication may list where its secrets may go, and they go nowhere else.
//!
//! The list is an annotation of the authentication: entries `host`, `host:port` or `*.parent.domain[:port]`, separated by
//! commas. A trigger that refers to the authentication is bound as a whole, whichever of its values it uses: what a component
//! has seen it could send to any endpoint.
use crate::hosts::{Hosts, NotHosts};
use crate::key::Text;
use std::fmt;

/// The annotation of an authentication that lists the hosts.
pub const ANNOTATION: &str = "windlass.dev/hosts";

/// Where the secrets of one authentication may go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    authentication: Text,
    hosts: Hosts,
}

impl Binding {
    /// The binding of an authentication, from the text of its annotation.
    ///
    /// # Errors
    /// When an entry is no host, or when there is none: a list that says nothing must not mean "anywhere".
    pub fn parse(authentication: impl Into<Text>, list: &str) -> Result<Binding, NotHosts> {
        Ok(Binding { authentication: authentication.into(), hosts: Hosts::parse(list)? })
    }

    /// Whether the secrets may go to a host.
    pub fn permits(&self, host: &str, port: u16) -> bool {
        self.hosts.hold(host, port)
    }

    /// Why the secrets may not go to a host, and what to do about it.
    pub fn refusal(&self, host: &str, port: u16) -> Option<String> {
        if self.permits(host, port) {
            return None;
        }
        let host: String = host.chars().take(100).flat_map(char::escape_default).collect();
        let host = if host.contains(':') { format!("[{host}]") } else { host };
        Some(format!(
            "authentication '{}' may not be used for {host}:{port}: its annotation {ANNOTATION} allows only {}; add the \
             host to it, or use another authentication",
            self.authentication, self.hosts
        ))
    }

    /// The name of the authentication.
    pub fn authentication(&self) -> &str {
        &self.authentication
    }

    /// All entries in their normal form, joined by commas.
    pub fn list(&self) -> String {
        self.hosts.list()
    }
}

/// The first entries, for people.
impl fmt::Display for Binding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.hosts.fmt(f)
    }
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
}
