//! HPAs, as KEDA stores them.
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use serde_json::{Value, json};
use windlass_api::hpa::{from_kubernetes, to_kubernetes};
use windlass_core::workload::{
    Aim, Behavior, ResourceTarget, ResourceTrigger, ScalingPolicy, ScalingRules, SelectPolicy,
};
use windlass_core::write::{Condition, HpaMetric, HpaShape, Tri};
use windlass_core::{Milli, TargetRef, WorkloadKey};

fn external(name: &str, target: i64, aim: Aim) -> HpaMetric {
    HpaMetric::External { name: name.into(), object: "orders".into(), target: Milli(target), aim }
}

fn shape() -> HpaShape {
    let resource = |container: Option<&str>, target| {
        HpaMetric::Resource(ResourceTrigger { resource: "cpu".into(), container: container.map(Into::into), target })
    };
    HpaShape {
        name: "keda-hpa-orders".into(),
        labels: [("app.kubernetes.io/part-of".into(), "orders".into())].into(),
        annotations: [("note".into(), "n".into())].into(),
        target: TargetRef {
            group: "apps".into(),
            version: "v1".into(),
            kind: "Deployment".into(),
            resource: "".into(),
            name: "orders".into(),
        },
        min: 1,
        max: 9,
        metrics: vec![
            resource(Some("main"), ResourceTarget::AverageValue("500m".into())),
            external("s0-list", 5_000, Aim::Average),
            external("s1-list", 500, Aim::Value),
            external("s2-list", 1_000_000, Aim::Average),
            resource(None, ResourceTarget::Utilization(60)),
        ],
        behavior: Some(Behavior {
            scale_up: Some(ScalingRules {
                stabilization_s: Some(0),
                select: Some(SelectPolicy::Min),
                policies: Some(vec![
                    ScalingPolicy { percent: true, value: 100, period_s: 15 },
                    ScalingPolicy { percent: false, value: 4, period_s: 60 },
                ]),
                tolerance: Some(Milli(50)),
            }),
            scale_down: Some(ScalingRules { select: Some(SelectPolicy::Disabled), ..ScalingRules::default() }),
        }),
    }
}

#[test]
fn as_keda_stores_it() {
    let key = WorkloadKey::scaled_object("shop", "orders");
    let selector = json!({ "matchLabels": { "scaledobject.keda.sh/name": "orders" } });
    let stored = serde_json::to_value(to_kubernetes(&key, "u-1", &shape(), Some("7"))).unwrap();
    let expected: Value = json!({
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {
            "name": "keda-hpa-orders",
            "namespace": "shop",
            "resourceVersion": "7",
            "labels": { "app.kubernetes.io/part-of": "orders" },
            "annotations": { "note": "n" },
            "ownerReferences": [{
                "apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject", "name": "orders", "uid": "u-1",
                "controller": true, "blockOwnerDeletion": true
            }]
        },
        "spec": {
            "scaleTargetRef": { "apiVersion": "apps/v1", "kind": "Deployment", "name": "orders" },
            "minReplicas": 1,
            "maxReplicas": 9,
            "metrics": [
                { "type": "ContainerResource", "containerResource": { "container": "main", "name": "cpu",
                    "target": { "type": "AverageValue", "averageValue": "500m" } } },
                { "type": "External", "external": { "metric": { "name": "s0-list", "selector": selector },
                    "target": { "type": "AverageValue", "averageValue": "5" } } },
                { "type": "External", "external": { "metric": { "name": "s1-list", "selector": selector },
                    "target": { "type": "Value", "value": "500m" } } },
                { "type": "External", "external": { "metric": { "name": "s2-list", "selector": selector },
                    "target": { "type": "AverageValue", "averageValue": "1k" } } },
                { "type": "Resource", "resource": { "name": "cpu",
                    "target": { "type": "Utilization", "averageUtilization": 60 } } }
            ],
            "behavior": {
                "scaleUp": { "stabilizationWindowSeconds": 0, "selectPolicy": "Min", "tolerance": "50m",
                    "policies": [
                        { "type": "Percent", "value": 100, "periodSeconds": 15 },
                        { "type": "Pods", "value": 4, "periodSeconds": 60 }
                    ] },
                "scaleDown": { "selectPolicy": "Disabled" }
            }
        }
    });
    assert_eq!(stored, expected);
}

#[test]
fn there_and_back() {
    let key = WorkloadKey::scaled_object("shop", "orders");
    let mut core_group = shape();
    core_group.target.group = "".into();
    core_group.behavior = None;
    core_group.labels.clear();
    for shape in [shape(), core_group] {
        let seen = from_kubernetes(&to_kubernetes(&key, "u-1", &shape, Some("7")));
        assert_eq!(seen.shape, shape);
        assert_eq!((seen.owner.as_deref(), &*seen.version), (Some("u-1"), "7"));
        assert_eq!(seen.scaling_active, None);
    }
}

#[test]
fn what_we_never_write_is_foreign() {
    let seen = |metric: Value, status: Value| {
        let hpa: HorizontalPodAutoscaler = serde_json::from_value(json!({
            "metadata": { "name": "h", "ownerReferences": [{ "apiVersion": "v1", "kind": "X", "name": "x", "uid": "u" }] },
            "spec": { "scaleTargetRef": { "kind": "Deployment", "name": "d" }, "maxReplicas": 2, "metrics": [metric] },
            "status": status
        })).unwrap();
        from_kubernetes(&hpa)
    };
    let external = |labels: Value, target: Value| json!({ "type": "External", "external": { "metric": { "name": "m", "selector": { "matchLabels": labels } }, "target": target } });
    let ours = json!({ "scaledobject.keda.sh/name": "o" });
    let target = json!({ "type": "AverageValue", "averageValue": "5" });
    for metric in [
        json!({ "type": "Pods", "pods": { "metric": { "name": "m" }, "target": target } }),
        external(json!({ "app": "o" }), target.clone()),
        external(json!({ "scaledobject.keda.sh/name": "o", "more": "x" }), target.clone()),
        external(ours.clone(), json!({ "type": "AverageValue", "averageValue": "5u" })),
        json!({ "type": "External", "external": { "metric": { "name": "m" }, "target": target } }),
    ] {
        assert!(matches!(seen(metric.clone(), json!({})).shape.metrics[0], HpaMetric::Foreign(_)), "{metric}");
    }
    let hpa = seen(
        external(ours, target),
        json!({ "conditions": [{ "type": "ScalingActive", "status": "False", "reason": "FailedGetExternalMetric", "message": "m" }],
                "currentMetrics": null, "desiredReplicas": 0 }),
    );
    assert_eq!(hpa.owner, None, "an owner that does not control is none");
    assert_eq!(hpa.shape.min, 1, "not set means 1");
    assert_eq!(
        hpa.scaling_active,
        Some(Condition { status: Tri::No, reason: "FailedGetExternalMetric".into(), message: "m".into() })
    );
}
