//! Nothing that anybody writes makes lowering panic, and what comes out keeps its promises.
use crate::object::object;
use proptest::prelude::*;
use serde_json::{Value, json};
use windlass_api::{Quantity, lower};

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(String::new()),
        "[a-zA-Z0-9./_-]{0,80}",
        ".{0,12}",
        prop::sample::select(vec![
            "cpu",
            "memory",
            "AverageValue",
            "Value",
            "Utilization",
            "Max",
            "Pods",
            "true",
            "-1",
            "1Gi"
        ])
        .prop_map(String::from),
    ]
}

fn number() -> impl Strategy<Value = Option<i64>> {
    prop_oneof![Just(None), any::<i64>().prop_map(Some), (-2_i64..120).prop_map(Some)]
}

fn trigger() -> impl Strategy<Value = Value> {
    (text(), text(), prop::collection::btree_map(prop_oneof![Just("value".to_owned()), text()], text(), 0..3), text(), any::<bool>())
        .prop_map(|(kind, name, metadata, metric_type, cached)| {
            json!({ "type": kind, "name": name, "metadata": metadata, "metricType": metric_type, "useCachedMetrics": cached })
        })
}

fn rules() -> impl Strategy<Value = Value> {
    (number(), text(), number(), text(), text()).prop_map(|(number, kind, value, select, tolerance)| {
        let policy = json!({ "type": kind, "value": value.unwrap_or(1), "periodSeconds": number.unwrap_or(1) });
        json!({ "stabilizationWindowSeconds": number, "selectPolicy": select, "policies": [policy], "tolerance": tolerance })
    })
}

proptest! {
    #[test]
    fn lower_never_panics(
        name in text(), target in text(), api_version in text(),
        poll in number(), min in number(), max in number(), idle in number(),
        triggers in prop::collection::vec(trigger(), 0..4),
        annotation in (prop::sample::select(vec![
            "autoscaling.keda.sh/paused-replicas", "autoscaling.keda.sh/paused", "windlass.dev/engine",
            "scaledobject.keda.sh/hpa-excluded-labels",
        ]), text()),
        rules in prop::option::of(rules()),
    ) {
        let object = object(json!({
            "metadata": { "name": name, "annotations": { annotation.0: annotation.1 } },
            "spec": {
                "scaleTargetRef": { "name": target, "apiVersion": api_version },
                "pollingInterval": poll, "minReplicaCount": min, "maxReplicaCount": max, "idleReplicaCount": idle,
                "triggers": triggers,
                "advanced": { "horizontalPodAutoscalerConfig": { "behavior": { "scaleUp": rules } } },
            }
        }));
        match lower(&object) {
            Ok(declared) => {
                prop_assert!(declared.bounds.min <= declared.bounds.max);
                prop_assert!(declared.bounds.max >= 1);
                prop_assert!(!declared.poll.is_zero());
                prop_assert!(!declared.triggers.is_empty());
                prop_assert!(declared.hpa.name.len() <= 63);
            }
            // Every refusal names a field and goes on with what is wrong.
            Err(fault) => {
                let named = fault.message.split_once(": ");
                prop_assert!(named.is_some_and(|(field, _)| field.starts_with("spec.") || field.starts_with("metadata.")), "{}", fault);
            }
        }
    }

    #[test]
    fn a_canonical_quantity_stays_as_it_is(text in "[+-]?[0-9]{0,22}(\\.[0-9]{0,14})?(n|u|m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei|e-?[0-9]{1,3})?") {
        if let Ok(quantity) = text.parse::<Quantity>() {
            let canonical = quantity.to_string();
            let again: Quantity = canonical.parse().unwrap();
            prop_assert_eq!(again.to_string(), canonical);
        }
    }

    #[test]
    fn any_text_is_a_quantity_or_none(text in ".{0,40}") {
        let _ = text.parse::<Quantity>().map(|quantity| quantity.to_string());
    }
}
