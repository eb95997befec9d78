//! Bad sources and greedy neighbours are nobody else's trouble.
use crate::shared::LIMIT;
use crate::windlass::{Windlass, metrics_api};
use anyhow::{Result, bail};
use futures::future;
use http::StatusCode;
use serde_json::{Value, json};
use std::time::Duration;
use windlass_e2e::until;
use windlass_testkit::{Mood, ScriptedHttp};

/// Objects `NAME-0` to `NAME-(count - 1)`, each with a question of its own to the source.
async fn objects(windlass: &Windlass, name: &str, count: usize, source: &ScriptedHttp) -> Result<()> {
    let one = async |number: usize| {
        let name = format!("{name}-{number}");
        windlass.deployment(&name, 1).await?;
        let trigger = metrics_api(&format!("{}/{name}", source.url()), "5");
        let spec = json!({ "pollingInterval": 2, "minReplicaCount": 1, "maxReplicaCount": 3, "triggers": [trigger] });
        windlass.scale(&name, spec).await.map(drop)
    };
    future::try_join_all((0..count).map(one)).await.map(drop)
}

async fn all(windlass: &Windlass, name: &str, count: usize, status: &str, reason: &str) -> Result<()> {
    let waits = (0..count).map(|number| {
        let name = format!("{name}-{number}");
        async move { windlass.wait_condition(&name, "Ready", status, reason).await.map(drop) }
    });
    future::try_join_all(waits).await.map(drop)
}

/// How many of the objects have a metric that is served.
async fn served(windlass: &Windlass, name: &str, count: usize) -> Result<usize> {
    let reads = (0..count).map(|number| async move {
        anyhow::Ok(windlass.metric("s0-metric-api-value", &format!("{name}-{number}")).await?.0 == 200)
    });
    Ok(future::try_join_all(reads).await?.into_iter().filter(|served| *served).count())
}

/// Requests of a while.
async fn heard(source: &ScriptedHttp, seconds: u64) -> usize {
    source.forget();
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    source.count()
}

#[tokio::test]
async fn sources_that_are_slow_dead_or_rude_hold_up_nobody_else() -> Result<()> {
    let windlass = Windlass::beside("sources").await?;
    let good = ScriptedHttp::start().await?;
    good.set_value(5.0);
    objects(&windlass, "good", 12, &good).await?;
    let kinds = ["slow", "hanging", "rude", "throttling"];
    let sources = future::try_join_all(kinds.iter().map(|_| ScriptedHttp::start())).await?;
    for (kind, source) in kinds.iter().zip(&sources) {
        source.set_value(5.0);
        objects(&windlass, kind, 3, source).await?;
    }
    for kind in kinds {
        all(&windlass, kind, 3, "True", "ScaledObjectReady").await?;
    }
    all(&windlass, "good", 12, "True", "ScaledObjectReady").await?;
    let before = heard(&good, 10).await;

    let [slow, hanging, rude, throttling] = sources.as_slice() else { bail!("four sources") };
    slow.set_latency(Duration::from_secs(10));
    hanging.set_mood(Mood::Hanging);
    rude.set_mood(Mood::Rude);
    throttling.change(|answer| {
        answer.status = StatusCode::TOO_MANY_REQUESTS;
        answer.headers.insert("retry-after", http::HeaderValue::from_static("600"));
    });
    for kind in kinds {
        all(&windlass, kind, 3, "False", "TriggerError").await?;
        let what = format!("what is too old is not served any more: {kind}");
        until(&what, LIMIT, || async { Ok((served(&windlass, kind, 3).await? == 0).then_some(())) }).await?;
    }
    throttling.forget();
    let during = heard(&good, 10).await;
    // Held up by any of the others they would be asked a tenth as often; the exact ratio is the benchmark's business.
    assert!(during * 10 >= before * 6, "good ones were asked {before} times in ten seconds, and then {during} times");
    assert_eq!(served(&windlass, "good", 12).await?, 12);
    assert_eq!(throttling.count(), 0, "it asked to be left alone");

    slow.set_latency(Duration::ZERO);
    for source in [hanging, rude] {
        source.set_mood(Mood::Willing);
    }
    for kind in ["slow", "hanging", "rude"] {
        all(&windlass, kind, 3, "True", "ScaledObjectReady").await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_namespace_that_asks_for_more_than_there_is_takes_nothing_from_the_others() -> Result<()> {
    let source = ScriptedHttp::start().await?;
    source.set_value(5.0);
    let greedy = Windlass::beside("greedy").await?;
    greedy.set_budget(&source.address().to_string(), "rate: 20, burst: 5").await?;
    let mut small = Vec::new();
    for number in 0..3 {
        small.push(greedy.another(&format!("small-{number}")).await?);
    }
    // 150 questions a second, and 12, of which 20 can be answered.
    objects(&greedy, "web", 150, &source).await?;
    for windlass in &small {
        objects(windlass, "web", 4, &source).await?;
    }
    for windlass in &small {
        all(windlass, "web", 4, "True", "ScaledObjectReady").await?;
    }
    // Some of the greedy ones have to wait, and say why.
    until("the greedy one is throttled", LIMIT, || async {
        let list = greedy.scaled_objects().list(&Default::default()).await?.items;
        let throttled = |object: &kube::api::DynamicObject| {
            let conditions = object.data.pointer("/status/conditions").and_then(Value::as_array);
            let said = |condition: &Value| condition["message"].as_str().is_some_and(|text| text.contains("throttled"));
            conditions.into_iter().flatten().any(said)
        };
        Ok(list.iter().any(throttled).then_some(()))
    })
    .await?;
    for _ in 0..30 {
        for windlass in &small {
            assert_eq!(served(windlass, "web", 4).await?, 4, "a small one is late");
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    for windlass in &small {
        all(windlass, "web", 4, "True", "ScaledObjectReady").await?;
    }
    let asked = heard(&source, 10).await;
    assert!((100..=230).contains(&asked), "20 a second: {asked} in ten seconds");
    Ok(())
}
