//! One step of a path. What a step means depends on what it is taken in.
use super::modifier;
use super::pattern;
use super::query::Query;

/// What follows a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rest<'p> {
    /// Nothing.
    End,
    /// A path inside what was found.
    Below(&'p str),
    /// A path that begins anew with what was found.
    Pipe(&'p str),
}

/// A step into a map.
#[derive(Debug)]
pub(super) struct MapStep<'p> {
    name: String,
    wild: bool,
    pub(super) rest: Rest<'p>,
}

impl<'p> MapStep<'p> {
    pub(super) fn parse(path: &'p str) -> MapStep<'p> {
        let (mut name, mut wild) = (String::new(), false);
        let mut chars = path.char_indices();
        while let Some((at, char)) = chars.next() {
            match char {
                '.' | '|' => return MapStep { name, wild, rest: rest(path, at) },
                '\\' => name.extend(chars.next().map(|(_, literal)| literal)),
                char => {
                    wild |= matches!(char, '*' | '?');
                    name.push(char);
                }
            }
        }
        MapStep { name, wild, rest: Rest::End }
    }

    /// Whether a key is meant.
    pub(super) fn fits(&self, key: &str) -> bool {
        if self.wild { pattern::fits(&self.name, key) } else { self.name == key }
    }
}

/// What follows the separator at a place.
fn rest(path: &str, separator: usize) -> Rest<'_> {
    let after = &path[separator + 1..];
    let begins_anew = path[separator..].starts_with('|') || modifier::starts(after);
    if begins_anew { Rest::Pipe(after) } else { Rest::Below(after) }
}

/// What a step into a list chooses.
#[derive(Debug)]
pub(super) enum Selection<'p> {
    /// An item.
    Index(usize),
    /// The number of items.
    Count,
    /// A path in each item.
    Each(&'p str),
    /// Items that fit.
    Query { query: Query<'p>, all: bool },
}

/// A step into a list.
#[derive(Debug)]
pub(super) struct ListStep<'p> {
    pub(super) selection: Selection<'p>,
    pub(super) rest: Rest<'p>,
}

impl<'p> ListStep<'p> {
    /// `None` for a step that leads nowhere.
    pub(super) fn parse(path: &'p str) -> Option<ListStep<'p>> {
        if let Some(path) = path.strip_prefix("#.") {
            return Some(ListStep { selection: Selection::Each(path), rest: Rest::End });
        }
        if let Some((query, after)) = Query::parse(path) {
            let all = after.starts_with('#');
            // After a query, modifiers stand in the path of each item, not behind a pipe.
            let rest = match after.find(['.', '|']) {
                Some(at) if after[at..].starts_with('|') => Rest::Pipe(&after[at + 1..]),
                Some(at) => Rest::Below(&after[at + 1..]),
                None => Rest::End,
            };
            return Some(ListStep { selection: Selection::Query { query, all }, rest });
        }
        let end = path.find(['.', '|']).unwrap_or(path.len());
        let part = &path[..end];
        let rest = if end == path.len() { Rest::End } else { rest(path, end) };
        let selection = if part == "#" { Selection::Count } else { Selection::Index(index(part)?) };
        Some(ListStep { selection, rest })
    }
}

fn index(part: &str) -> Option<usize> {
    part.bytes().all(|byte| byte.is_ascii_digit()).then(|| part.parse().ok()).flatten()
}

/// A path up to its first pipe, and what follows it. A pipe in a query is part of the query.
pub(super) fn split_pipe(path: &str) -> (&str, Option<&str>) {
    match separators(path).find(|(_, separator)| *separator == b'|') {
        Some((at, _)) => (&path[..at], Some(&path[at + 1..])),
        None => (path, None),
    }
}

/// The dots and pipes of a path that separate its steps, with their places.
pub(super) fn separators(path: &str) -> impl Iterator<Item = (usize, u8)> + '_ {
    let bytes = path.as_bytes();
    let (mut at, mut start) = (0, 0);
    std::iter::from_fn(move || {
        while at < bytes.len() {
            if at == start
                && let Some((_, after)) = Query::parse(&path[at..])
            {
                at = path.len() - after.len();
                continue;
            }
            match bytes[at] {
                b'\\' => at += 2,
                separator @ (b'.' | b'|') => {
                    at += 1;
                    start = at;
                    return Some((at - 1, separator));
                }
                _ => at += 1,
            }
        }
        None
    })
}
