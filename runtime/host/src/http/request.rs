//! Requests as they go out: what a guest wrote, what the host adds, and what makes two of them equal.
use crate::abi::http as wit;
use crate::budget::Key;
use crate::credential;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, header};
use http_body_util::Full;
use sha2::{Digest as _, Sha256};
use windlass_core::failure::{Failure, FailureKind};
use windlass_core::query::{Endpoint, Question};

/// What we say who we are, unless the guest does.
const USER_AGENT: &str = concat!("windlass/", env!("CARGO_PKG_VERSION"));
/// Headers that are the host's own business, or belong to one hop.
const HOST_HEADERS: [HeaderName; 8] = [
    header::HOST,
    header::CONNECTION,
    header::TRANSFER_ENCODING,
    header::CONTENT_LENGTH,
    header::UPGRADE,
    header::TE,
    header::TRAILER,
    header::PROXY_AUTHORIZATION,
];

/// A request as it goes out, and the key under which it is shared.
pub(super) fn request(
    asked: wit::Request,
    question: &Question,
    endpoint: &Endpoint,
) -> Result<(Request<Full<Bytes>>, Option<Key>), Failure> {
    let invalid = |message: String| Failure::new(FailureKind::Invalid, message);
    let method = Method::from_bytes(asked.method.as_bytes())
        .ok()
        .filter(|method| *method != Method::CONNECT)
        .ok_or_else(|| invalid(format!("{}: no such method", crate::clean::line(&asked.method))))?;
    let filled = credential::fill(&question.trigger, endpoint, &asked.credentials)?;
    let mut target = asked.target;
    if !target.starts_with('/') {
        return Err(invalid("a request's target begins with /".to_owned()));
    }
    for pair in filled.query {
        target.push(if target.contains('?') { '&' } else { '?' });
        target.push_str(&pair);
    }
    let (scheme, usual) = if endpoint.tls.is_some() { ("https", 443) } else { ("http", 80) };
    let host = if endpoint.host.contains(':') && !endpoint.host.starts_with('[') {
        format!("[{}]", endpoint.host)
    } else {
        endpoint.host.to_string()
    };
    let authority = if endpoint.port == usual { host } else { format!("{host}:{}", endpoint.port) };
    // The target may carry a secret: a message must not show it.
    let uri = Uri::builder()
        .scheme(scheme)
        .authority(authority)
        .path_and_query(target)
        .build()
        .map_err(|_| invalid("the request's target is not a path and query".to_owned()))?;
    let mut headers = HeaderMap::new();
    headers.insert(header::USER_AGENT, HeaderValue::from_static(USER_AGENT));
    for (name, value) in asked.headers {
        let name = header_name(&name)?;
        let value = HeaderValue::from_str(&value)
            .map_err(|_| invalid(format!("header {name}: has characters that no header can carry")))?;
        if name == header::USER_AGENT {
            headers.insert(name, value);
        } else {
            headers.append(name, value);
        }
    }
    for (name, value) in filled.headers {
        headers.insert(name, value);
    }
    let body = Bytes::from(asked.body);
    let key = shareable(&method, &headers).then(|| key(&method, &uri, &headers, &body, question, endpoint));
    let mut request = Request::new(Full::new(body));
    *request.method_mut() = method;
    *request.uri_mut() = uri;
    *request.headers_mut() = headers;
    Ok((request, key))
}

/// A header that a guest or a user may set.
pub(crate) fn header_name(name: &str) -> Result<HeaderName, Failure> {
    let invalid =
        |what: &str| Failure::new(FailureKind::Invalid, format!("header {}: {what}", crate::clean::line(name)));
    let header = HeaderName::from_bytes(name.trim().as_bytes()).map_err(|_| invalid("not a header's name"))?;
    if HOST_HEADERS.contains(&header) { Err(invalid("is set by the host")) } else { Ok(header) }
}

/// Only what reads may be shared; a guest that wants an answer of its own says so as one says it to a cache.
fn shareable(method: &Method, headers: &HeaderMap) -> bool {
    let own = |value: &HeaderValue| {
        value.to_str().is_ok_and(|text| {
            text.split(',').any(|word| ["no-cache", "no-store"].iter().any(|own| word.trim().eq_ignore_ascii_case(own)))
        })
    };
    matches!(*method, Method::GET | Method::HEAD) && !headers.get_all(header::CACHE_CONTROL).iter().any(own)
}

/// A hash over all that makes an answer what it is. What the values of the query's parameters are is a part of it only where
/// it goes out or is a secret: namespaces may share.
fn key(method: &Method, uri: &Uri, headers: &HeaderMap, body: &[u8], question: &Question, endpoint: &Endpoint) -> Key {
    let mut hash = Sha256::new();
    let mut part = |bytes: &[u8]| {
        hash.update((bytes.len() as u64).to_le_bytes());
        hash.update(bytes);
    };
    part(&question.secrets.0);
    part(method.as_str().as_bytes());
    part(uri.scheme_str().unwrap_or_default().as_bytes());
    part(endpoint.host.as_bytes());
    part(&endpoint.port.to_le_bytes());
    part(uri.path_and_query().map_or("", |target| target.as_str()).as_bytes());
    part(&(headers.len() as u64).to_le_bytes());
    for (name, value) in headers {
        part(name.as_str().as_bytes());
        part(value.as_bytes());
    }
    part(body);
    if let Some(tls) = &endpoint.tls {
        part(&[u8::from(tls.upgrade), u8::from(tls.verify), u8::from(tls.server_name.is_some())]);
        part(tls.server_name.as_deref().unwrap_or_default().as_bytes());
        part(&crate::tls::material(tls, &question.trigger));
    }
    hash.finalize().into()
}

#[cfg(test)]
mod tests;
