//! A host and batches for it, without an operator: what a component costs by itself.
use anyhow::{Result, anyhow, bail};
use prometheus_client::registry::Registry;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use windlass_core::message::{Asked, Batch, BatchId, QueryId};
use windlass_core::port::{Poller, Report as Outcomes, Scalers};
use windlass_core::resolve::{self, ProcessKey};
use windlass_core::sample::Outcome;
use windlass_core::scaler::Scaler;
use windlass_core::workload::{Aim, Ask, DeclaredTrigger};
use windlass_core::{Material, Mono, Now, Text, Wall, WorkloadKey};
use windlass_host::{Budget, Egress, Host, HostOptions, Limits, Metrics};

/// 2026-07-01, noon.
pub(crate) const NOW_MS: u64 = 1_782_907_200_000;

/// What differs between hosts that are measured.
#[derive(Default)]
pub(crate) struct Parts<'a> {
    /// Compiles in a child of this program; none: in this process.
    pub(crate) compiler: Option<PathBuf>,
    /// Keeps what was compiled.
    pub(crate) cache: Option<&'a Path>,
    /// Instances at the same time; 0: one.
    pub(crate) instances: u32,
    /// How much a source may be asked; none: the default.
    pub(crate) budget: Option<Budget>,
}

/// A host that knows nothing yet, and may ask sources of this machine.
pub(crate) fn host(parts: Parts<'_>) -> Result<Host> {
    let started = Instant::now();
    let now = move || Now { mono: Mono(started.elapsed().as_millis() as u64), wall: Wall(NOW_MS as i64) };
    Ok(Host::new(HostOptions {
        limits: Limits::default(),
        egress: Egress { allow_loopback: true, ..Egress::default() },
        budget: parts.budget.unwrap_or_default(),
        ca_dirs: Vec::new(),
        cache: parts.cache.map(Path::to_owned),
        compiler: parts.compiler,
        clock: Arc::new(now),
        metrics: Metrics::new(&mut Registry::default()),
        instances: parts.instances.max(1),
    })?)
}

/// Queries of triggers with these metadata.
pub(crate) async fn queries(
    host: &Host,
    scaler: &Scaler,
    all: impl IntoIterator<Item = BTreeMap<Text, Text>>,
) -> Result<Vec<Asked>> {
    let owner = WorkloadKey::scaled_object("bench", "web");
    let kind = scaler.triggers.first().ok_or_else(|| anyhow!("{} serves nothing", scaler.name))?;
    let mut resolved = Vec::new();
    for metadata in all {
        let ask = Ask::External { metadata, aim: Aim::Average, cached: false };
        let declared = DeclaredTrigger { index: 0, kind: kind.clone(), name: None, ask, authentication: None };
        match resolve::resolve(scaler, &declared, &"bench".into(), &Material::default(), &owner) {
            Ok(trigger) => resolved.push(trigger),
            Err(problems) => bail!("{problems:?}"),
        }
    }
    let plans = host.configure(scaler.digest, resolved.clone()).await?;
    let key = ProcessKey::new([7; 32]);
    let mut queries = Vec::new();
    for (index, (trigger, plan)) in (0..).zip(resolved.into_iter().zip(plans)) {
        let plan = plan.map_err(|problems| anyhow!("{problems:?}"))?;
        let question = Arc::new(resolve::question(&key, scaler, trigger, plan));
        queries.push(Asked { id: QueryId { index, generation: 0 }, question, state: Arc::from([]) });
    }
    Ok(queries)
}

/// Counts answers.
#[derive(Default)]
struct Counted(AtomicUsize);

impl Outcomes for Counted {
    fn outcome(&self, _: BatchId, _: QueryId, outcome: Outcome) {
        if matches!(outcome, Outcome::Ready(..)) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Asks a batch; how many of its queries had an answer.
pub(crate) async fn ask(host: &Host, scaler: &Scaler, queries: &[Asked], budget: Duration) -> usize {
    let counted = Arc::new(Counted::default());
    let batch = Batch {
        id: BatchId(1),
        component: scaler.digest,
        domain: "bench".into(),
        queries: queries.to_vec(),
        now: Wall(NOW_MS as i64),
        budget,
    };
    host.poll(batch, counted.clone()).await;
    counted.0.load(Ordering::Relaxed)
}
