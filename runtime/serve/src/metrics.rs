//! What the read path tells Prometheus about itself.
use crate::route::Class;
use http::StatusCode;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use std::time::Duration;
use windlass_core::Reason;

/// Metrics of the external metrics API. Cheap to clone: all clones count together.
#[derive(Clone, Debug)]
pub struct Metrics {
    requests: Family<RequestLabels, Counter>,
    read_seconds: Histogram,
    gap_seconds: Histogram,
    age_seconds: Histogram,
    reads: Family<ReadLabels, Counter>,
    connections: Gauge,
    accepted: Family<ResultLabels, Counter>,
    reviews: Family<ResultLabels, Counter>,
    review_seconds: Histogram,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    kind: &'static str,
    code: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReadLabels {
    result: &'static str,
    reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ResultLabels {
    result: &'static str,
}

/// How a read of the board ended.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ReadResult {
    Value,
    NoValue(Reason),
    NotOurs,
    /// Before the first full sync nobody can tell what is ours.
    NotReady,
}

/// How a connection began.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Accepted {
    Served,
    /// There are as many as may be.
    Refused,
    HandshakeFailed,
}

/// How an access review ended.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Reviewed {
    Allowed,
    Denied,
    Failed,
}

impl Metrics {
    /// Registers the metrics; their names start with `windlass_`, whatever the registry's prefix.
    pub fn new(registry: &mut Registry) -> Metrics {
        let metrics = Metrics {
            requests: Family::default(),
            // 10 µs to 1.3 s: memory answers at the lower end, a first access review at the upper.
            read_seconds: Histogram::new([
                1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0,
            ]),
            // Around the HPA controller's 15 s, and far beyond, since that is where it is the bottleneck.
            gap_seconds: Histogram::new([1.0, 5.0, 10.0, 14.0, 16.0, 20.0, 30.0, 45.0, 60.0, 120.0, 300.0, 600.0]),
            age_seconds: Histogram::new([0.1, 0.5, 1.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0]),
            reads: Family::default(),
            connections: Gauge::default(),
            accepted: Family::default(),
            reviews: Family::default(),
            review_seconds: Histogram::new([0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0]),
        };
        registry.register(
            "windlass_external_metrics_requests",
            "Requests to the external metrics API, by what was asked and the status code",
            metrics.requests.clone(),
        );
        registry.register(
            "windlass_external_metrics_read_duration_seconds",
            "From the arrival of a metric read to its answer",
            metrics.read_seconds.clone(),
        );
        registry.register(
            "windlass_external_metrics_read_gap_seconds",
            "Between two reads of the same metric: the period of the HPA controller itself",
            metrics.gap_seconds.clone(),
        );
        registry.register(
            "windlass_external_metrics_age_seconds",
            "Age of a value when it was served",
            metrics.age_seconds.clone(),
        );
        registry.register(
            "windlass_external_metrics_reads",
            "Reads of the board by how they ended",
            metrics.reads.clone(),
        );
        registry.register(
            "windlass_external_metrics_connections",
            "Open connections to the external metrics API",
            metrics.connections.clone(),
        );
        registry.register(
            "windlass_external_metrics_connections_accepted",
            "Connections to the external metrics API by how they began",
            metrics.accepted.clone(),
        );
        registry.register(
            "windlass_access_reviews",
            "Access reviews asked of the API server, by their result",
            metrics.reviews.clone(),
        );
        registry.register(
            "windlass_access_review_duration_seconds",
            "How long the API server took for an access review",
            metrics.review_seconds.clone(),
        );
        metrics
    }

    pub(crate) fn request(&self, class: Class, code: StatusCode, took: Duration) {
        self.requests.get_or_create(&RequestLabels { kind: class.as_label(), code: code.as_u16() }).inc();
        if class == Class::Metric {
            self.read_seconds.observe(took.as_secs_f64());
        }
    }

    pub(crate) fn read(&self, result: ReadResult) {
        let (result, reason) = match result {
            ReadResult::Value => ("value", ""),
            ReadResult::NoValue(reason) => ("no-value", reason.as_str()),
            ReadResult::NotOurs => ("not-ours", ""),
            ReadResult::NotReady => ("not-ready", ""),
        };
        self.reads.get_or_create(&ReadLabels { result, reason }).inc();
    }

    pub(crate) fn gap(&self, gap_ms: u64) {
        self.gap_seconds.observe(Duration::from_millis(gap_ms).as_secs_f64());
    }

    pub(crate) fn age(&self, age: Duration) {
        self.age_seconds.observe(age.as_secs_f64());
    }

    pub(crate) fn accepted(&self, accepted: Accepted) {
        let result = match accepted {
            Accepted::Served => "served",
            Accepted::Refused => "refused",
            Accepted::HandshakeFailed => "handshake-failed",
        };
        self.accepted.get_or_create(&ResultLabels { result }).inc();
    }

    /// Counts a connection until the returned value is dropped.
    pub(crate) fn open(&self) -> Open {
        self.connections.inc();
        Open(self.connections.clone())
    }

    pub(crate) fn reviewed(&self, reviewed: Reviewed, took: Duration) {
        let result = match reviewed {
            Reviewed::Allowed => "allowed",
            Reviewed::Denied => "denied",
            Reviewed::Failed => "failed",
        };
        self.reviews.get_or_create(&ResultLabels { result }).inc();
        self.review_seconds.observe(took.as_secs_f64());
    }
}

/// An open connection.
#[derive(Debug)]
pub(crate) struct Open(Gauge);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.dec();
    }
}
