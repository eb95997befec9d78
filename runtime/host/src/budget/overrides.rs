//! What differs for some sources: one that is large, or one with a small quota.
use super::Budget;
use crate::egress::canonical;
use std::str::FromStr;
use std::sync::Arc;

/// Parts of the budget of the sources at a host, or at one of its ports, whatever their credentials.
#[derive(Clone, Debug, PartialEq)]
pub struct Override {
    host: String,
    port: Option<u16>,
    rate: Option<f64>,
    burst: Option<u32>,
    in_flight: Option<usize>,
}

/// Not a source's budget.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}: write it as queue.example:8080,rate=5,burst=10,in-flight=2, with any of the three")]
pub struct NotAnOverride(String);

/// `HOST[:PORT]` and then any of `,rate=`, `,burst=`, `,in-flight=`.
impl FromStr for Override {
    type Err = NotAnOverride;
    fn from_str(text: &str) -> Result<Override, NotAnOverride> {
        parse(text).ok_or_else(|| NotAnOverride(text.to_owned()))
    }
}

impl Override {
    /// Of a source `HOST[:PORT]`; what is `None` is as for all.
    ///
    /// # Errors
    /// When the source is no host, a figure is out of range, or there is none.
    pub fn new(
        source: &str,
        rate: Option<f64>,
        burst: Option<u32>,
        in_flight: Option<usize>,
    ) -> Result<Override, NotAnOverride> {
        let mut text = source.to_owned();
        if !source.contains(',') {
            text.extend(rate.map(|rate| format!(",rate={rate}")));
            text.extend(burst.map(|burst| format!(",burst={burst}")));
            text.extend(in_flight.map(|slots| format!(",in-flight={slots}")));
        } else {
            text.push_str(" (no host)");
        }
        text.parse()
    }
}

fn parse(text: &str) -> Option<Override> {
    let mut parts = text.split(',').map(str::trim);
    let (host, port) = address(parts.next()?)?;
    let mut made = Override { host: canonical(host), port, rate: None, burst: None, in_flight: None };
    for part in parts {
        let (name, value) = part.split_once('=')?;
        match name {
            "rate" => made.rate = Some(value.parse().ok().filter(|rate| (0.001..=1e6).contains(rate))?),
            "burst" => made.burst = Some(value.parse().ok().filter(|burst| *burst > 0)?),
            "in-flight" => made.in_flight = Some(value.parse().ok().filter(|slots| *slots > 0)?),
            _ => return None,
        }
    }
    let says_something = made.rate.is_some() || made.burst.is_some() || made.in_flight.is_some();
    (!made.host.is_empty() && says_something).then_some(made)
}

/// A host, and a port when there is one; an IPv6 address with a port stands in brackets.
fn address(text: &str) -> Option<(&str, Option<u16>)> {
    match text.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') || host.ends_with(']') => Some((host, Some(port.parse().ok()?))),
        _ => Some((text, None)),
    }
}

/// The budget of one source.
pub(super) fn budget(general: &Arc<Budget>, host: &str, port: u16) -> Arc<Budget> {
    let fits = |other: &&Override| other.host == host && other.port.is_none_or(|wanted| wanted == port);
    let Some(found) = general.overrides.iter().rfind(fits) else { return general.clone() };
    Arc::new(Budget {
        rate: found.rate.unwrap_or(general.rate),
        burst: found.burst.unwrap_or(general.burst),
        in_flight: found.in_flight.unwrap_or(general.in_flight),
        // It is one source's now.
        overrides: Vec::new(),
        ..Budget::clone(general)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(overrides: &[&str], host: &str, port: u16) -> (f64, u32, usize) {
        let overrides = overrides.iter().map(|text| text.parse().expect("well-formed")).collect();
        let general = Budget { rate: 1.0, burst: 2, in_flight: 3, overrides, ..Budget::default() };
        let budget = budget(&Arc::new(general), host, port);
        (budget.rate, budget.burst, budget.in_flight)
    }

    #[test]
    fn the_last_that_fits_counts() {
        let all = ["api.example,rate=0.5", "Api.Example.:8080, burst=7, in-flight=9", "[::1]:80,rate=4", "::2,burst=5"];
        for (host, port, expected) in [
            ("api.example", 80, (0.5, 2, 3)),
            ("api.example", 8080, (1.0, 7, 9)),
            ("other.example", 80, (1.0, 2, 3)),
            ("::1", 80, (4.0, 2, 3)),
            ("::1", 81, (1.0, 2, 3)),
            ("::2", 81, (1.0, 5, 3)),
        ] {
            assert_eq!(of(&all, host, port), expected, "{host}:{port}");
        }
    }

    #[test]
    fn what_is_not_one() {
        for text in [
            "",
            "host",
            "host:80",
            ",rate=1",
            "host,rate=0",
            "host,rate=nan",
            "host,rate=x",
            "host,burst=0",
            "host,burst=-1",
            "host,in-flight=0",
            "host,speed=1",
            "host,rate",
            "host:port,rate=1",
            "host:70000,rate=1",
        ] {
            assert_eq!(text.parse::<Override>(), Err(NotAnOverride(text.to_owned())));
        }
    }
}
