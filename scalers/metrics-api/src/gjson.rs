//! Values in JSON, by a GJSON path.
//!
//! The path syntax is that of <https://github.com/tidwall/gjson>, which KEDA uses: names with dots between them, indices,
//! `\` before a character that is meant literally, wildcards, `#` for the length of a list, `#.name` for a list of what
//! its items have, `#(name=="x")` and `#(name=="x")#` for the first and for all items that fit, `|` to go on with the
//! result, `..` for lines of JSON. It is written here anew, as no maintained crate reads it.
mod check;
mod modifier;
mod pattern;
mod query;
mod step;

pub(crate) use check::check;

use crate::node::Node;
use modifier::Modifier;
use std::borrow::Cow;
use step::{ListStep, MapStep, Rest, Selection};

/// The value at a path.
///
/// # Errors
/// That the text is not JSON.
pub(crate) fn read(text: &str, path: &str) -> Result<Option<Node>, String> {
    if let Some(path) = path.strip_prefix("..") {
        let lines = serde_json::Deserializer::from_str(text).into_iter();
        let lines = lines.collect::<Result<Vec<Node>, _>>().map_err(|error| error.to_string())?;
        return Ok(get(&Node::List(lines), path).map(Cow::into_owned));
    }
    let root: Node = serde_json::from_str(text).map_err(|error| error.to_string())?;
    Ok(get(&root, path).map(Cow::into_owned))
}

/// What a path led to. There may be a hit without a value: where a query chose an item that has not what follows, no other
/// item is tried.
struct Hit<'n, 'p> {
    value: Option<Cow<'n, Node>>,
    /// A path that goes on with the value.
    pipe: Option<&'p str>,
}

/// The value at a path below a value.
fn get<'n>(node: &'n Node, path: &str) -> Option<Cow<'n, Node>> {
    let (value, rest) = match Modifier::split(path) {
        Some((modifier, rest)) => (modifier.apply(node)?, rest),
        None => {
            let hit = find(node, path)?;
            (hit.value?, hit.pipe)
        }
    };
    match (rest, value) {
        (None, value) => Some(value),
        (Some(rest), Cow::Borrowed(value)) => get(value, rest),
        (Some(rest), Cow::Owned(value)) => get(&value, rest).map(|found| Cow::Owned(found.into_owned())),
    }
}

fn find<'n, 'p>(node: &'n Node, path: &'p str) -> Option<Hit<'n, 'p>> {
    match node {
        Node::Map(entries) => in_map(entries, path),
        Node::List(items) => in_list(items, path),
        _ => None,
    }
}

/// The first entry that fits, and has what follows.
fn in_map<'n, 'p>(entries: &'n [(String, Node)], path: &'p str) -> Option<Hit<'n, 'p>> {
    let step = MapStep::parse(path);
    let mut fitting = entries.iter().filter(|(key, _)| step.fits(key)).map(|(_, value)| value);
    match step.rest {
        Rest::End => fitting.next().map(|value| Hit { value: Some(Cow::Borrowed(value)), pipe: None }),
        Rest::Pipe(pipe) => fitting.next().map(|value| Hit { value: Some(Cow::Borrowed(value)), pipe: Some(pipe) }),
        Rest::Below(path) => fitting.find_map(|value| find(value, path)),
    }
}

fn in_list<'n, 'p>(items: &'n [Node], path: &'p str) -> Option<Hit<'n, 'p>> {
    let step = ListStep::parse(path)?;
    match step.selection {
        Selection::Index(index) => {
            let value = items.get(index)?;
            match step.rest {
                Rest::End => Some(Hit { value: Some(Cow::Borrowed(value)), pipe: None }),
                Rest::Pipe(pipe) => Some(Hit { value: Some(Cow::Borrowed(value)), pipe: Some(pipe) }),
                Rest::Below(path) => find(value, path),
            }
        }
        Selection::Count => {
            let pipe = if let Rest::Pipe(pipe) = step.rest { Some(pipe) } else { None };
            Some(Hit { value: Some(Cow::Owned(Node::Number(items.len() as f64))), pipe })
        }
        Selection::Each(path) => {
            let (path, pipe) = step::split_pipe(path);
            let values = items.iter().filter_map(|item| get(item, path)).map(Cow::into_owned).collect();
            Some(Hit { value: Some(Cow::Owned(Node::List(values))), pipe })
        }
        Selection::Query { query, all } => {
            let (path, pipe) = match step.rest {
                Rest::End => (None, None),
                Rest::Pipe(pipe) => (None, Some(pipe)),
                Rest::Below(path) => {
                    let (path, pipe) = step::split_pipe(path);
                    (Some(path), pipe)
                }
            };
            let value = |item: &'n Node| match path {
                Some(path) => get(item, path),
                None => Some(Cow::Borrowed(item)),
            };
            let mut fitting = items.iter().filter(|item| query.fits(item));
            if all {
                let values = fitting.filter_map(value).map(Cow::into_owned).collect();
                return Some(Hit { value: Some(Cow::Owned(Node::List(values))), pipe });
            }
            fitting.next().map(|item| Hit { value: value(item), pipe })
        }
    }
}
