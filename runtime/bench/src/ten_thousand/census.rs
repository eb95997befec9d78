//! What is known of all ScaledObjects and Deployments, by one watch each: lists of ten thousand would be a load of their own.
use crate::load::scaled_objects;
use futures::StreamExt;
use k8s_openapi::api::apps::v1::Deployment;
use kube::api::{Api, DynamicObject};
use kube::runtime::watcher::{Config, Event, watcher};
use kube::{Client, ResourceExt};
use serde_json::Value;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// What is kept of a ScaledObject.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    pub(super) namespace: String,
    /// Status of the condition Ready: `True`, `False`, `Unknown`, or empty.
    pub(super) ready: String,
    /// Names of its external metrics.
    pub(super) metrics: Vec<String>,
}

/// The watches and what they have told.
#[derive(Clone, Default)]
pub(super) struct Census {
    objects: Arc<Mutex<HashMap<String, Seen>>>,
    /// Replicas of Deployments, and when they were last changed.
    replicas: Arc<Mutex<HashMap<String, (i32, Instant)>>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Census {
    /// Starts the watches. They end with the runtime.
    pub(super) fn start(client: &Client) -> Census {
        let census = Census::default();
        tokio::spawn(census.clone().watch_objects(scaled_objects(client, None)));
        tokio::spawn(census.clone().watch_deployments(Api::all(client.clone())));
        census
    }

    async fn watch_objects(self, objects: Api<DynamicObject>) {
        let mut events = std::pin::pin!(watcher(objects, Config::default()));
        while let Some(event) = events.next().await {
            match event {
                Ok(Event::Apply(object) | Event::InitApply(object)) => {
                    lock(&self.objects).insert(object.name_any(), seen(&object));
                }
                Ok(Event::Delete(object)) => {
                    lock(&self.objects).remove(&object.name_any());
                }
                Ok(Event::Init) => lock(&self.objects).clear(),
                Ok(Event::InitDone) => {}
                Err(_) => tokio::time::sleep(std::time::Duration::from_millis(200)).await,
            }
        }
    }

    async fn watch_deployments(self, deployments: Api<Deployment>) {
        let mut events = std::pin::pin!(watcher(deployments, Config::default()));
        while let Some(event) = events.next().await {
            let (Ok(Event::Apply(deployment)) | Ok(Event::InitApply(deployment))) = event else {
                if event.is_err() {
                    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
                }
                continue;
            };
            let replicas = deployment.spec.replicas.unwrap_or(0);
            let mut known = lock(&self.replicas);
            let entry = known.entry(deployment.name_any()).or_insert((replicas, Instant::now()));
            if entry.0 != replicas {
                *entry = (replicas, Instant::now());
            }
        }
    }

    /// How many ScaledObjects there are.
    pub(super) fn len(&self) -> usize {
        lock(&self.objects).len()
    }

    /// Names and facts of those that fit.
    pub(super) fn those(&self, fits: impl Fn(&str, &Seen) -> bool) -> Vec<(String, Seen)> {
        let objects = lock(&self.objects);
        objects.iter().filter(|(name, seen)| fits(name, seen)).map(|(n, seen)| (n.clone(), seen.clone())).collect()
    }

    /// How many fit.
    pub(super) fn number(&self, fits: impl Fn(&str, &Seen) -> bool) -> usize {
        lock(&self.objects).iter().filter(|(name, seen)| fits(name, seen)).count()
    }

    /// Replicas of the Deployments that fit, and when they were last changed.
    pub(super) fn replicas(&self, fits: impl Fn(&str) -> bool) -> Vec<(i32, Instant)> {
        lock(&self.replicas).iter().filter(|(name, _)| fits(name)).map(|(_, told)| *told).collect()
    }
}

fn seen(object: &DynamicObject) -> Seen {
    let conditions = object.data.pointer("/status/conditions").and_then(Value::as_array);
    let status = |kind: &str| {
        let found = conditions.into_iter().flatten().find(|condition| condition["type"] == kind);
        found.and_then(|condition| condition["status"].as_str()).unwrap_or_default().to_owned()
    };
    let metrics = object.data.pointer("/status/externalMetricNames").and_then(Value::as_array);
    Seen {
        namespace: object.namespace().unwrap_or_default(),
        ready: status("Ready"),
        metrics: metrics.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect(),
    }
}
