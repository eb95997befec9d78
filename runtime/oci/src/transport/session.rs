//! Requests about one repository, by one user.
use super::{Access, Transport, authorize, host_of, loopback};
use crate::credential::Credential;
use crate::{Fault, Reference};
use bytes::Bytes;
use http::header::{AUTHORIZATION, LOCATION, USER_AGENT};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full, Limited};
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

/// Registries lead blobs to their storage in one step; a few more are forgiven.
const REDIRECTS: usize = 4;
/// An error page is read no further: only its status counts.
const ERROR_PAGE: usize = 4 * 1024;

/// One user's requests about one repository.
pub(crate) struct Session {
    transport: Transport,
    host: String,
    pub(super) repository: String,
    pub(super) credential: Option<Credential>,
    pub(super) access: Access,
    authorization: Mutex<Option<HeaderValue>>,
}

/// One request.
pub(crate) struct Ask {
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// What is asked for, for messages: `manifest`, `blob` …
    pub(crate) what: &'static str,
    /// Answers beyond so many bytes are refused while they are read.
    pub(crate) limit: u64,
}

/// An answer of status 2xx.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Session {
    pub(super) fn new(
        transport: Transport,
        reference: &Reference,
        credential: Option<Credential>,
        access: Access,
    ) -> Session {
        Session {
            transport,
            host: reference.host().to_owned(),
            repository: reference.repository().to_owned(),
            credential,
            access,
            authorization: Mutex::default(),
        }
    }

    /// A path of the repository in the registry's API.
    pub(crate) fn uri(&self, path: &str) -> Result<Uri, Fault> {
        let scheme = if self.transport.plain(&self.host) { "http" } else { "https" };
        format!("{scheme}://{}/v2/{}/{path}", self.host, self.repository)
            .parse()
            .map_err(|_| Fault::BadAnswer { why: "it makes a URL that is none".to_owned() })
    }

    /// Where a registry leads: absolute, or a path of the one that was asked.
    pub(crate) fn leads(base: &Uri, headers: &HeaderMap) -> Result<Uri, Fault> {
        let bad = |why: &str| Fault::BadAnswer { why: why.to_owned() };
        let location = headers.get(LOCATION).ok_or_else(|| bad("it leads elsewhere and does not say where"))?;
        let location = location.to_str().map_err(|_| bad("its Location is no URL"))?;
        let absolute = match (location.starts_with('/'), base.authority()) {
            (true, Some(authority)) => format!("{}://{authority}{location}", base.scheme_str().unwrap_or("https")),
            _ => location.to_owned(),
        };
        let uri: Uri = absolute.parse().map_err(|_| bad("its Location is no URL"))?;
        if uri.authority().is_none() { Err(bad("its Location is no URL")) } else { Ok(uri) }
    }

    /// Asks, logs in where the registry wants it, follows where it leads, and gives an answer of status 2xx.
    pub(crate) async fn ask(&self, ask: Ask) -> Result<Answer, Fault> {
        let (mut uri, mut logged_in, mut redirects) = (ask.uri.clone(), false, 0);
        loop {
            let home = self.is_home(&uri);
            let mut headers = ask.headers.clone();
            // A token is for the registry, never for its storage.
            if let (true, Some(value)) = (home, self.authorization()) {
                headers.insert(AUTHORIZATION, value);
            }
            let answer = self.send(&ask, &uri, headers).await?;
            match answer.status {
                status if status.is_success() => return Ok(answer),
                StatusCode::UNAUTHORIZED if home && !logged_in => {
                    logged_in = true;
                    let value = authorize::authorize(self, &answer.headers).await?;
                    *self.authorization.lock().unwrap_or_else(PoisonError::into_inner) = Some(value);
                }
                status if status.is_redirection() && matches!(ask.method, Method::GET | Method::HEAD) => {
                    redirects += 1;
                    if redirects > REDIRECTS {
                        return Err(Fault::BadAnswer {
                            why: format!("it leads elsewhere more than {REDIRECTS} times"),
                        });
                    }
                    uri = Session::leads(&uri, &answer.headers)?;
                }
                status => return Err(self.fault(status, ask.what)),
            }
        }
    }

    /// One exchange. Whatever its status, it is an answer.
    pub(super) async fn send(&self, ask: &Ask, uri: &Uri, headers: HeaderMap) -> Result<Answer, Fault> {
        let to = uri.authority().map(ToString::to_string).unwrap_or_default();
        self.check(uri, &to)?;
        let mut request = Request::new(Full::new(ask.body.clone()));
        (*request.method_mut(), *request.uri_mut(), *request.headers_mut()) =
            (ask.method.clone(), uri.clone(), headers);
        let agent = HeaderValue::from_static(concat!("windlass/", env!("CARGO_PKG_VERSION")));
        request.headers_mut().insert(USER_AGENT, agent);
        let sent = if self.is_home(uri) && loopback(&to) {
            self.transport.local.request(request).await
        } else {
            self.transport.client.request(request).await
        };
        let answer = sent.map_err(|error| Fault::Unreachable { host: to.clone(), why: root_cause(&error) })?;
        let (head, body) = answer.into_parts();
        let limit = if head.status.is_success() { ask.limit } else { ERROR_PAGE as u64 };
        let told =
            head.headers.get(http::header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
        let too_large = Fault::TooLarge { what: ask.what, limit };
        if !head.status.is_success() {
            // Not read to its end: the connection is given up rather than drained.
            return Ok(Answer { status: head.status, headers: head.headers, body: Bytes::new() });
        }
        if ask.method != Method::HEAD && told.is_some_and(|length| length > limit) {
            return Err(too_large);
        }
        let body =
            Limited::new(body, usize::try_from(limit).unwrap_or(usize::MAX)).collect().await.map_err(|error| {
                if error.is::<http_body_util::LengthLimitError>() {
                    too_large
                } else {
                    Fault::Unreachable { host: to, why: format!("the connection ended within the {}", ask.what) }
                }
            })?;
        Ok(Answer { status: head.status, headers: head.headers, body: body.to_bytes() })
    }

    /// Whether a URL is the registry's own, by the scheme that it is asked with: no token leaves it.
    pub(super) fn is_home(&self, uri: &Uri) -> bool {
        let scheme = if self.transport.plain(&self.host) { "http" } else { "https" };
        let told = uri.authority().map(|authority| authority.as_str().to_ascii_lowercase());
        uri.scheme_str() == Some(scheme) && told.as_deref() == Some(&self.host)
    }

    /// Elsewhere only TLS is spoken; and some addresses are never reached.
    fn check(&self, uri: &Uri, to: &str) -> Result<(), Fault> {
        let home = self.is_home(uri);
        let misled = |why: &str| Err(Fault::Misled { to: to.to_owned(), why: why.to_owned() });
        if !home && uri.scheme_str() != Some("https") && !self.transport.plain_http.contains(to) {
            return misled("not reached by TLS (a registry that has none is named by --plain-http)");
        }
        if home && loopback(to) {
            return Ok(());
        }
        // Names are looked at once they are resolved.
        match host_of(to).parse::<IpAddr>().ok().and_then(|address| (self.transport.refusal)(address)) {
            Some(why) => misled(why),
            None => Ok(()),
        }
    }

    fn authorization(&self) -> Option<HeaderValue> {
        self.authorization.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What a status means.
    pub(super) fn fault(&self, status: StatusCode, what: &'static str) -> Fault {
        match status {
            StatusCode::UNAUTHORIZED if self.credential.is_none() => Fault::NoCredentials,
            StatusCode::UNAUTHORIZED => Fault::Unauthorized,
            StatusCode::FORBIDDEN => Fault::Forbidden { action: self.access.word() },
            StatusCode::NOT_FOUND => Fault::NotFound { what },
            StatusCode::TOO_MANY_REQUESTS => Fault::Throttled,
            status if status.is_server_error() => Fault::Server { status: status.as_u16() },
            status => Fault::BadAnswer { why: format!("HTTP {} to a request for a {what}", status.as_u16()) },
        }
    }
}

/// The innermost error says what happened; those around it say "client error (Connect)".
fn root_cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}
