//! Errors as the Kubernetes API tells them: a `metav1.Status` object.
use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Response, StatusCode};
use http_body_util::Full;
use serde::Serialize;

/// Every answer is made in memory.
pub(crate) type Answer = Response<Full<Bytes>>;

/// What went wrong, for the one who asked.
#[derive(Debug)]
pub(crate) struct Problem {
    pub(crate) code: StatusCode,
    /// `metav1.StatusReason`.
    reason: &'static str,
    message: String,
    /// One of our reasons, told as a cause.
    cause: Option<&'static str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Status<'a> {
    kind: &'static str,
    api_version: &'static str,
    metadata: Empty,
    status: &'static str,
    message: &'a str,
    reason: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<Details>,
    code: u16,
}

#[derive(Serialize)]
pub(crate) struct Empty {}

#[derive(Serialize)]
struct Details {
    group: &'static str,
    kind: &'static str,
    causes: [Cause; 1],
}

#[derive(Serialize)]
struct Cause {
    reason: &'static str,
}

impl Problem {
    fn new(code: StatusCode, reason: &'static str, message: impl Into<String>) -> Problem {
        Problem { code, reason, message: message.into(), cause: None }
    }

    pub(crate) fn bad_request(message: impl Into<String>) -> Problem {
        Problem::new(StatusCode::BAD_REQUEST, "BadRequest", message)
    }

    pub(crate) fn unauthorized(message: impl Into<String>) -> Problem {
        Problem::new(StatusCode::UNAUTHORIZED, "Unauthorized", message)
    }

    pub(crate) fn forbidden(message: impl Into<String>) -> Problem {
        Problem::new(StatusCode::FORBIDDEN, "Forbidden", message)
    }

    pub(crate) fn not_found(message: impl Into<String>) -> Problem {
        Problem::new(StatusCode::NOT_FOUND, "NotFound", message)
    }

    pub(crate) fn method_not_allowed() -> Problem {
        Problem::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "MethodNotAllowed",
            "external metrics can only be read one at a time: use GET",
        )
    }

    pub(crate) fn not_acceptable() -> Problem {
        Problem::new(
            StatusCode::NOT_ACCEPTABLE,
            "NotAcceptable",
            "only the following media types are accepted: application/json, application/yaml",
        )
    }

    pub(crate) fn uri_too_long(limit: usize) -> Problem {
        let message = format!("the path and query may have up to {limit} bytes");
        Problem::new(StatusCode::URI_TOO_LONG, "RequestURITooLong", message)
    }

    pub(crate) fn head_too_large(limit: usize) -> Problem {
        let message = format!("the headers may have up to {limit} bytes");
        Problem::new(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "RequestHeaderFieldsTooLarge", message)
    }

    pub(crate) fn unavailable(message: impl Into<String>, cause: Option<&'static str>) -> Problem {
        Problem { cause, ..Problem::new(StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable", message) }
    }

    pub(crate) fn timeout() -> Problem {
        Problem::new(StatusCode::GATEWAY_TIMEOUT, "Timeout", "the request was not answered within its deadline")
    }

    /// The answer. It never has a `Retry-After`: client-go would sleep on it, and an HPA controller has few workers.
    pub(crate) fn answer(&self) -> Answer {
        let status = Status {
            kind: "Status",
            api_version: "v1",
            metadata: Empty {},
            status: "Failure",
            message: &self.message,
            reason: self.reason,
            details: self.cause.map(|reason| Details {
                group: crate::GROUP,
                kind: "ExternalMetricValueList",
                causes: [Cause { reason }],
            }),
            code: self.code.as_u16(),
        };
        let body = serde_json::to_vec(&status).unwrap_or_default();
        let mut answer = answer(self.code, "application/json", body.into());
        if self.code == StatusCode::METHOD_NOT_ALLOWED {
            answer.headers_mut().insert(ALLOW, HeaderValue::from_static("GET"));
        }
        answer
    }
}

/// An answer with a body.
pub(crate) fn answer(code: StatusCode, content_type: &'static str, body: Bytes) -> Answer {
    let mut answer = Response::new(Full::new(body));
    *answer.status_mut() = code;
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache, private"));
    answer
}
