//! Checks a document against a structural schema: the part of the API server's validation that does not need the server,
//! and stricter in one thing: a field that the schema does not know is an error, since here nobody would prune it.
use super::tree::{Document, Located, Node, Place};
use crate::crd::properties;
use serde_json::{Value, json};

/// What is wrong, and where.
type Problem = (Place, String);

/// All problems of a document.
pub(super) fn check(document: &Document, schema: &Value) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut schema = schema.clone();
    if let Some(fields) = schema.get_mut("properties").and_then(Value::as_object_mut) {
        for name in ["apiVersion", "kind"] {
            fields.insert(name.into(), json!({ "type": "string" }));
        }
        fields.insert("metadata".into(), metadata());
    }
    if let Some(required) = schema.get_mut("required").and_then(Value::as_array_mut) {
        required.push("metadata".into());
    }
    value(&document.root, &schema, "", &mut problems);
    problems
}

/// The metadata that may stand in a file; what the API server fills in is allowed and means nothing here.
fn metadata() -> Value {
    let texts = json!({ "type": "object", "additionalProperties": { "type": "string" } });
    let anything = json!({ "x-kubernetes-preserve-unknown-fields": true });
    json!({
        "type": "object",
        "required": ["name"],
        "properties": {
            "name": { "type": "string", "minLength": 1 },
            "namespace": { "type": "string", "minLength": 1 },
            "labels": texts,
            "annotations": texts,
            "finalizers": { "type": "array", "items": { "type": "string" } },
            "creationTimestamp": anything,
            "generation": anything,
            "managedFields": anything,
            "ownerReferences": anything,
            "resourceVersion": anything,
            "uid": anything,
        }
    })
}

/// The schema of a Secret.
pub(super) fn secret() -> Value {
    let texts = json!({ "type": "object", "additionalProperties": { "type": "string" } });
    json!({
        "type": "object",
        "required": [],
        "properties": { "data": texts, "stringData": texts, "type": { "type": "string" }, "immutable": { "type": "boolean" } }
    })
}

/// The schema of a ConfigMap.
pub(super) fn config_map() -> Value {
    let texts = json!({ "type": "object", "additionalProperties": { "type": "string" } });
    json!({
        "type": "object",
        "required": [],
        "properties": { "data": texts, "binaryData": texts, "immutable": { "type": "boolean" } }
    })
}

fn value(located: &Located, schema: &Value, field: &str, problems: &mut Vec<Problem>) {
    let place = Place::from(located.referenced);
    let mut say = |problem: String| {
        let field = if field.is_empty() { "document" } else { field };
        problems.push((place, format!("{field}: {problem}")));
    };
    if schema.get("x-kubernetes-preserve-unknown-fields").is_some() {
        return;
    }
    if schema.get("x-kubernetes-int-or-string").is_some() {
        if !matches!(&located.value, Node::Text(_) | Node::Number(_)) {
            say(format!("is {}; write a number or a text", located.value.kind()));
        }
        return;
    }
    let wanted = schema.get("type").and_then(Value::as_str).unwrap_or_default();
    match (wanted, &located.value) {
        ("object", Node::Map(_)) => object(located, schema, field, problems),
        ("array", Node::List(items)) => {
            if (items.len() as u64) < schema.get("minItems").and_then(Value::as_u64).unwrap_or(0) {
                say("is empty; add at least one entry".into());
            }
            let Some(schema) = schema.get("items") else { return };
            for (index, item) in items.iter().enumerate() {
                value(item, schema, &format!("{field}[{index}]"), problems);
            }
        }
        ("string", Node::Text(text)) => {
            if (text.chars().count() as u64) < schema.get("minLength").and_then(Value::as_u64).unwrap_or(0) {
                say("is empty; give it a value".into());
            }
            choice(text, schema, &mut say);
        }
        ("integer", Node::Number(number)) if number.is_i64() => range(number.as_f64(), schema, &mut say),
        ("number", Node::Number(number)) => range(number.as_f64(), schema, &mut say),
        ("boolean", Node::Bool(_)) | ("", _) => {}
        ("string", Node::Number(_) | Node::Bool(_)) => {
            say(format!("is {}, but must be a text; put it in quotes", located.value.kind()));
        }
        (wanted, found) => say(format!("is {}, but must be {}", found.kind(), article(wanted))),
    }
}

fn article(kind: &str) -> &'static str {
    match kind {
        "object" => "an object",
        "array" => "a list",
        "string" => "a text",
        "integer" => "a whole number",
        "number" => "a number",
        _ => "a boolean (true or false)",
    }
}

fn choice(text: &str, schema: &Value, say: &mut impl FnMut(String)) {
    let Some(choices) = schema.get("enum").and_then(Value::as_array) else { return };
    if !choices.iter().any(|choice| choice == text) {
        let choices: Vec<&str> = choices.iter().filter_map(Value::as_str).filter(|choice| !choice.is_empty()).collect();
        say(format!("'{text}' is not allowed; use {}", choices.join(", ")));
    }
}

fn range(number: Option<f64>, schema: &Value, say: &mut impl FnMut(String)) {
    let Some(number) = number else { return };
    let bound = |word: &str| schema.get(word).and_then(Value::as_f64);
    if let Some(least) = bound("minimum").filter(|least| number < *least) {
        say(format!("is {number}; use at least {least}"));
    }
    if let Some(most) = bound("maximum").filter(|most| number > *most) {
        say(format!("is {number}; use at most {most}"));
    }
}

fn object(located: &Located, schema: &Value, field: &str, problems: &mut Vec<Problem>) {
    let Node::Map(entries) = &located.value else { return };
    let known = properties(schema);
    let more = schema.get("additionalProperties");
    let is_set =
        |name: &str| entries.iter().any(|(key, value)| key.value == name && !matches!(value.value, Node::Null));
    let below = |name: &str| if field.is_empty() { name.to_owned() } else { format!("{field}.{name}") };
    for name in schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str) {
        if !is_set(name) {
            problems.push((Place::from(located.referenced), format!("{}: is missing; add it", below(name))));
        }
    }
    for (key, entry) in entries {
        match (known.and_then(|known| known.get(&key.value)), more) {
            // A field that is null counts as not written.
            _ if matches!(entry.value, Node::Null) && known.is_some_and(|known| known.contains_key(&key.value)) => {}
            (Some(schema), _) | (None, Some(schema)) => value(entry, schema, &below(&key.value), problems),
            (None, None) => {
                let similar = known.and_then(|known| similar(&key.value, known.keys().map(String::as_str)));
                let hint = similar.map_or_else(|| "remove it".into(), |name| format!("did you mean '{name}'?"));
                problems.push((key.referenced.into(), format!("{}: unknown field; {hint}", below(&key.value))));
            }
        }
    }
}

/// The known name that is most like a written one, when it is like it at all.
fn similar<'a>(written: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    known
        .map(|name| (distance(&written.to_lowercase(), &name.to_lowercase()), name))
        .filter(|(distance, name)| *distance <= 1 + name.len() / 4)
        .min()
        .map(|(_, name)| name)
}

/// How many letters must be changed, added or removed to make one word of the other.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().take(64).collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().take(64).enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (place, to) in row.iter_mut().skip(1).zip(&b) {
            let changed = diagonal + usize::from(from != *to);
            diagonal = *place;
            left = changed.min(*place + 1).min(left + 1);
            *place = left;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or(0)
}
