//! What a user's own words grant: the hosts and ports that stand in the values of parameters, and whether certificates count.
use crate::egress::{canonical, is_host};
use windlass_core::query::{Endpoint, ResolvedTrigger};
use windlass_core::scaler::{Scaler, Shape};

/// The lowest port that is no system service's.
pub(crate) const UNPRIVILEGED: u16 = 1_024;

/// Words in the names of switches that give up certificates.
const UNSAFE: [&str; 4] = ["unsafe", "insecure", "skipverify", "trustservercertificate"];
/// Values of PostgreSQL's `sslmode` that verify.
const VERIFYING: [&str; 2] = ["verify-ca", "verify-full"];

/// A place that a user wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    host: String,
    port: Option<u16>,
    /// It is spoken to over TLS and nothing else.
    tls: bool,
}

/// Why an endpoint is not granted: its host has to stand in the value of the parameter that it names, as the host of a URL or of
/// one of a list of addresses, with its port. The port of a URL without one is that of its scheme, where it is of the web; that
/// of a bare host stands in another parameter, one that is named after a port. Where nothing says a port, the component's word
/// counts for those that are no system service's. A host that no parameter names is for the operator to grant.
pub(super) fn refusal(endpoint: &Endpoint, trigger: &ResolvedTrigger, scaler: &Scaler) -> Option<String> {
    let Endpoint { host, port, .. } = endpoint;
    let shown = crate::clean::line(host);
    let Some(parameter) = &endpoint.parameter else {
        let granted = trigger.granted.as_ref().is_some_and(|granted| granted.hold(host, *port));
        return (!granted).then(|| {
            format!(
                "the component wants to reach {shown}:{port}, which no parameter names: the operator has to grant it, under \
                 `grants` of the component policy"
            )
        });
    };
    let Some(value) = trigger.values.get(parameter) else {
        return Some(format!("the component wants to reach the host of {parameter}, which is not set"));
    };
    let wanted = canonical(host);
    let text = value.text.expose();
    // A URL is one address, whatever stands in its query; a text may be a list.
    let places: Vec<Place> = match scaler.parameter(parameter).map(|declared| declared.shape) {
        Some(Shape::Url | Shape::Address) => place(text.trim()).into_iter().collect(),
        _ => text.split([',', ' ', ';']).filter_map(|text| place(text.trim())).collect(),
    };
    let same: Vec<&Place> = places.iter().filter(|place| place.host == wanted).collect();
    if same.is_empty() || !is_host(&wanted) {
        return Some(format!("the component wants to reach {shown}, which is not the host of {parameter}"));
    }
    let granted =
        |place: &&&Place| place.port.map_or_else(|| unsaid(*port, trigger, scaler), |written| written == *port);
    let Some(place) = same.iter().find(granted) else {
        return Some(match same.iter().find_map(|place| place.port) {
            Some(written) => {
                format!("the component wants to reach port {port} of {shown}; {parameter} says port {written}")
            }
            None => format!(
                "the component wants to reach port {port} of {shown}, which nothing says: write the port in {parameter}"
            ),
        });
    };
    (place.tls && endpoint.tls.is_none())
        .then(|| format!("the component wants to reach {shown} without TLS; {parameter} says https"))
}

/// Whether a port is granted that does not stand with its host.
fn unsaid(port: u16, trigger: &ResolvedTrigger, scaler: &Scaler) -> bool {
    let mut said = false;
    for (name, value) in &trigger.values {
        let aliases = scaler.parameter(name).map(|declared| &*declared.aliases).unwrap_or_default();
        if !names_a_port(name) && !aliases.iter().any(|alias| names_a_port(alias)) {
            continue;
        }
        said = true;
        if value.text.expose().split([',', ' ', ';']).any(|text| text.trim().parse() == Ok(port)) {
            return true;
        }
    }
    !said && port >= UNPRIVILEGED
}

/// `port`, `hostPort`, `api_ports`; not `transport`.
fn names_a_port(name: &str) -> bool {
    let name = name.strip_suffix('s').unwrap_or(name);
    name.eq_ignore_ascii_case("port") || ["Port", "_port", "-port", ".port"].iter().any(|end| name.ends_with(end))
}

/// Whether a user's own word says that any certificate will do: a switch that is named for it and on (`unsafeSsl`,
/// `insecureSkipVerify`), one for verifying that is off, or `sslmode` short of verifying. What a component sets itself does
/// not count.
pub(super) fn unverified(trigger: &ResolvedTrigger, scaler: &Scaler) -> bool {
    trigger.values.iter().any(|(name, value)| {
        let text = value.text.expose().trim();
        let initial = scaler.parameter(name).and_then(|declared| declared.initial.as_deref());
        let is_text = |initial: &str| {
            initial.trim() == text || (is_on(initial) && is_on(text)) || (is_off(initial) && is_off(text))
        };
        if initial.is_some_and(is_text) {
            return false;
        }
        let plain: String = name.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
        if UNSAFE.iter().any(|word| plain.contains(word)) {
            return is_on(text);
        }
        if plain.contains("sslmode") {
            return !VERIFYING.contains(&text);
        }
        plain.contains("verify") && is_off(text)
    })
}

fn is_on(text: &str) -> bool {
    matches!(text, "1" | "t" | "T" | "TRUE" | "true" | "True")
}

fn is_off(text: &str) -> bool {
    matches!(text, "0" | "f" | "F" | "FALSE" | "false" | "False")
}

/// The place of a URL, of `host:port`, or of a bare name or address.
fn place(text: &str) -> Option<Place> {
    let (scheme, rest) = text.split_once("://").map_or((None, text), |(scheme, rest)| (Some(scheme), rest));
    let scheme = scheme.map(str::to_ascii_lowercase);
    let authority = rest.split(['/', '?', '#']).next()?;
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let (bare, port) = match host.strip_prefix('[') {
        Some(v6) => {
            let (bare, rest) = v6.split_once(']')?;
            (bare, rest.strip_prefix(':').unwrap_or(rest))
        }
        // More than one colon without brackets: an IPv6 address.
        None if host.matches(':').count() > 1 => (host, ""),
        None => host.split_once(':').unwrap_or((host, "")),
    };
    if bare.is_empty() {
        return None;
    }
    let usual = match scheme.as_deref() {
        Some("http" | "ws") => Some(80),
        Some("https" | "wss") => Some(443),
        _ => None,
    };
    // What is no port grants none.
    let port = if port.is_empty() { usual } else { Some(port.parse().ok()?) };
    Some(Place { host: canonical(bare), port, tls: matches!(scheme.as_deref(), Some("https" | "wss")) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_ports() {
        for (name, is) in [
            ("port", true),
            ("Ports", true),
            ("hostPort", true),
            ("broker_port", true),
            ("transport", false),
            ("importance", false),
            ("report", false),
            ("s", false),
        ] {
            assert_eq!(names_a_port(name), is, "{name}");
        }
    }

    #[test]
    fn places_that_users_write() {
        let of = |text: &str| place(text).map(|place| (place.host, place.port, place.tls));
        for (text, host, port, tls) in [
            ("http://h/", "h", Some(80), false),
            ("HTTPS://H.", "h", Some(443), true),
            ("https://h:/x", "h", Some(443), true),
            ("amqp://u:p@h/v", "h", None, false),
            ("amqp://u:p@h:5672/v", "h", Some(5672), false),
            ("h:1", "h", Some(1), false),
            ("h", "h", None, false),
            ("[::1]:2", "::1", Some(2), false),
            ("::1", "::1", None, false),
            ("http://[0:0::1]", "::1", Some(80), false),
            ("http://a@b:1@c:2/d@e:3", "c", Some(2), false),
        ] {
            assert_eq!(of(text), Some((host.to_owned(), port, tls)), "{text}");
        }
        for text in ["", "http://", "h:x", "h:99999", "[::1", "http://:80"] {
            assert_eq!(of(text), None, "{text}");
        }
    }
}
