//! Patterns: `*` for any text, `?` for one character, `\` before a character that is meant literally.

/// Whether a text fits a pattern. Takes at most the product of both lengths.
pub(super) fn fits(pattern: &str, text: &str) -> bool {
    let pattern = parts(pattern);
    let text: Vec<char> = text.chars().collect();
    let (mut at, mut place) = (0, 0);
    // Where to go on after a mismatch: the last star, with one more character under it.
    let mut retry: Option<(usize, usize)> = None;
    while place < text.len() {
        match pattern.get(at) {
            Some(Part::Any) => {
                retry = Some((at, place));
                at += 1;
                continue;
            }
            Some(Part::One) => {}
            Some(Part::Literal(char)) if text.get(place) == Some(char) => {}
            _ => {
                let Some((star, covered)) = retry else { return false };
                retry = Some((star, covered + 1));
                (at, place) = (star + 1, covered + 1);
                continue;
            }
        }
        at += 1;
        place += 1;
    }
    pattern[at..].iter().all(|part| matches!(part, Part::Any))
}

enum Part {
    Any,
    One,
    Literal(char),
}

fn parts(pattern: &str) -> Vec<Part> {
    let mut chars = pattern.chars();
    let mut parts = Vec::new();
    while let Some(char) = chars.next() {
        parts.push(match char {
            '*' => Part::Any,
            '?' => Part::One,
            '\\' => match chars.next() {
                Some(char) => Part::Literal(char),
                None => break,
            },
            char => Part::Literal(char),
        });
    }
    parts
}
