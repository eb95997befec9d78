//! What the source said, in a form that fits into a message.

/// The longest text that a message repeats, in characters.
const REPEATED: usize = 60;

/// A text on one line, without control characters, cut where it is long.
pub(crate) fn shorten(text: &str) -> String {
    let line = text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
    // No more words are looked at than can be shown.
    let line = line.take(REPEATED).collect::<Vec<_>>().join(" ");
    let mut chars = line.chars();
    let mut short: String = chars.by_ref().take(REPEATED).collect();
    if chars.next().is_some() {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use super::shorten;

    #[test]
    fn one_short_line() {
        assert_eq!(shorten(" <html>\r\n\t<p>\u{1b}[31m no "), "<html> <p> [31m no");
        assert_eq!(shorten(&"ä".repeat(100)), format!("{}…", "ä".repeat(60)));
    }
}
