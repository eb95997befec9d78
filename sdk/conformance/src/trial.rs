//! The component in a host of its own, and questions for it.
use crate::Example;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use windlass_core::message::{Asked, Batch, BatchId, QueryId};
use windlass_core::port::{Poller, Report as Told, Scalers};
use windlass_core::query::{Problem, QueryPlan, ResolvedTrigger};
use windlass_core::resolve::{ProcessKey, question, resolve};
use windlass_core::sample::Outcome;
use windlass_core::scaler::Scaler;
use windlass_core::workload::{Aim, Ask, DeclaredTrigger, Material};
use windlass_core::{Fault, Mono, Now, Secret, Text, Wall, WorkloadKey};
use windlass_host::{Budget, Egress, Host, HostError, HostOptions, Limits, Metrics};

/// The wall time of all polls.
const WALL: Wall = Wall(1_790_000_000_000);
/// Bodies end here: a source that answers more is soon through.
const BODY: usize = 256 << 10;

/// Makes trials of one component, which is compiled once.
pub(crate) struct Laboratory {
    wasm: Vec<u8>,
    cache: tempfile::TempDir,
}

/// A component in a host that knows no other and has asked no source yet.
pub(crate) struct Trial {
    host: Host,
    pub(crate) scaler: Arc<Scaler>,
    registry: prometheus_client::registry::Registry,
}

/// A trigger and its plan.
pub(crate) type Planned = (ResolvedTrigger, QueryPlan);

#[derive(Default)]
struct Collected(Mutex<Vec<(usize, Outcome)>>);

impl Told for Collected {
    fn outcome(&self, _: BatchId, query: QueryId, outcome: Outcome) {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        told.push((query.index as usize, outcome));
    }
}

impl Laboratory {
    pub(crate) fn new(wasm: &[u8]) -> std::io::Result<Laboratory> {
        Ok(Laboratory { wasm: wasm.to_vec(), cache: tempfile::tempdir()? })
    }

    /// A new trial, or why the host does not take the component.
    pub(crate) async fn trial(&self) -> Result<Result<Trial, HostError>, HostError> {
        let started = Instant::now();
        let mut registry = prometheus_client::registry::Registry::default();
        let host = Host::new(HostOptions {
            limits: Limits { body_bytes: BODY, ..Limits::default() },
            egress: Egress { allow_loopback: true, ..Egress::default() },
            // Every request reaches its source: a component has to bear each answer itself.
            budget: Budget { share_window: Duration::ZERO, breaker_failures: 10_000, ..Budget::default() },
            ca_dirs: Vec::new(),
            cache: Some(self.cache.path().join("compiled")),
            compiler: None,
            clock: Arc::new(move || {
                let mono = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
                Now { mono: Mono(mono), wall: WALL }
            }),
            metrics: Metrics::new(&mut registry),
            instances: 8,
        })?;
        let loaded = host.load(self.wasm.clone()).await;
        Ok(loaded.map(|scaler| Trial { host, scaler, registry }))
    }
}

impl Trial {
    /// The trigger of an example, by the host's own rules.
    pub(crate) fn resolve(&self, example: &Example) -> Result<ResolvedTrigger, Vec<Problem>> {
        let first = self.scaler.triggers.first().cloned().unwrap_or_else(|| "".into());
        let kind = example.kind.as_deref().map_or(first, Text::from);
        let metadata =
            example.metadata.iter().map(|(name, text)| (name.as_str().into(), text.as_str().into())).collect();
        let secrets = example.authentication.iter();
        let material = Material {
            authentication: secrets.map(|(name, text)| (name.as_str().into(), Secret::new(text.as_str()))).collect(),
            ..Material::default()
        };
        let ask = Ask::External { metadata, aim: Aim::Average, cached: false };
        let declared = DeclaredTrigger { index: 0, kind, name: None, ask, authentication: None };
        let owner = WorkloadKey::scaled_object("conformance", "example");
        resolve(&self.scaler, &declared, &owner.namespace, &material, &owner)
    }

    /// What the component makes of triggers.
    pub(crate) async fn configure(
        &self,
        triggers: Vec<ResolvedTrigger>,
    ) -> Result<Vec<Result<QueryPlan, Vec<Problem>>>, Fault> {
        self.host.configure(self.scaler.digest, triggers).await
    }

    /// What it makes of an example: a plan, problems, or no answer at all.
    pub(crate) async fn plan(&self, example: &Example) -> Result<Result<Planned, Vec<Problem>>, Fault> {
        let trigger = match self.resolve(example) {
            Ok(trigger) => trigger,
            Err(problems) => return Ok(Err(problems)),
        };
        let mut answers = self.configure(vec![trigger.clone()]).await?;
        Ok(answers.remove(0).map(|plan| (trigger, plan)))
    }

    /// Polls triggers as one batch: the outcomes of each.
    pub(crate) async fn poll(&self, planned: Vec<Planned>, budget: Duration) -> Vec<Vec<Outcome>> {
        let key = ProcessKey::new([1; 32]);
        let count = planned.len();
        let domain = planned.first().map_or_else(|| "conformance".into(), |(trigger, _)| trigger.domain.clone());
        let queries = planned.into_iter().zip(0..).map(|((trigger, plan), index)| Asked {
            id: QueryId { index, generation: 0 },
            question: Arc::new(question(&key, &self.scaler, trigger, plan)),
            state: Arc::from([].as_slice()),
        });
        let batch = Batch {
            id: BatchId(1),
            component: self.scaler.digest,
            domain,
            queries: queries.collect(),
            now: WALL,
            budget,
        };
        let collected = Arc::new(Collected::default());
        self.host.poll(batch, collected.clone()).await;
        let mut outcomes = vec![Vec::new(); count];
        for (index, outcome) in collected.0.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            if let Some(own) = outcomes.get_mut(index) {
                own.push(outcome);
            }
        }
        outcomes
    }

    /// How many polls did not end well: traps, spent CPU or memory, lateness.
    pub(crate) fn failed_calls(&self) -> u64 {
        let mut text = String::new();
        if prometheus_client::encoding::text::encode(&mut text, &self.registry).is_err() {
            return u64::MAX;
        }
        let failed = text.lines().find_map(|line| line.strip_prefix("windlass_guest_calls_total{result=\"failed\"} "));
        failed.and_then(|count| count.trim().parse().ok()).unwrap_or(0)
    }
}

/// The secrets of a trigger that are long enough to be recognised.
pub(crate) fn secrets(example: &Example) -> BTreeMap<&str, &str> {
    let pairs = example.authentication.iter().map(|(name, text)| (name.as_str(), text.trim()));
    pairs.filter(|(_, text)| text.len() >= 8 && !text.contains("://")).collect()
}
