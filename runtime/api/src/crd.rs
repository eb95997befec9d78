//! The CustomResourceDefinitions, from the types.
use crate::authentication::{ClusterTriggerAuthentication, TriggerAuthentication};
use crate::scaled_object::ScaledObject;
use kube::CustomResourceExt;
use schemars::{Schema, SchemaGenerator, json_schema};
use serde_json::{Map, Value, json};

/// A definition, ready to be written to a file.
#[derive(Clone, Debug)]
pub struct Definition {
    /// File name, as KEDA names its own: `keda.sh_scaledobjects.yaml`.
    pub file: String,
    /// The object.
    pub value: Value,
}

/// All definitions of the `keda.sh` group.
///
/// # Errors
/// When a type's schema cannot be told as JSON, which is a defect of this crate.
pub fn definitions() -> Result<Vec<Definition>, serde_json::Error> {
    [ScaledObject::crd(), TriggerAuthentication::crd(), ClusterTriggerAuthentication::crd()]
        .iter()
        .map(|crd| {
            let mut value = serde_json::to_value(crd)?;
            settle(&mut value);
            if let Some(schema) =
                value.pointer_mut("/spec/versions/0/schema/openAPIV3Schema").and_then(Value::as_object_mut)
            {
                schema.remove("title");
                if let Some(fields) = schema.get_mut("properties").and_then(Value::as_object_mut) {
                    for (field, kind) in [("apiVersion", "string"), ("kind", "string"), ("metadata", "object")] {
                        fields.insert(field.into(), json!({ "type": kind }));
                    }
                }
            }
            if let Some(names) = value.pointer_mut("/spec/names").and_then(Value::as_object_mut) {
                names.insert("listKind".into(), format!("{}List", crd.spec.names.kind).into());
            }
            let file = format!("{}_{}.yaml", crd.spec.group, crd.spec.names.plural);
            Ok(Definition { file, value })
        })
        .collect()
}

/// The schema of a kind of this crate: `openAPIV3Schema` of its definition, as it is written to the file.
pub(crate) fn schema<K: CustomResourceExt>() -> Value {
    // A schema that cannot be told as JSON is found by the tests of `definitions`; here it checks nothing.
    let mut value = serde_json::to_value(K::crd()).unwrap_or_default();
    settle(&mut value);
    value.pointer_mut("/spec/versions/0/schema/openAPIV3Schema").map(Value::take).unwrap_or_default()
}

/// `format: date-time`.
pub(crate) fn date_time(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "format": "date-time" })
}

/// Makes of a derived definition what KEDA's generator would have written: no `nullable` (an explicit null is pruned
/// by the API server and must not be stored), whole numbers without a fraction, no empty lists, no status.
fn settle(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.remove("nullable");
            for word in ["categories", "shortNames", "required"] {
                if map.get(word).and_then(Value::as_array).is_some_and(Vec::is_empty) {
                    map.remove(word);
                }
            }
            for word in ["minimum", "maximum"] {
                if let Some(number) = map.get(word).and_then(Value::as_f64).filter(|n| n.fract() == 0.0) {
                    map.insert(word.into(), Value::from(number as i64));
                }
            }
            // The derivation strips the types, without which the API server refuses the alternatives.
            if map.contains_key("x-kubernetes-int-or-string") {
                map.insert("anyOf".into(), json!([{ "type": "integer" }, { "type": "string" }]));
            }
            map.values_mut().for_each(settle);
        }
        Value::Array(items) => items.iter_mut().for_each(settle),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// The properties of an object schema.
pub(crate) fn properties(schema: &Value) -> Option<&Map<String, Value>> {
    schema.get("properties").and_then(Value::as_object)
}
