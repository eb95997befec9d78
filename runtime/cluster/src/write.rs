//! Writes as the API server gets them. One request each; retries are the core's.
use crate::client::{Client, Path, body, merge_request, request_error, version_of};
use crate::error::Error;
use crate::event::Events;
use crate::lane::Sender;
use futures::future::BoxFuture;
use http::Request;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use windlass_api::annotation::{FINALIZER, OWNER_LABEL};
use windlass_core::write::{HpaOp, HpaShape, Write, WriteResult};
use windlass_core::{TargetRef, WorkloadKey, WorkloadKind};

/// Finalizers of others, by object: a merge patch replaces the whole list, so theirs have to be in it. Only objects that
/// have any are here.
#[derive(Clone, Default)]
pub(crate) struct Strangers {
    by_key: Arc<Mutex<HashMap<WorkloadKey, Vec<String>>>>,
}

impl Strangers {
    pub(crate) fn set(&self, key: WorkloadKey, names: Vec<String>) {
        let mut all = self.by_key.lock().unwrap_or_else(PoisonError::into_inner);
        if names.is_empty() {
            all.remove(&key);
        } else {
            all.insert(key, names);
        }
    }

    fn of(&self, key: &WorkloadKey) -> Vec<String> {
        self.by_key.lock().unwrap_or_else(PoisonError::into_inner).get(key).cloned().unwrap_or_default()
    }
}

/// Sends writes.
pub(crate) struct Writes {
    pub(crate) client: Client,
    pub(crate) events: Events,
    pub(crate) strangers: Strangers,
}

impl Sender for Writes {
    fn send(&self, write: Write) -> BoxFuture<'_, WriteResult> {
        Box::pin(async move {
            let request = match &write {
                Write::Scale { key, target, to, if_version, .. } => scale(key, target, *to, if_version),
                Write::Hpa { key, uid, op } => hpa(key, uid, op),
                Write::Meta { key, finalizer, label, if_version } => {
                    meta(key, *finalizer, *label, if_version, self.strangers.of(key))
                }
                Write::Status { key, wanted, stored, if_version } => {
                    match windlass_api::status_patch(wanted, stored) {
                        Some(patch) => status(key, patch, if_version),
                        // Stored already.
                        None => return WriteResult::Done(None),
                    }
                }
                Write::Event { key, uid, reason, text } => {
                    return match self.events.tell(&self.client, key, uid, *reason, text).await {
                        Ok(true) => WriteResult::Done(None),
                        Ok(false) => {
                            self.client.metrics.events_folded.inc();
                            WriteResult::Dropped
                        }
                        Err(error) => ended(&write, Err(error)),
                    };
                }
            };
            let answer = match request {
                Ok(request) => self.client.send_paid(request).await,
                Err(error) => Err(error),
            };
            ended(&write, answer)
        })
    }
}

/// How a write ended, in the core's words.
fn ended(write: &Write, answer: Result<String, Error>) -> WriteResult {
    let error = match answer {
        Ok(text) => {
            // What was deleted has no version any more.
            let deleted = matches!(write, Write::Hpa { op: HpaOp::Delete { .. }, .. });
            return WriteResult::Done(if deleted { None } else { version_of(&text).map(Into::into) });
        }
        Err(error) => error,
    };
    match error {
        Error::NotFound if matches!(write, Write::Hpa { op: HpaOp::Delete { .. }, .. }) => WriteResult::Done(None),
        // Of a create: the namespace is gone, and the object with it.
        Error::NotFound => WriteResult::Gone,
        Error::Conflict | Error::Exists => WriteResult::Conflict,
        error => {
            tracing::warn!(object = %write.key(), kind = ?write.kind(), %error, "write failed");
            WriteResult::Failed(error.to_string().into())
        }
    }
}

fn scale(key: &WorkloadKey, target: &TargetRef, to: u32, if_version: &str) -> Result<Request<Vec<u8>>, Error> {
    let path = Path::new(&target.group, &target.version, &key.namespace, &target.resource);
    // The resource version of a scale is that of its parent.
    let patch = json!({ "metadata": { "resourceVersion": if_version }, "spec": { "replicas": to } });
    merge_request(&path, &target.name, Some("scale"), &patch)
}

fn hpa(key: &WorkloadKey, uid: &str, op: &HpaOp) -> Result<Request<Vec<u8>>, Error> {
    let path = Path::new("autoscaling", "v2", &key.namespace, "horizontalpodautoscalers");
    let request = kube::core::Request::new(path.as_str());
    let object = |shape: &HpaShape, version: Option<&str>| -> Result<Vec<u8>, Error> {
        let hpa = windlass_api::hpa::to_kubernetes(key, uid, shape, version);
        body(&serde_json::to_value(hpa).map_err(|_| Error::Unreadable("HPA"))?)
    };
    match op {
        HpaOp::Create(shape) => request.create(&Default::default(), object(shape, None)?),
        HpaOp::Update { shape, version } => {
            request.replace(&shape.name, &Default::default(), object(shape, Some(version))?)
        }
        HpaOp::Delete { name } => request.delete(name, &Default::default()),
    }
    .map_err(request_error)
}

fn meta(
    key: &WorkloadKey,
    finalizer: bool,
    label: bool,
    if_version: &str,
    mut finalizers: Vec<String>,
) -> Result<Request<Vec<u8>>, Error> {
    if finalizer {
        finalizers.push(FINALIZER.to_owned());
    }
    let mut metadata = json!({ "resourceVersion": if_version, "finalizers": finalizers });
    if label {
        metadata["labels"] = json!({ OWNER_LABEL: &*key.name });
    }
    merge_request(&record_path(key), &key.name, None, &json!({ "metadata": metadata }))
}

fn status(key: &WorkloadKey, mut patch: Value, if_version: &str) -> Result<Request<Vec<u8>>, Error> {
    patch["metadata"] = json!({ "resourceVersion": if_version });
    merge_request(&record_path(key), &key.name, Some("status"), &patch)
}

fn record_path(key: &WorkloadKey) -> Path {
    let resource = match key.kind {
        WorkloadKind::ScaledObject => "scaledobjects",
        WorkloadKind::ScaledJob => "scaledjobs",
    };
    Path::new("keda.sh", "v1alpha1", &key.namespace, resource)
}
