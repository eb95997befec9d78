//! Numbers in JSON, by a path.
use serde_json::Value;
use windlass_sdk::Failure;

/// The number at a place: names with dots between them, and indices of lists. A text that is a number counts as one.
pub(crate) fn number_at(body: &[u8], path: &str) -> Result<f64, Failure> {
    let root: Value = serde_json::from_slice(body).map_err(|_| Failure::bad_response("the answer is not JSON"))?;
    let step = |value: &Value, name: &str| match value {
        Value::Array(items) => items.get(index(name)?).cloned(),
        Value::Object(entries) => entries.get(name).cloned(),
        _ => None,
    };
    let found = path.split('.').try_fold(root, |value, name| step(&value, name));
    let wrong = |what: &str| Failure::bad_response(format!("valueLocation: \"{path}\" {what}"));
    let number = match found.ok_or_else(|| wrong("is not in the answer"))? {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse::<f64>().ok(),
        _ => None,
    };
    number.filter(|number| number.is_finite()).ok_or_else(|| wrong("is not a number"))
}

/// An index: digits alone, which `parse` is less strict about.
fn index(name: &str) -> Option<usize> {
    let digits = name.bytes().all(|byte| byte.is_ascii_digit());
    if digits { name.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::number_at;

    #[test]
    fn places() {
        let body = br#"{"value": 7, "queues": [{"length": "12.5"}, {"length": null}], "up": true}"#;
        let at = |path: &str| number_at(body, path).map_err(|failure| failure.message);
        assert_eq!(at("value"), Ok(7.0));
        assert_eq!(at("queues.0.length"), Ok(12.5));
        assert!(at("queues.+0.length").is_err());
        assert_eq!(at("queues.2.length"), Err("valueLocation: \"queues.2.length\" is not in the answer".to_owned()));
        assert_eq!(at("queues.1.length"), Err("valueLocation: \"queues.1.length\" is not a number".to_owned()));
        assert_eq!(at("up"), Err("valueLocation: \"up\" is not a number".to_owned()));
        assert!(number_at(b"<html>", "value").is_err());
    }
}
