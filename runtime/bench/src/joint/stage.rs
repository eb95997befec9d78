//! The system under measurement: a control plane with Kubernetes' own defaults, the operator with its own, a source that
//! answers at once, and objects that all look alike.
use super::reads::Source;
use crate::figure::Report;
use crate::load::{Peer, metric_path, scaled_objects};
use anyhow::{Result, bail};
use futures::{StreamExt, TryStreamExt};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{Api, DynamicObject, ListParams, Patch, PatchParams, PostParams};
use kube::{Client, ResourceExt};
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use windlass_e2e::{
    AuditEntry, AuditMark, ControlPlane, ControlPlaneOptions, FakeNode, Installed, Operator, OperatorOptions, install,
    until, wait_for_metrics_api,
};

/// Objects of one namespace.
pub(super) const PER_NAMESPACE: usize = 100;
/// Objects that are created at the same time.
const AT_ONCE: usize = 20;

/// When Deployments were first seen with replicas, by index, since the last time they had none.
type Firsts = Arc<Mutex<HashMap<usize, Instant>>>;

pub(super) struct Stage {
    pub(super) control_plane: ControlPlane,
    _node: FakeNode,
    installed: Installed,
    pub(super) operator: Operator,
    pub(super) source: Source,
    client: Client,
    count: usize,
    firsts: Firsts,
}

impl Stage {
    pub(super) async fn start(report: Report) -> Result<Stage> {
        report.say("starting a control plane with Kubernetes' defaults");
        let control_plane = ControlPlane::start(ControlPlaneOptions::default()).await?;
        let node = FakeNode::start(&control_plane).await?;
        let installed = install(&control_plane).await?;
        let operator = Operator::start(&control_plane, &installed, OperatorOptions::default()).await?;
        wait_for_metrics_api(&control_plane).await?;
        let source = Source::start().await?;
        let client = control_plane.client().await?;
        let firsts = Firsts::default();
        tokio::spawn(watch(client.clone(), firsts.clone()));
        Ok(Stage { control_plane, _node: node, installed, operator, source, client, count: 0, firsts })
    }

    /// How many objects there are.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// ScaledObjects of the namespace of an object.
    pub(super) fn objects(&self, index: usize) -> Api<DynamicObject> {
        scaled_objects(&self.client, Some(&namespace(index)))
    }

    fn deployments(&self, index: usize) -> Api<Deployment> {
        Api::namespaced(self.client.clone(), &namespace(index))
    }

    /// Namespaces and Deployments of one replica up to a number.
    pub(super) async fn add_targets(&self, count: usize) -> Result<()> {
        let namespaces: Api<Namespace> = Api::all(self.client.clone());
        for index in (self.count..count).filter(|index| index % PER_NAMESPACE == 0) {
            let namespace = serde_json::from_value(json!({ "metadata": { "name": namespace(index) } }))?;
            namespaces.create(&PostParams::default(), &namespace).await?;
        }
        let creations = (self.count..count).map(|index| async move {
            let deployment = serde_json::from_value(deployment(index))?;
            self.deployments(index).create(&PostParams::default(), &deployment).await?;
            anyhow::Ok(())
        });
        futures::stream::iter(creations).buffer_unordered(AT_ONCE).try_collect::<()>().await?;
        // The deployment controller's client has a budget too: what comes next is not to wait for it.
        until("the Deployments are ready", Duration::from_secs(600), || async {
            let deployments: Api<Deployment> = Api::all(self.client.clone());
            let list = deployments.list(&ListParams::default()).await?;
            let ready =
                list.items.iter().filter(|d| d.status.as_ref().and_then(|s| s.ready_replicas) == Some(1)).count();
            if ready < count { bail!("{ready} of {count}") } else { Ok(Some(())) }
        })
        .await
    }

    /// ScaledObjects up to a number.
    pub(super) async fn add_objects(&mut self, count: usize) -> Result<()> {
        for index in self.count..count {
            self.source.set(index, 5.0);
        }
        let creations = (self.count..count).map(|index| {
            let (objects, object) = (self.objects(index), scaled_object(index, &self.source.url()));
            async move {
                objects.create(&PostParams::default(), &serde_json::from_value(object)?).await?;
                anyhow::Ok(())
            }
        });
        futures::stream::iter(creations).buffer_unordered(AT_ONCE).try_collect::<()>().await?;
        self.count = count;
        Ok(())
    }

    /// Waits until all are ready and their metrics are served.
    pub(super) async fn wait_ready(&self, limit: Duration) -> Result<()> {
        let objects = scaled_objects(&self.client, None);
        until("all ScaledObjects are ready", limit, || async {
            let list = objects.list(&ListParams::default()).await?;
            let ready = list.items.iter().filter(|object| {
                let conditions = object.data.pointer("/status/conditions").and_then(Value::as_array);
                conditions.into_iter().flatten().any(|c| c["type"] == "Ready" && c["status"] == "True")
            });
            let ready = ready.count();
            if ready < self.count { bail!("{ready} of {}", self.count) } else { Ok(Some(())) }
        })
        .await
    }

    pub(super) async fn edit(&self, index: usize, patch: &Value) -> Result<()> {
        let name = name(index);
        self.objects(index).patch(&name, &PatchParams::default(), &Patch::Merge(patch)).await?;
        Ok(())
    }

    /// Replicas of the first Deployments.
    pub(super) async fn replicas(&self, count: usize) -> Result<Vec<i32>> {
        let mut replicas = BTreeMap::new();
        for first in (0..count).step_by(PER_NAMESPACE) {
            for deployment in self.deployments(first).list(&ListParams::default()).await?.items {
                if let Some(index) = index_of(&deployment.name_any()).filter(|index| *index < count) {
                    replicas.insert(index, deployment.spec.replicas.unwrap_or(0));
                }
            }
        }
        Ok(replicas.into_values().collect())
    }

    /// How long after its event each of the first Deployments was seen to have replicas; none of them had any before.
    pub(super) async fn first_scales(&self, events: &[Instant]) -> Vec<Duration> {
        // The watch is a moment behind the list that told us.
        tokio::time::sleep(Duration::from_millis(500)).await;
        let firsts = self.firsts.lock().unwrap_or_else(PoisonError::into_inner);
        let after = |(index, event): (usize, &Instant)| firsts.get(&index)?.checked_duration_since(*event);
        events.iter().enumerate().filter_map(after).collect()
    }

    pub(super) async fn writes(&self, mark: AuditMark) -> Result<Vec<AuditEntry>> {
        let Installed { namespace, service_account, .. } = &self.installed;
        self.control_plane.audit().writes_since(mark, namespace, service_account).await
    }

    /// The paths of all metrics.
    pub(super) fn paths(&self) -> Arc<Vec<String>> {
        let path = |index: usize| metric_path(&namespace(index), &name(index), "s0-prometheus");
        Arc::new((0..self.count).map(path).collect())
    }

    /// The way through the API server, as the administrator.
    pub(super) fn through_api_server(&self) -> Result<Peer> {
        Peer::through_api_server(&self.control_plane)
    }

    /// The way past it: as the aggregation layer, for the HPA controller.
    pub(super) async fn direct(&self) -> Result<Peer> {
        Peer::past_api_server(&self.control_plane, &self.installed, &self.operator).await
    }
}

/// Watches Deployments and remembers when each got its first replicas.
async fn watch(client: Client, firsts: Firsts) {
    let deployments: Api<Deployment> = Api::all(client);
    let mut events = std::pin::pin!(kube::runtime::watcher(deployments, kube::runtime::watcher::Config::default()));
    while let Some(event) = events.next().await {
        let Ok(kube::runtime::watcher::Event::Apply(deployment)) = event else { continue };
        let Some(index) = index_of(&deployment.name_any()) else { continue };
        let replicas = deployment.spec.replicas.unwrap_or(0);
        let mut firsts = firsts.lock().unwrap_or_else(PoisonError::into_inner);
        if replicas == 0 {
            firsts.remove(&index);
        } else {
            firsts.entry(index).or_insert_with(Instant::now);
        }
    }
}

fn namespace(index: usize) -> String {
    format!("bench-{}", index / PER_NAMESPACE)
}

fn name(index: usize) -> String {
    format!("web-{index}")
}

fn index_of(name: &str) -> Option<usize> {
    name.strip_prefix("web-")?.parse().ok()
}

fn deployment(index: usize) -> Value {
    let labels = json!({ "app": name(index) });
    json!({
        "metadata": { "name": name(index) },
        "spec": {
            "replicas": 1, "selector": { "matchLabels": labels },
            "template": {
                "metadata": { "labels": labels },
                "spec": { "containers": [{ "name": "main", "image": "none" }], "terminationGracePeriodSeconds": 1 },
            },
        },
    })
}

/// As in the work that KEDA was measured on.
fn scaled_object(index: usize, url: &str) -> Value {
    json!({
        "apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject", "metadata": { "name": name(index) },
        "spec": {
            "scaleTargetRef": { "name": name(index) },
            "pollingInterval": 30, "minReplicaCount": 1, "maxReplicaCount": 10,
            "triggers": [{ "type": "prometheus", "metadata": {
                "serverAddress": url, "query": format!("sum(rate(requests{{app=\"web-{index}\"}}[1m]))"), "threshold": "5" } }],
        },
    })
}
