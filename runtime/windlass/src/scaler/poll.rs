//! `windlass scaler poll`: what a source answers right now.
use super::configure::{ToldMetric, metrics};
use super::exit::{Exit, Stop};
use super::problem::{self, ToldProblem};
use super::trigger::{Attempt, attempt};
use super::yes;
use crate::args::{Output, Try};
use crate::{components, table};
use anyhow::Context;
use serde::Serialize;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use windlass_core::message::{Asked, Batch, BatchId, QueryId};
use windlass_core::port::{Poller, Report};
use windlass_core::query::{QueryPlan, ResolvedTrigger};
use windlass_core::resolve;
use windlass_core::sample::Outcome;
use windlass_core::scaler::Scaler;
use windlass_host::Host;
use windlass_pipeline::Clock;

/// What `poll` prints as JSON.
#[derive(Debug, Serialize)]
struct Polled {
    ok: bool,
    metrics: Vec<ToldValue>,
    active: Option<bool>,
    failure: Option<ToldFailure>,
    problems: Vec<ToldProblem>,
    milliseconds: u64,
}

#[derive(Debug, Serialize)]
struct ToldValue {
    name: String,
    value: f64,
    target: f64,
}

#[derive(Debug, Serialize)]
struct ToldFailure {
    kind: &'static str,
    message: String,
}

pub(super) async fn run(options: Try) -> Result<Exit, Stop> {
    let Attempt { host, file, scaler, made } = attempt(&options).await?;
    let started = Instant::now();
    let told = match made {
        Err(found) => Polled {
            ok: false,
            metrics: Vec::new(),
            active: None,
            failure: None,
            problems: problem::told(&found),
            milliseconds: 0,
        },
        Ok((resolved, plan)) => {
            let planned = metrics(&file, &plan);
            let outcome = ask(&host, &scaler, resolved, plan, Duration::from_secs(options.timeout_s)).await?;
            told_outcome(outcome, planned, u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX))
        }
    };
    match options.output {
        Output::Json => println!("{}", serde_json::to_string(&told).context("JSON")?),
        Output::Text => {
            problem::print(&told.problems);
            if let Some(failure) = &told.failure {
                println!("failed: {}: {}", failure.kind, failure.message);
            }
            let rows = told.metrics.iter().map(|m| vec![m.name.clone(), m.value.to_string(), m.target.to_string()]);
            table::print(&["METRIC", "VALUE", "TARGET"], rows);
            if let Some(active) = told.active {
                println!("active: {}, {} ms", yes(active), told.milliseconds);
            }
        }
    }
    Ok(if told.ok { Exit::Fine } else { Exit::Wrong })
}

/// Keeps the one outcome of a one-query batch.
#[derive(Default)]
struct Kept(Mutex<Option<Outcome>>);

impl Report for Kept {
    fn outcome(&self, _: BatchId, _: QueryId, outcome: Outcome) {
        if let Ok(mut kept) = self.0.lock() {
            kept.get_or_insert(outcome);
        }
    }
}

async fn ask(
    host: &Host,
    scaler: &Scaler,
    resolved: ResolvedTrigger,
    plan: QueryPlan,
    budget: Duration,
) -> anyhow::Result<Outcome> {
    let key = components::process_key()?;
    let question = Arc::new(resolve::question(&key, scaler, resolved, plan));
    let batch = Batch {
        id: BatchId(1),
        component: scaler.digest,
        domain: question.trigger.domain.clone(),
        queries: vec![Asked { id: QueryId { index: 0, generation: 0 }, question, state: Arc::from([]) }],
        now: Clock::start().now().wall,
        budget,
    };
    let kept = Arc::new(Kept::default());
    tokio::time::timeout(budget + Duration::from_secs(1), host.poll(batch, kept.clone()))
        .await
        .context("the component overran its time")?;
    let outcome = kept.0.lock().ok().and_then(|mut kept| kept.take());
    outcome.context("the component ended without an outcome; see the log lines above")
}

fn told_outcome(outcome: Outcome, planned: Vec<ToldMetric>, milliseconds: u64) -> Polled {
    let mut told =
        Polled { ok: false, metrics: Vec::new(), active: None, failure: None, problems: Vec::new(), milliseconds };
    match outcome {
        Outcome::Ready(sample, _) => {
            told.ok = true;
            told.active = Some(sample.active.unwrap_or_else(|| {
                sample.values.iter().zip(&planned).any(|(value, metric)| value.as_f64() > metric.activation)
            }));
            told.metrics = sample
                .values
                .iter()
                .zip(planned)
                .map(|(value, metric)| ToldValue { name: metric.name, value: value.as_f64(), target: metric.target })
                .collect();
        }
        Outcome::Failed(failure) => {
            told.failure = Some(ToldFailure { kind: failure.kind.as_label(), message: failure.message.to_string() });
        }
        Outcome::Pending { retry, .. } => {
            told.failure = Some(ToldFailure {
                kind: "pending",
                message: format!("the source has begun; ask again in {} ms", retry.as_millis()),
            });
        }
    }
    told
}
