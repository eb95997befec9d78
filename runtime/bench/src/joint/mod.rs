//! The joint: kube-controller-manager's HPA controller → kube-apiserver's aggregation layer → the operator's memory ←
//! batches of WebAssembly scalers ← a source, all real and all on this machine.
mod guest;
pub(crate) mod reads;
mod stage;

use crate::figure::Report;
use crate::figure::Times;
use crate::usage;
use anyhow::{Context, Result, bail};
use serde_json::json;
use stage::Stage;
use std::time::{Duration, Instant};
use windlass_e2e::{counted, until};

/// What to measure.
#[derive(Debug, Clone, clap::Args)]
pub struct Options {
    /// Numbers of ScaledObjects to measure at, ascending
    #[arg(long, value_delimiter = ',', default_values_t = [300, 1000])]
    pub objects: Vec<usize>,
    /// Seconds that each load of reads lasts
    #[arg(long, default_value_t = 10)]
    pub read_s: u64,
    /// Seconds of steady state
    #[arg(long, default_value_t = 120)]
    pub steady_s: u64,
    /// Objects whose reaction is timed
    #[arg(long, default_value_t = 50)]
    pub reactions: usize,
}

/// The objects' `pollingInterval`.
const PERIOD: Duration = Duration::from_secs(30);
/// How long the whole system may take to get ready.
const READY: Duration = Duration::from_secs(300);

/// Measures, and prints figures as they are known.
///
/// # Errors
/// When a part does not start, or does not do its work in time.
pub async fn run(options: &Options, report: Report) -> Result<()> {
    guest::measure(report).await?;
    let mut stage = Stage::start(report).await?;
    for count in &options.objects {
        grow(&mut stage, *count, report).await?;
        reads::measure(&stage, options, report).await?;
        steady(&stage, options, report).await?;
    }
    from_zero(&stage, options, report).await?;
    cold_start(&mut stage, report).await?;
    Ok(())
}

/// From the first POST of new objects to all Ready.
async fn grow(stage: &mut Stage, count: usize, report: Report) -> Result<()> {
    report.say(&format!("{count} ScaledObjects"));
    let new = count.saturating_sub(stage.count());
    let mark = stage.control_plane.audit().mark().await?;
    stage.add_targets(count).await?;
    let started = Instant::now();
    stage.add_objects(count).await?;
    stage.wait_ready(READY).await?;
    let work = format!("{new} more ScaledObjects, one prometheus trigger each, from the first POST; {count} in all");
    report.figure(&format!("all ready ({count})"), started.elapsed().as_secs_f64(), "s", &work);
    let writes = stage.writes(mark).await?;
    for (what, times) in counted(&writes) {
        let figure = format!("writes per new object ({count}): {what}");
        report.figure(&figure, times as f64 / new.max(1) as f64, "writes", &work);
    }
    // Events come last.
    tokio::time::sleep(Duration::from_secs(20)).await;
    Ok(())
}

/// Nothing changes: what it costs the API server, the source and this machine.
async fn steady(stage: &Stage, options: &Options, report: Report) -> Result<()> {
    let count = stage.count();
    report.say(&format!("{} s in which nothing happens", options.steady_s));
    let process = stage.operator.id()?;
    let mark = stage.control_plane.audit().mark().await?;
    stage.source.forget();
    let (started, cpu) = (Instant::now(), usage::cpu(process)?);
    tokio::time::sleep(Duration::from_secs(options.steady_s)).await;
    let minutes = started.elapsed().as_secs_f64() / 60.0;
    let work = format!(
        "{count} active ScaledObjects, {:.0} s in which nothing changes, HPA controller running",
        minutes * 60.0
    );
    let spent = usage::cpu(process)?.saturating_sub(cpu);
    let requests = stage.source.count();
    let writes = stage.writes(mark).await?;
    report.figure(&format!("API writes ({count})"), writes.len() as f64 / minutes, "per min", &work);
    for (what, times) in counted(&writes) {
        report.figure(&format!("API writes ({count}): {what}"), times as f64 / minutes, "per min", &work);
    }
    let each = requests as f64 / minutes / count as f64;
    report.figure(&format!("source requests per active trigger ({count})"), each, "per min", &work);
    let cpu = spent.as_secs_f64() / (minutes * 60.0) * 1e3;
    report.figure(&format!("operator CPU ({count})"), cpu, "mCPU", &work);
    let memory = usage::memory(process)?;
    report.figure(&format!("operator RSS ({count})"), memory.all_mib, "MiB", &work);
    let own = memory.all_mib - memory.file_mib;
    report.figure(&format!("operator RSS without pages of files ({count})"), own, "MiB", &work);
    Ok(())
}

/// An event at the source of a workload at zero, and the first write of `/scale`.
async fn from_zero(stage: &Stage, options: &Options, report: Report) -> Result<()> {
    let count = options.reactions.min(stage.count());
    report.say(&format!("{count} workloads from zero"));
    let names: Vec<usize> = (0..count).collect();
    for index in &names {
        stage.source.set(*index, 0.0);
    }
    let patch = json!({ "spec": { "minReplicaCount": 0, "cooldownPeriod": 1 } });
    for index in &names {
        stage.edit(*index, &patch).await?;
    }
    let replicas = || async { stage.replicas(count).await };
    until("the workloads are at zero", READY, || async {
        let now = replicas().await?;
        if now.iter().any(|replicas| *replicas > 0) { bail!("{now:?}") } else { Ok(Some(())) }
    })
    .await?;
    // A period, until all are asked as often as they are at zero.
    tokio::time::sleep(PERIOD).await;
    stage.source.forget();
    let at_rest = PERIOD * 4;
    tokio::time::sleep(at_rest).await;
    let asked: usize = names.iter().map(|index| stage.source.count_of(*index)).sum();
    let each = asked as f64 / count as f64 / (at_rest.as_secs_f64() / 60.0);
    let work = format!("{count} workloads at zero among {}, pollingInterval 30", stage.count());
    report.figure("source requests per trigger at zero", each, "per min", &work);

    // One event after the other, over a period: reactions are not to depend on the phase of one slot.
    let mut events = Vec::with_capacity(count);
    for index in &names {
        events.push(Instant::now());
        stage.source.set(*index, 5.0);
        tokio::time::sleep(PERIOD / u32::try_from(count.max(1)).unwrap_or(u32::MAX)).await;
    }
    until("all have been scaled", READY, || async {
        Ok(stage.replicas(count).await?.iter().all(|replicas| *replicas > 0).then_some(()))
    })
    .await
    .context("from zero")?;
    let times: Times = stage.first_scales(&events).await.into_iter().collect();
    if times.len() < count {
        bail!("{} of {count} reactions were seen", times.len());
    }
    for (name, share) in [("p50", 0.5), ("max", 1.0)] {
        report.figure(&format!("from zero to the first replica, {name}"), times.quantile_ms(share) / 1e3, "s", &work);
    }
    Ok(())
}

/// A restart: until every metric is served again.
async fn cold_start(stage: &mut Stage, report: Report) -> Result<()> {
    let count = stage.count();
    report.say("the operator is killed and started again");
    stage.operator.kill()?;
    let started = Instant::now();
    stage.operator.launch()?;
    let peer = stage.direct().await?;
    let paths = stage.paths();
    for (served, path) in paths.iter().enumerate() {
        while !matches!(peer.get(path).await, Ok((200, _))) {
            if started.elapsed() > READY {
                bail!("{served} of {count} metrics are served");
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    let work = format!("{count} ScaledObjects, operator killed and started: until each metric is served again");
    report.figure(&format!("cold start ({count})"), started.elapsed().as_secs_f64(), "s", &work);
    Ok(())
}
