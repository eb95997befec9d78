//! Modifiers: `@this`, `@keys` and their like.
use crate::node::Node;
use std::borrow::Cow;

/// A modifier of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Modifier {
    /// The value itself.
    This,
    /// The names in a map.
    Keys,
    /// The values in a map.
    Values,
    /// A list, or a map, from its end.
    Reverse,
    /// A list with the items of the lists in it.
    Flatten,
    /// The JSON that stands in a text.
    FromText,
}

/// The ones that are supported, as they are written.
pub(super) const SUPPORTED: &str = "@this, @keys, @values, @reverse, @flatten, @fromstr";

/// All names that GJSON knows. Another name after an `@` is a key.
const KNOWN: [&str; 13] = [
    "pretty", "ugly", "reverse", "this", "flatten", "join", "valid", "keys", "values", "tostr", "fromstr", "group",
    "dig",
];

/// The name of GJSON's modifier that a path begins with.
pub(super) fn name(path: &str) -> Option<&str> {
    let name = path.strip_prefix('@')?;
    let name = &name[..name.find(['.', '|', ':']).unwrap_or(name.len())];
    KNOWN.contains(&name).then_some(name)
}

/// Whether a path begins with what is applied to a value as a whole.
pub(super) fn starts(path: &str) -> bool {
    name(path).is_some()
}

impl Modifier {
    /// The modifier of a name, where it is supported.
    pub(super) fn of(name: &str) -> Option<Modifier> {
        Some(match name {
            // Of these, the form alone differs.
            "this" | "pretty" | "ugly" | "valid" => Modifier::This,
            "keys" => Modifier::Keys,
            "values" => Modifier::Values,
            "reverse" => Modifier::Reverse,
            "flatten" => Modifier::Flatten,
            "fromstr" => Modifier::FromText,
            _ => return None,
        })
    }

    /// The modifier at the start of a path, and the path that follows.
    pub(super) fn split(path: &str) -> Option<(Modifier, Option<&str>)> {
        let name = name(path)?;
        let modifier = Modifier::of(name)?;
        let after = path.get(name.len() + 1..)?;
        match after.strip_prefix(['.', '|']) {
            Some(rest) => Some((modifier, Some(rest))),
            None if after.is_empty() => Some((modifier, None)),
            None => None,
        }
    }

    /// What becomes of a value.
    pub(super) fn apply(self, node: &Node) -> Option<Cow<'_, Node>> {
        let changed = match (self, node) {
            (Modifier::Keys, Node::Map(entries)) => {
                Node::List(entries.iter().map(|(key, _)| Node::Text(key.clone())).collect())
            }
            (Modifier::Keys, Node::List(items)) => Node::List(vec![Node::Null; items.len()]),
            (Modifier::Keys, _) => Node::List(vec![Node::Null]),
            (Modifier::Values, Node::Map(entries)) => {
                Node::List(entries.iter().map(|(_, value)| value.clone()).collect())
            }
            (Modifier::Values, Node::List(_)) => return Some(Cow::Borrowed(node)),
            (Modifier::Values, value) => Node::List(vec![value.clone()]),
            (Modifier::Reverse, Node::List(items)) => Node::List(items.iter().rev().cloned().collect()),
            (Modifier::Reverse, Node::Map(entries)) => Node::Map(entries.iter().rev().cloned().collect()),
            (Modifier::Flatten, Node::List(items)) => Node::List(items.iter().flat_map(flat).cloned().collect()),
            (Modifier::FromText, Node::Text(text)) => serde_json::from_str(text).ok()?,
            (Modifier::FromText, _) => return None,
            (Modifier::This | Modifier::Reverse | Modifier::Flatten, _) => return Some(Cow::Borrowed(node)),
        };
        Some(Cow::Owned(changed))
    }
}

fn flat(item: &Node) -> &[Node] {
    match item {
        Node::List(items) => items,
        other => std::slice::from_ref(other),
    }
}
