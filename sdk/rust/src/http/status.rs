//! What a status code means for a query.
use super::Response;
use crate::{Failure, FailureKind};

/// How much of an answer's body a message repeats, in characters.
const REPEATED: usize = 160;

/// Refuses a response that does not say 2xx.
pub(super) fn check(response: &Response) -> Result<(), Failure> {
    let kind = match response.status {
        200..=299 => return Ok(()),
        401 | 403 | 407 => FailureKind::Auth,
        404 | 410 => FailureKind::NotFound,
        408 | 504 => FailureKind::Timeout,
        429 => FailureKind::Throttled,
        500..=599 => FailureKind::Unreachable,
        _ => FailureKind::BadResponse,
    };
    let hint = match response.status {
        300..=399 => ", and redirects are not followed: write the final address",
        401 | 407 => ": check the credentials",
        403 => ": the credentials do not suffice",
        _ => "",
    };
    let said = std::str::from_utf8(&response.body).unwrap_or_default();
    let said: String = said.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(REPEATED).collect();
    let said = if said.is_empty() { said } else { format!(" ({said})") };
    let failure = Failure::new(kind, format!("answered {}{hint}{said}", response.status));
    Err(Failure { retry_after_ms: retry_after_ms(response), ..failure })
}

/// `Retry-After` in seconds; its other form, a date, is left alone.
fn retry_after_ms(response: &Response) -> Option<u64> {
    if !matches!(response.status, 429 | 503) {
        return None;
    }
    response.header("Retry-After")?.parse::<u64>().ok()?.checked_mul(1000)
}
