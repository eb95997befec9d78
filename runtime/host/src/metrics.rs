//! What the host tells of itself.
use crate::Limit;
use crate::budget::SourceMetrics;
use crate::traffic::Traffic;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;
use std::time::Duration;
use windlass_core::label::Labels;
use windlass_core::{FailureKind, Text};

/// Components with a label of their own.
const COMPONENTS: usize = 100;

/// How a call or request ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct ResultLabel {
    /// From a small closed list.
    pub(crate) result: &'static str,
}

/// How a component's call ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CallLabel {
    component: Text,
    /// `ended` or `failed`.
    result: &'static str,
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
    calls: Family<CallLabel, Counter>,
    components: Labels,
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
        let components = Labels::new(COMPONENTS);
        let (calls, requests) = (Family::default(), Family::default());
        let metrics = Metrics { calls, components, requests, limit_hits, sources, traffic };
        // All of them from the start: an alert on a rate needs the zero before the first one.
        for limit in Limit::ALL {
            let _ = metrics.limit_hits.get_or_create(&LimitLabel { limit: limit.as_label() });
        }
        registry.register(
            "windlass_guest_limit_hits",
            "Calls and compilations of components that hit a limit, by limit. The messages of failed queries name the \
             component, the limit's value and the flag that raises it",
            metrics.limit_hits.clone(),
        );
        registry.register(
            "windlass_guest_calls",
            "Batches that components were asked, by component and by how the call ended. failed: a trap, a limit or lateness; \
             the log has the reason",
            metrics.calls.clone(),
        );
        registry.register(
            "windlass_source_requests",
            "HTTP requests to sources, by class of status or kind of failure, those included that another's answer served",
            metrics.requests.clone(),
        );
        metrics
    }

    /// A component's call took so much CPU time; `None`: what it is called is not known yet.
    pub(crate) fn cpu(&self, component: Option<&str>, spent: Duration) {
        self.traffic.cpu(self.components.of(component.unwrap_or(Labels::OTHER)), spent);
    }

    pub(crate) fn call(&self, component: &str, well: bool) {
        let result = if well { "ended" } else { "failed" };
        if !well {
            self.traffic.failed_calls.inc();
        }
        let component = self.components.of(component);
        self.calls.get_or_create(&CallLabel { component, result }).inc();
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
