//! One question, asked as often as one likes: with the connections and the state that the last time left.
use super::{Polled, ToldFailure, ToldValue};
use crate::components;
use crate::scaler::configure::{ToldMetric, metrics, told_metrics};
use crate::scaler::trigger::TriggerFile;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use windlass_core::failure::Failure;
use windlass_core::message::{Asked, Batch, BatchId, QueryId};
use windlass_core::port::{Poller, Report};
use windlass_core::query::{QueryPlan, Question, ResolvedTrigger};
use windlass_core::resolve;
use windlass_core::sample::{Outcome, Sample};
use windlass_core::scaler::Scaler;
use windlass_host::Host;
use windlass_pipeline::Clock;

/// Keeps the one outcome of a one-query batch.
#[derive(Default)]
struct Kept(Mutex<Option<Outcome>>);

impl Report for Kept {
    fn outcome(&self, _: BatchId, _: QueryId, outcome: Outcome) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(outcome);
    }

    /// Nothing comes after it: without an outcome this is the one.
    fn broke(&self, batch: BatchId, why: Failure) {
        self.outcome(batch, QueryId { index: 0, generation: 0 }, Outcome::Failed(why));
    }
}

/// A question, and what the last time left.
pub(super) struct Asking<'a> {
    host: Arc<Host>,
    file: &'a TriggerFile,
    question: Arc<Question>,
    planned: Vec<ToldMetric>,
    state: Arc<[u8]>,
    timeout: Duration,
    asked: u64,
    clock: Clock,
}

impl<'a> Asking<'a> {
    pub(super) fn new(
        host: Arc<Host>,
        scaler: &Scaler,
        file: &'a TriggerFile,
        resolved: ResolvedTrigger,
        plan: QueryPlan,
        timeout: Duration,
    ) -> anyhow::Result<Asking<'a>> {
        let key = components::process_key()?;
        let planned = metrics(file, &plan);
        let question = Arc::new(resolve::question(&key, scaler, resolved, plan));
        let (state, clock) = (Arc::from([].as_slice()), Clock::start());
        Ok(Asking { host, file, question, planned, state, timeout, asked: 0, clock })
    }

    /// Asks once.
    pub(super) async fn ask(&mut self) -> Polled {
        self.asked += 1;
        let batch = Batch {
            id: BatchId(self.asked),
            component: self.question.component,
            domain: self.question.trigger.domain.clone(),
            queries: vec![Asked {
                id: QueryId { index: 0, generation: 0 },
                question: self.question.clone(),
                state: self.state.clone(),
            }],
            now: self.clock.now().wall,
            budget: self.timeout,
        };
        let (kept, before, started) = (Arc::new(Kept::default()), self.host.spent(), Instant::now());
        let ended = self.host.poll(batch, kept.clone());
        let late = tokio::time::timeout(self.timeout + Duration::from_secs(1), ended).await.is_err();
        let milliseconds = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let spent = self.host.spent().since(before).into();
        let outcome = kept.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        let told = match outcome {
            Some(outcome) => self.told(outcome),
            None => failed("internal", no_outcome(late)),
        };
        Polled { milliseconds, spent, ..told }
    }

    fn told(&mut self, outcome: Outcome) -> Polled {
        match outcome {
            Outcome::Ready(sample, state) => {
                if let Some(state) = state {
                    self.state = state;
                }
                self.read(&sample)
            }
            Outcome::Failed(failure) => failed(failure.kind.as_label(), failure.message.to_string()),
            Outcome::Pending { retry, state } => {
                self.state = state;
                failed("pending", format!("the source has begun; ask again in {} ms", retry.as_millis()))
            }
        }
    }

    fn read(&self, sample: &Sample) -> Polled {
        let discovered = sample.metrics.as_deref().map(|found| told_metrics(self.file, found));
        let metrics = discovered.as_ref().unwrap_or(&self.planned);
        let active = sample.values.iter().zip(metrics).any(|(value, metric)| value.as_f64() > metric.activation);
        let told = sample.values.iter().zip(metrics).map(|(value, metric)| ToldValue {
            name: metric.name.clone(),
            value: value.as_f64(),
            target: metric.target,
        });
        Polled { ok: true, metrics: told.collect(), active: Some(sample.active.unwrap_or(active)), ..Polled::default() }
    }
}

fn no_outcome(late: bool) -> String {
    let what = if late { "overran its time" } else { "ended without an outcome" };
    format!("the component {what}; see the log lines above")
}

fn failed(kind: &'static str, message: String) -> Polled {
    Polled { failure: Some(ToldFailure { kind, message }), ..Polled::default() }
}
