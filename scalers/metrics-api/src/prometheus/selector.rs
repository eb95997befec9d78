//! Which series is meant: `name` or `name{label="value", other!="value"}`.
use super::sample::Sample;
use crate::shorten::shorten;

/// A metric's name, and what its labels must be.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Selector {
    pub(super) name: String,
    matchers: Vec<Matcher>,
}

#[derive(Debug, PartialEq, Eq)]
struct Matcher {
    label: String,
    equal: bool,
    value: String,
}

/// Labels of the buckets and quantiles of one distribution, of which none is *the* value.
const PARTS: [&str; 2] = ["le", "quantile"];

impl Selector {
    /// Parses a selector.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn parse(text: &str) -> Result<Selector, String> {
        let text = text.trim();
        let end = text.find(|c: char| !identifies(c) && c != ':').unwrap_or(text.len());
        let (name, rest) = text.split_at(end);
        let mut selector = Selector { name: name.to_owned(), matchers: Vec::new() };
        if name.starts_with(|c: char| c.is_ascii_digit()) {
            return Err("begins with a digit, which a metric's name does not".to_owned());
        }
        let rest = rest.trim_start();
        if let Some(matchers) = rest.strip_prefix('{') {
            let after = selector.read_matchers(matchers)?;
            if !after.trim().is_empty() {
                return Err(format!("has `{}` after its closing brace", shorten(after)));
            }
        } else if !rest.is_empty() {
            return Err(format!("has `{}` after the metric's name: write name{{label=\"value\"}}", shorten(rest)));
        }
        if selector.name.is_empty() {
            return Err("names no metric: write name or name{label=\"value\"}".to_owned());
        }
        Ok(selector)
    }

    /// Reads what stands in braces; tells what follows them.
    fn read_matchers<'a>(&mut self, mut rest: &'a str) -> Result<&'a str, String> {
        loop {
            rest = rest.trim_start();
            if let Some(after) = rest.strip_prefix('}') {
                return Ok(after);
            }
            let (label, after) = if rest.starts_with(QUOTES) {
                quoted(rest)?
            } else {
                let end = rest.find(|c| !identifies(c)).unwrap_or(rest.len());
                (rest[..end].to_owned(), &rest[end..])
            };
            let after = after.trim_start();
            if rest.starts_with(QUOTES) && after.starts_with([',', '}']) {
                self.set_name(label)?;
                rest = after;
            } else {
                rest = self.read_matcher(label, after)?;
            }
            rest = match rest.trim_start().strip_prefix(',') {
                Some(after) => after,
                None if rest.trim_start().starts_with('}') => rest,
                None => return Err("has braces that are not closed, or a comma is missing".to_owned()),
            };
        }
    }

    /// Reads a matcher after its label; tells what follows it.
    fn read_matcher<'a>(&mut self, label: String, text: &'a str) -> Result<&'a str, String> {
        if label.is_empty() {
            return Err(format!("has no label at `{}`: write label=\"value\"", shorten(text)));
        }
        let operator = ["=~", "!~", "!=", "="].into_iter().find(|operator| text.starts_with(operator));
        let operator = operator.ok_or_else(|| format!("has no `=` after the label {}", shorten(&label)))?;
        let value = text[operator.len()..].trim_start();
        if !value.starts_with(QUOTES) {
            return Err(format!("has a value without quotes: write {}=\"value\"", shorten(&label)));
        }
        let (value, after) = quoted(value)?;
        let literal = value.chars().all(|c| !r"\.+*?()|[]{}^$".contains(c));
        if operator.ends_with('~') && !literal {
            return Err(format!("has a regular expression for {}, which is not supported: use =", shorten(&label)));
        }
        let equal = operator.starts_with('=');
        if label == "__name__" {
            if !equal {
                return Err("excludes a metric by name: name the metric that is meant".to_owned());
            }
            self.set_name(value)?;
        } else {
            self.matchers.push(Matcher { label, equal, value });
        }
        Ok(after)
    }

    fn set_name(&mut self, name: String) -> Result<(), String> {
        if !self.name.is_empty() {
            return Err("names two metrics".to_owned());
        }
        self.name = name;
        Ok(())
    }

    /// Whether a sample of the metric is meant.
    pub(super) fn fits(&self, sample: &Sample) -> bool {
        let fits =
            |matcher: &Matcher| (sample.label(&matcher.label).unwrap_or_default() == matcher.value) == matcher.equal;
        let chosen = |part: &str| self.matchers.iter().any(|matcher| matcher.label == part);
        self.matchers.iter().all(fits) && PARTS.iter().all(|part| sample.label(part).is_none() || chosen(part))
    }
}

const QUOTES: [char; 3] = ['"', '\'', '`'];

fn identifies(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// A quoted text, and what follows it. Between backquotes nothing is escaped.
fn quoted(text: &str) -> Result<(String, &str), String> {
    let mut chars = text.char_indices();
    let quote = chars.next().map(|(_, quote)| quote).unwrap_or_default();
    let mut value = String::new();
    while let Some((at, char)) = chars.next() {
        match char {
            char if char == quote => return Ok((value, &text[at + 1..])),
            '\\' if quote != '`' => value.push(match chars.next().map(|(_, escaped)| escaped) {
                Some('n') => '\n',
                Some('t') => '\t',
                Some('r') => '\r',
                Some(literal @ ('\\' | '"' | '\'')) => literal,
                _ => return Err("has an escape other than \\\\, \\\", \\', \\n, \\t and \\r".to_owned()),
            }),
            char => value.push(char),
        }
    }
    Err("has a quote that is not closed".to_owned())
}
