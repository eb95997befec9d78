//! A line of the text format: `name{label="value"} 1 1700000000000`.

/// A sample.
#[derive(Debug, PartialEq)]
pub(super) struct Sample {
    /// Names and values.
    pub(super) labels: Vec<(String, String)>,
    /// The value; may not be finite.
    pub(super) value: f64,
}

impl Sample {
    /// Whether a line has a sample of a metric; the line may be malformed after its name.
    pub(super) fn is_of(line: &str, name: &str) -> bool {
        match line.strip_prefix(name) {
            // `{"a name", label="value"}`, for names that are no identifiers.
            _ if line.starts_with('{') => quoted(line[1..].trim_start()).is_some_and(|(own, _)| own == name),
            Some(rest) => rest.starts_with(|c: char| c == '{' || c.is_whitespace()),
            None => false,
        }
    }

    /// Parses a line.
    pub(super) fn parse(line: &str) -> Option<Sample> {
        let end = line.find(|c: char| c == '{' || c.is_whitespace())?;
        let rest = line[end..].trim_start();
        let (labels, rest) = match rest.strip_prefix('{') {
            Some(inner) => labels(inner)?,
            None => (Vec::new(), rest),
        };
        let mut fields = rest.split_whitespace();
        let value = fields.next()?.parse().ok()?;
        let timestamp = fields.next().is_none_or(|timestamp| timestamp.parse::<i64>().is_ok());
        (timestamp && fields.next().is_none()).then_some(Sample { labels, value })
    }

    /// The value of a label.
    pub(super) fn label(&self, name: &str) -> Option<&str> {
        self.labels.iter().find(|(own, _)| own == name).map(|(_, value)| &**value)
    }
}

/// Labels up to the closing brace, and what follows it.
fn labels(mut rest: &str) -> Option<(Vec<(String, String)>, &str)> {
    let mut labels = Vec::new();
    loop {
        rest = rest.trim_start();
        if let Some(after) = rest.strip_prefix('}') {
            return Some((labels, after));
        }
        let (name, after) = match quoted(rest) {
            Some(quoted) => quoted,
            None => {
                let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_')?;
                (rest[..end].to_owned(), &rest[end..])
            }
        };
        rest = after.trim_start();
        // A quoted name without a value is the metric's.
        if let Some(value) = rest.strip_prefix('=') {
            let (value, after) = quoted(value.trim_start())?;
            labels.push((name, value));
            rest = after.trim_start();
        }
        rest = match rest.strip_prefix(',') {
            Some(after) => after,
            None if rest.starts_with('}') => rest,
            None => return None,
        };
    }
}

/// A text in double quotes, with `\\`, `\"` and `\n`, and what follows it.
fn quoted(text: &str) -> Option<(String, &str)> {
    let inner = text.strip_prefix('"')?;
    let mut value = String::new();
    let mut chars = inner.char_indices();
    while let Some((at, char)) = chars.next() {
        match char {
            '"' => return Some((value, &inner[at + 1..])),
            '\\' => value.push(match chars.next()?.1 {
                'n' => '\n',
                literal @ ('\\' | '"') => literal,
                _ => return None,
            }),
            char => value.push(char),
        }
    }
    None
}
