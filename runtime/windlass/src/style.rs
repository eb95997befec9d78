//! Colours, where people read along: `anstream` leaves them out where no terminal is, and where NO_COLOR says so.
use anstyle::{AnsiColor, Style};

/// As it should be.
pub(crate) const GOOD: Style = AnsiColor::Green.on_default().bold();
/// Not as it should be.
pub(crate) const BAD: Style = AnsiColor::Red.on_default().bold();
/// Worth a look.
pub(crate) const ODD: Style = AnsiColor::Yellow.on_default().bold();
/// What matters of a line.
pub(crate) const STRONG: Style = Style::new().bold();
/// What matters less.
pub(crate) const FAINT: Style = Style::new().dimmed();

/// A size for people.
pub(crate) fn bytes(count: u64) -> String {
    match count {
        0..1_000 => format!("{count} B"),
        1_000..1_000_000 => format!("{}.{} KB", count / 1_000, count % 1_000 / 100),
        _ => format!("{}.{} MB", count / 1_000_000, count % 1_000_000 / 100_000),
    }
}

/// A number of things: `1 request`, `2 requests`.
pub(crate) fn count(number: u64, thing: &str) -> String {
    if number == 1 { format!("1 {thing}") } else { format!("{number} {thing}s") }
}

#[cfg(test)]
mod tests {
    use super::{bytes, count};

    #[test]
    fn figures_for_people() {
        let told: Vec<_> = [0, 999, 1_000, 82_849, 999_999, 1_000_000, 18_500_000].map(bytes).into();
        assert_eq!(told, ["0 B", "999 B", "1.0 KB", "82.8 KB", "999.9 KB", "1.0 MB", "18.5 MB"]);
        assert_eq!((&*count(1, "request"), &*count(0, "request")), ("1 request", "0 requests"));
    }
}
