//! Words of guests and sources, made fit for people: cut, without control characters, and without secrets.
use crate::credential::{encoded, user_part};
use windlass_core::query::{Problem, ResolvedTrigger};
use windlass_core::scaler::{Parameter, Secrecy};
use windlass_core::{Secret, Text};

/// Bytes of a message.
const MOST: usize = 256;
/// Problems of one trigger that are told.
const MOST_PROBLEMS: usize = 16;
/// Shorter secrets are not looked for: they would be found everywhere.
const SHORTEST: usize = 4;

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

/// A line without any of the secrets.
pub(crate) fn message(text: &str, secrets: &[Secret]) -> String {
    let mut text = text.to_owned();
    for secret in secrets.iter().map(Secret::expose) {
        if text.contains(secret) {
            text = text.replace(secret, "…");
        }
    }
    line(&text)
}

/// Problems, as many as people read, without any of the secrets. The name of a parameter that is declared is none, whatever
/// secret stands in it.
pub(crate) fn problems(problems: Vec<Problem>, declared: &[Parameter], secrets: &[Secret]) -> Vec<Problem> {
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

/// The secrets of triggers that are long enough to be recognised, the longest first: one may stand in another. The password of
/// a URL counts by itself, and each also as it stands in the query of a request.
pub(crate) fn secrets<'a>(triggers: impl IntoIterator<Item = &'a ResolvedTrigger>) -> Vec<Secret> {
    let mut secrets = Vec::new();
    for value in triggers.into_iter().flat_map(|trigger| trigger.values.values()) {
        if value.secrecy == Secrecy::Open && !value.from_authentication {
            continue;
        }
        let text = value.text.expose();
        secrets.push(text.to_owned());
        secrets.push(encoded(text));
        if let Some((user, password)) = user_part(text) {
            let password = password.unwrap_or(user);
            secrets.push(encoded(&password));
            secrets.push(password);
        }
    }
    secrets.retain(|secret| secret.len() >= SHORTEST);
    secrets.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
    secrets.dedup();
    secrets.into_iter().map(Secret::new).collect()
}
