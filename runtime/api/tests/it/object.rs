//! ScaledObjects for the tests, from JSON as the API server tells it.
use serde_json::{Value, json};
use windlass_api::ScaledObject;

/// An object with one trigger, changed by a JSON merge.
pub(crate) fn object(change: Value) -> ScaledObject {
    let mut value = json!({
        "apiVersion": "keda.sh/v1alpha1",
        "kind": "ScaledObject",
        "metadata": { "name": "orders", "namespace": "shop", "uid": "u-1", "generation": 3, "creationTimestamp": "2026-01-02T03:04:05Z" },
        "spec": {
            "scaleTargetRef": { "name": "orders" },
            "triggers": [{ "type": "some-queue", "metadata": { "length": "5" } }]
        }
    });
    merge(&mut value, change);
    serde_json::from_value(value).unwrap()
}

/// An object with these triggers.
pub(crate) fn triggers(triggers: Value) -> ScaledObject {
    object(json!({ "spec": { "triggers": triggers } }))
}

fn merge(into: &mut Value, from: Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (name, value) in from {
                merge(into.entry(name).or_insert(Value::Null), value);
            }
        }
        (into, from) => *into = from,
    }
}
