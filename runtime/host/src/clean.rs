//! Words of guests and sources, made fit for people: cut, without control characters, and without secrets.
use crate::credential::{encoded, user_part, written_user_part};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use windlass_core::query::{Problem, ResolvedTrigger};
use windlass_core::scaler::{Parameter, Secrecy};
use windlass_core::{Secret, Text};

/// Bytes of a message.
pub(crate) const MOST: usize = 256;
/// Of what is longer, so many bytes are looked at.
const MOST_LOOKED_AT: usize = 8 << 10;
/// Problems of one trigger that are told.
const MOST_PROBLEMS: usize = 16;
/// Shorter secrets are not looked for: they would be found everywhere.
const SHORTEST: usize = 4;
/// What stands in the place of a secret.
const HIDDEN: &str = "…";

/// A line: cut to 256 bytes, control characters become spaces.
pub(crate) fn line(text: &str) -> String {
    let mut cleaned = String::with_capacity(text.len().min(MOST));
    for character in text.chars() {
        if cleaned.len() + character.len_utf8() > MOST {
            break;
        }
        cleaned.push(if character.is_control() { ' ' } else { character });
    }
    cleaned
}

/// What may stand in no message, in every form in which a source or a guest may echo it.
pub(crate) struct Secrets {
    /// The longest first: one may stand in another.
    plain: Vec<Secret>,
    /// What base64 makes of them, whatever stands before and after.
    base64: Vec<Secret>,
}

/// A line without any of the secrets.
pub(crate) fn message(text: &str, secrets: &Secrets) -> String {
    // A second time as a line: what has become a space may have completed one.
    line(&hidden(hidden(text.to_owned(), secrets).replace(char::is_control, " "), secrets))
}

fn hidden(mut text: String, secrets: &Secrets) -> String {
    for secret in secrets.plain.iter().map(Secret::expose) {
        if text.contains(secret) {
            text = text.replace(secret, HIDDEN);
        }
    }
    for secret in secrets.base64.iter().map(Secret::expose) {
        while let Some(at) = text.find(secret) {
            let (start, end) = run_around(&text, at, at + secret.len());
            text.replace_range(start..end, HIDDEN);
        }
    }
    text
}

/// All of the base64 text that has a secret in it: with a password it gives away the name before it too.
fn run_around(text: &str, start: usize, end: usize) -> (usize, usize) {
    let belongs = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '-' | '_');
    let before = text.get(..start).map_or(start, |before| before.trim_end_matches(belongs).len());
    let rest = text.get(end..).unwrap_or_default();
    let after = rest.trim_start_matches(belongs).trim_start_matches('=');
    (before, text.len() - after.len())
}

/// Problems, as many as people read, without any of the secrets. The name of a parameter that is declared is none, whatever
/// secret stands in it.
pub(crate) fn problems(problems: Vec<Problem>, declared: &[Parameter], secrets: &Secrets) -> Vec<Problem> {
    let known = |name: &str| {
        let names =
            |parameter: &Parameter| *parameter.name == *name || parameter.aliases.iter().any(|own| **own == *name);
        declared.iter().any(names)
    };
    let name = |name: Text| if known(&name) { name } else { message(&name, secrets).into() };
    let fit = |problem: Problem| Problem {
        parameter: problem.parameter.map(name),
        message: message(&problem.message, secrets).into(),
    };
    problems.into_iter().take(MOST_PROBLEMS).map(fit).collect()
}

/// The secrets of triggers that are long enough to be recognised. The password of a URL counts by itself.
pub(crate) fn secrets<'a>(triggers: impl IntoIterator<Item = &'a ResolvedTrigger>) -> Secrets {
    let mut raw = Vec::new();
    for trigger in triggers {
        for value in trigger.values.values() {
            if value.secrecy == Secrecy::Open && !value.from_authentication {
                continue;
            }
            let text = value.text.expose();
            raw.push(text.to_owned());
            raw.extend(written_user_part(text).map(str::to_owned));
            raw.extend(user_part(text).map(|(user, password)| password.unwrap_or(user)));
        }
    }
    let raw = longest_first(raw);
    let plain = raw.iter().flat_map(|secret| plain_forms(secret)).collect();
    let base64 = raw.iter().flat_map(|secret| base64_forms(secret)).collect();
    let kept = |forms: Vec<String>| longest_first(forms).into_iter().map(Secret::new).collect();
    Secrets { plain: kept(plain), base64: kept(base64) }
}

fn longest_first(mut texts: Vec<String>) -> Vec<String> {
    texts.retain(|text| text.len() >= SHORTEST);
    texts.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
    texts.dedup();
    texts
}

/// As it is; as it stands in a URL or a form; as it stands in JSON, Go's included.
fn plain_forms(secret: &str) -> Vec<String> {
    let (percent, json) = (encoded(secret), in_json(secret));
    let in_go = json.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026");
    vec![secret.to_owned(), lower_hex(&percent), percent.replace("%20", "+"), percent, in_go, json]
}

/// Percent escapes in lower case.
fn lower_hex(percent: &str) -> String {
    let mut parts = percent.split('%');
    let mut lower = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (digits, rest) = part.split_at_checked(2).unwrap_or((part, ""));
        lower.push('%');
        lower.push_str(&digits.to_ascii_lowercase());
        lower.push_str(rest);
    }
    lower
}

fn in_json(secret: &str) -> String {
    let mut escaped = String::with_capacity(secret.len());
    for character in secret.chars() {
        match character {
            '"' | '\\' => escaped.extend(['\\', character]),
            '\n' => escaped.push_str("\\n"),
            '\r' => escaped.push_str("\\r"),
            '\t' => escaped.push_str("\\t"),
            control if control.is_control() => escaped.push_str(&format!("\\u{:04x}", u32::from(control))),
            other => escaped.push(other),
        }
    }
    escaped
}

/// What base64 makes of a secret after nought, one or two other bytes (modulo three), as far as it is the same whatever these
/// are and whatever follows; in both alphabets.
fn base64_forms(secret: &str) -> Vec<String> {
    let mut forms = Vec::new();
    for before in 0..3 {
        let mut bytes = vec![0; before];
        bytes.extend_from_slice(secret.as_bytes());
        let text = STANDARD_NO_PAD.encode(&bytes);
        let (first, end) = ((before * 8).div_ceil(6), bytes.len() * 8 / 6);
        let Some(same) = text.get(first..end) else { continue };
        forms.push(same.replace('+', "-").replace('/', "_"));
        forms.push(same.to_owned());
    }
    forms
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::engine::general_purpose::{STANDARD, URL_SAFE};
    use windlass_core::query::Value;

    fn of(texts: &[&str]) -> Secrets {
        let values = texts.iter().enumerate().map(|(number, text)| {
            let value = Value { text: Secret::new(*text), secrecy: Secrecy::Sealed, from_authentication: true };
            (number.to_string().as_str().into(), value)
        });
        let question = crate::budget::tests::question("a", 0);
        let trigger = ResolvedTrigger { values: values.collect(), ..question.trigger };
        secrets([&trigger])
    }

    #[test]
    fn every_form_of_a_secret_is_hidden() {
        let secret = "p\"ss w\\rd<&>é\n/?~~>>";
        let secrets = of(&[secret]);
        let percent = encoded(secret);
        for form in [
            secret.to_owned(),
            percent.clone(),
            percent.replace("%20", "+"),
            lower_hex(&percent),
            serde_json::to_string(secret).unwrap().trim_matches('"').to_owned(),
        ] {
            assert_eq!(message(&format!("a {form} b"), &secrets), "a … b", "{form}");
        }
        for around in ["", "u:", "us:", "use:", "user:"] {
            for end in ["", "x", "xy", "xyz"] {
                let whole = format!("{around}{secret}{end}");
                for form in [STANDARD.encode(&whole), URL_SAFE.encode(&whole), STANDARD_NO_PAD.encode(&whole)] {
                    assert_eq!(message(&format!("Basic {form}, b"), &secrets), "Basic …, b", "{whole:?}");
                }
            }
        }
    }

    #[test]
    fn short_secrets_are_found_in_base64_too() {
        let secrets = of(&["abcd"]);
        for around in ["", "u:", "user:", "name:"] {
            let form = STANDARD.encode(format!("{around}abcd"));
            assert_eq!(message(&format!("[{form}]"), &secrets), "[…]", "{around}");
        }
        assert_eq!(message("an ordinary message, with words", &secrets), "an ordinary message, with words");
    }

    #[test]
    fn the_user_part_of_a_url_is_hidden_as_written_and_decoded() {
        let secrets = of(&["https://reader:p%40ss@db/"]);
        for told in ["p@ss", "p%40ss", "reader:p%40ss", "https://reader:p%40ss@db/"] {
            let cleaned = message(&format!("<{told}>"), &secrets);
            assert!(!cleaned.contains("ss"), "{cleaned}");
        }
        let form = STANDARD.encode("reader:p@ss");
        assert_eq!(message(&form, &secrets), "…");
    }
}

/// The beginning of a text that may be of any length: looking for secrets in all of it would take long. Ends between two words,
/// so that no half of a secret stays.
pub(crate) fn beginning(text: &str) -> &str {
    if text.len() <= MOST_LOOKED_AT {
        return text;
    }
    let cut = text.get(..text.floor_char_boundary(MOST_LOOKED_AT)).unwrap_or_default();
    cut.rfind(|c: char| c.is_whitespace()).and_then(|at| cut.get(..at)).unwrap_or(cut)
}
