//! What a sandboxed scaler costs over the same code run natively: a batch of 50 queries of the `cron` scaler, which asks
//! nobody, so that nothing but the guest is timed.
use crate::figure::{Report, Times};
use anyhow::{Context, Result, bail};
use prometheus_client::registry::Registry;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use windlass_core::message::{Asked, Batch, BatchId, QueryId};
use windlass_core::port::{Poller, Report as Outcomes, Scalers};
use windlass_core::resolve::{self, ProcessKey};
use windlass_core::sample::Outcome;
use windlass_core::workload::{Aim, Ask, DeclaredTrigger};
use windlass_core::{Material, Mono, Now, Text, Wall, WorkloadKey};
use windlass_host::{Egress, Host, HostOptions, Limits, Metrics};
use windlass_scaler_cron::Cron;
use windlass_sdk::testing::{poll_local, trigger};

/// Queries of the batch, and how often it is polled.
const QUERIES: usize = 50;
const ROUNDS: usize = 200;

/// 2026-07-01, noon.
const NOW_MS: u64 = 1_782_907_200_000;

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

fn parameters(index: usize) -> [(&'static str, String); 4] {
    [
        ("start", format!("{} 8 * * 1-5", index % 60)),
        ("end", format!("{} 18 * * 1-5", index % 60)),
        ("timezone", "Europe/Berlin".to_owned()),
        ("desiredReplicas", "10".to_owned()),
    ]
}

/// Measures both, in turns.
pub(super) async fn measure(report: Report) -> Result<()> {
    report.say("a batch in the sandbox and natively");
    let host = host()?;
    let component = windlass_e2e::target().join("scalers/components/cron.wasm");
    let scaler = host.load_file(&component).await.with_context(|| component.display().to_string())?;
    let mut resolved = Vec::new();
    for index in 0..QUERIES {
        let metadata: BTreeMap<Text, Text> =
            parameters(index).iter().map(|(name, value)| (Text::from(*name), Text::from(value.as_str()))).collect();
        let declared = DeclaredTrigger {
            index: 0,
            kind: "cron".into(),
            name: None,
            ask: Ask::External { metadata, aim: Aim::Average, cached: false },
            authentication: None,
        };
        let owner = WorkloadKey::scaled_object("bench", "web");
        match resolve::resolve(&scaler, &declared, &"bench".into(), &Material::default(), &owner) {
            Ok(trigger) => resolved.push(trigger),
            Err(problems) => bail!("{problems:?}"),
        }
    }
    let plans = host.configure(scaler.digest, resolved.clone()).await?;
    let key = ProcessKey::new([7; 32]);
    let mut queries = Vec::new();
    for (index, (trigger, plan)) in (0..).zip(resolved.into_iter().zip(plans)) {
        let plan = plan.map_err(|problems| anyhow::anyhow!("{problems:?}"))?;
        let question = Arc::new(resolve::question(&key, &scaler, trigger, plan));
        queries.push(Asked { id: QueryId { index, generation: 0 }, question, state: Arc::from([]) });
    }
    let natively: Vec<_> = (0..QUERIES)
        .map(|index| {
            let given = parameters(index);
            let given: Vec<(&str, &str)> = given.iter().map(|(name, value)| (*name, value.as_str())).collect();
            trigger::<Cron>(&given, &[]).map_err(|problems| anyhow::anyhow!("{problems:?}"))
        })
        .collect::<Result<_>>()?;
    let natively = Arc::new(natively);

    let (mut inside, mut outside) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let counted = Arc::new(Counted::default());
        let batch = Batch {
            id: BatchId(round as u64),
            component: scaler.digest,
            domain: "bench".into(),
            queries: queries.clone(),
            now: Wall(NOW_MS as i64),
            budget: Duration::from_secs(5),
        };
        let started = Instant::now();
        host.poll(batch, counted.clone()).await;
        inside.push(started.elapsed());
        if counted.0.load(Ordering::Relaxed) != QUERIES {
            bail!("{} of {QUERIES} queries were answered", counted.0.load(Ordering::Relaxed));
        }
        outside.push(natively_once(natively.clone())?);
    }
    let work =
        format!("a batch of {QUERIES} cron queries, fresh instance per batch, {ROUNDS} rounds in turns, medians");
    let each = |times: Vec<Duration>| times.into_iter().collect::<Times>().quantile_ms(0.5) * 1e3 / QUERIES as f64;
    let (inside, outside) = (each(inside), each(outside));
    report.figure("guest, per query", inside, "us", &work);
    report.figure("native, per query", outside, "us", &work);
    report.figure("guest over native", inside / outside, "ratio", &work);
    Ok(())
}

/// One batch natively, on a thread of its own: what a thread keeps of time zones is to be as fresh as the instance's.
fn natively_once(triggers: Arc<Vec<windlass_sdk::Trigger>>) -> Result<Duration> {
    let batch = move || {
        let started = Instant::now();
        (poll_local::<Cron>(&triggers, NOW_MS).len(), started.elapsed())
    };
    let (answers, took) = std::thread::spawn(batch).join().map_err(|_| anyhow::anyhow!("the native batch panicked"))?;
    if answers != QUERIES { bail!("natively {answers} of {QUERIES}") } else { Ok(took) }
}

fn host() -> Result<Host> {
    let started = Instant::now();
    let now = move || Now { mono: Mono(started.elapsed().as_millis() as u64), wall: Wall(NOW_MS as i64) };
    Ok(Host::new(HostOptions {
        limits: Limits::default(),
        egress: Egress::default(),
        budget: windlass_host::Budget::default(),
        ca_dirs: Vec::<PathBuf>::new(),
        cache: None,
        compiler: None,
        clock: Arc::new(now),
        metrics: Metrics::new(&mut Registry::default()),
        instances: 8,
    })?)
}
