//! Secrets are filled in here, by the names of parameters; a guest never sees a sealed one.
use crate::abi::types;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderName, HeaderValue};
use windlass_core::failure::{Failure, FailureKind};
use windlass_core::query::{Endpoint, ResolvedTrigger};

fn invalid(message: impl Into<windlass_core::Text>) -> Failure {
    Failure::new(FailureKind::Invalid, message)
}

/// What credentials add to a request.
#[derive(Default)]
pub(crate) struct Filled {
    /// Headers, marked sensitive.
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    /// `name=value` pairs for the query, encoded.
    pub(crate) query: Vec<String>,
}

/// What a credential's role means that names this: the value of a parameter, or of the user part of a URL parameter
/// (`<name>.user`, `<name>.password`).
pub fn value(trigger: &ResolvedTrigger, name: &str) -> Option<String> {
    if let Some(value) = trigger.values.get(name) {
        return Some(value.text.expose().to_owned());
    }
    let (parameter, part) = name.rsplit_once('.')?;
    let url = trigger.values.get(parameter)?.text.expose();
    let (user, password) = user_part(url)?;
    match part {
        "user" => Some(user),
        "password" => Some(password.unwrap_or_default()),
        _ => None,
    }
}

/// The user part of a URL as it is written.
pub(crate) fn written_user_part(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    authority.rsplit_once('@').map(|(user, _)| user)
}

/// The user part of a URL, decoded.
pub(crate) fn user_part(url: &str) -> Option<(String, Option<String>)> {
    let user = written_user_part(url)?;
    Some(match user.split_once(':') {
        Some((user, password)) => (decoded(user), Some(decoded(password))),
        None => (decoded(user), None),
    })
}

/// A sealed URL without its user part; `None` for what is no URL.
pub(crate) fn without_user(text: &str) -> Option<String> {
    let (scheme, rest) = text.split_once("://")?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    Some(format!("{scheme}://{host}{path}"))
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let hex = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        match (first, tail) {
            (b'%', [high, low, after @ ..]) if hex(*high).is_some() && hex(*low).is_some() => {
                bytes.push(hex(*high).unwrap_or(0) << 4 | hex(*low).unwrap_or(0));
                rest = after;
            }
            _ => {
                bytes.push(first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Everything but what RFC 3986 calls unreserved is escaped.
pub(crate) fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

/// The roles of one credential.
struct Roles<'a> {
    trigger: &'a ResolvedTrigger,
    credential: &'a types::Credential,
}

impl Roles<'_> {
    fn get(&self, role: &str, literal: bool) -> Result<Option<String>, Failure> {
        let secret = self.credential.secrets.iter().find(|(name, _)| name == role);
        let setting = self.credential.settings.iter().find(|(name, _)| name == role);
        match (secret, setting) {
            (Some(_), Some(_)) => Err(invalid(format!("credential: the role {role} is given twice"))),
            (Some((_, parameter)), None) => Ok(value(self.trigger, parameter)),
            (None, Some((_, text))) if literal => Ok(Some(text.clone())),
            (None, Some(_)) => Err(invalid(format!("credential: the role {role} takes the name of a parameter"))),
            (None, None) => Ok(None),
        }
    }

    fn need(&self, role: &str, literal: bool) -> Result<String, Failure> {
        self.get(role, literal)?
            .ok_or_else(|| invalid(format!("credential {}: {role} is not set", self.credential.scheme)))
    }

    fn known(&self, roles: &[&str]) -> Result<(), Failure> {
        let given = self.credential.secrets.iter().chain(&self.credential.settings).map(|(role, _)| role.as_str());
        for role in given {
            if !roles.contains(&role) {
                return Err(invalid(format!("credential {}: no role {role}", self.credential.scheme)));
            }
        }
        Ok(())
    }
}

fn sensitive(text: &str, what: &str) -> Result<HeaderValue, Failure> {
    // Text with a line break or a control character would end the header: the message must not show it.
    let mut value = HeaderValue::from_str(text)
        .map_err(|_| invalid(format!("the {what} has characters that no header can carry")))?;
    value.set_sensitive(true);
    Ok(value)
}

/// Whether the secrets of a trigger may go to an endpoint. Its plan was checked by the same rule: this is the moment of use.
///
/// # Errors
/// `Denied`, naming the authentication and the host.
pub(crate) fn permitted(trigger: &ResolvedTrigger, endpoint: &Endpoint) -> Result<(), Failure> {
    let refusal = trigger.bound.as_ref().and_then(|bound| bound.refusal(&endpoint.host, endpoint.port));
    refusal.map_or(Ok(()), |why| Err(Failure::new(FailureKind::Denied, why)))
}

/// Fills in credentials for a request to an endpoint.
///
/// # Errors
/// `Invalid`, naming scheme and role, never a value; `Denied` where they are bound to other hosts.
pub(crate) fn fill(
    trigger: &ResolvedTrigger,
    endpoint: &Endpoint,
    credentials: &[types::Credential],
) -> Result<Filled, Failure> {
    let mut filled = Filled::default();
    if !credentials.is_empty() {
        permitted(trigger, endpoint)?;
    }
    for credential in credentials {
        let roles = Roles { trigger, credential };
        match credential.scheme.as_str() {
            "bearer" => {
                roles.known(&["token"])?;
                let token = roles.need("token", false)?;
                filled.headers.push((http::header::AUTHORIZATION, sensitive(&format!("Bearer {token}"), "token")?));
            }
            "basic" => {
                roles.known(&["username", "password"])?;
                let of_url = |role: &str| {
                    credential.secrets.iter().any(|(name, parameter)| {
                        name == role && (parameter.ends_with(".user") || parameter.ends_with(".password"))
                    })
                };
                let username = roles.get("username", true)?;
                let password = roles.get("password", false)?;
                if username.is_none() && password.is_none() && of_url("username") {
                    continue;
                }
                let username = username.ok_or_else(|| invalid("credential basic: username is not set"))?;
                let pair = STANDARD.encode(format!("{username}:{}", password.unwrap_or_default()));
                filled.headers.push((http::header::AUTHORIZATION, sensitive(&format!("Basic {pair}"), "password")?));
            }
            "header" => {
                roles.known(&["name", "value"])?;
                let name = roles.need("name", true)?;
                let header = crate::http::header_name(&name)?;
                filled.headers.push((header, sensitive(&roles.need("value", false)?, "header's value")?));
            }
            "query" => {
                roles.known(&["name", "value"])?;
                let (name, value) = (roles.need("name", true)?, roles.need("value", false)?);
                filled.query.push(format!("{}={}", encoded(&name), encoded(&value)));
            }
            other => return Err(invalid(format!("credential: no scheme {}", crate::clean::line(other)))),
        }
    }
    Ok(filled)
}
