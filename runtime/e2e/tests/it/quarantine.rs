//! A component that breaks down: its object says so, once, and its neighbours go on.
use crate::shared::LIMIT;
use crate::windlass::{Windlass, holds, metrics_api};
use anyhow::{Result, bail};
use serde_json::json;
use std::time::Duration;
use windlass_e2e::until;
use windlass_testkit::ScriptedHttp;

#[tokio::test]
async fn a_component_that_traps_is_put_aside_by_its_name_and_nobody_else_is() -> Result<()> {
    let windlass = Windlass::beside("quarantine").await?;
    let source = ScriptedHttp::start().await?;
    source.set_value(3.0);
    for (name, replicas) in [("bad", 3), ("good", 1)] {
        windlass.deployment(name, replicas).await?;
    }
    let spec = |triggers| json!({ "pollingInterval": 1, "cooldownPeriod": 1, "triggers": triggers });
    windlass.scale("bad", spec(json!([{ "type": "e2e-trap", "metadata": {} }]))).await?;
    windlass.scale("good", spec(json!([metrics_api(&source.url(), "1")]))).await?;
    windlass.wait_replicas("good", 3).await?;

    // The trap's own reason, how often it failed, and that it is tried again.
    let told = until("the quarantine is told", LIMIT, || async {
        match windlass.condition("bad", "Ready").await? {
            Some((status, reason, message)) if message.contains("quarantined") => Ok(Some((status, reason, message))),
            other => bail!("{other:?}"),
        }
    })
    .await?;
    assert_eq!((&*told.0, &*told.1), ("False", "TriggerError"));
    for words in ["trigger 0: internal:", "unreachable", "quarantined after 3 failures alone", "asked again within"] {
        assert!(told.2.contains(words), "{words}: {}", told.2);
    }
    let quarantined = |events: &[(String, String)]| {
        let told = |(reason, text): &&(String, String)| reason == "KEDAScalerFailed" && text.contains("quarantined");
        events.iter().filter(told).count()
    };
    until("an event about it", LIMIT, || async {
        Ok((quarantined(&windlass.events("bad").await?) == 1).then_some(()))
    })
    .await?;

    // Nothing is written while that is so, and unknown never scales to zero.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let mark = windlass.control_plane().audit().mark().await?;
    holds(12, 3, || windlass.replicas("bad")).await?;
    let ours = windlass.writes(mark).await?.into_iter().filter(|write| write.namespace == windlass.namespace);
    assert_eq!(ours.collect::<Vec<_>>(), []);
    assert_eq!(windlass.metric("s0-value", "bad").await?.0, 503);
    source.set_value(5.0);
    windlass.wait_replicas("good", 5).await?;
    assert_eq!(quarantined(&windlass.events("bad").await?), 1, "once");

    // With another scaler it is an object like any other.
    windlass.scale("bad", spec(json!([metrics_api(&source.url(), "1")]))).await?;
    windlass.wait_ready("bad").await?;
    windlass.wait_replicas("bad", 5).await
}
