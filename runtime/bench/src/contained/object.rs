//! The ScaledObjects of this benchmark, each with a target of its own. Targets are paused Deployments: nothing here is about
//! pods, and kube-controller-manager is not to be the neighbour that is measured.
use crate::load::{metric_path, scaled_objects};
use anyhow::{Result, bail};
use futures::{StreamExt, TryStreamExt};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Namespace;
use kube::Client;
use kube::api::{Api, DeleteParams, ListParams, PostParams};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Duration;
use windlass_e2e::until;

/// Requests to the API server at the same time.
const AT_ONCE: usize = 20;
/// How long the API server may take.
const LIMIT: Duration = Duration::from_secs(120);

/// A ScaledObject and its Deployment.
#[derive(Debug, Clone)]
pub(super) struct Object {
    pub(super) namespace: String,
    pub(super) name: String,
    /// `pollingInterval`.
    pub(super) period: Duration,
    pub(super) triggers: Vec<Value>,
}

/// A trigger that asks a query of a Prometheus, or of what answers as one.
pub(super) fn prometheus(url: &str, query: &str) -> Value {
    json!({ "type": "prometheus", "metadata": { "serverAddress": url, "query": query, "threshold": "5" } })
}

/// What a Prometheus answers to any instant query.
pub(super) const ANSWER: &str =
    r#"{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1700000000,"5"]}]}}"#;

impl Object {
    /// Where a metric of one of its triggers is read.
    pub(super) fn path(&self, trigger: usize, metric: &str) -> String {
        metric_path(&self.namespace, &self.name, &format!("s{trigger}-{metric}"))
    }

    fn manifest(&self) -> Value {
        json!({
            "apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject", "metadata": { "name": self.name },
            "spec": {
                "scaleTargetRef": { "name": self.name }, "pollingInterval": self.period.as_secs(),
                "minReplicaCount": 1, "maxReplicaCount": 10, "triggers": self.triggers,
            },
        })
    }

    fn target(&self) -> Value {
        let labels = json!({ "app": self.name });
        json!({
            "metadata": { "name": self.name },
            "spec": {
                "paused": true, "replicas": 1, "selector": { "matchLabels": labels },
                "template": {
                    "metadata": { "labels": labels },
                    "spec": { "containers": [{ "name": "main", "image": "none" }] },
                },
            },
        })
    }
}

/// Creates the namespaces and targets of objects.
pub(super) async fn create_targets(client: &Client, objects: &[Object]) -> Result<()> {
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let wanted: BTreeSet<&str> = objects.iter().map(|object| &*object.namespace).collect();
    for namespace in wanted {
        if namespaces.get_opt(namespace).await?.is_none() {
            let namespace = serde_json::from_value(json!({ "metadata": { "name": namespace } }))?;
            namespaces.create(&PostParams::default(), &namespace).await?;
        }
    }
    let creations = objects.iter().map(|object| async move {
        let deployments: Api<Deployment> = Api::namespaced(client.clone(), &object.namespace);
        deployments.create(&PostParams::default(), &serde_json::from_value(object.target())?).await?;
        anyhow::Ok(())
    });
    futures::stream::iter(creations).buffer_unordered(AT_ONCE).try_collect().await
}

/// Creates objects whose targets are there.
pub(super) async fn create(client: &Client, objects: &[Object]) -> Result<()> {
    let creations = objects.iter().map(|object| async move {
        let api = scaled_objects(client, Some(&object.namespace));
        api.create(&PostParams::default(), &serde_json::from_value(object.manifest())?).await?;
        anyhow::Ok(())
    });
    futures::stream::iter(creations).buffer_unordered(AT_ONCE).try_collect().await
}

/// Deletes all objects of a namespace and waits until they are gone.
pub(super) async fn clear(client: &Client, namespace: &str) -> Result<()> {
    let api = scaled_objects(client, Some(namespace));
    api.delete_collection(&DeleteParams::default(), &ListParams::default()).await?;
    until(&format!("the ScaledObjects of {namespace} are gone"), LIMIT, || async {
        let left = api.list(&ListParams::default()).await?.items.len();
        if left > 0 { bail!("{left} are left") } else { Ok(Some(())) }
    })
    .await
}
