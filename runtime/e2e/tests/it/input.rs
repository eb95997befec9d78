//! Bad input: each gets a condition and an event that name the field and the remedy, and disturbs nobody else.
use crate::windlass::{Windlass, holds, metrics_api, scaled_object};
use anyhow::Result;
use kube::api::PostParams;
use serde_json::{Value, json};
use windlass_testkit::ScriptedHttp;

#[tokio::test]
async fn every_mistake_is_named_and_neighbours_go_on() -> Result<()> {
    let windlass = Windlass::beside("mistakes").await?;
    let source = ScriptedHttp::start().await?;
    source.set_value(2.0);
    windlass.deployment("good", 0).await?;
    windlass.scale("good", json!({ "pollingInterval": 1, "triggers": [metrics_api(&source.url(), "1")] })).await?;

    let good = metrics_api(&source.url(), "1");
    let url = source.url();
    let cases: Vec<(&str, Value, &str, &[&str])> = vec![
        (
            "unknown-type",
            json!([good, { "type": "carrier-pigeon", "metadata": {} }]),
            "UnknownTriggerType",
            &["carrier-pigeon", "cron"],
        ),
        (
            "missing-parameter",
            json!([good, { "type": "metrics-api", "metadata": { "url": url, "targetValue": "1" } }]),
            "InvalidTrigger",
            &["1", "valueLocation", "required"],
        ),
        (
            "not-a-number",
            json!([{ "type": "metrics-api", "metadata": { "url": url, "valueLocation": "value", "targetValue": "many" } }]),
            "InvalidTrigger",
            &["0", "targetValue", "many"],
        ),
        (
            "no-time-zone",
            json!([{ "type": "cron", "metadata": { "timezone": "Mars/Olympus", "start": "0 0 * * *", "end": "1 0 * * *", "desiredReplicas": "1" } }]),
            "InvalidTrigger",
            &["0", "timezone", "Mars/Olympus"],
        ),
        (
            "no-authentication",
            json!([{ "type": "metrics-api", "metadata": good["metadata"], "authenticationRef": { "name": "nobody" } }]),
            "AuthenticationNotFound",
            &["nobody"],
        ),
        (
            "twice-the-name",
            json!([
                { "type": "metrics-api", "name": "a", "metadata": good["metadata"] },
                { "type": "metrics-api", "name": "a", "metadata": good["metadata"] }
            ]),
            "ScaledObjectCheckFailed",
            &["name"],
        ),
    ];
    for (name, triggers, ..) in &cases {
        windlass.deployment(name, 3).await?;
        windlass.scale(name, json!({ "pollingInterval": 1, "cooldownPeriod": 1, "triggers": triggers })).await?;
    }
    for (name, _, reason, words) in &cases {
        let message = windlass.wait_condition(name, "Ready", "False", reason).await?;
        for word in *words {
            assert!(message.contains(word), "{name}: {message}: does not say {word}");
        }
        let event = windlass.wait_event(name, "ScaledObjectCheckFailed").await?;
        assert_eq!(event, message);
    }
    windlass.wait_replicas("good", 2).await?;
    for (name, ..) in &cases {
        assert_eq!(windlass.replicas(name).await?, 3, "{name}");
        assert!(windlass.hpas().get_opt(&format!("keda-hpa-{name}")).await?.is_none(), "{name}");
    }
    Ok(())
}

#[tokio::test]
async fn what_is_not_there_yet_is_refused_by_its_name() -> Result<()> {
    let windlass = Windlass::beside("unsupported").await?;
    let source = ScriptedHttp::start().await?;
    source.set_value(0.0);
    windlass.deployment("web", 3).await?;
    let trigger =
        json!([{ "type": "metrics-api", "name": "a", "metadata": metrics_api(&source.url(), "1")["metadata"] }]);
    let modifiers = json!({ "scalingModifiers": { "formula": "a * 2", "target": "1" } });
    windlass.scale("web", json!({ "cooldownPeriod": 1, "advanced": modifiers, "triggers": trigger })).await?;
    let message = windlass.wait_condition("web", "Ready", "False", "UnsupportedField").await?;
    assert!(message.contains("advanced.scalingModifiers"), "{message}");
    holds(3, 3, || windlass.replicas("web")).await?;
    windlass.edit("web", json!({ "spec": { "advanced": null } })).await?;
    windlass.wait_ready("web").await?;
    windlass.wait_replicas("web", 0).await
}

#[tokio::test]
async fn the_schema_refuses_what_cannot_be() -> Result<()> {
    let windlass = Windlass::beside("schema").await?;
    let trigger = json!([{ "type": "cron", "metadata": {} }]);
    let cases = [
        (json!({ "triggers": [] }), "triggers"),
        (json!({ "triggers": trigger, "minReplicaCount": -1 }), "minReplicaCount"),
        (json!({ "triggers": trigger, "minReplicaCount": 7, "maxReplicaCount": 5 }), "minReplicaCount"),
        (json!({ "triggers": trigger, "pollingInterval": 0 }), "pollingInterval"),
        (json!({ "triggers": trigger, "scaleTargetRef": { "name": "" } }), "scaleTargetRef"),
    ];
    for (spec, field) in cases {
        let message = windlass.refused(scaled_object("web", json!({}), spec.clone())).await?;
        assert!(message.contains(field), "{spec}: {message}");
    }
    Ok(())
}

#[tokio::test]
async fn two_masters_of_one_target() -> Result<()> {
    let windlass = Windlass::beside("masters").await?;
    let source = ScriptedHttp::start().await?;
    source.set_value(3.0);
    windlass.deployment("web", 1).await?;
    let spec = |source: &ScriptedHttp| json!({ "scaleTargetRef": { "name": "web" }, "pollingInterval": 1, "triggers": [metrics_api(&source.url(), "1")] });
    windlass.scale("first", spec(&source)).await?;
    windlass.wait_ready("first").await?;
    windlass.scale("second", spec(&source)).await?;
    let message = windlass.wait_condition("second", "Ready", "False", "ConflictingScaledObject").await?;
    assert!(message.contains("first") && message.contains("scaleTargetRef"), "{message}");
    windlass.wait_ready("first").await?;
    assert!(windlass.hpas().get_opt("keda-hpa-second").await?.is_none());
    // The first goes: the second takes over.
    windlass.delete("first").await?;
    windlass.wait_ready("second").await?;
    windlass.wait_hpa("keda-hpa-second").await.map(drop)
}

#[tokio::test]
async fn an_hpa_of_somebody_else_is_left_alone_until_its_ownership_is_transferred() -> Result<()> {
    let windlass = Windlass::beside("transfer").await?;
    let source = ScriptedHttp::start().await?;
    source.set_value(3.0);
    windlass.deployment("web", 2).await?;
    let hpa = serde_json::from_value(json!({
        "metadata": { "name": "web" },
        "spec": {
            "minReplicas": 2, "maxReplicas": 4,
            "scaleTargetRef": { "apiVersion": "apps/v1", "kind": "Deployment", "name": "web" },
            "metrics": [{ "type": "Resource", "resource": { "name": "cpu", "target": { "type": "Utilization", "averageUtilization": 50 } } }],
        },
    }))?;
    let uid = windlass.hpas().create(&PostParams::default(), &hpa).await?.metadata.uid;
    let spec = json!({ "pollingInterval": 1, "minReplicaCount": 1, "triggers": [metrics_api(&source.url(), "1")] });
    windlass.scale("web", spec.clone()).await?;
    let message = windlass.wait_condition("web", "Ready", "False", "ConflictingHpa").await?;
    assert!(message.contains("transfer-hpa-ownership"), "{message}");
    assert_eq!(windlass.hpas().get("web").await?.spec.max_replicas, 4);

    let mut adopting = spec;
    adopting["advanced"] = json!({ "horizontalPodAutoscalerConfig": { "name": "web" } });
    let metadata = json!({ "annotations": { "scaledobject.keda.sh/transfer-hpa-ownership": "true" } });
    windlass.scale_with("web", metadata, adopting).await?;
    windlass.wait_ready("web").await?;
    windlass.wait_replicas("web", 3).await?;
    let adopted = windlass.hpas().get("web").await?;
    assert_eq!(adopted.metadata.uid, uid, "the same HPA");
    assert_eq!(adopted.metadata.owner_references.map(|owners| owners.len()), Some(1));
    assert_eq!(adopted.spec.max_replicas, 100);
    Ok(())
}
