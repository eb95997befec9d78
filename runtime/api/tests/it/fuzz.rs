//! Objects, spoiled: as the API server tells them, and as files of local mode.
use serde_json::Value;
use windlass_api::{ScaledObject, local, lower};
use windlass_testkit::{Edits, mangled};

const OBJECT: &str = r#"{"apiVersion":"keda.sh/v1alpha1","kind":"ScaledObject","metadata":{"name":"orders","namespace":"shop"},
"spec":{"scaleTargetRef":{"name":"orders","kind":"Deployment"},"pollingInterval":30,"cooldownPeriod":300,"minReplicaCount":0,
"maxReplicaCount":10,"idleReplicaCount":0,"advanced":{"restoreToOriginalReplicaCount":true,"horizontalPodAutoscalerConfig":{"behavior":
{"scaleDown":{"stabilizationWindowSeconds":60,"policies":[{"type":"Percent","value":100,"periodSeconds":15}]}}}},
"triggers":[{"type":"some-queue","name":"a","metricType":"Value","useCachedMetrics":true,"metadata":{"length":"5"},
"authenticationRef":{"name":"auth"}},{"type":"cpu","metricType":"Utilization","metadata":{"value":"60"}}]}}"#;

#[test]
fn scaled_object() {
    bolero::check!().with_type::<Edits>().for_each(|edits| {
        let Ok(object) = serde_json::from_slice::<ScaledObject>(&mangled(&[OBJECT], edits)) else { return };
        match lower(&object) {
            Ok(declared) => assert!(declared.bounds.min <= declared.bounds.max),
            Err(fault) => assert!(!fault.message.is_empty()),
        }
    });
}

/// The same object with other values in its fields.
#[test]
fn fields() {
    let texts = ["", "0", "-1", "5", "1e9", "Value", "cpu", "Deployment", "apps/v1", "18446744073709551616", "a.b/c d"];
    bolero::check!().with_type::<Vec<(u8, u8, i64)>>().for_each(|changes| {
        let mut object: Value = serde_json::from_str(OBJECT).unwrap();
        for (field, text, number) in changes {
            let mut leaves = Vec::new();
            collect(&mut object, &mut leaves);
            let place = usize::from(*field) % leaves.len();
            let text = texts[usize::from(*text) % texts.len()];
            let leaf = &mut leaves[place];
            **leaf = if leaf.is_number() { (*number).into() } else { text.into() };
        }
        let Ok(object) = serde_json::from_value::<ScaledObject>(object) else { return };
        if let Ok(declared) = lower(&object) {
            assert!(declared.bounds.min <= declared.bounds.max);
        }
    });
}

fn collect<'a>(value: &'a mut Value, leaves: &mut Vec<&'a mut Value>) {
    match value {
        Value::Object(fields) => fields.values_mut().for_each(|value| collect(value, leaves)),
        Value::Array(items) => items.iter_mut().for_each(|value| collect(value, leaves)),
        leaf => leaves.push(leaf),
    }
}

const FILES: [&str; 3] = [
    "apiVersion: keda.sh/v1alpha1\nkind: ScaledObject\nmetadata:\n  name: orders\nspec:\n  scaleTargetRef: {name: orders}\n  \
     triggers:\n  - type: some-queue\n    metadata: {length: \"5\"}\n---\napiVersion: windlass.dev/v1alpha1\nkind: ProcessSet\n\
     metadata: {name: orders}\nspec: {command: [sleep, \"1\"]}\n",
    "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\ndata: {password: c2VjcmV0}\nstringData: {a: b}\n",
    "apiVersion: keda.sh/v1alpha1\nkind: TriggerAuthentication\nmetadata: {name: auth}\nspec:\n  secretTargetRef:\n  - \
     {parameter: password, name: s, key: password}\n",
];

#[test]
fn files() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("objects.yaml");
    bolero::check!().with_type::<Edits>().for_each(|edits| {
        std::fs::write(&file, mangled(&FILES, edits)).unwrap();
        if let Err(errors) = local::read_directory(folder.path()) {
            assert!(!errors.to_string().is_empty());
        }
    });
}
