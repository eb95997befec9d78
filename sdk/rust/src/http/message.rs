//! Requests and responses.
use crate::bindings::windlass::scaler::http as host;
use crate::{Credential, Failure};
use std::time::Duration;

/// The longest answer that is read when the scaler does not say otherwise, in bytes.
const MAX_BODY: usize = 1 << 20;

/// A request to an endpoint of the plan.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// Index into the plan's endpoints.
    pub endpoint: u32,
    /// For instance `GET`.
    pub method: String,
    /// Path and query, from `/`, encoded.
    pub target: String,
    /// Names and values. `Host` and `Content-Length` are the host's.
    pub headers: Vec<(String, String)>,
    /// Body; may be empty.
    pub body: Vec<u8>,
    /// What the host adds from sealed parameters.
    pub credentials: Vec<Credential>,
    /// How long to wait for the answer, where the user says so; always within the batch's budget.
    pub timeout: Option<Duration>,
    /// Answers of any status are parsed, not only 2xx.
    pub any_status: bool,
    /// The longest answer that is read, in bytes.
    pub max_body: usize,
}

impl Request {
    /// A request without body.
    pub fn new(method: &str, endpoint: u32, target: impl Into<String>) -> Request {
        Request {
            endpoint,
            method: method.to_owned(),
            target: target.into(),
            headers: Vec::new(),
            body: Vec::new(),
            credentials: Vec::new(),
            timeout: None,
            any_status: false,
            max_body: MAX_BODY,
        }
    }

    /// `GET`.
    pub fn get(endpoint: u32, target: impl Into<String>) -> Request {
        Request::new("GET", endpoint, target)
    }

    /// `POST` of a body.
    pub fn post(endpoint: u32, target: impl Into<String>, content_type: &str, body: impl Into<Vec<u8>>) -> Request {
        let request = Request { body: body.into(), ..Request::new("POST", endpoint, target) };
        request.header("Content-Type", content_type)
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Request {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Adds credentials.
    #[must_use]
    pub fn credentials(mut self, credentials: impl IntoIterator<Item = Credential>) -> Request {
        self.credentials.extend(credentials);
        self
    }

    /// Waits this long for the answer; `None` leaves it to the host.
    #[must_use]
    pub fn timeout(mut self, timeout: Option<Duration>) -> Request {
        self.timeout = timeout;
        self
    }

    /// Answers of any status are parsed.
    #[must_use]
    pub fn any_status(mut self) -> Request {
        self.any_status = true;
        self
    }

    /// Reads answers up to this length, in bytes.
    #[must_use]
    pub fn max_body(mut self, bytes: usize) -> Request {
        self.max_body = bytes;
        self
    }

    pub(super) fn into_host(self, query: u32) -> host::Request {
        host::Request {
            query,
            endpoint: self.endpoint,
            method: self.method,
            target: self.target,
            headers: self.headers,
            body: self.body,
            credentials: self.credentials,
            timeout_ms: self.timeout.map(|timeout| u32::try_from(timeout.as_millis()).unwrap_or(u32::MAX)),
        }
    }
}

/// A response whose body has been read to its end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Response {
    /// Status code.
    pub status: u16,
    /// Names and values.
    pub headers: Vec<(String, String)>,
    /// Body.
    pub body: Vec<u8>,
}

impl Response {
    /// The first header of that name, in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    }

    /// Refuses a status that does not say 2xx, by its usual meaning; for requests with [`Request::any_status`].
    ///
    /// # Errors
    /// What the status means, with the beginning of the body.
    pub fn check(&self) -> Result<(), Failure> {
        super::status::check(self)
    }

    /// The body as text.
    ///
    /// # Errors
    /// That it is not UTF-8.
    pub fn text(&self) -> Result<&str, Failure> {
        std::str::from_utf8(&self.body).map_err(|_| Failure::bad_response("the answer is not UTF-8"))
    }

    /// The body as JSON.
    ///
    /// # Errors
    /// Where it is not the JSON that was expected.
    pub fn json<T: serde::de::DeserializeOwned>(&self) -> Result<T, Failure> {
        serde_json::from_slice(&self.body)
            .map_err(|error| Failure::bad_response(format!("the answer is not the JSON expected: {error}")))
    }
}
