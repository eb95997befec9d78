//! The HPA that the API server stores, field by field, for the shapes that people use. What is expected is KEDA's
//! `newHPAForScaledObject`, completed by the API server's own defaults.
use crate::windlass::{Windlass, metrics_api, text};
use anyhow::{Context, Result};
use serde_json::{Map, Value, json};
use windlass_testkit::ScriptedHttp;

/// A shape: what users write, and what is to be stored where it differs from the usual.
struct Shape {
    name: &'static str,
    /// Labels and annotations of the ScaledObject.
    metadata: Value,
    spec: Value,
    /// The HPA's name.
    hpa: String,
    /// Fields of `spec`.
    stored: Value,
    labels: Value,
    annotations: Value,
}

fn external(metric: &str, object: &str, target: Value) -> Value {
    json!({ "type": "External", "external": {
        "metric": { "name": metric, "selector": { "matchLabels": { "scaledobject.keda.sh/name": object } } },
        "target": target } })
}

fn average(value: &str) -> Value {
    json!({ "type": "AverageValue", "averageValue": value })
}

fn cpu(value: &str) -> Value {
    json!({ "type": "cpu", "metricType": "Utilization", "metadata": { "value": value } })
}

/// The default rules that the API server completes a partial behaviour with.
fn scale_up_default() -> Value {
    json!({ "stabilizationWindowSeconds": 0, "selectPolicy": "Max", "policies": [
        { "type": "Pods", "value": 4, "periodSeconds": 15 }, { "type": "Percent", "value": 100, "periodSeconds": 15 } ] })
}

fn scale_down_default() -> Value {
    json!({ "selectPolicy": "Max", "policies": [{ "type": "Percent", "value": 100, "periodSeconds": 15 }] })
}

fn merged(mut one: Value, other: Value) -> Value {
    if let (Some(one), Value::Object(other)) = (one.as_object_mut(), other) {
        one.extend(other);
    }
    one
}

/// A shape with one trigger that has the usual metric, and the fields that differ.
fn plain(name: &'static str, url: &str, spec: Value, stored: Value) -> Shape {
    let spec = merged(json!({ "triggers": [metrics_api(url, "5")] }), spec);
    let metrics = json!([external("s0-metric-api-value", name, average("5"))]);
    let usual = json!({ "minReplicas": 1, "maxReplicas": 100, "metrics": metrics });
    Shape {
        name,
        metadata: json!({}),
        spec,
        hpa: format!("keda-hpa-{name}"),
        stored: merged(usual, stored),
        labels: json!({}),
        annotations: json!({}),
    }
}

fn shapes(url: &str) -> Vec<Shape> {
    let trigger = |target: &str, more: Value| merged(metrics_api(url, target), more);
    let behavior =
        |behavior: Value| json!({ "advanced": { "horizontalPodAutoscalerConfig": { "behavior": behavior } } });
    let with = |shape: Shape, metadata: Value, labels: Value, annotations: Value| Shape {
        metadata,
        labels,
        annotations,
        ..shape
    };
    let value = json!({ "type": "Value", "value": "5" });
    let resource =
        |name: &str, target: Value| json!({ "type": "Resource", "resource": { "name": name, "target": target } });
    let half = json!({ "type": "Utilization", "averageUtilization": 50 });
    vec![
        plain("plain", url, json!({}), json!({})),
        plain(
            "bounds",
            url,
            json!({ "minReplicaCount": 3, "maxReplicaCount": 7 }),
            json!({ "minReplicas": 3, "maxReplicas": 7 }),
        ),
        plain(
            "min-zero",
            url,
            json!({ "minReplicaCount": 0, "maxReplicaCount": 1 }),
            json!({ "minReplicas": 1, "maxReplicas": 1 }),
        ),
        plain("idle", url, json!({ "idleReplicaCount": 0, "minReplicaCount": 2 }), json!({ "minReplicas": 2 })),
        plain(
            "value",
            url,
            json!({ "triggers": [trigger("5", json!({ "metricType": "Value" }))] }),
            json!({ "metrics": [external("s0-metric-api-value", "value", value)] }),
        ),
        plain(
            "fraction",
            url,
            json!({ "triggers": [metrics_api(url, "0.25")] }),
            json!({ "metrics": [external("s0-metric-api-value", "fraction", average("250m"))] }),
        ),
        plain(
            "large",
            url,
            json!({ "triggers": [metrics_api(url, "2500000")] }),
            json!({ "metrics": [external("s0-metric-api-value", "large", average("2500k"))] }),
        ),
        plain(
            "several",
            url,
            json!({ "triggers": [metrics_api(url, "5"), trigger("2", json!({ "metricType": "Value" })), metrics_api(url, "7.5")] }),
            json!({ "metrics": [
                external("s0-metric-api-value", "several", average("5")),
                external("s1-metric-api-value", "several", json!({ "type": "Value", "value": "2" })),
                external("s2-metric-api-value", "several", average("7500m")),
            ] }),
        ),
        plain(
            "cron-name",
            url,
            json!({ "triggers": [{ "type": "cron", "metadata": {
                "timezone": "Europe/Berlin", "start": "0 6 * * 1-5", "end": "0 20 */2 * ?", "desiredReplicas": "4" } }] }),
            json!({ "metrics": [external("s0-cron-Europe-Berlin-06xx1-5-020xSl2xQm", "cron-name", average("1"))] }),
        ),
        plain(
            "cpu-beside",
            url,
            json!({ "triggers": [cpu("50"), metrics_api(url, "5")] }),
            json!({ "metrics": [external("s1-metric-api-value", "cpu-beside", average("5")), resource("cpu", half.clone())] }),
        ),
        plain(
            "cpu-alone",
            url,
            json!({ "minReplicaCount": 1, "triggers": [cpu("50")] }),
            json!({ "metrics": [resource("cpu", half.clone())] }),
        ),
        plain(
            "memory-average",
            url,
            json!({ "minReplicaCount": 1, "triggers": [{ "type": "memory", "metricType": "AverageValue", "metadata": { "value": "128Mi" } }] }),
            json!({ "metrics": [resource("memory", average("128Mi"))] }),
        ),
        plain(
            "cpu-container",
            url,
            json!({ "minReplicaCount": 1, "triggers": [
                { "type": "cpu", "metricType": "Utilization", "metadata": { "value": "50", "containerName": "main" } }] }),
            json!({ "metrics": [{ "type": "ContainerResource", "containerResource": { "name": "cpu", "container": "main", "target": half } }] }),
        ),
        plain(
            "behavior-down",
            url,
            behavior(
                json!({ "scaleDown": { "stabilizationWindowSeconds": 60, "policies": [{ "type": "Pods", "value": 2, "periodSeconds": 30 }] } }),
            ),
            json!({ "behavior": {
                "scaleUp": scale_up_default(),
                "scaleDown": { "stabilizationWindowSeconds": 60, "selectPolicy": "Max",
                    "policies": [{ "type": "Pods", "value": 2, "periodSeconds": 30 }] },
            } }),
        ),
        plain(
            "behavior-up",
            url,
            behavior(
                json!({ "scaleUp": { "selectPolicy": "Min", "policies": [{ "type": "Percent", "value": 10, "periodSeconds": 60 }] } }),
            ),
            json!({ "behavior": {
                "scaleUp": { "stabilizationWindowSeconds": 0, "selectPolicy": "Min",
                    "policies": [{ "type": "Percent", "value": 10, "periodSeconds": 60 }] },
                "scaleDown": scale_down_default(),
            } }),
        ),
        plain(
            "behavior-off",
            url,
            behavior(json!({ "scaleDown": { "selectPolicy": "Disabled" } })),
            json!({ "behavior": { "scaleUp": scale_up_default(), "scaleDown": merged(scale_down_default(), json!({ "selectPolicy": "Disabled" })) } }),
        ),
        with(
            plain(
                "no-scale-in",
                url,
                json!({}),
                json!({ "behavior": { "scaleUp": scale_up_default(), "scaleDown": merged(scale_down_default(), json!({ "selectPolicy": "Disabled" })) } }),
            ),
            json!({ "annotations": { "autoscaling.keda.sh/paused-scale-in": "true" } }),
            json!({}),
            json!({ "autoscaling.keda.sh/paused-scale-in": "true" }),
        ),
        with(
            plain(
                "no-scale-out",
                url,
                json!({}),
                json!({ "behavior": { "scaleUp": merged(scale_up_default(), json!({ "selectPolicy": "Disabled" })), "scaleDown": scale_down_default() } }),
            ),
            json!({ "annotations": { "autoscaling.keda.sh/paused-scale-out": "true" } }),
            json!({}),
            json!({ "autoscaling.keda.sh/paused-scale-out": "true" }),
        ),
        Shape {
            hpa: "my-own-name".into(),
            labels: json!({ "app.kubernetes.io/name": "my-own-name" }),
            ..plain(
                "named",
                url,
                json!({ "advanced": { "horizontalPodAutoscalerConfig": { "name": "my-own-name" } } }),
                json!({}),
            )
        },
        with(
            plain("labelled", url, json!({}), json!({})),
            json!({ "labels": { "team": "shop", "app.kubernetes.io/version": "7", "secret-label": "x" },
                    "annotations": { "scaledobject.keda.sh/hpa-excluded-labels": "secret-label" } }),
            json!({ "team": "shop", "app.kubernetes.io/version": "7" }),
            json!({ "scaledobject.keda.sh/hpa-excluded-labels": "secret-label" }),
        ),
        with(
            plain("annotated", url, json!({}), json!({})),
            json!({ "annotations": { "example.org/owner": "shop", "windlass.dev/engine-note": "ours",
                    "kubectl.kubernetes.io/last-applied-configuration": "{}" } }),
            json!({}),
            json!({ "example.org/owner": "shop" }),
        ),
        with(
            plain("forced", url, json!({ "minReplicaCount": 0 }), json!({})),
            json!({ "annotations": { "autoscaling.keda.sh/force-activation": "true" } }),
            json!({}),
            json!({ "autoscaling.keda.sh/force-activation": "true" }),
        ),
        plain(
            "prometheus-name",
            url,
            json!({ "triggers": [{ "type": "prometheus", "metadata": { "serverAddress": url, "query": "sum(up)", "threshold": "3" } }] }),
            json!({ "metrics": [external("s0-prometheus", "prometheus-name", average("3"))] }),
        ),
        plain(
            "redis-name",
            url,
            json!({ "triggers": [{ "type": "redis", "metadata": { "address": url.trim_start_matches("http://"), "listName": "a:b/c.d%e" } }] }),
            json!({ "metrics": [external("s0-redis-a-b-c-d-e", "redis-name", average("5"))] }),
        ),
    ]
}

#[tokio::test]
async fn stored_hpas_are_those_of_keda() -> Result<()> {
    let windlass = Windlass::beside("shapes").await?;
    let source = ScriptedHttp::start().await?;
    source.set_value(0.0);
    let shapes = shapes(&source.url());
    assert!(shapes.len() >= 20);
    for shape in &shapes {
        windlass.deployment(shape.name, 1).await?;
        windlass.scale_with(shape.name, shape.metadata.clone(), shape.spec.clone()).await?;
    }
    let mut wrong = Vec::new();
    for shape in &shapes {
        let hpa = serde_json::to_value(windlass.wait_hpa(&shape.hpa).await.with_context(|| shape.name)?)?;
        let uid = windlass.scaled_objects().get(shape.name).await?.metadata.uid.unwrap_or_default();
        let expected = expected(shape, &uid);
        let stored = json!({
            "labels": hpa["metadata"]["labels"],
            "annotations": hpa["metadata"].get("annotations").cloned().unwrap_or_else(|| json!({})),
            "ownerReferences": hpa["metadata"]["ownerReferences"],
            "spec": in_order(hpa["spec"].clone()),
        });
        if stored != expected {
            wrong.push(format!("{}:\n  stored   {stored}\n  expected {expected}", shape.name));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

fn expected(shape: &Shape, uid: &str) -> Value {
    let name = shape.name;
    let labels = json!({
        "app.kubernetes.io/name": shape.hpa, "app.kubernetes.io/version": env!("CARGO_PKG_VERSION"),
        "app.kubernetes.io/part-of": name, "app.kubernetes.io/managed-by": "keda-operator",
        "scaledobject.keda.sh/name": name,
    });
    let spec = merged(
        json!({ "scaleTargetRef": { "apiVersion": "apps/v1", "kind": "Deployment", "name": name } }),
        shape.stored.clone(),
    );
    json!({
        "labels": merged(labels, shape.labels.clone()),
        "annotations": shape.annotations,
        "ownerReferences": [{ "apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject", "name": name, "uid": uid,
            "controller": true, "blockOwnerDeletion": true }],
        "spec": spec,
    })
}

/// The order of a policy list of the API server's own means nothing.
fn in_order(mut spec: Value) -> Value {
    let directions = spec.get_mut("behavior").and_then(Value::as_object_mut).into_iter().flat_map(Map::values_mut);
    for rules in directions {
        if let Some(policies) = rules["policies"].as_array_mut() {
            policies.sort_by_key(|policy| std::cmp::Reverse(text(policy, "/type")));
        }
    }
    spec
}
