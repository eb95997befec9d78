//! Lowering: one snapshot of everything, and a table of the rules.
use crate::object::{object, triggers};
use serde_json::{Value, json};
use windlass_api::{ScaledObject, lower, lower_for};
use windlass_core::workload::{Ask, Engine, Hold, ResourceTarget, ResourceTrigger};
use windlass_core::{Fault, Reason};

#[test]
fn defaults() {
    insta::assert_debug_snapshot!(lower(&object(json!({}))).unwrap());
}

#[test]
fn everything_set() {
    let object = object(json!({
        "metadata": {
            "labels": { "team": "a", "internal": "x", "kept ": "y" },
            "annotations": {
                "note": "copied",
                "kubectl.kubernetes.io/last-applied-configuration": "{}",
                "windlass.dev/engine": "hpa",
                "scaledobject.keda.sh/hpa-excluded-labels": "internal,other",
                "scaledobject.keda.sh/transfer-hpa-ownership": "true",
                "autoscaling.keda.sh/paused-replicas": "4",
                "autoscaling.keda.sh/paused-scale-in": "yes",
                "autoscaling.keda.sh/paused-scale-out": "false",
                "autoscaling.keda.sh/force-activation": "True",
            }
        },
        "spec": {
            "scaleTargetRef": { "apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "name": "r", "envSourceContainerName": "main" },
            "pollingInterval": 5, "cooldownPeriod": 60, "initialCooldownPeriod": 7,
            "idleReplicaCount": 0, "minReplicaCount": 2, "maxReplicaCount": 9,
            "advanced": {
                "restoreToOriginalReplicaCount": true,
                "scalingModifiers": {},
                "horizontalPodAutoscalerConfig": {
                    "name": "mine",
                    "behavior": {
                        "scaleUp": { "stabilizationWindowSeconds": 0, "selectPolicy": "Min", "tolerance": 0.05,
                            "policies": [{ "type": "Percent", "value": 100, "periodSeconds": 15 }, { "type": "Pods", "value": 4, "periodSeconds": 60 }] },
                        "scaleDown": { "selectPolicy": "Disabled", "policies": [], "tolerance": "10m" }
                    }
                }
            },
            "triggers": [
                { "type": "some-queue", "name": "first", "metadata": { "a": "1" }, "metricType": "Value", "useCachedMetrics": true,
                  "authenticationRef": { "name": "login" } },
                { "type": "other-queue", "metadata": {}, "metricType": "AverageValue",
                  "authenticationRef": { "name": "shared", "kind": "ClusterTriggerAuthentication" } },
                { "type": "cpu", "metadata": { "value": "60" }, "metricType": "Utilization" },
                { "type": "memory", "metadata": { "value": "1024Mi", "containerName": "main" }, "metricType": "AverageValue" }
            ]
        }
    }));
    insta::assert_debug_snapshot!(lower(&object).unwrap());
}

fn fault(object: &ScaledObject) -> Fault {
    lower(object).expect_err("must be refused")
}

#[track_caller]
fn refused(spec: Value, reason: Reason, message: &str) {
    let fault = fault(&object(json!({ "spec": spec })));
    assert_eq!((fault.reason, &*fault.message), (reason, message));
}

#[test]
fn bounds_and_their_quirks() {
    let check = |min: Option<i64>, max: Option<i64>, idle: Option<i64>| {
        let spec = json!({ "minReplicaCount": min, "maxReplicaCount": max, "idleReplicaCount": idle });
        lower(&object(json!({ "spec": spec }))).map(|declared| declared.bounds)
    };
    for (min, max, idle, allowed) in [
        (None, None, None, true),
        (Some(100), None, None, true),
        (Some(101), None, None, false),
        (Some(5), Some(4), None, false),
        (Some(5), Some(5), None, true),
        // Written as 0 the minimum counts as 1 here; not written it counts as 0.
        (Some(0), None, Some(0), true),
        (None, None, Some(0), false),
        (Some(1), None, Some(1), false),
        (Some(3), None, Some(2), true),
        (Some(-1), None, None, false),
        (None, Some(0), None, false),
        (None, Some(3_000_000_000), None, false),
        (Some(2), None, Some(-1), false),
    ] {
        assert_eq!(check(min, max, idle).is_ok(), allowed, "min {min:?} max {max:?} idle {idle:?}");
    }
    let bounds = check(Some(0), None, Some(0)).unwrap();
    assert_eq!((bounds.min, bounds.max, bounds.idle), (0, 100, Some(0)), "the HPA's minimum is not the object's");
    refused(
        json!({ "idleReplicaCount": 0 }),
        Reason::ScaledObjectCheckFailed,
        "spec.idleReplicaCount: 0 must be less than minReplicaCount (not set); raise minReplicaCount or remove idleReplicaCount",
    );
}

#[test]
fn times() {
    for (field, value) in [("pollingInterval", 0), ("cooldownPeriod", -1), ("initialCooldownPeriod", i64::MAX)] {
        let fault = fault(&object(json!({ "spec": { field: value } })));
        assert!(
            fault.message.starts_with(&format!("spec.{field}: is {value}; use a number of seconds from ")),
            "{fault}"
        );
    }
}

#[test]
fn what_is_not_implemented_is_refused_by_its_field() {
    let rest = "not supported yet; remove it or keep this object on KEDA";
    refused(
        json!({ "fallback": { "failureThreshold": 3, "replicas": 6 } }),
        Reason::UnsupportedField,
        &format!("spec.fallback: {rest}"),
    );
    for field in ["formula", "target", "activationTarget"] {
        refused(
            json!({ "advanced": { "scalingModifiers": { field: "1" } } }),
            Reason::UnsupportedField,
            &format!("spec.advanced.scalingModifiers.{field}: {rest}"),
        );
    }
    for empty in [json!({}), json!({ "formula": "" }), json!({ "metricType": "AverageValue" })] {
        assert!(lower(&object(json!({ "spec": { "advanced": { "scalingModifiers": empty } } }))).is_ok());
    }
}

#[test]
fn names() {
    let name = |length: usize| object(json!({ "metadata": { "name": "n".repeat(length) } }));
    assert!(lower(&name(54)).is_ok(), "keda-hpa- and 54 characters make 63");
    assert!(fault(&name(55)).message.starts_with("spec.advanced.horizontalPodAutoscalerConfig.name: the HPA's name"));
    assert!(fault(&name(64)).message.starts_with("metadata.name: has 64 characters"));
    let config = |name: &str| json!({ "advanced": { "horizontalPodAutoscalerConfig": { "name": name } } });
    let long = object(json!({ "metadata": { "name": "n".repeat(63) }, "spec": config("short") }));
    assert_eq!(&*lower(&long).unwrap().hpa.name, "short");
    assert!(fault(&object(json!({ "metadata": { "name": "" } }))).message.starts_with("metadata.name: is not set"));
    let transfer = json!({ "annotations": { "scaledobject.keda.sh/transfer-hpa-ownership": "true" } });
    assert!(fault(&object(json!({ "metadata": transfer }))).message.contains("name the HPA to take over"));
    assert!(lower(&object(json!({ "metadata": transfer, "spec": config("old") }))).unwrap().hpa.named);
}

#[test]
fn targets() {
    let target =
        |reference: Value| lower(&object(json!({ "spec": { "scaleTargetRef": reference } }))).map(|d| d.target);
    let core = target(json!({ "apiVersion": "v1", "kind": "ReplicationController" })).unwrap();
    assert_eq!((&*core.group, &*core.version, &*core.kind), ("", "v1", "ReplicationController"));
    let empty = target(json!({ "apiVersion": "", "kind": "" })).unwrap();
    assert_eq!((&*empty.group, &*empty.version, &*empty.kind), ("apps", "v1", "Deployment"));
    for wrong in ["apps/", "a/b/c"] {
        assert!(
            target(json!({ "apiVersion": wrong })).unwrap_err().message.starts_with("spec.scaleTargetRef.apiVersion: ")
        );
    }
    assert!(target(json!({ "name": "" })).unwrap_err().message.starts_with("spec.scaleTargetRef.name: is empty"));
}

#[test]
fn annotations() {
    let with = |name: &str, value: &str| lower(&object(json!({ "metadata": { "annotations": { name: value } } })));
    for (value, on) in
        [("true", true), ("", true), ("nonsense", true), ("TRUE", true), ("false", false), ("0", false), ("F", false)]
    {
        let declared = with("autoscaling.keda.sh/paused", value).unwrap();
        assert_eq!(declared.pause.all, on.then_some(Hold::Here), "{value:?}");
        assert_eq!(with("autoscaling.keda.sh/force-activation", value).unwrap().force_active, on, "{value:?}");
    }
    assert_eq!(with("autoscaling.keda.sh/paused-replicas", "0").unwrap().pause.all, Some(Hold::At(0)));
    for wrong in ["", "many", "-1", "3000000000"] {
        let fault = with("autoscaling.keda.sh/paused-replicas", wrong).unwrap_err();
        assert!(fault.message.starts_with("metadata.annotations['autoscaling.keda.sh/paused-replicas']: "), "{fault}");
    }
    assert!(with("windlass.dev/engine", "hpa").is_ok());
    assert!(with("windlass.dev/engine", "magic").unwrap_err().message.ends_with("use hpa or direct"));
}

#[test]
fn engines() {
    let plain = object(json!({}));
    assert_eq!(lower(&plain).unwrap().engine, Engine::Hpa);
    assert_eq!(lower_for(&plain, Engine::Direct).unwrap().engine, Engine::Direct);
    let named = |engine: &str| object(json!({ "metadata": { "annotations": { "windlass.dev/engine": engine } } }));
    for (engine, name) in [(Engine::Hpa, "hpa"), (Engine::Direct, "direct")] {
        for unset in [Engine::Hpa, Engine::Direct] {
            assert_eq!(lower_for(&named(name), unset).unwrap().engine, engine, "{name} where {unset:?} is the default");
        }
    }
    let cpu = triggers(json!([
        { "type": "q", "metadata": {} },
        { "type": "cpu", "metadata": { "value": "60" }, "metricType": "Utilization" }
    ]));
    assert_eq!(lower(&cpu).unwrap().triggers, lower_for(&cpu, Engine::Direct).unwrap().triggers);
}

#[test]
fn rules_of_triggers() {
    let refused = |list: Value| fault(&triggers(list));
    let external = json!({ "type": "q", "metadata": {}, "name": "same" });
    assert_eq!(&*refused(json!([])).message, "spec.triggers: is empty; add at least one trigger");
    assert_eq!(
        &*refused(json!([external, external])).message,
        "spec.triggers[1].name: 'same' is used by another trigger; names must be unique"
    );
    assert!(
        lower(&triggers(
            json!([{ "type": "q", "metadata": {}, "name": "" }, { "type": "q", "metadata": {}, "name": "" }])
        ))
        .is_ok()
    );
    assert!(refused(json!([{ "type": "", "metadata": {} }])).message.starts_with("spec.triggers[0].type: is empty"));
    let utilization = refused(json!([{ "type": "q", "metadata": {}, "metricType": "Utilization" }]));
    assert_eq!(utilization.reason, Reason::InvalidTrigger);
    assert_eq!(
        &*utilization.message,
        "spec.triggers[0].metricType: Utilization is only for cpu and memory; use AverageValue or Value for 'q'"
    );
    assert!(
        refused(json!([{ "type": "q", "metadata": {}, "metricType": "Sum" }])).message.contains("'Sum' is unknown")
    );
    let reference =
        refused(json!([{ "type": "q", "metadata": {}, "authenticationRef": { "name": "a", "kind": "Secret" } }]));
    assert!(reference.message.starts_with("spec.triggers[0].authenticationRef.kind: 'Secret' is unknown"));
}

#[test]
fn resource_triggers() {
    let one = |metadata: Value, metric_type: &str| {
        lower(&triggers(json!([{ "type": "cpu", "metadata": metadata, "metricType": metric_type }])))
            .map(|declared| declared.triggers.into_iter().next().unwrap().ask)
    };
    let resource = |container: Option<&str>, target| {
        Ask::Resource(ResourceTrigger { resource: "cpu".into(), container: container.map(Into::into), target })
    };
    assert_eq!(one(json!({ "value": " 50 " }), "Utilization"), Ok(resource(None, ResourceTarget::Utilization(50))));
    for (written, canonical) in [("0.5", "500m"), ("1500m", "1500m"), ("2000m", "2"), ("1024Ki", "1Mi"), ("1000", "1k")]
    {
        assert_eq!(
            one(json!({ "value": written, "containerName": "c" }), "AverageValue"),
            Ok(resource(Some("c"), ResourceTarget::AverageValue(canonical.into()))),
        );
    }
    for (metadata, metric_type, field) in [
        (json!({ "value": "50" }), "", "metricType: is not set"),
        (json!({ "value": "50" }), "Value", "metricType: 'Value' does not fit"),
        (json!({ "value": "50", "type": "Utilization" }), "Utilization", "metadata.type: was removed"),
        (json!({}), "Utilization", "metadata.value: is not set"),
        (json!({ "value": "50%" }), "Utilization", "metadata.value: '50%' is no whole number"),
        (json!({ "value": "0" }), "Utilization", "metadata.value: '0' is no whole number"),
        (json!({ "value": "1 Gi" }), "AverageValue", "metadata.value: '1 Gi' is no Kubernetes quantity"),
        (json!({ "value": "-1" }), "AverageValue", "metadata.value: '-1' is not above zero"),
    ] {
        let fault = one(metadata, metric_type).unwrap_err();
        assert!(fault.message.starts_with(&format!("spec.triggers[0].{field}")), "{fault}");
    }
    let cached = triggers(
        json!([{ "type": "memory", "metadata": { "value": "1Gi" }, "metricType": "AverageValue", "useCachedMetrics": true }]),
    );
    assert!(fault(&cached).message.starts_with("spec.triggers[0].useCachedMetrics: "));
}

#[test]
fn behavior_is_checked_before_the_api_server_would() {
    let with = |rules: Value| {
        let config = json!({ "behavior": { "scaleUp": rules } });
        lower(&object(json!({ "spec": { "advanced": { "horizontalPodAutoscalerConfig": config } } })))
            .map(|d| d.hpa.behavior)
    };
    let policy = |kind: &str, value: i64, period: i64| json!({ "policies": [{ "type": kind, "value": value, "periodSeconds": period }] });
    for (rules, field) in [
        (json!({ "stabilizationWindowSeconds": 3601 }), "stabilizationWindowSeconds: is 3601"),
        (json!({ "selectPolicy": "Most" }), "selectPolicy: 'Most' is unknown"),
        (policy("Pods", 0, 15), "policies[0].value: is 0"),
        (policy("Pods", 1, 1801), "policies[0].periodSeconds: is 1801"),
        (policy("Share", 1, 15), "policies[0].type: 'Share' is unknown"),
        (json!({ "tolerance": "-0.1" }), "tolerance: '-0.1' is negative"),
        (json!({ "tolerance": "x" }), "tolerance: 'x' is no Kubernetes quantity"),
        (json!({ "tolerance": "0.0001" }), "tolerance: '0.0001' is finer than a thousandth"),
    ] {
        let fault = with(rules).unwrap_err();
        let start = format!("spec.advanced.horizontalPodAutoscalerConfig.behavior.scaleUp.{field}");
        assert!(fault.message.starts_with(&start), "{fault}");
    }
    assert_eq!(with(json!({ "policies": [] })).unwrap().unwrap().scale_up.unwrap().policies, None);
}
