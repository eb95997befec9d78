//! Quarantines as metrics: what is put aside since components break down of it.
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use std::sync::{Arc, Mutex, PoisonError};
use windlass_core::quarantine::{Census, Scope};

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ScopeLabel {
    scope: &'static str,
}

/// Metrics of quarantines, by scope: `query`, `namespace` (a component in one), `component` (in all).
#[derive(Clone, Debug, Default)]
pub(crate) struct Quarantines {
    held: Family<ScopeLabel, Gauge>,
    entered: Family<ScopeLabel, Counter>,
    left: Family<ScopeLabel, Counter>,
    probes: Family<ScopeLabel, Counter>,
    /// What was shown last: counters go by the difference.
    shown: Arc<Mutex<Census>>,
}

impl Quarantines {
    /// Registers them, all from the start: an alert on a rate needs the zero before the first one.
    pub(crate) fn new(registry: &mut Registry) -> Quarantines {
        let new = Quarantines::default();
        registry.register(
            "windlass_quarantined",
            "Queries and components that are put aside now, by scope",
            new.held.clone(),
        );
        registry.register("windlass_quarantines_entered", "Quarantines that began, by scope", new.entered.clone());
        registry.register("windlass_quarantines_left", "Quarantines that ended, by scope", new.left.clone());
        registry.register(
            "windlass_quarantine_probes",
            "Polls of what is put aside, to see whether it works again, by scope",
            new.probes.clone(),
        );
        for scope in Scope::ALL {
            new.show_one(scope, &Census::default(), &Census::default());
        }
        new
    }

    /// Shows how many there are now.
    pub(crate) fn show(&self, census: Census) {
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        if *shown == census {
            return;
        }
        for scope in Scope::ALL {
            self.show_one(scope, &shown, &census);
        }
        *shown = census;
    }

    fn show_one(&self, scope: Scope, before: &Census, now: &Census) {
        let label = ScopeLabel { scope: scope.as_label() };
        let (before, now) = (before.of(scope), now.of(scope));
        self.held.get_or_create(&label).set(i64::try_from(now.held).unwrap_or(i64::MAX));
        self.entered.get_or_create(&label).inc_by(now.entered.saturating_sub(before.entered));
        self.left.get_or_create(&label).inc_by(now.left.saturating_sub(before.left));
        self.probes.get_or_create(&label).inc_by(now.probes.saturating_sub(before.probes));
    }
}
