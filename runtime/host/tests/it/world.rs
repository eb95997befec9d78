//! A host under test, questions for it, and what was told of them.
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use windlass_core::failure::{Failure, FailureKind};
use windlass_core::message::{Asked, Batch, BatchId, QueryId};
use windlass_core::port::{Poller, Report, Scalers};
use windlass_core::query::{Endpoint, MetricSpec, Problem, QueryPlan, ResolvedTrigger, Value};
use windlass_core::resolve::{ProcessKey, question};
use windlass_core::sample::Outcome;
use windlass_core::scaler::{Scaler, Secrecy};
use windlass_core::{Fault, Mono, Now, Secret, Text, Wall};
use windlass_host::{Budget, Egress, Host, HostOptions, Limits, Metrics};
use windlass_testkit::guest::Guest;

/// How long a batch may take, where the test does not say so.
pub(crate) const BUDGET: Duration = Duration::from_secs(20);

/// Options of a host that compiles in this process, keeps nothing, and may reach loopback.
pub(crate) fn options() -> HostOptions {
    let started = Instant::now();
    HostOptions {
        limits: Limits::default(),
        egress: Egress { allow_loopback: true, ..Egress::default() },
        // Every request goes out: what is shared and held back is the budgets' own tests' business.
        budget: Budget { share_window: Duration::ZERO, breaker_failures: 10_000, ..Budget::default() },
        ca_dirs: Vec::new(),
        cache: None,
        compiler: None,
        clock: Arc::new(move || {
            let ms = u64::try_from(started.elapsed().as_millis()).unwrap();
            Now { mono: Mono(ms), wall: Wall(1_700_000_000_000) }
        }),
        metrics: Metrics::new(&mut prometheus_client::registry::Registry::default()),
        instances: 4,
    }
}

/// A host with some options changed.
pub(crate) fn host(change: impl FnOnce(&mut HostOptions)) -> Host {
    let mut options = options();
    change(&mut options);
    Host::new(options).unwrap()
}

/// A value that the user wrote into the trigger's metadata.
pub(crate) fn open(name: &str, text: &str) -> (Text, Value) {
    value(name, text, Secrecy::Open, false)
}

/// A secret of a TriggerAuthentication that the guest does not see.
pub(crate) fn sealed(name: &str, text: &str) -> (Text, Value) {
    value(name, text, Secrecy::Sealed, true)
}

/// A secret of a TriggerAuthentication that the guest sees.
pub(crate) fn revealed(name: &str, text: &str) -> (Text, Value) {
    value(name, text, Secrecy::Revealed, true)
}

fn value(name: &str, text: &str, secrecy: Secrecy, from_authentication: bool) -> (Text, Value) {
    (name.into(), Value { text: Secret::new(text), secrecy, from_authentication })
}

/// A trigger of a namespace.
pub(crate) fn trigger(kind: &str, domain: &str, values: impl IntoIterator<Item = (Text, Value)>) -> ResolvedTrigger {
    ResolvedTrigger {
        kind: kind.into(),
        domain: domain.into(),
        values: values.into_iter().collect(),
        extras: BTreeMap::new(),
        identity: None,
        owner: None,
        bound: None,
        granted: None,
    }
}

/// Outcomes as they are told, by the place of their query.
#[derive(Default)]
pub(crate) struct Told(pub(crate) Mutex<Vec<(usize, Outcome)>>);

impl Report for Told {
    fn outcome(&self, _: BatchId, query: QueryId, outcome: Outcome) {
        self.0.lock().unwrap().push((query.index as usize, outcome));
    }
}

/// A loaded guest and its host.
pub(crate) struct Subject {
    pub(crate) host: Host,
    pub(crate) scaler: Arc<Scaler>,
}

/// Loads a guest into a host of its own.
pub(crate) async fn subject(guest: &Guest) -> Subject {
    subject_in(host(|_| {}), guest).await
}

/// Loads a guest into a host.
pub(crate) async fn subject_in(host: Host, guest: &Guest) -> Subject {
    let scaler = host.load(guest.component()).await.unwrap();
    Subject { host, scaler }
}

impl Subject {
    /// A trigger of its first type in the namespace `ns`.
    pub(crate) fn trigger(&self, values: impl IntoIterator<Item = (Text, Value)>) -> ResolvedTrigger {
        self.trigger_of("ns", values)
    }

    pub(crate) fn trigger_of(&self, domain: &str, values: impl IntoIterator<Item = (Text, Value)>) -> ResolvedTrigger {
        trigger(&self.scaler.triggers[0], domain, values)
    }

    /// Asks for plans.
    pub(crate) async fn configure(
        &self,
        triggers: Vec<ResolvedTrigger>,
    ) -> Result<Vec<Result<QueryPlan, Vec<Problem>>>, Fault> {
        self.host.configure(self.scaler.digest, triggers).await
    }

    /// Asks for one plan.
    pub(crate) async fn plan(&self, trigger: ResolvedTrigger) -> Result<QueryPlan, Vec<Problem>> {
        self.configure(vec![trigger]).await.unwrap().remove(0)
    }

    /// A batch of triggers with plans that were not asked for.
    pub(crate) fn batch(&self, triggers: Vec<ResolvedTrigger>, endpoints: &[Endpoint], budget: Duration) -> Batch {
        let plan = QueryPlan {
            metrics: Some(vec![MetricSpec { name: "value".into(), target: 1.0, activation: 0.0 }]),
            endpoints: endpoints.to_vec(),
            group: "".into(),
            requests: 1,
        };
        self.batch_of(triggers.into_iter().map(|trigger| (trigger, plan.clone())).collect(), budget)
    }

    /// A batch of triggers and their plans.
    pub(crate) fn batch_of(&self, planned: Vec<(ResolvedTrigger, QueryPlan)>, budget: Duration) -> Batch {
        let domain = planned.first().map_or("ns".into(), |(trigger, _)| trigger.domain.clone());
        let key = ProcessKey::new([7; 32]);
        let queries = planned.into_iter().zip(0..).map(|((trigger, plan), index)| Asked {
            id: QueryId { index, generation: 0 },
            question: Arc::new(question(&key, &self.scaler, trigger, plan)),
            state: Arc::from([].as_slice()),
        });
        Batch {
            id: BatchId(1),
            component: self.scaler.digest,
            domain,
            queries: queries.collect(),
            now: Wall(1_700_000_000_000),
            budget,
        }
    }

    /// Polls a batch to its end: one entry per query, `None` where nothing was told.
    pub(crate) async fn poll(&self, batch: Batch) -> Vec<Option<Outcome>> {
        let count = batch.queries.len();
        let told = Arc::new(Told::default());
        self.host.poll(batch, told.clone()).await;
        let mut outcomes = vec![None; count];
        for (index, outcome) in told.0.lock().unwrap().drain(..) {
            assert!(outcomes[index].replace(outcome).is_none(), "query {index} was told twice");
        }
        outcomes
    }

    /// Polls `count` queries without values or endpoints.
    pub(crate) async fn poll_bare(&self, count: usize) -> Vec<Option<Outcome>> {
        let triggers = (0..count).map(|_| self.trigger([])).collect();
        self.poll(self.batch(triggers, &[], BUDGET)).await
    }

    /// Plans one trigger and polls it.
    pub(crate) async fn ask(&self, trigger: ResolvedTrigger, budget: Duration) -> Option<Outcome> {
        let plan = self.plan(trigger.clone()).await.unwrap();
        self.poll(self.batch_of(vec![(trigger, plan)], budget)).await.remove(0)
    }
}

/// The only value of a reading.
#[track_caller]
pub(crate) fn number(outcome: Option<&Outcome>) -> f64 {
    match outcome {
        Some(Outcome::Ready(sample, _)) if sample.values.len() == 1 => sample.values[0].as_f64(),
        other => panic!("no value: {other:?}"),
    }
}

/// The state that a reading leaves.
#[track_caller]
pub(crate) fn state(outcome: Option<&Outcome>) -> Vec<u8> {
    match outcome {
        Some(Outcome::Ready(_, Some(state))) => state.to_vec(),
        other => panic!("no state: {other:?}"),
    }
}

/// A failure of a kind.
#[track_caller]
pub(crate) fn failure(outcome: Option<&Outcome>, kind: FailureKind) -> &Failure {
    match outcome {
        Some(Outcome::Failed(failure)) if failure.kind == kind => failure,
        other => panic!("not {}: {other:?}", kind.as_label()),
    }
}
