//! URLs, as far as scalers need them.
use crate::{Endpoint, Tls};
use std::fmt::Write;

/// An absolute URL that the user wrote in a parameter. The host has checked its form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url {
    /// The parameter that it stands in.
    pub parameter: String,
    /// For instance `https`, in lower case.
    pub scheme: String,
    /// Name or address, without the brackets of an IPv6 address.
    pub host: String,
    /// The port, where one is written.
    pub port: Option<u16>,
    /// The path as written, without the query; may be empty.
    pub path: String,
    /// What follows the `?`, as written.
    pub query: Option<String>,
    /// Whether it has a user part that the scaler sees.
    pub has_user: bool,
}

impl Url {
    /// Parses an absolute URL.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(parameter: &str, text: &str) -> Result<Url, String> {
        let (scheme, rest) = text.split_once("://").ok_or("is not an absolute URL: write it with its scheme")?;
        let rest = rest.split('#').next().unwrap_or(rest);
        let (rest, query) = rest.split_once('?').map_or((rest, None), |(rest, query)| (rest, Some(query.to_owned())));
        let (authority, path) = rest.find('/').map_or((rest, ""), |slash| rest.split_at(slash));
        let (has_user, host) = authority.rsplit_once('@').map_or((false, authority), |(_, host)| (true, host));
        // The colons of an IPv6 address stand in brackets.
        let after = host.rfind(']').map_or(0, |bracket| bracket + 1);
        let (host, port) = match host.get(after..).and_then(|end| end.rfind(':')) {
            Some(colon) => (&host[..after + colon], Some(&host[after + colon + 1..])),
            None => (host, None),
        };
        let port = match port.filter(|port| !port.is_empty()) {
            Some(port) => Some(port.parse().map_err(|_| "names a port that is not between 1 and 65535")?),
            None => None,
        };
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        if host.is_empty() {
            return Err("names no host".to_owned());
        }
        Ok(Url {
            parameter: parameter.to_owned(),
            scheme: scheme.to_ascii_lowercase(),
            host: host.to_owned(),
            port,
            path: path.to_owned(),
            query,
            has_user,
        })
    }

    /// The endpoint of an `http` or `https` URL; `tls` counts for `https` alone.
    ///
    /// # Errors
    /// That the scheme is another.
    pub fn endpoint(&self, tls: Tls) -> Result<Endpoint, String> {
        let (default, tls) = match &*self.scheme {
            "http" => (80, None),
            "https" => (443, Some(tls)),
            _ => return Err("is neither an http nor an https URL".to_owned()),
        };
        Ok(Endpoint { tls, ..Endpoint::new(&self.parameter, &self.host, self.port.unwrap_or(default)) })
    }

    /// The request target: path and query as written, `/` for an empty path.
    pub fn target(&self) -> String {
        self.target_with("", &[])
    }

    /// The request target of a path below the URL's, with query parameters, which are encoded here and follow those of
    /// the URL. `path` starts with `/` or is empty and is taken as it is.
    pub fn target_with(&self, path: &str, query: &[(&str, &str)]) -> String {
        let base = if path.is_empty() { &*self.path } else { self.path.trim_end_matches('/') };
        let mut target = format!("{base}{path}");
        if !target.starts_with('/') {
            target.insert(0, '/');
        }
        let own = self.query.as_deref().filter(|own| !own.is_empty());
        let mut separator = '?';
        if let Some(own) = own {
            let _ = write!(target, "?{own}");
            separator = '&';
        }
        for (name, value) in query {
            let _ = write!(target, "{separator}{}={}", percent_encode(name), percent_encode(value));
            separator = '&';
        }
        target
    }
}

/// Encodes a name or a value for the query of a URL: everything but letters, digits, `-`, `_`, `.` and `~`.
pub fn percent_encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            encoded.push(byte.into());
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}
