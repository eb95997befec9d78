//! The metrics of KEDA's operator, by KEDA's names and labels, so that dashboards and alerts go on through a migration. They have
//! a series for each object and trigger, as KEDA's have, and so can be switched off.
//!
//! What the core tells of an object is kept as it was told and made into text only when somebody scrapes. Counters are added up
//! here, since the core counts by query and queries come and go; they live as long as their object.
mod encode;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use windlass_core::WorkloadKey;
use windlass_core::fact::{ObjectFacts, TriggerFacts};

/// Objects of other kinds, by KEDA's word for the kind and by namespace: asked at each scrape, and must answer at once.
pub type Registered = Box<dyn Fn() -> BTreeMap<(&'static str, String), u64> + Send + Sync>;

/// What is known of all objects. Clones share it.
#[derive(Clone, Default)]
pub struct Keda {
    objects: Arc<Mutex<HashMap<WorkloadKey, Arc<Series>>>>,
    registered: Option<Arc<Registered>>,
}

impl std::fmt::Debug for Keda {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keda").finish_non_exhaustive()
    }
}

/// One object.
#[derive(Clone, Debug)]
struct Series {
    facts: ObjectFacts,
    /// Failed polls of its triggers, and how often it turned out that it cannot be served.
    errors: u64,
    /// Failed polls by trigger, in the order of the facts.
    trigger_errors: Vec<u64>,
}

impl Series {
    /// The next state of an object; its counters go on.
    fn next(before: Option<&Series>, facts: ObjectFacts) -> Series {
        let mut errors = before.map_or(0, |before| before.errors);
        if facts.fault.is_some() && facts.fault != before.and_then(|before| before.facts.fault) {
            errors += 1;
        }
        let mut trigger_errors = Vec::with_capacity(facts.triggers.len());
        for trigger in &facts.triggers {
            let (known, total) = before.and_then(|before| before.of(trigger)).unwrap_or((0, 0));
            // Fewer than before: another query.
            let new = trigger.failures.checked_sub(known).unwrap_or(trigger.failures);
            errors += new;
            trigger_errors.push(total + new);
        }
        Series { facts, errors, trigger_errors }
    }

    /// What a trigger's query had counted, and its total.
    fn of(&self, trigger: &TriggerFacts) -> Option<(u64, u64)> {
        let mut all = self.facts.triggers.iter().zip(&self.trigger_errors);
        let (known, total) = all.find(|(known, _)| known.index == trigger.index && known.kind == trigger.kind)?;
        Some((known.failures, *total))
    }
}

impl Keda {
    /// Nothing is known yet.
    pub fn new(registered: Option<Registered>) -> Keda {
        Keda { objects: Arc::default(), registered: registered.map(Arc::new) }
    }

    pub(crate) fn take(&self, facts: ObjectFacts) {
        let mut objects = self.objects.lock().unwrap_or_else(PoisonError::into_inner);
        let key = facts.key.clone();
        let next = Series::next(objects.get(&key).map(Arc::as_ref), facts);
        objects.insert(key, Arc::new(next));
    }

    pub(crate) fn forget(&self, key: &WorkloadKey) {
        self.objects.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }

    /// All objects as they are now: the lock is held for copies of pointers alone, since the core's task waits for it.
    fn snapshot(&self) -> Vec<Arc<Series>> {
        self.objects.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }
}

#[cfg(test)]
mod tests;
