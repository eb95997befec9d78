//! Kubernetes events: told once. The same said about the same object within ten minutes is counted, not sent.
use crate::client::{Client, Path};
use crate::error::{Error, cut};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::collections::{HashMap, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;
use windlass_core::{Reason, Text, WorkloadKey, WorkloadKind};

/// For how long the same is not said again.
const QUIET: Duration = Duration::from_secs(600);
/// How much is remembered as said.
const MEMORY: usize = 8192;
/// The API server's limit for a note, in bytes.
const NOTE: usize = 1024;

/// Who reports events.
pub(crate) const REPORTER: &str = "windlass-operator";

/// Tells events.
pub(crate) struct Events {
    /// Name of this process, for instance of its pod.
    instance: String,
    said: Mutex<Said>,
    number: AtomicU64,
    /// Makes names of this process' events differ from those of the one before.
    start: i64,
}

#[derive(Default)]
struct Said {
    when: HashMap<u64, Instant>,
    order: VecDeque<(Instant, u64)>,
}

impl Said {
    /// Whether this is new; remembers it.
    fn is_new(&mut self, what: u64) -> bool {
        let now = Instant::now();
        while let Some((when, oldest)) = self.order.front().copied() {
            if now.duration_since(when) < QUIET && self.order.len() < MEMORY {
                break;
            }
            self.order.pop_front();
            if self.when.get(&oldest) == Some(&when) {
                self.when.remove(&oldest);
            }
        }
        if self.when.contains_key(&what) {
            return false;
        }
        self.when.insert(what, now);
        self.order.push_back((now, what));
        true
    }

    fn forget(&mut self, what: u64) {
        self.when.remove(&what);
    }
}

impl Events {
    pub(crate) fn new(instance: &str) -> Events {
        Events {
            instance: cut(instance, 128).to_owned(),
            said: Mutex::default(),
            number: AtomicU64::new(0),
            start: Timestamp::now().as_microsecond(),
        }
    }

    /// Tells an event, unless it was told a short while ago. `Ok(false)`: it was.
    pub(crate) async fn tell(
        &self,
        client: &Client,
        key: &WorkloadKey,
        uid: &str,
        reason: Reason,
        text: &Text,
    ) -> Result<bool, Error> {
        let mut hasher = DefaultHasher::new();
        (key, uid, reason, text).hash(&mut hasher);
        let what = hasher.finish();
        if !self.said.lock().unwrap_or_else(PoisonError::into_inner).is_new(what) {
            return Ok(false);
        }
        log(key, reason, text);
        let number = self.number.fetch_add(1, Ordering::Relaxed);
        let name = format!("{}.{:x}{number:04x}", cut(&key.name, 220), self.start);
        let path = Path::new("events.k8s.io", "v1", &key.namespace, "events");
        let event = self.event(&name, key, uid, reason, text);
        let request = kube::core::Request::new(path.as_str())
            .create(&Default::default(), crate::client::body(&event)?)
            .map_err(crate::client::request_error)?;
        match client.send_paid(request).await {
            Ok(_) => Ok(true),
            Err(error) => {
                self.said.lock().unwrap_or_else(PoisonError::into_inner).forget(what);
                Err(error)
            }
        }
    }

    fn event(&self, name: &str, key: &WorkloadKey, uid: &str, reason: Reason, text: &Text) -> Value {
        let kind = match key.kind {
            WorkloadKind::ScaledObject => "ScaledObject",
            WorkloadKind::ScaledJob => "ScaledJob",
        };
        json!({
            "apiVersion": "events.k8s.io/v1",
            "kind": "Event",
            "metadata": { "name": name, "namespace": &*key.namespace },
            "eventTime": format!("{:.6}", Timestamp::now()),
            "type": if reason.is_warning() { "Warning" } else { "Normal" },
            "reason": reason.as_str(),
            "action": reason.as_str(),
            "note": cut(text, NOTE),
            "reportingController": REPORTER,
            "reportingInstance": self.instance,
            "regarding": {
                "apiVersion": "keda.sh/v1alpha1",
                "kind": kind,
                "namespace": &*key.namespace,
                "name": &*key.name,
                "uid": uid,
            },
        })
    }
}

/// The same for those who read logs.
fn log(key: &WorkloadKey, reason: Reason, text: &Text) {
    let (namespace, name, reason, warning) = (&*key.namespace, &*key.name, reason.as_str(), reason.is_warning());
    match warning {
        true => tracing::warn!(namespace, name, reason, "{text}"),
        false => tracing::info!(namespace, name, reason, "{text}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_same_is_said_again_only_after_a_while() {
        let mut said = Said::default();
        assert!(said.is_new(1));
        assert!(!said.is_new(1));
        assert!(said.is_new(2));
        tokio::time::advance(QUIET).await;
        assert!(said.is_new(1));
        assert!(!said.is_new(1));
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_remembered_is_bounded() {
        let mut said = Said::default();
        for what in 0..(MEMORY as u64 * 3) {
            assert!(said.is_new(what));
        }
        assert!(said.order.len() <= MEMORY && said.when.len() <= MEMORY);
    }
}
