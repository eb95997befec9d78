//! What the host tells of itself.
use crate::Limit;
use crate::budget::SourceMetrics;
use crate::traffic::Traffic;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;
use windlass_core::FailureKind;

/// How a call or request ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct ResultLabel {
    /// From a small closed list.
    pub(crate) result: &'static str,
}

/// Which limit was hit.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct LimitLabel {
    /// From the closed list.
    limit: &'static str,
}

/// Metrics of the host.
#[derive(Clone, Debug)]
pub struct Metrics {
    calls: Family<ResultLabel, Counter>,
    requests: Family<ResultLabel, Counter>,
    limit_hits: Family<LimitLabel, Counter>,
    pub(crate) sources: SourceMetrics,
    pub(crate) traffic: Traffic,
}

impl Metrics {
    /// Registers them.
    pub fn new(registry: &mut Registry) -> Metrics {
        let sources = SourceMetrics::new(registry);
        let traffic = Traffic::new(registry);
        let limit_hits = Family::default();
        let metrics = Metrics { calls: Family::default(), requests: Family::default(), limit_hits, sources, traffic };
        // All of them from the start: an alert on a rate needs the zero before the first one.
        for limit in Limit::ALL {
            let _ = metrics.limit_hits.get_or_create(&LimitLabel { limit: limit.as_label() });
        }
        let (name, help) =
            ("windlass_guest_limit_hits", "Calls and compilations of components that hit a limit, by limit");
        registry.register(name, help, metrics.limit_hits.clone());
        registry.register("windlass_guest_calls", "Polls by components, by end", metrics.calls.clone());
        registry.register("windlass_source_requests", "HTTP requests to sources, by result", metrics.requests.clone());
        metrics
    }

    pub(crate) fn call(&self, well: bool) {
        let result = if well { "ended" } else { "failed" };
        if !well {
            self.traffic.failed_calls.inc();
        }
        self.calls.get_or_create(&ResultLabel { result }).inc();
    }

    pub(crate) fn hit(&self, limit: Limit) {
        self.limit_hits.get_or_create(&LimitLabel { limit: limit.as_label() }).inc();
    }

    pub(crate) fn http(&self, result: Result<u16, FailureKind>) {
        self.traffic.requests.inc();
        let result = match result {
            Ok(100..=199) => "1xx",
            Ok(200..=299) => "2xx",
            Ok(300..=399) => "3xx",
            Ok(400..=499) => "4xx",
            Ok(_) => "5xx",
            Err(kind) => kind.as_label(),
        };
        self.requests.get_or_create(&ResultLabel { result }).inc();
    }
}
