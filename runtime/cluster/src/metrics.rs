//! What this crate tells of itself.
use crate::budget::Class;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;
use std::time::Duration;
use windlass_core::write::{WriteKind, WriteResult};

/// A request.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct RequestLabel {
    /// Verb as in RBAC: `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`.
    pub verb: &'static str,
    /// Plural, with its subresource.
    pub resource: String,
    /// HTTP status; 0 when there was no answer.
    pub code: u16,
}

/// A write.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct WriteLabel {
    /// `scale`, `hpa`, `meta`, `status`, `event`.
    pub kind: &'static str,
    /// `done`, `conflict`, `gone`, `failed`, `dropped`.
    pub result: &'static str,
}

/// A class of the budget.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ClassLabel {
    /// Which.
    pub class: &'static str,
}

/// A watch.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct WatchLabel {
    /// Plural of what is watched.
    pub resource: String,
}

type Waits = Family<ClassLabel, Histogram, fn() -> Histogram>;

/// Metrics of the cluster's edge.
#[derive(Clone, Debug)]
pub struct Metrics {
    /// Requests by verb, resource and code.
    pub requests: Family<RequestLabel, Counter>,
    /// Ends of writes by kind and result.
    pub writes: Family<WriteLabel, Counter>,
    /// Writes that wait, by lane.
    pub queued: Family<ClassLabel, Gauge>,
    /// Seconds from a write's submission to its start, by lane.
    pub queue_seconds: Waits,
    /// Seconds of waiting for the budget.
    pub budget_seconds: Waits,
    /// Failures of watches, after which they start again.
    pub watch_restarts: Family<WatchLabel, Counter>,
    /// ScaledObjects that are known.
    pub objects: Gauge,
    /// Events that were told before and are not told again.
    pub events_folded: Counter,
}

fn waits() -> Histogram {
    Histogram::new(exponential_buckets(0.001, 4.0, 8))
}

impl Metrics {
    /// Registers them.
    pub fn new(registry: &mut Registry) -> Metrics {
        let metrics = Metrics {
            requests: Family::default(),
            writes: Family::default(),
            queued: Family::default(),
            queue_seconds: Family::new_with_constructor(waits as fn() -> Histogram),
            budget_seconds: Family::new_with_constructor(waits as fn() -> Histogram),
            watch_restarts: Family::default(),
            objects: Gauge::default(),
            events_folded: Counter::default(),
        };
        registry.register("windlass_kube_requests", "Requests to the API server", metrics.requests.clone());
        registry.register("windlass_writes", "Writes by kind and result", metrics.writes.clone());
        registry.register("windlass_writes_queued", "Writes that wait, by lane", metrics.queued.clone());
        registry.register("windlass_write_queue_seconds", "Time a write waited", metrics.queue_seconds.clone());
        registry.register("windlass_kube_budget_seconds", "Time waited for the budget", metrics.budget_seconds.clone());
        registry.register("windlass_watch_restarts", "Failures of watches", metrics.watch_restarts.clone());
        registry.register("windlass_scaled_objects", "ScaledObjects that are known", metrics.objects.clone());
        registry.register("windlass_events_folded", "Events not told again", metrics.events_folded.clone());
        metrics
    }

    pub(crate) fn request(&self, verb: &'static str, resource: String, code: u16) {
        self.requests.get_or_create(&RequestLabel { verb, resource, code }).inc();
    }

    pub(crate) fn waited(&self, class: Class, time: Duration) {
        self.budget_seconds.get_or_create(&ClassLabel { class: class.as_label() }).observe(time.as_secs_f64());
    }

    pub(crate) fn left_queue(&self, class: Class, time: Duration) {
        self.queue_seconds.get_or_create(&ClassLabel { class: class.as_label() }).observe(time.as_secs_f64());
    }

    pub(crate) fn queue_length(&self, class: Class, length: usize) {
        let length = i64::try_from(length).unwrap_or(i64::MAX);
        self.queued.get_or_create(&ClassLabel { class: class.as_label() }).set(length);
    }

    pub(crate) fn restarted(&self, resource: &str) {
        self.watch_restarts.get_or_create(&WatchLabel { resource: resource.to_owned() }).inc();
    }

    pub(crate) fn write_ended(&self, kind: WriteKind, result: &WriteResult) {
        let kind = match kind {
            WriteKind::Scale => "scale",
            WriteKind::Hpa => "hpa",
            WriteKind::Meta => "meta",
            WriteKind::Status => "status",
            WriteKind::Event => "event",
        };
        let result = match result {
            WriteResult::Done(_) => "done",
            WriteResult::Conflict => "conflict",
            WriteResult::Gone => "gone",
            WriteResult::Failed(_) => "failed",
            WriteResult::Dropped => "dropped",
        };
        self.writes.get_or_create(&WriteLabel { kind, result }).inc();
    }
}
