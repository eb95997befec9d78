//! Many objects on several kinds of sources, on a real control plane: what they cost while nothing happens, and what
//! failures, restarts, and one second in which all change make of it.
mod census;
mod edge;
mod object;
mod rest;
mod soak;
mod source;
mod stage;
mod trouble;

use crate::figure::Report;
use crate::joint::reads;
use crate::load::Peer;
use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use stage::Stage;
use std::time::{Duration, Instant};
use windlass_e2e::counted;

/// What to measure.
#[derive(Debug, Clone, clap::Args)]
pub struct Options {
    /// Numbers of ScaledObjects to measure at, ascending; failures, restarts and the rest are measured at the last
    #[arg(long, value_delimiter = ',', default_values_t = [300, 1000])]
    pub objects: Vec<usize>,
    /// Seconds of steady state
    #[arg(long, default_value_t = 60)]
    pub steady_s: u64,
    /// Seconds that each load of reads lasts
    #[arg(long, default_value_t = 5)]
    pub read_s: u64,
    /// What to measure once the objects are there
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = usual())]
    pub phases: Vec<Phase>,
    /// Cron objects that switch in the same second
    #[arg(long, default_value_t = 500)]
    pub edge: usize,
    /// Seconds of the soak, which is measured only when it is named
    #[arg(long, default_value_t = 600)]
    pub soak_s: u64,
    /// Who scales between one and many. With kube-controller-manager's defaults thousands of HPAs take minutes to hear of anything
    #[arg(long, value_enum, default_value_t = Engine::Hpa)]
    pub engine: Engine,
    /// kube-controller-manager's --kube-api-qps; its burst is half more
    #[arg(long, default_value_t = 20)]
    pub controller_qps: u32,
    /// kube-controller-manager's --concurrent-horizontal-pod-autoscaler-syncs
    #[arg(long, default_value_t = 5)]
    pub hpa_workers: u32,
}

/// Who scales between one and many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Engine {
    /// The HPA controller.
    Hpa,
    /// The operator.
    Direct,
}

/// A part of the benchmark.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Phase {
    /// Reads of external metrics, at each number of objects.
    Reads,
    /// Nothing happens, at each number of objects.
    Rest,
    /// A third of all questions fails.
    Failing,
    /// The HTTP source is gone for a minute.
    Outage,
    /// The operator is killed and started again.
    Restart,
    /// The API server is killed and started again.
    ApiServer,
    /// Cron windows that open and close in the same second.
    Edge,
    /// Objects come and go, triggers fail, the source dies: what the operator holds must not grow.
    Soak,
    /// All are deleted.
    Delete,
}

/// All that takes a few minutes.
fn usual() -> Vec<Phase> {
    Phase::value_variants().iter().copied().filter(|phase| *phase != Phase::Soak).collect()
}

/// How long the whole system may take for anything.
const LIMIT: Duration = Duration::from_secs(600);

/// A measurement that goes on: where its figures go and what they are called.
#[derive(Clone, Copy)]
struct Told {
    report: Report,
    count: usize,
}

impl Told {
    fn figure(self, figure: &str, value: f64, unit: &str, work: &str) {
        self.report.figure(&format!("{figure} ({})", self.count), value, unit, work);
    }

    /// Writes by what they were, per something.
    fn writes(self, figure: &str, writes: &[windlass_e2e::AuditEntry], per: f64, unit: &str, work: &str) {
        self.figure(figure, writes.len() as f64 / per, unit, work);
        for (what, times) in counted(writes) {
            self.figure(&format!("{figure}: {what}"), times as f64 / per, unit, work);
        }
    }
}

/// Measures, and prints figures as they are known.
///
/// # Errors
/// When a part does not start, or does not do its work in time.
pub async fn run(options: &Options, report: Report) -> Result<()> {
    let mut stage = Stage::start(options, report).await?;
    let mut told = Told { report, count: 0 };
    for count in &options.objects {
        told.count = *count;
        grow(&mut stage, told).await?;
        for phase in options.phases.iter().filter(|phase| matches!(phase, Phase::Reads | Phase::Rest)) {
            run_phase(*phase, &mut stage, options, told).await?;
        }
    }
    for phase in options.phases.iter().filter(|phase| !matches!(phase, Phase::Reads | Phase::Rest)) {
        run_phase(*phase, &mut stage, options, told).await?;
    }
    Ok(())
}

async fn run_phase(phase: Phase, stage: &mut Stage, options: &Options, told: Told) -> Result<()> {
    let steady = Duration::from_secs(options.steady_s);
    match phase {
        Phase::Reads => read(stage, options, told).await,
        Phase::Rest => rest::measure(stage, steady, told, "steady").await,
        Phase::Failing => trouble::failing(stage, steady, told).await,
        Phase::Outage => trouble::outage(stage, told).await,
        Phase::Restart => trouble::restart(stage, steady, told).await,
        Phase::ApiServer => trouble::api_server(stage, told).await,
        Phase::Edge => edge::measure(stage, options.edge, told).await,
        Phase::Soak => soak::measure(stage, Duration::from_secs(options.soak_s), told).await,
        Phase::Delete => delete(stage, told).await,
    }
}

/// From the first POST to all Ready.
async fn grow(stage: &mut Stage, told: Told) -> Result<()> {
    let (before, count) = (stage.count, told.count);
    told.report.say(&format!("{count} ScaledObjects"));
    stage.add_targets("web", before, count, 1).await?;
    let mark = stage.control_plane.audit().mark().await?;
    let started = Instant::now();
    stage.grow(count).await?;
    let posted = started.elapsed();
    stage.wait_ready("web", count, LIMIT).await?;
    let new = count.saturating_sub(before).max(1);
    let work = format!("{new} more ScaledObjects, {} at a time, from the first POST", 32);
    told.figure("all posted", posted.as_secs_f64(), "s", &work);
    told.figure("all ready", started.elapsed().as_secs_f64(), "s", &work);
    rest::quiet(stage, told, "after creation").await?;
    let writes = stage.writes(mark).await?;
    told.writes("writes per new object", &writes, new as f64, "writes", &work);
    Ok(())
}

/// Reads of external metrics, both ways, beside the bare responder.
async fn read(stage: &Stage, options: &Options, told: Told) -> Result<()> {
    told.report.say("reads of external metrics");
    let paths = stage.paths();
    if paths.len() < stage.count {
        bail!("{} of {} objects have named their metrics", paths.len(), stage.count);
    }
    let through = Peer::through_api_server(&stage.control_plane)?;
    let direct = Peer::past_api_server(&stage.control_plane, &stage.installed, &stage.operator).await?;
    let first = paths.first().context("no objects")?;
    let (_bare, responder) = reads::bare(stage.control_plane.folder(), &direct, first).await?;
    let time = Duration::from_secs(options.read_s);
    let work =
        format!("{} ScaledObjects, closed loop of 10 on one HTTP/2 connection, HPA controller running", told.count);
    let mut rates = [0.0; 3];
    for (rate, (path, peer)) in
        rates.iter_mut().zip([("direct", &direct), ("bare responder", &responder), ("API server", &through)])
    {
        let reads = peer.closed_loop(&paths, 10, time).await?;
        reads::told(told.report, &format!("({}) {path}", told.count), &reads, &work);
        *rate = reads.per_second;
    }
    told.figure("reads direct over bare responder", rates[0] / rates[1].max(1.0), "ratio", &work);
    Ok(())
}

/// All are deleted: nothing is left behind.
async fn delete(stage: &Stage, told: Told) -> Result<()> {
    told.report.say("all are deleted");
    let mark = stage.control_plane.audit().mark().await?;
    let started = Instant::now();
    stage.delete("web", stage.count).await?;
    stage.wait("all are gone", LIMIT, census::Census::len).await?;
    let work = format!("{} ScaledObjects deleted by namespace, until the last finalizer is gone", told.count);
    told.figure("all deleted", started.elapsed().as_secs_f64(), "s", &work);
    told.writes("writes per deleted object", &stage.writes(mark).await?, told.count as f64, "writes", &work);
    Ok(())
}
