//! The component in a host of its own, and questions for it.
use crate::Example;
use std::collections::BTreeMap;
use std::net::SocketAddr;
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
}

/// A trigger and its plan.
pub(crate) type Planned = (ResolvedTrigger, QueryPlan);

/// A question for one trigger.
pub(crate) struct Asking {
    pub(crate) planned: Planned,
    pub(crate) now: Wall,
    /// What the query left last time.
    pub(crate) state: Vec<u8>,
    pub(crate) budget: Duration,
}

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
        self.trial_in(Egress { allow_loopback: true, ..Egress::default() }).await
    }

    /// The same, where every connection goes to one address.
    pub(crate) async fn trial_with(&self, source: SocketAddr) -> Result<Result<Trial, HostError>, HostError> {
        self.trial_in(Egress { allow_loopback: true, via: Some(source), ..Egress::default() }).await
    }

    async fn trial_in(&self, egress: Egress) -> Result<Result<Trial, HostError>, HostError> {
        let started = Instant::now();
        let host = Host::new(HostOptions {
            limits: Limits { body_bytes: BODY, ..Limits::default() },
            egress,
            // Every request reaches its source, and at once: a component has to bear each answer itself.
            budget: Budget {
                share_window: Duration::ZERO,
                breaker_failures: 10_000,
                rate: 100_000.0,
                burst: 10_000,
                ..Budget::default()
            },
            ca_dirs: Vec::new(),
            cache: Some(self.cache.path().join("compiled")),
            compiler: None,
            clock: Arc::new(move || {
                let mono = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
                Now { mono: Mono(mono), wall: WALL }
            }),
            metrics: Metrics::new(&mut prometheus_client::registry::Registry::default()),
            instances: 8,
        })?;
        let loaded = host.load(self.wasm.clone()).await;
        Ok(loaded.map(|scaler| Trial { host, scaler }))
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
        let asked = planned.into_iter().map(|planned| (planned, Vec::new())).collect();
        self.batch(asked, WALL, budget).await
    }

    /// Polls one trigger; none: the component told no outcome.
    pub(crate) async fn ask(&self, asking: Asking) -> Option<Outcome> {
        let Asking { planned, now, state, budget } = asking;
        let failed = self.failed_calls();
        let outcomes = self.batch(vec![(planned, state)], now, budget).await;
        let outcome = outcomes.into_iter().flatten().next();
        if self.failed_calls() > failed { None } else { outcome }
    }

    async fn batch(&self, planned: Vec<(Planned, Vec<u8>)>, now: Wall, budget: Duration) -> Vec<Vec<Outcome>> {
        let key = ProcessKey::new([1; 32]);
        let count = planned.len();
        let domain = planned.first().map_or_else(|| "conformance".into(), |((trigger, _), _)| trigger.domain.clone());
        let queries = planned.into_iter().zip(0..).map(|(((trigger, plan), state), index)| Asked {
            id: QueryId { index, generation: 0 },
            question: Arc::new(question(&key, &self.scaler, trigger, plan)),
            state: state.into(),
        });
        let batch =
            Batch { id: BatchId(1), component: self.scaler.digest, domain, queries: queries.collect(), now, budget };
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
        self.host.spent().failed_calls
    }
}

/// The secrets of a trigger that are long enough to be recognised.
pub(crate) fn secrets(example: &Example) -> BTreeMap<&str, &str> {
    let pairs = example.authentication.iter().map(|(name, text)| (name.as_str(), text.trim()));
    pairs.filter(|(_, text)| text.len() >= 8 && !text.contains("://")).collect()
}
