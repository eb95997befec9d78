//! What the stages tell of themselves. Nothing here has a label that grows with the number of objects.
use crate::keda::Keda;
use crate::quarantine::Quarantines;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use windlass_core::fact::{Fact, ObjectState, Polled};
use windlass_core::label::Labels;
use windlass_core::{Core, Digest, Text};

/// Components with a label of their own.
const COMPONENTS: usize = 100;
/// Digests whose name is remembered: versions of components come and go.
const DIGESTS: usize = 10_000;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ComponentLabel {
    component: Text,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabel {
    component: Text,
    /// `ready`, `pending`, or a failure kind.
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DecidedLabel {
    kind: &'static str,
    /// From a closed list: [`Why`].
    reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StateLabel {
    state: &'static str,
}

type Histograms = Family<ComponentLabel, Histogram, fn() -> Histogram>;

/// Metrics of the pipeline. All clones count together.
#[derive(Clone, Debug)]
pub struct Metrics {
    /// Queries that were answered, one way or another. Not exported: the outcomes are.
    pub answers: Counter,
    outcomes: Family<OutcomeLabel, Counter>,
    query_seconds: Histograms,
    age_seconds: Histograms,
    late_seconds: Histogram,
    decision_seconds: Histogram,
    decided: Family<DecidedLabel, Counter>,
    objects: Family<StateLabel, Gauge>,
    queries: Gauge,
    inbox: Gauge,
    pub(crate) intake: Gauge,
    pub(crate) batches: Gauge,
    pub(crate) batch_seconds: Histogram,
    pub(crate) messages: Counter,
    pub(crate) round_seconds: Histogram,
    pub(crate) prepared: Counter,
    components: Components,
    keda: Option<Keda>,
    /// Quarantines.
    pub(crate) quarantines: Quarantines,
}

/// Names of components by digest.
#[derive(Clone, Debug)]
struct Components {
    names: Arc<Mutex<HashMap<Digest, Text>>>,
    labels: Labels,
}

impl Components {
    fn label(&self, digest: Digest) -> Text {
        let names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        names.get(&digest).cloned().unwrap_or_else(|| Labels::OTHER.into())
    }

    fn name(&self, digest: Digest, name: &str) {
        let label = self.labels.of(name);
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        if names.len() >= DIGESTS {
            names.clear();
        }
        names.insert(digest, label);
    }
}

/// Around the usual polling intervals, and far beyond.
fn ages() -> Histogram {
    Histogram::new([1.0, 5.0, 10.0, 16.0, 31.0, 61.0, 121.0, 301.0, 601.0, 1_800.0, 3_600.0])
}

fn short() -> Histogram {
    Histogram::new([0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0])
}

impl Metrics {
    /// Registers them.
    pub fn new(registry: &mut Registry) -> Metrics {
        let metrics = Metrics {
            answers: Counter::default(),
            outcomes: Family::default(),
            query_seconds: Family::new_with_constructor(short as fn() -> Histogram),
            age_seconds: Family::new_with_constructor(ages as fn() -> Histogram),
            late_seconds: short(),
            decision_seconds: Histogram::new(exponential_buckets(0.000_1, 4.0, 10)),
            decided: Family::default(),
            objects: Family::default(),
            queries: Gauge::default(),
            inbox: Gauge::default(),
            intake: Gauge::default(),
            batches: Gauge::default(),
            batch_seconds: Histogram::new(exponential_buckets(0.001, 2.0, 16)),
            messages: Counter::default(),
            round_seconds: Histogram::new(exponential_buckets(0.000_01, 4.0, 10)),
            prepared: Counter::default(),
            components: Components { names: Arc::default(), labels: Labels::new(COMPONENTS) },
            keda: None,
            quarantines: Quarantines::new(registry),
        };
        metrics.register_polls(registry);
        metrics.register_core(registry);
        metrics
    }

    fn register_polls(&self, registry: &mut Registry) {
        registry.register(
            "windlass_query_outcomes",
            "Polls of queries by component and outcome (ready, pending, or the kind of failure). A growing share of failures \
             of one component: look at its sources first",
            self.outcomes.clone(),
        );
        registry.register(
            "windlass_query_duration_seconds",
            "From sending a query's batch to the query's outcome, by component. Slow: the source is, or its budget makes \
             requests wait (windlass_source_wait_seconds)",
            self.query_seconds.clone(),
        );
        registry.register(
            "windlass_sample_age_seconds",
            "Age of a query's last sample when its next poll ended, by component: the polling period when all is well. More \
             than three periods: values are unknown, and replicas stay as they are",
            self.age_seconds.clone(),
        );
        registry.register(
            "windlass_poll_lateness_seconds",
            "How long after it was due a query was sent. Above a second: the process lacks CPU",
            self.late_seconds.clone(),
        );
        registry.register(
            "windlass_batches_in_flight",
            "Batches that are being polled. Near --guest-instances: batches wait for a place; raise it or look for slow sources",
            self.batches.clone(),
        );
        registry.register(
            "windlass_batch_seconds",
            "Time from start to end of a batch. At ten seconds batches run out of their time",
            self.batch_seconds.clone(),
        );
        registry.register(
            "windlass_queries",
            "Different questions that are asked again and again; equal ones of several objects count once",
            self.queries.clone(),
        );
    }

    fn register_core(&self, registry: &mut Registry) {
        registry.register(
            "windlass_decision_latency_seconds",
            "From reading a sample to the decision that rests on it. Above a second: the core is behind, see \
             windlass_inbox_messages",
            self.decision_seconds.clone(),
        );
        registry.register(
            "windlass_writes_decided",
            "Writes that were decided, by kind and by what they are for. A cluster in which nothing happens has none: a \
             steady rate of one reason is worth a look at the objects' events",
            self.decided.clone(),
        );
        registry.register(
            "windlass_objects",
            "ScaledObjects by state. unknown: sources fail, replicas are held; not-ready: the object's Ready condition says why",
            self.objects.clone(),
        );
        registry.register(
            "windlass_inbox_messages",
            "Messages that wait for the core, of 16384 at most. Not near zero: the core is behind, give the pod CPU",
            self.inbox.clone(),
        );
        registry.register(
            "windlass_intake_changes",
            "Changes of objects that wait to be resolved and configured, of 4096 at most. Not near zero for long: a component \
             is slow to configure",
            self.intake.clone(),
        );
        registry.register("windlass_core_messages", "Messages that the core has handled", self.messages.clone());
        registry.register(
            "windlass_core_round_seconds",
            "Time for which the core was busy at once. Above 100 ms everything else waits for it: give the pod CPU",
            self.round_seconds.clone(),
        );
        registry.register(
            "windlass_objects_prepared",
            "Objects that were resolved and configured. A steady rate without changes of objects: a Secret or component changes",
            self.prepared.clone(),
        );
    }

    /// Tells of objects under KEDA's names too. The core has to tell of them: [`windlass_core::Settings::tell_objects`].
    #[must_use]
    pub fn with_keda(self, keda: Keda) -> Metrics {
        Metrics { keda: Some(keda), ..self }
    }

    /// The name of a component, for labels.
    pub(crate) fn component(&self, digest: Digest, name: &str) {
        self.components.name(digest, name);
    }

    /// Takes a fact in.
    pub(crate) fn take(&self, fact: Fact) {
        match fact {
            Fact::Polled(polled) => self.polled(&polled),
            Fact::Decided(kind, why) => {
                self.decided.get_or_create(&DecidedLabel { kind: kind.as_label(), reason: why.as_label() }).inc();
            }
            Fact::Object(facts) => {
                if let Some(keda) = &self.keda {
                    keda.take(*facts);
                }
            }
            Fact::Gone(key) => {
                if let Some(keda) = &self.keda {
                    keda.forget(&key);
                }
            }
        }
    }

    fn polled(&self, polled: &Polled) {
        let component = self.components.label(polled.component);
        let outcome = OutcomeLabel { component: component.clone(), outcome: polled.end.as_label() };
        self.outcomes.get_or_create(&outcome).inc();
        let component = ComponentLabel { component };
        self.query_seconds.get_or_create(&component).observe(polled.took.as_secs_f64());
        if let Some(age) = polled.age {
            self.age_seconds.get_or_create(&component).observe(age.as_secs_f64());
        }
        self.late_seconds.observe(polled.late.as_secs_f64());
    }

    /// A sample was decided on so long after it was read.
    pub(crate) fn decided_after(&self, time: Duration) {
        self.decision_seconds.observe(time.as_secs_f64());
    }

    /// How things stand after a round.
    pub(crate) fn stand(&self, core: &Core, waiting: usize) {
        let gauge = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        for state in ObjectState::ALL {
            let count = i64::try_from(core.census().of(state)).unwrap_or(i64::MAX);
            self.objects.get_or_create(&StateLabel { state: state.as_label() }).set(count);
        }
        self.queries.set(gauge(core.questions()));
        self.inbox.set(gauge(waiting));
    }
}
