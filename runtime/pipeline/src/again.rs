//! Objects that are to be prepared again because what serves them has changed: told from anywhere, taken by the stage.
use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Notify;
use windlass_core::{Text, WorkloadKey};

/// Which objects are to be prepared again. What is told before it is taken is taken once.
#[derive(Clone, Debug, Default)]
pub struct Again(Arc<Waiting>);

#[derive(Debug, Default)]
struct Waiting {
    which: Mutex<Which>,
    told: Notify,
}

/// Some of the objects.
#[derive(Debug, Default)]
pub(crate) struct Which {
    all: bool,
    namespaces: HashSet<Text>,
    objects: HashSet<WorkloadKey>,
}

impl Again {
    /// All.
    pub fn all(&self) {
        self.tell(|which| *which = Which { all: true, ..Which::default() });
    }

    /// Those of a namespace.
    pub fn namespace(&self, namespace: Text) {
        self.tell(|which| _ = which.namespaces.insert(namespace));
    }

    /// These.
    pub fn objects(&self, keys: impl IntoIterator<Item = WorkloadKey>) {
        self.tell(|which| which.objects.extend(keys));
    }

    /// What was told since the last time, as soon as there is anything.
    pub(crate) async fn next(&self) -> Which {
        loop {
            let which = std::mem::take(&mut *self.0.which.lock().unwrap_or_else(PoisonError::into_inner));
            if which.all || !which.namespaces.is_empty() || !which.objects.is_empty() {
                return which;
            }
            self.0.told.notified().await;
        }
    }

    fn tell(&self, add: impl FnOnce(&mut Which)) {
        let mut which = self.0.which.lock().unwrap_or_else(PoisonError::into_inner);
        if !which.all {
            add(&mut which);
            self.0.told.notify_one();
        }
    }
}

impl Which {
    /// Whether it is one of them.
    pub(crate) fn holds(&self, key: &WorkloadKey) -> bool {
        self.all || self.namespaces.contains(&key.namespace) || self.objects.contains(key)
    }

    /// These objects alone.
    pub(crate) fn named(&self) -> Option<&HashSet<WorkloadKey>> {
        (!self.all && self.namespaces.is_empty()).then_some(&self.objects)
    }
}
