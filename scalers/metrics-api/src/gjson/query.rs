//! Queries: `#(path operator value)`.
use super::{get, pattern};
use crate::node::Node;
use std::borrow::Cow;

/// A query over the items of a list.
#[derive(Debug)]
pub(super) struct Query<'p> {
    /// What of an item is compared; empty for the item itself, where it is neither a map nor a list.
    pub(super) path: &'p str,
    /// `=`, `!=`, `<`, `<=`, `>`, `>=`, `%`, `!%`; empty: that it exists suffices.
    operator: &'p str,
    value: Cow<'p, str>,
}

impl<'p> Query<'p> {
    /// A query at the start of a path, and what follows its closing bracket; `None` where there is none, or it is not closed.
    pub(super) fn parse(path: &'p str) -> Option<(Query<'p>, &'p str)> {
        let inner = path.strip_prefix("#(").or_else(|| path.strip_prefix("#["))?;
        let bytes = inner.as_bytes();
        let (mut at, mut depth) = (0, 1);
        let mut operator = None;
        while depth > 0 {
            let byte = *bytes.get(at)?;
            match byte {
                b'!' | b'=' | b'<' | b'>' | b'%' if depth == 1 && operator.is_none() => operator = Some(at),
                b'\\' => at += 1,
                b'[' | b'(' => depth += 1,
                b']' | b')' => depth -= 1,
                b'"' => at = quote_end(bytes, at)?,
                _ => {}
            }
            at += 1;
        }
        let (inner, after) = (&inner[..at - 1], &inner[at..]);
        let (path, compared) = inner.split_at(operator.unwrap_or(inner.len()));
        let (operator, value) = split_operator(trim(compared));
        Some((Query { path: trim(path), operator, value: unquoted(trim(value)) }, after))
    }

    /// Whether an item fits.
    pub(super) fn fits(&self, item: &Node) -> bool {
        let found = match item {
            Node::List(_) | Node::Map(_) => get(item, self.path),
            _ if self.path.is_empty() => Some(Cow::Borrowed(item)),
            _ => return false,
        };
        let Some(like) = self.value.strip_prefix('~') else {
            return found.is_some_and(|found| self.compares(&found, &self.value));
        };
        let found = found.as_deref();
        let like = match like {
            "*" => found.is_some(),
            "null" => matches!(found, None | Some(Node::Null)),
            "true" => found.is_some_and(|found| truth(found) == Some(true)),
            "false" => found.is_none_or(|found| truth(found) == Some(false) || *found == Node::Null),
            _ => return false,
        };
        self.compares(&Node::Bool(like), "true")
    }

    fn compares(&self, found: &Node, value: &str) -> bool {
        if self.operator.is_empty() {
            return true;
        }
        match found {
            Node::Text(text) => match self.operator {
                "%" => pattern::fits(value, text),
                "!%" => !pattern::fits(value, text),
                operator => ordered(operator, &text.as_str(), &value),
            },
            // What is no number compares as 0, as in GJSON.
            Node::Number(number) => ordered(self.operator, number, &value.parse().unwrap_or(0.0)),
            Node::Bool(true) => match self.operator {
                "=" => value == "true",
                "!=" => value != "true",
                ">" => value == "false",
                operator => operator == ">=",
            },
            Node::Bool(false) => match self.operator {
                "=" => value == "false",
                "!=" => value != "false",
                "<" => value == "true",
                operator => operator == "<=",
            },
            _ => false,
        }
    }
}

fn ordered<T: PartialOrd>(operator: &str, found: &T, value: &T) -> bool {
    match operator {
        "=" => found == value,
        "!=" => found != value,
        "<" => found < value,
        "<=" => found <= value,
        ">" => found > value,
        ">=" => found >= value,
        _ => false,
    }
}

/// Whether a value is like true or like false, if either.
fn truth(node: &Node) -> Option<bool> {
    match node {
        Node::Bool(bool) => Some(*bool),
        Node::Number(number) => Some(*number != 0.0),
        Node::Text(text) => match text.to_lowercase().as_str() {
            "1" | "t" | "true" => Some(true),
            "0" | "f" | "false" => Some(false),
            _ => None,
        },
        _ => None,
    }
}

/// The place of the quote that ends a text.
fn quote_end(bytes: &[u8], start: usize) -> Option<usize> {
    let mut at = start + 1;
    loop {
        match bytes.get(at)? {
            b'"' => return Some(at),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

fn split_operator(text: &str) -> (&str, &str) {
    if let Some(rest) = text.strip_prefix("==") {
        return ("=", rest);
    }
    let known = ["!=", "!%", "<=", ">=", "<", ">", "=", "%"];
    let operator = known.into_iter().find(|operator| text.starts_with(operator)).unwrap_or_default();
    text.split_at(operator.len())
}

/// A value without its quotes.
fn unquoted(value: &str) -> Cow<'_, str> {
    match value.strip_prefix('"').and_then(|inner| inner.strip_suffix('"')) {
        Some(inner) if inner.contains('\\') => {
            serde_json::from_str(value).map_or(Cow::Borrowed(inner), |text: String| Cow::Owned(text))
        }
        Some(inner) => Cow::Borrowed(inner),
        None => Cow::Borrowed(value),
    }
}

fn trim(text: &str) -> &str {
    text.trim_matches(|c: char| c <= ' ')
}
