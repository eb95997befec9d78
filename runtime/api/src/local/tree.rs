//! YAML documents as trees that remember where everything stood.
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use serde_saphyr::{Location, Spanned};
use std::fmt;

/// A place in a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Line, from 1; 0 when it is the file as a whole.
    pub line: u64,
    /// Column, from 1.
    pub column: u64,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line == 0 { Ok(()) } else { write!(f, ":{}:{}", self.line, self.column) }
    }
}

impl From<Location> for Place {
    fn from(location: Location) -> Place {
        Place { line: location.line(), column: location.column() }
    }
}

/// A value and where it stands.
pub(super) type Located = Spanned<Node>;

/// A value.
#[derive(Clone, Debug)]
pub(super) enum Node {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    List(Vec<Located>),
    Map(Vec<(Spanned<String>, Located)>),
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Node, D::Error> {
        struct NodeVisitor;

        impl<'de> Visitor<'de> for NodeVisitor {
            type Value = Node;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a YAML value")
            }

            fn visit_bool<E: Error>(self, value: bool) -> Result<Node, E> {
                Ok(Node::Bool(value))
            }

            fn visit_i64<E: Error>(self, value: i64) -> Result<Node, E> {
                Ok(Node::Number(value.into()))
            }

            fn visit_u64<E: Error>(self, value: u64) -> Result<Node, E> {
                Ok(Node::Number(value.into()))
            }

            fn visit_f64<E: Error>(self, value: f64) -> Result<Node, E> {
                // JSON knows neither NaN nor infinities: as texts they fit no number field.
                Ok(Number::from_f64(value).map_or_else(|| Node::Text(value.to_string()), Node::Number))
            }

            fn visit_str<E: Error>(self, value: &str) -> Result<Node, E> {
                Ok(Node::Text(value.into()))
            }

            fn visit_unit<E: Error>(self) -> Result<Node, E> {
                Ok(Node::Null)
            }

            fn visit_none<E: Error>(self) -> Result<Node, E> {
                Ok(Node::Null)
            }

            fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
                Node::deserialize(deserializer)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Node, A::Error> {
                let mut list = Vec::new();
                while let Some(item) = items.next_element()? {
                    list.push(item);
                }
                Ok(Node::List(list))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Node, A::Error> {
                let mut map = Vec::new();
                while let Some(entry) = entries.next_entry()? {
                    map.push(entry);
                }
                Ok(Node::Map(map))
            }
        }

        deserializer.deserialize_any(NodeVisitor)
    }
}

impl Node {
    /// What it is, for people.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Node::Null => "nothing",
            Node::Bool(_) => "a boolean",
            Node::Number(_) => "a number",
            Node::Text(_) => "a text",
            Node::List(_) => "a list",
            Node::Map(_) => "an object",
        }
    }

    fn entry(&self, name: &str) -> Option<(&Spanned<String>, &Located)> {
        let Node::Map(entries) = self else { return None };
        entries.iter().find(|(key, _)| key.value == name).map(|(key, value)| (key, value))
    }

    /// As JSON. A field that is null is left out, as the API server leaves it out.
    fn to_json(&self) -> Value {
        match self {
            Node::Null => Value::Null,
            Node::Bool(value) => (*value).into(),
            Node::Number(number) => number.clone().into(),
            Node::Text(text) => text.as_str().into(),
            Node::List(items) => items.iter().map(|item| item.value.to_json()).collect(),
            Node::Map(entries) => entries
                .iter()
                .filter(|(_, value)| !matches!(value.value, Node::Null))
                .map(|(key, value)| (key.value.clone(), value.value.to_json()))
                .collect::<Map<_, _>>()
                .into(),
        }
    }
}

/// One document of a file.
#[derive(Clone, Debug)]
pub(super) struct Document {
    pub(super) root: Located,
}

impl Document {
    /// All documents of a text; empty ones are skipped.
    pub(super) fn parse_all(text: &str) -> Result<Vec<Document>, (Place, String)> {
        // Without a snippet: the line may hold a secret.
        let options = serde_saphyr::options! { with_snippet: false };
        let roots: Vec<Located> = serde_saphyr::from_multiple_with_options(text, options).map_err(|error| {
            let place = error.location().map(Place::from).unwrap_or_default();
            (place, format!("is not valid YAML: {}", error.without_snippet()))
        })?;
        Ok(roots.into_iter().map(|root| Document { root }).collect())
    }

    /// A text at the top.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        match &self.root.value.entry(name)?.1.value {
            Node::Text(text) => Some(text),
            _ => None,
        }
    }

    /// As JSON.
    pub(super) fn to_json(&self) -> Value {
        self.root.value.to_json()
    }

    /// Where the field `a.b[0]['c']` stands, or the deepest part of it that exists.
    pub(super) fn place(&self, field: &str) -> Place {
        let mut node = &self.root;
        let mut place = Place::from(node.referenced);
        for part in field.split(['.', '[']).map(|part| part.trim_end_matches(']')) {
            if let Some((key, value)) = node.value.entry(part) {
                (node, place) = (value, key.referenced.into());
            } else if let (Node::List(items), Ok(index)) = (&node.value, part.parse::<usize>())
                && let Some(item) = items.get(index)
            {
                (node, place) = (item, item.referenced.into());
            } else {
                break;
            }
        }
        place
    }
}
