//! What the API server and the sources are spared, and what restarts and hanging sources change: nothing.
use crate::shared::LIMIT;
use crate::windlass::{Alone, Windlass, holds, metrics_api, scaled_object};
use anyhow::{Context, Result, bail};
use kube::api::{DeleteParams, DynamicObject, ListParams};
use serde_json::{Value, json};
use std::time::Duration;
use windlass_e2e::{counted, until};
use windlass_testkit::{Mood, ScriptedHttp};

const MANY: usize = 100;

/// Waits until so many objects have a condition.
async fn conditions(windlass: &Windlass, kind: &str, status: &str, count: usize) -> Result<()> {
    until(&format!("{count} objects have {kind}={status}"), LIMIT + LIMIT, || async {
        let objects = windlass.scaled_objects().list(&ListParams::default()).await?;
        let has = |object: &DynamicObject| {
            let conditions = object.data.pointer("/status/conditions").and_then(Value::as_array);
            conditions.into_iter().flatten().any(|c| c["type"] == kind && c["status"] == status)
        };
        let found = objects.items.iter().filter(|object| has(object)).count();
        if found != count { bail!("{found}") } else { Ok(Some(())) }
    })
    .await
}

async fn all_ready(windlass: &Windlass, count: usize) -> Result<()> {
    conditions(windlass, "Ready", "True", count).await
}

#[tokio::test]
async fn a_hundred_steady_objects_cost_no_write_and_a_new_one_three() -> Result<()> {
    let Alone { windlass, operator: _operator } = Windlass::alone("steady").await?;
    let (busy, idle, broken) =
        (ScriptedHttp::start().await?, ScriptedHttp::start().await?, ScriptedHttp::start().await?);
    busy.set_value(3.0);
    idle.set_value(0.0);
    broken.set_status(http::StatusCode::INTERNAL_SERVER_ERROR);
    let mark = windlass.control_plane().audit().mark().await?;
    for index in 0..MANY {
        let name = format!("web-{index}");
        windlass.deployment(&name, 1).await?;
        // Each asks for something of its own, so that each is asked for by itself.
        let source = if index % 2 == 0 { &busy } else { &idle };
        let trigger = metrics_api(&format!("{}/{index}", source.url()), "1");
        let spec = json!({ "pollingInterval": 5, "minReplicaCount": 1, "maxReplicaCount": 5, "triggers": [trigger] });
        windlass.apply(scaled_object(&name, json!({}), spec)).await?;
    }
    all_ready(&windlass, MANY).await?;
    until("all have been scaled", LIMIT, || async {
        let deployments = windlass.deployments().list(&ListParams::default()).await?;
        let right = deployments.items.iter().filter(|d| d.spec.replicas == Some(3)).count();
        if right != MANY / 2 { bail!("{right}") } else { Ok(Some(())) }
    })
    .await?;
    // What was owed is written: events come last.
    tokio::time::sleep(Duration::from_secs(8)).await;

    // Creation: finalizer and label, HPA, one status each.
    let writes = windlass.writes(mark).await?;
    let counts = counted(&writes);
    let of = |what: &str| counts.get(what).copied().unwrap_or(0);
    assert_eq!(of("patch scaledobjects"), MANY, "{counts:?}");
    assert_eq!(of("create horizontalpodautoscalers"), MANY, "{counts:?}");
    assert_eq!(of("patch scaledobjects/status"), MANY, "{counts:?}");
    let others: Vec<_> = counts
        .iter()
        .filter(|(what, _)| {
            !what.ends_with(" events")
                && !what.contains("scaledobjects")
                && !what.ends_with(" horizontalpodautoscalers")
        })
        .collect();
    assert!(others.is_empty(), "{others:?}");

    // Three polling intervals of nothing: no write at all, of any kind, by anybody of us.
    busy.forget();
    let mark = windlass.control_plane().audit().mark().await?;
    tokio::time::sleep(Duration::from_secs(15)).await;
    let writes = windlass.writes(mark).await?;
    assert_eq!(writes, []);
    assert!(busy.count() >= MANY / 2, "the sources were asked: {}", busy.count());

    // Failing triggers: a transition each, then nothing.
    idle.set_status(http::StatusCode::INTERNAL_SERVER_ERROR);
    windlass.wait_condition("web-1", "Ready", "False", "TriggerError").await?;
    conditions(&windlass, "Ready", "False", MANY / 2).await?;
    // The HPA says that it cannot scale; after a minute so do we, once.
    conditions(&windlass, "HPAActive", "False", MANY / 2).await?;
    tokio::time::sleep(Duration::from_secs(8)).await;
    let mark = windlass.control_plane().audit().mark().await?;
    tokio::time::sleep(Duration::from_secs(15)).await;
    assert_eq!(windlass.writes(mark).await?, []);

    // All are deleted: no finalizer is left behind.
    windlass.scaled_objects().delete_collection(&DeleteParams::default(), &ListParams::default()).await?;
    until("all objects are gone", LIMIT, || async {
        let left = windlass.scaled_objects().list(&ListParams::default()).await?.items.len();
        if left > 0 { bail!("{left} left") } else { Ok(Some(())) }
    })
    .await
}

#[tokio::test]
async fn equal_questions_are_asked_once() -> Result<()> {
    let windlass = Windlass::beside("equal").await?;
    let source = ScriptedHttp::start().await?;
    source.set_value(1.0);
    for index in 0..20 {
        let name = format!("web-{index}");
        windlass.deployment(&name, 1).await?;
        let spec = json!({ "pollingInterval": 4, "useCachedMetrics": null, "minReplicaCount": 1, "triggers": [{
            "type": "metrics-api", "useCachedMetrics": true, "metadata": metrics_api(&source.url(), "1")["metadata"] }] });
        windlass.apply(scaled_object(&name, json!({}), without_nulls(spec))).await?;
    }
    all_ready(&windlass, 20).await?;
    source.forget();
    tokio::time::sleep(Duration::from_secs(12)).await;
    let count = source.count();
    assert!((2..=5).contains(&count), "20 objects, one question, a period of 4 s, 12 s: {count} requests");
    Ok(())
}

fn without_nulls(mut spec: Value) -> Value {
    if let Some(fields) = spec.as_object_mut() {
        fields.retain(|_, value| !value.is_null());
    }
    spec
}

#[tokio::test]
async fn hanging_sources_do_not_delay_reads_and_values_age() -> Result<()> {
    let windlass = Windlass::beside("hanging").await?;
    let (fast, hanging) = (ScriptedHttp::start().await?, ScriptedHttp::start().await?);
    fast.set_value(2.0);
    hanging.set_value(2.0);
    for (name, source) in [("fast", &fast), ("average", &hanging), ("value", &hanging)] {
        windlass.deployment(name, 1).await?;
        let mut trigger = metrics_api(&format!("{}/{name}", source.url()), "1");
        if name == "value" {
            trigger["metricType"] = json!("Value");
        }
        let spec = json!({ "pollingInterval": 2, "minReplicaCount": 1, "maxReplicaCount": 2, "triggers": [trigger] });
        windlass.scale(name, spec).await?;
        windlass.wait_ready(name).await?;
    }
    hanging.set_mood(Mood::Hanging);
    // A value that is averaged is served while it may be used; none is served older than that, and no read waits.
    until("the value is served no more", LIMIT, || async {
        let read = tokio::time::timeout(Duration::from_secs(2), windlass.metric("s0-metric-api-value", "value"));
        let (code, _) = read.await.context("a read waits for the source")??;
        Ok((code == 503).then_some(()))
    })
    .await?;
    until("the averaged value is served no more", LIMIT, || async {
        let (code, _) = windlass.metric("s0-metric-api-value", "average").await?;
        Ok((code == 503).then_some(()))
    })
    .await?;
    assert_eq!(windlass.metric("s0-metric-api-value", "fast").await?, (200, Some("2".into())));
    windlass.wait_condition("average", "Ready", "False", "TriggerError").await?;
    windlass.wait_ready("fast").await?;
    hanging.set_mood(Mood::Willing);
    windlass.wait_ready("average").await?;
    windlass.wait_ready("value").await
}

#[tokio::test]
async fn a_killed_operator_loses_nothing() -> Result<()> {
    let Alone { windlass, mut operator } = Windlass::alone("killed").await?;
    let source = ScriptedHttp::start().await?;
    source.set_value(0.0);
    for index in 0..10 {
        let name = format!("web-{index}");
        windlass.deployment(&name, 0).await?;
        let trigger = metrics_api(&format!("{}/{index}", source.url()), "1");
        let spec = json!({ "pollingInterval": 1, "cooldownPeriod": 300, "maxReplicaCount": 6, "triggers": [trigger] });
        windlass.scale(&name, spec).await?;
    }
    all_ready(&windlass, 10).await?;
    source.set_value(6.0);
    // In the middle of the scale-up: some have their first replica.
    until("some are scaled", LIMIT, || async {
        let deployments = windlass.deployments().list(&ListParams::default()).await?;
        let some = deployments.items.iter().any(|d| d.spec.replicas.unwrap_or(0) > 0);
        Ok(some.then_some(()))
    })
    .await?;
    operator.kill()?;
    tokio::time::sleep(Duration::from_secs(3)).await;
    let counts = |windlass: &Windlass| {
        let deployments = windlass.deployments();
        async move {
            let list = deployments.list(&ListParams::default()).await?;
            let replicas = list.items.iter().map(|d| d.spec.replicas.unwrap_or(0));
            anyhow::Ok(replicas.collect::<Vec<_>>())
        }
    };
    let before = counts(&windlass).await?;
    operator.resume().await?;
    // Never fewer than before: each only grows to what its source asks for.
    until("all have what they ask for", LIMIT, || async {
        let now = counts(&windlass).await?;
        if now.iter().zip(&before).any(|(now, before)| now < before) {
            panic!("flapping: {before:?} became {now:?}");
        }
        if now.iter().all(|replicas| *replicas == 6) { Ok(Some(())) } else { bail!("{now:?}") }
    })
    .await?;
    // An object that was deleted meanwhile goes too.
    operator.kill()?;
    windlass.scaled_objects().delete("web-0", &DeleteParams::default()).await?;
    // A take-over writes nothing that is stored already.
    let mark = windlass.control_plane().audit().mark().await?;
    operator.resume().await?;
    until("web-0 is gone", LIMIT, || async {
        Ok(windlass.scaled_objects().get_opt("web-0").await?.is_none().then_some(()))
    })
    .await?;
    all_ready(&windlass, 9).await?;
    tokio::time::sleep(Duration::from_secs(5)).await;
    let writes = windlass.writes(mark).await?;
    let foreign: Vec<_> = writes
        .iter()
        .filter(|write| write.name != "web-0" && write.target() != "events" && write.name != "keda-hpa-web-0")
        .collect();
    assert!(foreign.is_empty(), "{foreign:?}");
    holds(3, vec![6; 10], || async { counts(&windlass).await }).await?;

    // Asked to stop, it stops well, and what would be lost is written, although a source hangs.
    let hanging = ScriptedHttp::start().await?;
    hanging.set_mood(Mood::Hanging);
    windlass.deployment("hanging", 1).await?;
    windlass.scale("hanging", json!({ "pollingInterval": 1, "triggers": [metrics_api(&hanging.url(), "1")] })).await?;
    until("the source is asked", LIMIT, || async { Ok((hanging.count() > 0).then_some(())) }).await?;
    let status = operator.stop().await?;
    assert!(status.success(), "{status}");
    let object = windlass.scaled_objects().get("web-1").await?;
    assert!(object.data.pointer("/status/lastActiveTime").is_some(), "{}", object.data["status"]);
    operator.resume().await
}
