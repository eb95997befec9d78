//! A source that asks us to wait: 429, or 503 with a time. Nothing is sent to it before.
//!
//! Pure: time comes in as an argument.
use super::breaker::{Rule, pause};
use http::{HeaderMap, StatusCode, header};
use std::time::{Duration, SystemTime};
use tokio::time::Instant;

/// What a source said that is asked too often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wait {
    /// `Retry-After`; none: it told no time.
    pub(super) told: Option<Duration>,
}

/// Reads an answer: 429 says so with or without `Retry-After`, 503 only with it (RFC 9110, 10.2.3; RFC 6585, 4).
pub(super) fn asked_to_wait(status: StatusCode, headers: &HeaderMap, now: SystemTime) -> Option<Wait> {
    let told = || retry_after(headers.get(header::RETRY_AFTER)?.to_str().ok()?, now);
    match status {
        StatusCode::TOO_MANY_REQUESTS => Some(Wait { told: told() }),
        StatusCode::SERVICE_UNAVAILABLE => told().map(|told| Wait { told: Some(told) }),
        _ => None,
    }
}

/// Seconds, or a date. A time that is over counts as none.
fn retry_after(text: &str, now: SystemTime) -> Option<Duration> {
    let text = text.trim();
    let told = match text.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => httpdate::parse_http_date(text).ok()?.duration_since(now).ok()?,
    };
    (!told.is_zero()).then_some(told)
}

/// For sources that tell no time: a second, doubled at every answer of that kind.
const UNTOLD: Rule =
    Rule { failures: 1, quiet: Duration::ZERO, first: Duration::from_secs(1), cap: Duration::from_secs(60) };

/// Whether and how long a source is left alone.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Slow {
    until: Option<Instant>,
    in_a_row: u32,
}

impl Slow {
    /// How long nothing may be sent.
    pub(super) fn left(&self, now: Instant) -> Option<Duration> {
        self.until.map(|until| until.duration_since(now)).filter(|left| !left.is_zero())
    }

    /// The source asked to wait, for at most `cap`. Several such answers of one burst count once.
    pub(super) fn asked(&mut self, wait: Wait, now: Instant, cap: Duration, chance: f64) {
        let told = match wait.told {
            Some(told) => told,
            None if self.left(now).is_some() => return,
            None => pause(self.in_a_row, &UNTOLD, chance),
        };
        if self.left(now).is_none() {
            self.in_a_row = self.in_a_row.saturating_add(1);
        }
        let until = now + told.min(cap);
        self.until = Some(self.until.map_or(until, |before| before.max(until)));
    }

    /// The source answered something else.
    pub(super) fn answered(&mut self, now: Instant) {
        if self.left(now).is_none() {
            *self = Slow::default();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    const CAP: Duration = Duration::from_secs(300);

    fn secs(secs: u64) -> Duration {
        Duration::from_secs(secs)
    }

    fn asked(status: u16, text: Option<&str>) -> Option<Wait> {
        // Sun, 06 Nov 1994 08:49:37 GMT
        let now = SystemTime::UNIX_EPOCH + secs(784_111_777);
        let mut headers = HeaderMap::new();
        if let Some(text) = text {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_str(text).unwrap());
        }
        asked_to_wait(StatusCode::from_u16(status).unwrap(), &headers, now)
    }

    #[test]
    fn seconds_and_dates() {
        for (status, text, expected) in [
            (429, Some("7"), Some(Wait { told: Some(secs(7)) })),
            (429, Some(" 7 "), Some(Wait { told: Some(secs(7)) })),
            (429, Some("Sun, 06 Nov 1994 08:50:37 GMT"), Some(Wait { told: Some(secs(60)) })),
            (429, Some("Sunday, 06-Nov-94 08:49:40 GMT"), Some(Wait { told: Some(secs(3)) })),
            (429, Some("Sun, 06 Nov 1994 08:49:00 GMT"), Some(Wait { told: None })),
            (429, Some("0"), Some(Wait { told: None })),
            (429, Some("-5"), Some(Wait { told: None })),
            (429, Some("soon"), Some(Wait { told: None })),
            (429, Some("99999999999999999999999"), Some(Wait { told: None })),
            (429, None, Some(Wait { told: None })),
            (503, Some("7"), Some(Wait { told: Some(secs(7)) })),
            (503, None, None),
            (503, Some("soon"), None),
            (500, Some("7"), None),
            (200, Some("7"), None),
        ] {
            assert_eq!(asked(status, text), expected, "{status} {text:?}");
        }
    }

    #[test]
    fn the_longest_wait_counts_and_is_capped() {
        let now = Instant::now();
        let mut slow = Slow::default();
        assert_eq!(slow.left(now), None);
        slow.asked(Wait { told: Some(secs(10)) }, now, CAP, 0.0);
        slow.asked(Wait { told: Some(secs(2)) }, now, CAP, 0.0);
        assert_eq!(slow.left(now + secs(4)), Some(secs(6)));
        assert_eq!(slow.left(now + secs(10)), None);
        slow.asked(Wait { told: Some(secs(u64::MAX)) }, now, CAP, 0.0);
        assert_eq!(slow.left(now), Some(CAP));
    }

    #[test]
    fn without_a_time_the_pause_doubles_until_the_source_answers_again() {
        let mut now = Instant::now();
        let mut slow = Slow::default();
        for expected in [1, 2, 4, 8] {
            for _ in 0..3 {
                slow.asked(Wait { told: None }, now, CAP, 0.0);
            }
            assert_eq!(slow.left(now), Some(secs(expected)), "a burst counts once");
            now += secs(expected);
        }
        slow.answered(now);
        slow.asked(Wait { told: None }, now, CAP, 0.0);
        assert_eq!(slow.left(now), Some(secs(1)));
    }
}

#[cfg(test)]
mod fuzz {
    use super::asked_to_wait;
    use http::{HeaderMap, HeaderValue, StatusCode, header};
    use std::time::{Duration, SystemTime};
    use windlass_testkit::{Edits, mangled};

    #[test]
    fn retry_after() {
        let texts =
            ["120", "Wed, 21 Oct 2015 07:28:00 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"];
        bolero::check!().with_type::<(Edits, u32, bool)>().for_each(|(edits, now, throttled)| {
            let Ok(value) = HeaderValue::from_bytes(&mangled(&texts, edits)) else { return };
            let headers = HeaderMap::from_iter([(header::RETRY_AFTER, value)]);
            let now = SystemTime::UNIX_EPOCH + Duration::from_secs((*now).into());
            let status = if *throttled { StatusCode::TOO_MANY_REQUESTS } else { StatusCode::SERVICE_UNAVAILABLE };
            let wait = asked_to_wait(status, &headers, now);
            assert!(wait.is_some() || !throttled);
            assert!(wait.and_then(|wait| wait.told).is_none_or(|told| !told.is_zero()));
        });
    }
}
