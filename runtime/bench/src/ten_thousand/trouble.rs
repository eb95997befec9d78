//! Failing triggers, a source that is gone, and restarts of the operator and of the API server. Each phase ends as it began.
use super::object::{self, Kind};
use super::stage::Stage;
use super::{LIMIT, Told, rest};
use crate::load::Peer;
use anyhow::{Result, bail};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// How long the source is gone.
const OUTAGE: Duration = Duration::from_secs(60);

/// A third of all questions fails for good: transitions are written, then nothing.
pub(super) async fn failing(stage: &Stage, steady: Duration, told: Told) -> Result<()> {
    told.report.say("a third of all questions fails");
    let fails = |name: &str| object::index_of("web", name).is_some_and(|index| Kind::of(index).fails());
    let failing = (0..stage.count).filter(|index| Kind::of(*index).fails()).count();
    let mark = stage.control_plane.audit().mark().await?;
    let started = Instant::now();
    stage.source.set_failing(true);
    stage.set_lists(stage.count, true)?;
    stage
        .wait("all that fail say so", LIMIT, |census| {
            failing - census.number(|name, seen| fails(name) && seen.ready == "False").min(failing)
        })
        .await?;
    let work = format!("{} ScaledObjects, triggers of {failing} fail", told.count);
    told.figure("all that fail say so after", started.elapsed().as_secs_f64(), "s", &work);
    // The HPA controller sees it too, and after a minute the objects say that their HPA cannot scale.
    tokio::time::sleep(Duration::from_secs(75)).await;
    rest::quiet(stage, told, "while a third fails").await?;
    let innocent = stage.census.number(|name, seen| !fails(name) && seen.ready != "True");
    told.figure("neighbours that are not Ready", innocent as f64, "objects", &work);
    told.writes("writes per failing object", &stage.writes(mark).await?, failing as f64, "writes", &work);
    rest::measure(stage, steady, told, "a third fails").await?;
    stage.source.set_failing(false);
    stage.set_lists(stage.count, false)?;
    let started = Instant::now();
    stage.wait_ready("web", stage.count, LIMIT).await?;
    told.figure("all Ready again after", started.elapsed().as_secs_f64(), "s", &work);
    rest::quiet(stage, told, "after failures").await
}

/// The HTTP source is gone for a minute.
pub(super) async fn outage(stage: &mut Stage, told: Told) -> Result<()> {
    told.report.say("the HTTP source is gone for a minute");
    let mark = stage.control_plane.audit().mark().await?;
    let started = Instant::now();
    stage.source.kill().await;
    tokio::time::sleep(OUTAGE).await;
    let work = format!("{} ScaledObjects, the source of seven tenths is gone for a minute", told.count);
    let moved = stage.census.replicas(|_| true).iter().filter(|(replicas, _)| *replicas != 1).count();
    told.figure("outage: workloads whose replicas moved", moved as f64, "workloads", &work);
    stage.source.revive().await?;
    stage.source.count();
    let back = Instant::now();
    all_served(stage, LIMIT).await?;
    told.figure("outage: all metrics are served after", back.elapsed().as_secs_f64(), "s", &work);
    stage.wait_ready("web", stage.count, LIMIT).await?;
    told.figure("outage: all Ready after", back.elapsed().as_secs_f64(), "s", &work);
    tokio::time::sleep(Duration::from_secs(45).saturating_sub(back.elapsed())).await;
    let peak = stage.source.counted().peak_to_mean();
    told.figure("outage: busiest second over mean in the 45 s after", peak, "ratio", &work);
    rest::quiet(stage, told, "after the outage").await?;
    let writes = stage.writes(mark).await?;
    told.writes("outage: writes per object that had it", &writes, told.count as f64 * 0.7, "writes", &work);
    told.figure("outage: measured in all", started.elapsed().as_secs_f64(), "s", &work);
    Ok(())
}

/// The operator is killed and started again.
pub(super) async fn restart(stage: &mut Stage, steady: Duration, told: Told) -> Result<()> {
    told.report.say("the operator is killed and started again");
    let mark = stage.control_plane.audit().mark().await?;
    stage.operator.kill()?;
    stage.source.count();
    let started = Instant::now();
    stage.operator.launch()?;
    all_served(stage, LIMIT).await?;
    let work = format!("{} ScaledObjects, operator killed and started", told.count);
    told.figure("restart: all metrics are served after", started.elapsed().as_secs_f64(), "s", &work);
    let log = stage.source.counted();
    let asked = log.requests() as f64 / log.distinct().max(1) as f64;
    told.figure("restart: HTTP requests per question until then", asked, "requests", &work);
    rest::quiet(stage, told, "after the restart").await?;
    told.writes("restart: writes", &stage.writes(mark).await?, 1.0, "writes", &work);
    rest::measure(stage, steady, told, "after a restart").await
}

/// The API server is killed and started again.
pub(super) async fn api_server(stage: &mut Stage, told: Told) -> Result<()> {
    told.report.say("the API server is killed and started again");
    let (direct, paths) =
        (Peer::past_api_server(&stage.control_plane, &stage.installed, &stage.operator).await?, stage.paths());
    let mark = stage.control_plane.audit().mark().await?;
    let reading = tokio::spawn(async move { direct.open_loop(&paths, 50.0, Duration::from_secs(45)).await });
    let started = Instant::now();
    stage.control_plane.restart_api_server().await?;
    let work = format!("{} ScaledObjects, API server killed and started", told.count);
    told.figure("API server: ready again after", started.elapsed().as_secs_f64(), "s", &work);
    let reads = reading.await??;
    told.figure("API server: reads past it that failed, of 45 s", reads.failed as f64, "reads", &work);
    rest::quiet(stage, told, "after the API server's restart").await?;
    let asked = stage.asked(mark).await?;
    let mut lists: BTreeMap<String, usize> = BTreeMap::new();
    for entry in asked.iter().filter(|entry| entry.verb == "list") {
        *lists.entry(entry.target()).or_default() += 1;
    }
    let most = lists.values().copied().max().unwrap_or(0);
    told.figure("API server: most lists of one type", most as f64, "lists", &work);
    for (what, times) in &lists {
        told.figure(&format!("API server: list {what}"), *times as f64, "lists", &work);
    }
    let writes: Vec<_> = asked.into_iter().filter(windlass_e2e::AuditEntry::is_write).collect();
    told.writes("API server: writes", &writes, 1.0, "writes", &work);
    stage.wait_ready("web", stage.count, LIMIT).await
}

/// Waits until every metric is served, asking the operator itself.
async fn all_served(stage: &Stage, limit: Duration) -> Result<()> {
    let peer = Peer::past_api_server(&stage.control_plane, &stage.installed, &stage.operator).await?;
    let started = Instant::now();
    let paths = stage.paths();
    for (served, path) in paths.iter().enumerate() {
        while !matches!(peer.get(path).await, Ok((200, _))) {
            if started.elapsed() > limit {
                bail!("{served} of {} metrics are served; {path} is not", paths.len());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    Ok(())
}
