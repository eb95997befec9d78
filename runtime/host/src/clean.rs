//! Words of guests and sources, made fit for people: cut, without control characters, and without secrets.
use windlass_core::query::ResolvedTrigger;
use windlass_core::scaler::Secrecy;

/// Bytes of a message.
const MOST: usize = 256;

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
pub(crate) fn message(text: &str, secrets: &[&str]) -> String {
    let mut text = text.to_owned();
    for secret in secrets {
        if text.contains(secret) {
            text = text.replace(secret, "…");
        }
    }
    line(&text)
}

/// The secrets of a trigger that are long enough to be recognised.
pub(crate) fn secrets(trigger: &ResolvedTrigger) -> Vec<&str> {
    let sealed = trigger.values.values().filter(|value| value.secrecy != Secrecy::Open || value.from_authentication);
    let mut secrets: Vec<&str> = sealed.map(|value| value.text.expose()).filter(|text| text.len() >= 4).collect();
    // The longest first: one secret may stand in another.
    secrets.sort_by_key(|text| std::cmp::Reverse(text.len()));
    secrets
}
