//! What containment costs: compiling in a child, a component from the cache, and how long a query that breaks its component down
//! is away.
use super::object::Object;
use super::page::Page;
use super::stage::Stage;
use crate::figure::{Report, Times};
use crate::guest::{Parts, host};
use anyhow::{Context, Result, bail};
use http::StatusCode;
use serde_json::json;
use std::path::Path;
use std::time::{Duration, Instant};
use windlass_e2e::{Folder, components, target};

const ROUNDS: usize = 7;
/// How long a quarantine may take to begin or to end.
const LIMIT: Duration = Duration::from_secs(400);
/// Between two looks.
const LOOK: Duration = Duration::from_millis(100);

/// Measures all of them.
pub(super) async fn measure(stage: &Stage, report: Report) -> Result<()> {
    compiling(report).await?;
    quarantine(stage, report).await
}

async fn compiling(report: Report) -> Result<()> {
    report.say("compiling in this process, in a child, and not at all");
    let component = components()?.join("redis.wasm");
    let size = std::fs::metadata(&component)?.len() >> 10;
    let folder = Folder::for_run("bench-cache")?;
    let (mut here, mut child, mut cached) = (Vec::new(), Vec::new(), Vec::new());
    let program = || Some(target().join("debug/windlass"));
    let load = async |compiler, cache: Option<&Path>| -> Result<Duration> {
        let host = host(Parts { compiler, cache, ..Parts::default() })?;
        let started = Instant::now();
        host.load_file(&component).await.with_context(|| component.display().to_string())?;
        Ok(started.elapsed())
    };
    load(program(), Some(folder.path())).await?;
    for _ in 0..ROUNDS {
        here.push(load(None, None).await?);
        child.push(load(program(), None).await?);
        cached.push(load(program(), Some(folder.path())).await?);
    }
    let work = format!("redis.wasm, {size} KiB, compiled and described, median of {ROUNDS}");
    let [here, child, cached] = [here, child, cached].map(Times::from_iter);
    report.figure("load, compiled in this process", here.quantile_ms(0.5), "ms", &work);
    report.figure("load, compiled in a child", child.quantile_ms(0.5), "ms", &work);
    report.figure("load, from the cache", cached.quantile_ms(0.5), "ms", &work);
    report.figure(
        "compiling in a child over in this process",
        child.quantile_ms(0.5) / here.quantile_ms(0.5),
        "ratio",
        &work,
    );
    report.figure(
        "from the cache over compiled in a child",
        cached.quantile_ms(0.5) / child.quantile_ms(0.5),
        "ratio",
        &work,
    );
    Ok(())
}

async fn quarantine(stage: &Stage, report: Report) -> Result<()> {
    report.say("a component that breaks down, is put aside, and comes back");
    let (turncoat, source) = (&stage.turncoat, &stage.sources.turning);
    let object = Object {
        namespace: "turncoat".to_owned(),
        name: "turncoat".to_owned(),
        period: Duration::from_secs(1),
        triggers: vec![json!({ "type": turncoat.kind, "metadata": { "url": turncoat.url } })],
    };
    let path = object.path(0, "value");
    stage.add(std::slice::from_ref(&object), std::slice::from_ref(&path)).await?;
    let work = "one object, polled each second; it traps whenever its source answers 500";
    source.set_status(StatusCode::INTERNAL_SERVER_ERROR);
    let held =
        async || anyhow::Ok(Page::of(&stage.operator).await?.sum("windlass_quarantined", &["scope=\"query\""]) > 0.0);
    let away = waited(held).await.context("until it is put aside")?;
    report.figure("from the first trap to quarantine", away.as_secs_f64(), "s", work);
    // Longer than the first pauses, so that it is asked rarely.
    tokio::time::sleep(Duration::from_secs(30)).await;
    source.set_status(StatusCode::OK);
    let back = waited(async || anyhow::Ok(!held().await?)).await.context("until it is back")?;
    report.figure("from its source's recovery to the end of quarantine", back.as_secs_f64(), "s", work);
    Ok(())
}

async fn waited(mut fact: impl AsyncFnMut() -> Result<bool>) -> Result<Duration> {
    let started = Instant::now();
    while !fact().await? {
        if started.elapsed() > LIMIT {
            bail!("not within {LIMIT:?}");
        }
        tokio::time::sleep(LOOK).await;
    }
    Ok(started.elapsed())
}
