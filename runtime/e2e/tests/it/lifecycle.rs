//! Objects come, change, pause and go; what is edited by hand is put right; what is missing is waited for.
use crate::shared::LIMIT;
use crate::windlass::{Windlass, holds, metrics_api, quick_down};
use anyhow::{Context, Result, bail};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, DeleteParams, Patch, PatchParams, PostParams};
use serde_json::{Value, json};
use windlass_e2e::until;
use windlass_testkit::ScriptedHttp;

/// A source and a Deployment `web` that scales on it, one replica per unit.
async fn web(test: &str, value: f64, spec: Value) -> Result<(Windlass, ScriptedHttp)> {
    let windlass = Windlass::beside(test).await?;
    let source = ScriptedHttp::start().await?;
    source.set_value(value);
    windlass.deployment("web", 2).await?;
    windlass.scale("web", with_trigger(spec, &source)).await?;
    Ok((windlass, source))
}

fn with_trigger(mut spec: Value, source: &ScriptedHttp) -> Value {
    spec["pollingInterval"] = json!(1);
    spec["triggers"] = json!([metrics_api(&source.url(), "1")]);
    spec
}

#[tokio::test]
async fn changed_paused_resumed_deleted_and_created_again() -> Result<()> {
    let spec = json!({ "minReplicaCount": 1, "maxReplicaCount": 5, "advanced": quick_down() });
    let (windlass, source) = web("life", 9.0, spec).await?;
    windlass.wait_replicas("web", 5).await?;

    // A greater maximum reaches the HPA and then the replicas.
    windlass.edit("web", json!({ "spec": { "maxReplicaCount": 7 } })).await?;
    windlass.wait_replicas("web", 7).await?;

    // Paused: no HPA, nothing moves.
    let annotate = |name: &str, value: Value| json!({ "metadata": { "annotations": { name: value } } });
    windlass.edit("web", annotate("autoscaling.keda.sh/paused", json!("true"))).await?;
    windlass.wait_condition("web", "Paused", "True", "ScaledObjectPaused").await?;
    until("the HPA is gone", LIMIT, || async {
        Ok(windlass.hpas().get_opt("keda-hpa-web").await?.is_none().then_some(()))
    })
    .await?;
    source.set_value(1.0);
    holds(4, 7, || windlass.replicas("web")).await?;

    // Paused at a number.
    windlass.edit("web", annotate("autoscaling.keda.sh/paused", Value::Null)).await?;
    windlass.edit("web", annotate("autoscaling.keda.sh/paused-replicas", json!("3"))).await?;
    windlass.wait_replicas("web", 3).await?;
    source.set_value(6.0);
    holds(3, 3, || windlass.replicas("web")).await?;

    // Resumed.
    windlass.edit("web", annotate("autoscaling.keda.sh/paused-replicas", Value::Null)).await?;
    windlass.wait_condition("web", "Paused", "False", "ScaledObjectUnpaused").await?;
    windlass.wait_replicas("web", 6).await?;

    // Deleted: the HPA goes, the replicas stay.
    windlass.delete("web").await?;
    until("the HPA is gone", LIMIT, || async {
        Ok(windlass.hpas().get_opt("keda-hpa-web").await?.is_none().then_some(()))
    })
    .await?;
    assert_eq!(windlass.replicas("web").await?, 6);
    assert_eq!(windlass.metric("s0-metric-api-value", "web").await?.0, 404);

    // Created again.
    source.set_value(4.0);
    let spec = json!({ "minReplicaCount": 1, "maxReplicaCount": 5, "advanced": quick_down() });
    windlass.scale("web", with_trigger(spec, &source)).await?;
    windlass.wait_ready("web").await?;
    windlass.wait_replicas("web", 4).await
}

#[tokio::test]
async fn one_direction_is_paused() -> Result<()> {
    let (windlass, source) = web("oneway", 4.0, json!({ "minReplicaCount": 1, "advanced": quick_down() })).await?;
    windlass.wait_replicas("web", 4).await?;
    let annotate = |name: &str, value: Value| json!({ "metadata": { "annotations": { name: value } } });
    windlass.edit("web", annotate("autoscaling.keda.sh/paused-scale-in", json!("true"))).await?;
    until("the HPA may not scale in", LIMIT, || async {
        let hpa = serde_json::to_value(windlass.hpas().get("keda-hpa-web").await?)?;
        let policy = hpa.pointer("/spec/behavior/scaleDown/selectPolicy").and_then(Value::as_str);
        Ok((policy == Some("Disabled")).then_some(()))
    })
    .await?;
    source.set_value(1.0);
    holds(4, 4, || windlass.replicas("web")).await?;
    source.set_value(6.0);
    windlass.wait_replicas("web", 6).await?;
    source.set_value(1.0);
    windlass.edit("web", annotate("autoscaling.keda.sh/paused-scale-in", Value::Null)).await?;
    windlass.wait_replicas("web", 1).await
}

#[tokio::test]
async fn original_replicas_are_restored_and_idle_ones_kept() -> Result<()> {
    let spec = json!({
        "minReplicaCount": 3, "idleReplicaCount": 0, "cooldownPeriod": 1,
        "advanced": { "restoreToOriginalReplicaCount": true },
    });
    let (windlass, source) = web("restore", 0.0, spec).await?;
    windlass.wait_replicas("web", 0).await?;
    source.set_value(1.0);
    windlass.wait_replicas("web", 3).await?;
    windlass.delete("web").await?;
    assert_eq!(windlass.replicas("web").await?, 2);
    Ok(())
}

#[tokio::test]
async fn an_hpa_that_is_edited_or_deleted_by_hand_is_put_right() -> Result<()> {
    let (windlass, _source) = web("byhand", 2.0, json!({ "minReplicaCount": 1, "maxReplicaCount": 5 })).await?;
    windlass.wait_ready("web").await?;
    windlass.wait_hpa("keda-hpa-web").await?;
    let edit = json!({ "spec": { "maxReplicas": 50, "metrics": [] }, "metadata": { "labels": { "scaledobject.keda.sh/name": "other" } } });
    windlass.hpas().patch("keda-hpa-web", &PatchParams::default(), &Patch::Merge(&edit)).await?;
    until("the edit is undone", LIMIT, || async {
        let hpa = windlass.hpas().get("keda-hpa-web").await?;
        let spec = hpa.spec;
        let metric = spec.metrics.iter().flatten().next().and_then(|metric| metric.external.as_ref());
        let right = spec.max_replicas == 5
            && metric.is_some_and(|external| external.metric.name == "s0-metric-api-value")
            && hpa
                .metadata
                .labels
                .iter()
                .flatten()
                .any(|label| label == (&"scaledobject.keda.sh/name".into(), &"web".into()));
        Ok(right.then_some(()))
    })
    .await?;
    let before = windlass.hpas().get("keda-hpa-web").await?.metadata.uid;
    windlass.hpas().delete("keda-hpa-web", &DeleteParams::default()).await?;
    until("it is there again", LIMIT, || async {
        let hpa = windlass.hpas().get_opt("keda-hpa-web").await?;
        Ok(hpa.filter(|hpa| hpa.metadata.uid != before && hpa.metadata.deletion_timestamp.is_none()))
    })
    .await
    .map(drop)
}

#[tokio::test]
async fn a_target_that_is_missing_is_waited_for() -> Result<()> {
    let windlass = Windlass::beside("target").await?;
    let source = ScriptedHttp::start().await?;
    source.set_value(3.0);
    windlass.scale("web", with_trigger(json!({}), &source)).await?;
    let message = windlass.wait_condition("web", "Ready", "False", "TargetNotFound").await?;
    assert!(message.contains("spec.scaleTargetRef"), "{message}");
    windlass.deployment("web", 0).await?;
    windlass.wait_ready("web").await?;
    windlass.wait_replicas("web", 3).await
}

#[tokio::test]
async fn a_stateful_set_and_a_custom_resource_scale_too() -> Result<()> {
    let windlass = Windlass::beside("kinds").await?;
    let source = ScriptedHttp::start().await?;
    source.set_value(4.0);
    let labels = json!({ "app": "db" });
    windlass
        .apply(json!({
            "apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": { "name": "db" },
            "spec": {
                "replicas": 0, "serviceName": "db", "podManagementPolicy": "Parallel",
                "selector": { "matchLabels": labels },
                "template": { "metadata": { "labels": labels },
                    "spec": { "containers": [{ "name": "main", "image": "none" }], "terminationGracePeriodSeconds": 1 } },
            },
        }))
        .await?;
    workers(&windlass).await?;
    windlass
        .apply(json!({
            "apiVersion": "example.org/v1", "kind": "Worker", "metadata": { "name": "pool" }, "spec": { "replicas": 0 },
        }))
        .await?;
    for (name, api_version, kind, target) in
        [("db", "apps/v1", "StatefulSet", "db"), ("pool", "example.org/v1", "Worker", "pool")]
    {
        let mut spec = with_trigger(json!({ "maxReplicaCount": 6 }), &source);
        spec["scaleTargetRef"] = json!({ "apiVersion": api_version, "kind": kind, "name": target });
        windlass.scale(name, spec).await?;
    }
    let replicas = |api_version: &'static str, kind: &'static str, name: &'static str| {
        let objects = windlass.objects(api_version, kind);
        async move { anyhow::Ok(objects.get(name).await?.data.pointer("/spec/replicas").and_then(Value::as_i64)) }
    };
    until("the StatefulSet has 4 replicas", LIMIT, || async {
        Ok((replicas("apps/v1", "StatefulSet", "db").await? == Some(4)).then_some(()))
    })
    .await?;
    // Nobody runs these workers, so that the HPA sees none and stays; Windlass makes the first.
    until("the custom resource has its first replica", LIMIT, || async {
        let now: Option<i64> = replicas("example.org/v1", "Worker", "pool").await?;
        if now.unwrap_or(0) < 1 {
            bail!("{:?}", windlass.condition("pool", "Ready").await?);
        }
        Ok(Some(()))
    })
    .await?;
    let kind = windlass.scaled_objects().get("pool").await?.data["status"]["scaleTargetKind"].clone();
    assert_eq!(kind, "example.org/v1.Worker");
    Ok(())
}

/// A custom resource with `/scale`, and the right to watch it as `deploy/README.md` tells.
async fn workers(windlass: &Windlass) -> Result<()> {
    let client = windlass.client.clone();
    let definition = json!({
        "metadata": { "name": "workers.example.org" },
        "spec": {
            "group": "example.org", "scope": "Namespaced",
            "names": { "plural": "workers", "singular": "worker", "kind": "Worker" },
            "versions": [{
                "name": "v1", "served": true, "storage": true,
                "schema": { "openAPIV3Schema": { "type": "object", "x-kubernetes-preserve-unknown-fields": true } },
                "subresources": { "scale": {
                    "specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas",
                    "labelSelectorPath": ".status.selector" } },
            }],
        },
    });
    let definitions: Api<CustomResourceDefinition> = Api::all(client.clone());
    definitions.create(&PostParams::default(), &serde_json::from_value(definition)?).await?;
    until("the API server serves workers", LIMIT, || async {
        let status = definitions.get("workers.example.org").await?.status.context("no status")?;
        let conditions = status.conditions.unwrap_or_default();
        let established = conditions.iter().any(|c| c.type_ == "Established" && c.status == "True");
        Ok(established.then_some(()))
    })
    .await?;
    let role = json!({
        "metadata": { "name": "windlass-target-workers", "labels": { "rbac.windlass.dev/aggregate-to-targets": "true" } },
        "rules": [{ "apiGroups": ["example.org"], "resources": ["workers"], "verbs": ["get", "list", "watch"] }],
    });
    let roles: Api<k8s_openapi::api::rbac::v1::ClusterRole> = Api::all(client);
    roles.create(&PostParams::default(), &serde_json::from_value(role)?).await?;
    Ok(())
}

#[tokio::test]
async fn an_outage_is_not_zero() -> Result<()> {
    let spec = json!({ "minReplicaCount": 0, "cooldownPeriod": 1, "advanced": quick_down() });
    let (windlass, source) = web("outage", 4.0, spec).await?;
    windlass.wait_replicas("web", 4).await?;
    windlass.wait_ready("web").await?;
    let html = "<html><body>It works!</body></html>";
    let bodies: [(u16, &str); 8] = [
        (500, "broken"),
        (401, ""),
        (200, ""),
        (200, html),
        (200, r#"{"value":"NaN"}"#),
        (200, r#"{"value":1e30}"#),
        (200, r#"{"other":1}"#),
        (503, "later"),
    ];
    for (status, body) in bodies {
        source.change(|answer| {
            answer.status = http::StatusCode::from_u16(status).unwrap_or_default();
            answer.body = body.into();
        });
        let message = windlass.wait_condition("web", "Ready", "False", "TriggerError").await?;
        assert!(message.contains("trigger 0"), "{message}");
        until("no value is served", LIMIT, || async {
            let (code, _) = windlass.metric("s0-metric-api-value", "web").await?;
            Ok((code == 503).then_some(()))
        })
        .await?;
        holds(3, 4, || windlass.replicas("web")).await.with_context(|| format!("{status} {body}"))?;
        source.set_value(4.0);
        windlass.wait_ready("web").await?;
    }
    source.set_mood(windlass_testkit::Mood::Rude);
    windlass.wait_condition("web", "Ready", "False", "TriggerError").await?;
    holds(3, 4, || windlass.replicas("web")).await?;
    source.set_mood(windlass_testkit::Mood::Willing);
    source.set_value(2.0);
    windlass.wait_ready("web").await?;
    windlass.wait_replicas("web", 2).await
}

#[tokio::test]
async fn printed_columns_are_those_that_people_know() -> Result<()> {
    let (windlass, _source) = web("columns", 2.0, json!({ "minReplicaCount": 1, "maxReplicaCount": 5 })).await?;
    windlass.wait_ready("web").await?;
    windlass.wait_condition("web", "Active", "True", "ScalerActive").await?;
    let mut kubectl = windlass.control_plane().kubectl();
    kubectl.args(["get", "so", "web", "--namespace", &windlass.namespace]);
    let output = tokio::task::spawn_blocking(move || kubectl.output()).await??;
    let table = String::from_utf8(output.stdout)?;
    let mut lines = table.lines();
    let header: Vec<&str> = lines.next().context("no table")?.split_whitespace().collect();
    assert_eq!(
        header,
        [
            "NAME",
            "SCALETARGETKIND",
            "SCALETARGETNAME",
            "MIN",
            "MAX",
            "READY",
            "ACTIVE",
            "FALLBACK",
            "PAUSED",
            "TRIGGERS",
            "AUTHENTICATIONS",
            "AGE"
        ]
    );
    let row: Vec<&str> = lines.next().context("no row")?.split_whitespace().collect();
    let expected = ["web", "apps/v1.Deployment", "web", "1", "5", "True", "True", "False", "False", "metrics-api"];
    assert_eq!(row.get(..10).unwrap_or_default(), expected, "{table}");
    Ok(())
}
