//! What budgets tell: per source, for a bounded number of sources; the rest is told together as `other`. Sources of equal host
//! and port are one label, whatever their credentials.
use super::refusal::Refusal;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Sources with a label of their own.
const MOST_LABELS: usize = 200;
/// The label of all others.
const OTHER: &str = "other";

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SourceLabel {
    source: String,
}

type Waits = Family<SourceLabel, Histogram, fn() -> Histogram>;

/// Few buckets, since there are many sources: at once, soon, and beyond what polls can wait.
fn waits() -> Histogram {
    Histogram::new([0.001, 0.01, 0.1, 1.0, 5.0])
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RefusedLabel {
    source: String,
    /// From a small closed list.
    reason: &'static str,
}

/// Metrics of all sources.
#[derive(Clone, Debug)]
pub(crate) struct SourceMetrics {
    used: Family<SourceLabel, Counter>,
    waited: Family<SourceLabel, Counter>,
    wait_seconds: Waits,
    shared: Family<SourceLabel, Counter>,
    refused: Family<RefusedLabel, Counter>,
    waiting: Family<SourceLabel, Gauge>,
    in_flight: Family<SourceLabel, Gauge>,
    connections: Family<SourceLabel, Gauge>,
    breakers: Family<SourceLabel, Gauge>,
    /// How many sources use a label, and the reasons under which each was refused.
    labels: Arc<Mutex<HashMap<String, Used>>>,
}

#[derive(Debug, Default)]
struct Used {
    sources: usize,
    reasons: Vec<&'static str>,
}

impl SourceMetrics {
    /// Registers them.
    pub(crate) fn new(registry: &mut Registry) -> SourceMetrics {
        let new = SourceMetrics {
            used: Family::default(),
            waited: Family::default(),
            wait_seconds: Family::new_with_constructor(waits as fn() -> Histogram),
            shared: Family::default(),
            refused: Family::default(),
            waiting: Family::default(),
            in_flight: Family::default(),
            connections: Family::default(),
            breakers: Family::default(),
            labels: Arc::default(),
        };
        let mut counter = |name: &str, help: &str, family: &Family<SourceLabel, Counter>| {
            registry.register(name, help, family.clone());
        };
        counter("windlass_source_used", "Requests and connections that were taken from a source's budget", &new.used);
        counter("windlass_source_waited", "Of these, those that had to wait for it", &new.waited);
        counter("windlass_source_shared", "Requests that were answered by another's equal request", &new.shared);
        let help = "How long requests that were let go had waited for a source's budget. Seconds: the source gets less than its \
                    triggers ask; raise --source-rate or --source-in-flight if it can bear more, or poll it less often";
        registry.register("windlass_source_wait_seconds", help, new.wait_seconds.clone());
        let help = "Requests that a source's budget refused, by reason. Growing: what waits is more than fits; see \
                    windlass_source_wait_seconds, or for reason breaker the source itself";
        registry.register("windlass_source_refused", help, new.refused.clone());
        let mut gauge = |name: &str, help: &str, family: &Family<SourceLabel, Gauge>| {
            registry.register(name, help, family.clone());
        };
        gauge("windlass_source_waiting", "Requests that wait for a source's budget", &new.waiting);
        gauge("windlass_source_in_flight", "Requests in flight to a source", &new.in_flight);
        gauge("windlass_source_connections", "Open connections to a source", &new.connections);
        gauge(
            "windlass_source_breakers_open",
            "Open breakers of a source: its own, and one per namespace whose requests fail",
            &new.breakers,
        );
        new
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Used>> {
        self.labels.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The series of one source. They go with the last source of their label.
    pub(super) fn series(&self, name: &str) -> Series {
        let mut labels = self.lock();
        let known = labels.contains_key(name) || labels.len() < MOST_LABELS;
        let source = if known { name } else { OTHER }.to_owned();
        if known {
            labels.entry(source.clone()).or_default().sources += 1;
        }
        let label = SourceLabel { source };
        Series {
            used: self.used.get_or_create_owned(&label),
            waited: self.waited.get_or_create_owned(&label),
            wait_seconds: self.wait_seconds.get_or_create_owned(&label),
            shared: self.shared.get_or_create_owned(&label),
            waiting: self.waiting.get_or_create_owned(&label),
            in_flight: self.in_flight.get_or_create_owned(&label),
            connections: self.connections.get_or_create_owned(&label),
            breakers: self.breakers.get_or_create_owned(&label),
            label,
            all: self.clone(),
        }
    }

    fn forget(&self, label: &SourceLabel) {
        let mut labels = self.lock();
        let Some(used) = labels.get_mut(&label.source) else { return };
        used.sources -= 1;
        if used.sources > 0 {
            return;
        }
        for counters in [&self.used, &self.waited, &self.shared] {
            counters.remove(label);
        }
        self.wait_seconds.remove(label);
        for gauges in [&self.waiting, &self.in_flight, &self.connections, &self.breakers] {
            gauges.remove(label);
        }
        for reason in std::mem::take(&mut used.reasons) {
            self.refused.remove(&RefusedLabel { source: label.source.clone(), reason });
        }
        labels.remove(&label.source);
    }
}

/// The series of one source.
#[derive(Debug)]
pub(super) struct Series {
    pub(super) used: Counter,
    pub(super) waited: Counter,
    pub(super) wait_seconds: Histogram,
    pub(super) shared: Counter,
    pub(super) waiting: Gauge,
    pub(super) in_flight: Gauge,
    pub(super) connections: Gauge,
    pub(super) breakers: Gauge,
    label: SourceLabel,
    all: SourceMetrics,
}

impl Series {
    pub(super) fn refused(&self, refusal: Refusal) {
        let reason = refusal.as_label();
        if let Some(used) = self.all.lock().get_mut(&self.label.source)
            && !used.reasons.contains(&reason)
        {
            used.reasons.push(reason);
        }
        self.all.refused.get_or_create(&RefusedLabel { source: self.label.source.clone(), reason }).inc();
    }
}

impl Drop for Series {
    fn drop(&mut self) {
        self.all.forget(&self.label);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(registry: &Registry) -> String {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, registry).unwrap();
        text
    }

    #[test]
    fn the_number_of_labels_is_bounded_and_labels_go_with_their_sources() {
        let mut registry = Registry::default();
        let metrics = SourceMetrics::new(&mut registry);
        let mut all: Vec<Series> = (0..500).map(|i| metrics.series(&format!("host-{i}:80"))).collect();
        all.push(metrics.series("host-0:80"));
        for series in &all {
            series.used.inc();
            series.refused(Refusal::Rate);
        }
        let told = text(&registry);
        let count = |told: &str| told.matches("windlass_source_used_total{").count();
        assert_eq!(count(&told), MOST_LABELS + 1);
        assert!(told.contains("windlass_source_used_total{source=\"host-0:80\"} 2\n"), "{told}");
        assert!(told.contains("windlass_source_used_total{source=\"other\"} 300\n"));
        assert!(told.contains("windlass_source_refused_total{source=\"other\",reason=\"rate\"} 300\n"));
        drop(all.remove(0));
        assert!(text(&registry).contains("source=\"host-0:80\""), "another one has the label");
        all.clear();
        assert_eq!(count(&text(&registry)), 1, "only what was told together stays");
        assert_eq!(text(&registry).matches("windlass_source_refused_total{").count(), 1);
        metrics.series("late:80").used.inc();
    }
}
