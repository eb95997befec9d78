//! What the stages tell of themselves.
use crate::quarantine::Quarantines;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

/// The kind of an outcome.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct OutcomeLabel {
    /// `ready`, `pending`, or a failure kind.
    pub outcome: &'static str,
}

/// Metrics of the pipeline.
#[derive(Clone, Debug)]
pub struct Metrics {
    /// Query outcomes by kind.
    pub outcomes: Family<OutcomeLabel, Counter>,
    /// Queries that were answered, one way or another.
    pub answers: Counter,
    /// Batches in flight.
    pub batches: Gauge,
    /// Seconds that a batch took.
    pub batch_seconds: Histogram,
    /// Messages that the core has handled.
    pub messages: Counter,
    /// Seconds that a round of messages kept the core's task busy.
    pub round_seconds: Histogram,
    /// Objects that were prepared (resolved and configured).
    pub prepared: Counter,
    /// Quarantines.
    pub quarantines: Quarantines,
}

impl Metrics {
    /// Registers them.
    pub fn new(registry: &mut Registry) -> Metrics {
        let metrics = Metrics {
            outcomes: Family::default(),
            answers: Counter::default(),
            batches: Gauge::default(),
            batch_seconds: Histogram::new(exponential_buckets(0.001, 2.0, 16)),
            messages: Counter::default(),
            round_seconds: Histogram::new(exponential_buckets(0.000_01, 4.0, 10)),
            prepared: Counter::default(),
            quarantines: Quarantines::new(registry),
        };
        registry.register("windlass_query_outcomes", "Queries by outcome", metrics.outcomes.clone());
        registry.register("windlass_query_answers", "Queries answered, one way or another", metrics.answers.clone());
        registry.register("windlass_batches_in_flight", "Batches being polled", metrics.batches.clone());
        registry.register("windlass_batch_seconds", "Time from start to end of a batch", metrics.batch_seconds.clone());
        registry.register("windlass_core_messages", "Messages handled by the core", metrics.messages.clone());
        registry.register(
            "windlass_core_round_seconds",
            "Time the core was busy per round",
            metrics.round_seconds.clone(),
        );
        registry.register("windlass_objects_prepared", "Objects resolved and configured", metrics.prepared.clone());
        metrics
    }
}
