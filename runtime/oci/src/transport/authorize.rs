//! The registry's challenge, answered: name and password as they are, or changed into a token at its token service.
use super::session::{Ask, Session};
use crate::Fault;
use crate::credential::Credential;
use base64::Engine as _;
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, Method, Uri};
use serde::Deserialize;
use std::collections::BTreeMap;

/// Tokens are a few kilobytes.
const TOKEN_LIMIT: u64 = 64 * 1024;

/// What a registry asks for.
#[derive(Debug)]
enum Challenge {
    Basic,
    Bearer { realm: String, service: Option<String> },
}

/// The `Authorization` that answers a 401.
pub(super) async fn authorize(session: &Session, headers: &HeaderMap) -> Result<HeaderValue, Fault> {
    if let Some(Credential::Bearer(token)) = &session.credential {
        return secret("Bearer", token);
    }
    match challenge(headers) {
        None => Err(session.fault(http::StatusCode::UNAUTHORIZED, "")),
        Some(Challenge::Basic) => match &session.credential {
            Some(Credential::Basic { user, password }) => secret("Basic", &encoded(user, password)),
            Some(_) => Err(Fault::Unauthorized),
            None => Err(Fault::NoCredentials),
        },
        Some(Challenge::Bearer { realm, service }) => {
            let token = token(session, &realm, service.as_deref()).await?;
            secret("Bearer", &token)
        }
    }
}

/// A bearer challenge is preferred: with it a password goes to the token service alone.
fn challenge(headers: &HeaderMap) -> Option<Challenge> {
    let mut basic = None;
    for value in headers.get_all(WWW_AUTHENTICATE) {
        let Ok(challenges) = http_auth::parse_challenges(value.to_str().ok()?) else { continue };
        for challenge in challenges {
            let parameters: BTreeMap<String, String> = challenge
                .params
                .iter()
                .map(|(name, value)| (name.to_ascii_lowercase(), value.to_unescaped()))
                .collect();
            if challenge.scheme.eq_ignore_ascii_case("bearer") {
                let realm = parameters.get("realm").cloned().unwrap_or_default();
                return Some(Challenge::Bearer { realm, service: parameters.get("service").cloned() });
            }
            if challenge.scheme.eq_ignore_ascii_case("basic") {
                basic = Some(Challenge::Basic);
            }
        }
    }
    basic
}

/// A token for this repository.
async fn token(session: &Session, realm: &str, service: Option<&str>) -> Result<String, Fault> {
    #[derive(Deserialize)]
    struct Told {
        token: Option<String>,
        access_token: Option<String>,
    }
    let bad = |why: &str| Fault::BadAnswer { why: why.to_owned() };
    let scope = format!("repository:{}:{}", session.repository, session.access.scope());
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.append_pair("scope", &scope).extend_pairs(service.map(|service| ("service", service)));
    let mut headers = HeaderMap::new();
    let (method, uri, body) = match &session.credential {
        Some(Credential::Identity(refresh)) => {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
            form.append_pair("grant_type", "refresh_token")
                .append_pair("client_id", "windlass")
                .append_pair("refresh_token", refresh);
            (Method::POST, realm.to_owned(), Bytes::from(form.finish()))
        }
        other => {
            if let Some(Credential::Basic { user, password }) = other {
                headers.insert(AUTHORIZATION, secret("Basic", &encoded(user, password))?);
            }
            let separator = if realm.contains('?') { '&' } else { '?' };
            (Method::GET, format!("{realm}{separator}{}", form.finish()), Bytes::new())
        }
    };
    let uri: Uri = uri.parse().map_err(|_| bad("the realm of its token service is no URL"))?;
    if uri.authority().is_none() {
        return Err(bad("the realm of its token service is no URL"));
    }
    let ask = Ask { method, uri: uri.clone(), headers: HeaderMap::new(), body, what: "token", limit: TOKEN_LIMIT };
    let answer = session.send(&ask, &uri, headers).await?;
    if !answer.status.is_success() {
        return Err(session.fault(answer.status, "token service"));
    }
    let told: Told =
        serde_json::from_slice(&answer.body).map_err(|_| bad("its token service gave no JSON with a token"))?;
    told.token.or(told.access_token).ok_or_else(|| bad("its token service gave no token"))
}

fn encoded(user: &str, password: &str) -> String {
    base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"))
}

fn secret(scheme: &str, value: &str) -> Result<HeaderValue, Fault> {
    // A line break in a token would make a header of its own.
    let mut value = HeaderValue::from_str(&format!("{scheme} {value}")).map_err(|_| Fault::Unauthorized)?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(values: &[&'static str]) -> Option<Challenge> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(WWW_AUTHENTICATE, HeaderValue::from_static(value));
        }
        challenge(&headers)
    }

    #[test]
    fn challenges_are_read() {
        let bearer =
            r#"Bearer realm="https://auth.example/token",service="registry.example",scope="repository:q:pull""#;
        for values in [vec![bearer], vec![r#"Basic realm="r""#, bearer]] {
            let Some(Challenge::Bearer { realm, service }) = read(&values) else { panic!("{values:?}") };
            assert_eq!((realm.as_str(), service.as_deref()), ("https://auth.example/token", Some("registry.example")));
        }
        assert!(matches!(read(&[r#"basic realm="r""#]), Some(Challenge::Basic)));
        assert!(read(&[]).is_none() && read(&["Negotiate"]).is_none() && read(&["== ,,"]).is_none());
    }

    #[test]
    fn a_line_break_in_a_token_is_no_header() {
        assert!(secret("Bearer", "a\r\nX-Evil: 1").is_err());
    }
}
