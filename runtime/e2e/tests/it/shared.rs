//! The one control plane that all tests of this program use, and objects that many of them need.
use anyhow::{Context, Result, anyhow};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Namespace;
use kube::Client;
use kube::api::{Api, ApiResource, DynamicObject, GroupVersionKind, PostParams};
use serde_json::json;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio::sync::OnceCell;
use windlass_e2e::{ControlPlane, ControlPlaneOptions, FakeNode};

/// How long tests wait for what a healthy system does within seconds; machines that compile meanwhile are slow.
pub(crate) const LIMIT: Duration = Duration::from_secs(90);

/// A control plane with a node. It ends with this program.
struct Shared {
    control_plane: ControlPlane,
    _node: FakeNode,
}

/// The control plane, started by the first test that asks.
pub(crate) async fn control_plane() -> Result<&'static ControlPlane> {
    static SHARED: OnceCell<Result<Shared, String>> = OnceCell::const_new();
    let start = || async {
        let control_plane = ControlPlane::start(ControlPlaneOptions::quick()).await?;
        let node = FakeNode::start(&control_plane).await?;
        Ok(Shared { control_plane, _node: node })
    };
    let shared =
        SHARED.get_or_init(|| async { start().await.map_err(|error: anyhow::Error| format!("{error:#}")) }).await;
    Ok(&shared.as_ref().map_err(|error| anyhow!("{error}"))?.control_plane)
}

/// A new namespace for one test.
pub(crate) async fn namespace(client: &Client, test: &str) -> Result<String> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let name = format!("{test}-{}", COUNT.fetch_add(1, Ordering::Relaxed));
    let namespace = serde_json::from_value(json!({ "metadata": { "name": name } }))?;
    Api::<Namespace>::all(client.clone()).create(&PostParams::default(), &namespace).await?;
    Ok(name)
}

/// Objects of one kind in a namespace, or in all of them and in none.
pub(crate) fn objects(client: &Client, namespace: Option<&str>, api_version: &str, kind: &str) -> Api<DynamicObject> {
    let (group, version) = api_version.rsplit_once('/').unwrap_or(("", api_version));
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
    match namespace {
        Some(namespace) => Api::namespaced_with(client.clone(), namespace, &resource),
        None => Api::all_with(client.clone(), &resource),
    }
}

/// A Deployment of pods that do nothing, and request half a core and 64 MiB.
pub(crate) async fn deployment(client: &Client, namespace: &str, name: &str, replicas: i32) -> Result<Deployment> {
    let labels = json!({ "app": name });
    let deployment = serde_json::from_value(json!({
        "metadata": { "name": name },
        "spec": {
            "replicas": replicas, "selector": { "matchLabels": labels },
            "template": {
                "metadata": { "labels": labels },
                "spec": { "containers": [{ "name": "main", "image": "none", "resources": { "requests": { "cpu": "500m", "memory": "64Mi" } } }], "terminationGracePeriodSeconds": 1 },
            },
        },
    }))?;
    let deployments: Api<Deployment> = Api::namespaced(client.clone(), namespace);
    deployments.create(&PostParams::default(), &deployment).await.context("create a deployment")
}
