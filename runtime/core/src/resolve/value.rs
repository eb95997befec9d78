//! Shapes: what a value must look like, and the one form in which components get it.
use crate::scaler::{Parameter, Shape};
use crate::secret::Secret;
use std::net::Ipv6Addr;

/// How much of a value a message repeats at most, in characters.
const QUOTED: usize = 64;

/// Checks a trimmed value that is not empty against its parameter's declaration and brings it into its normal form.
///
/// # Errors
/// What is wrong and what is expected instead. The value itself is quoted only when `quotable`, and never for shapes
/// that may carry credentials (URLs, pairs).
pub(super) fn check(parameter: &Parameter, text: &str, quotable: bool) -> Result<Secret, String> {
    let quotable = quotable && !matches!(parameter.shape, Shape::Url | Shape::Pairs);
    let subject = if quotable { format!("`{}`", quote(text)) } else { "the value".to_owned() };
    let normal = match parameter.shape {
        Shape::Text => Ok(text.to_owned()),
        Shape::Integer => text.parse::<i64>().map(|n| n.to_string()).map_err(|_| "is not an integer".to_owned()),
        Shape::Number => number(text),
        Shape::Boolean => boolean(text).map(|b| b.to_string()),
        Shape::Duration => duration_ms(text).map(|ms| ms.to_string()),
        Shape::Url => url(text).map(|()| text.to_owned()),
        Shape::Address => address(text).map(|()| text.to_owned()),
        Shape::Addresses => list(text, |entry| address(entry).map(|()| entry.to_owned())),
        Shape::Texts => list(text, |entry| Ok(entry.to_owned())),
        Shape::Pairs => list(text, pair),
    }
    .map_err(|reason| format!("{subject} {reason}"))?;
    if chosen(parameter, text) {
        return Ok(Secret::new(normal));
    }
    let choices: Vec<&str> = parameter.choices.iter().map(|choice| &**choice).collect();
    Err(format!("{subject} is not one of {}", choices.join(", ")))
}

/// Whether a value is among the declared choices; a list must consist of them.
fn chosen(parameter: &Parameter, text: &str) -> bool {
    let allowed = |text: &str| parameter.choices.iter().any(|choice| &**choice == text);
    match parameter.shape {
        _ if parameter.choices.is_empty() => true,
        Shape::Texts | Shape::Addresses | Shape::Pairs => entries(text).all(allowed),
        _ => allowed(text),
    }
}

fn quote(text: &str) -> String {
    let mut quoted: String = text.chars().take(QUOTED).flat_map(char::escape_debug).collect();
    if text.chars().nth(QUOTED).is_some() {
        quoted.push('…');
    }
    quoted
}

fn number(text: &str) -> Result<String, String> {
    match text.parse::<f64>() {
        // Adding zero turns -0 into 0.
        Ok(number) if number.is_finite() => Ok((number + 0.0).to_string()),
        _ => Err("is not a finite number".to_owned()),
    }
}

/// The words of Go's `strconv.ParseBool`.
fn boolean(text: &str) -> Result<bool, String> {
    match text {
        "1" | "t" | "T" | "TRUE" | "true" | "True" => Ok(true),
        "0" | "f" | "F" | "FALSE" | "false" | "False" => Ok(false),
        _ => Err("is neither true nor false".to_owned()),
    }
}

/// A duration in milliseconds: a bare integer counts milliseconds, as in KEDA; else the form of Go's
/// `time.ParseDuration`. Fractions of a millisecond are rounded up, so that no timeout becomes zero by rounding.
fn duration_ms(text: &str) -> Result<u64, String> {
    const EXPECTED: &str = "is not a duration: write for instance 1m30s, 500ms, or a number of milliseconds";
    if text.starts_with('-') {
        return Err("is a negative duration".to_owned());
    }
    let text = text.strip_prefix('+').unwrap_or(text);
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse().map_err(|_| "is too long a duration".to_owned());
    }
    if text.is_empty() {
        return Err(EXPECTED.to_owned());
    }
    // Go counts in nanoseconds of an int64, which is about 292 years.
    let mut total_ns: u128 = 0;
    let mut rest = text;
    while !rest.is_empty() {
        let (whole, after) = rest.split_at(rest.bytes().take_while(u8::is_ascii_digit).count());
        let (fraction, after) = match after.strip_prefix('.') {
            Some(after) => after.split_at(after.bytes().take_while(u8::is_ascii_digit).count()),
            None => ("", after),
        };
        if whole.is_empty() && fraction.is_empty() {
            return Err(EXPECTED.to_owned());
        }
        let (unit, after) = after.split_at(after.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(after.len()));
        let unit_ns: u128 = match unit {
            "ns" => 1,
            "us" | "µs" | "μs" => 1_000,
            "ms" => 1_000_000,
            "s" => 1_000_000_000,
            "m" => 60_000_000_000,
            "h" => 3_600_000_000_000,
            _ => return Err(EXPECTED.to_owned()),
        };
        let whole: u128 = if whole.is_empty() { 0 } else { whole.parse().unwrap_or(u128::from(u64::MAX)) };
        // More than 18 decimals cannot make a nanosecond.
        let fraction = fraction.get(..18).unwrap_or(fraction);
        let part: u128 = fraction.parse().unwrap_or(0);
        let scale = 10u128.pow(u32::try_from(fraction.len()).unwrap_or(0));
        total_ns = whole
            .checked_mul(unit_ns)
            .and_then(|ns| ns.checked_add(part * unit_ns / scale))
            .and_then(|ns| ns.checked_add(total_ns))
            .filter(|ns| *ns <= i64::MAX as u128)
            .ok_or("is too long a duration")?;
        rest = after;
    }
    u64::try_from(total_ns.div_ceil(1_000_000)).map_err(|_| "is too long a duration".to_owned())
}

/// An absolute URL: scheme, `//` and a host. The text is kept as it was written.
fn url(text: &str) -> Result<(), String> {
    let Some((scheme, rest)) = text.split_once("://") else {
        return Err("is not an absolute URL: write it with its scheme, for instance http://host:port/path".to_owned());
    };
    let proper = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    if !proper {
        return Err("is not a URL: its scheme is not well formed".to_owned());
    }
    if text.chars().any(|c| c.is_control() || c.is_whitespace() || c == '\\') {
        return Err("is not a URL: it contains blanks, backslashes or control characters".to_owned());
    }
    let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let (name, port) = split_port(host).ok_or("is not a URL: its host is not well formed")?;
    if name.is_empty() {
        return Err("is not a URL: it names no host".to_owned());
    }
    match port {
        None | Some("") => Ok(()),
        Some(port) => parse_port(port).map(|_| ()),
    }
}

/// `host:port`.
fn address(text: &str) -> Result<(), String> {
    const EXPECTED: &str = "is not an address: write host:port";
    if text.chars().any(|c| c.is_control() || c.is_whitespace() || "/@?#\\".contains(c)) {
        return Err(EXPECTED.to_owned());
    }
    match split_port(text) {
        Some((host, Some(port))) if !host.is_empty() => parse_port(port).map(|_| ()),
        _ => Err(EXPECTED.to_owned()),
    }
}

/// Splits `host`, `host:port`, `[v6]` or `[v6]:port`.
fn split_port(text: &str) -> Option<(&str, Option<&str>)> {
    if let Some(rest) = text.strip_prefix('[') {
        let (host, rest) = rest.split_once(']')?;
        host.parse::<Ipv6Addr>().ok()?;
        return match rest.strip_prefix(':') {
            Some(port) => Some((host, Some(port))),
            None => rest.is_empty().then_some((host, None)),
        };
    }
    match text.split_once(':') {
        Some((_, port)) if port.contains(':') => None,
        Some((host, port)) => Some((host, Some(port))),
        None => Some((text, None)),
    }
}

fn parse_port(text: &str) -> Result<u16, String> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse::<u16>() {
        Ok(port) if port > 0 && digits => Ok(port),
        _ => Err("names a port that is not between 1 and 65535".to_owned()),
    }
}

/// The entries of a comma-separated list, trimmed; empty ones (a trailing comma) do not count.
fn entries(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|entry| !entry.is_empty())
}

fn list(text: &str, check: impl Fn(&str) -> Result<String, String>) -> Result<String, String> {
    let mut checked = Vec::new();
    for (number, entry) in entries(text).enumerate() {
        checked.push(check(entry).map_err(|reason| format!("{reason} (entry {})", number + 1))?);
    }
    if checked.is_empty() { Err("is a list without entries".to_owned()) } else { Ok(checked.join(",")) }
}

fn pair(entry: &str) -> Result<String, String> {
    match entry.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => Ok(format!("{}={}", key.trim(), value.trim())),
        _ => Err("is not of the form key=value".to_owned()),
    }
}
