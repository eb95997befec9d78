//! Words of strangers, made fit for a message.

/// The beginning of a text, without what could change a terminal or a log line.
pub(crate) fn short(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(100).collect()
}
