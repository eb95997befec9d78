//! A node on paper: pods that are bound to it are Running and Ready at once, and gone as soon as they are deleted.
use crate::ControlPlane;
use crate::control_plane::client_of;
use anyhow::{Context, Result};
use futures::StreamExt;
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams, PostParams, WatchEvent, WatchParams};
use kube::config::Kubeconfig;
use kube::{Client, ResourceExt};
use serde_json::json;
use std::path::Path;
use std::time::Duration;
use tokio::sync::oneshot;

/// A pod with this annotation has done its work that many seconds after it started, and succeeds.
pub const JOB_SECONDS: &str = "windlass.dev/e2e-job-seconds";

/// The node's name.
const NODE: &str = "node-1";

/// After that long all pods are listed again, which makes up for a step that failed.
const RELIST_SECONDS: u32 = 30;

/// Runs until it is dropped.
pub struct FakeNode {
    // Dropped with the value: the thread ends.
    _stop: oneshot::Sender<()>,
}

impl FakeNode {
    /// Registers the node and serves all pods of the cluster, on a thread of its own: tests come and go with their runtimes.
    ///
    /// # Errors
    /// When the node cannot be registered.
    pub async fn start(control_plane: &ControlPlane) -> Result<FakeNode> {
        FakeNode::start_with(control_plane.kubeconfig()).await
    }

    /// The same from a kubeconfig file.
    pub(crate) async fn start_with(kubeconfig: &Path) -> Result<FakeNode> {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let kubeconfig = Kubeconfig::read_from(kubeconfig)?;
        register(&Api::all(client_of(kubeconfig.clone()).await?)).await?;
        let (stop, stopped) = oneshot::channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let thread = std::thread::Builder::new().name("fake-node".to_owned());
        thread.spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    _ = stopped => {}
                    () = serve(kubeconfig) => {}
                }
            });
        })?;
        Ok(FakeNode { _stop: stop })
    }
}

async fn register(nodes: &Api<Node>) -> Result<()> {
    let node = json!({
        "apiVersion": "v1", "kind": "Node",
        "metadata": { "name": NODE, "labels": { "kubernetes.io/hostname": NODE, "kubernetes.io/os": "linux" } },
    });
    nodes.patch(NODE, &PatchParams::apply("fake-node").force(), &Patch::Apply(&node)).await?;
    let capacity = json!({ "cpu": "1000", "memory": "1Ti", "pods": "100000" });
    let status = json!({ "status": {
        "capacity": capacity, "allocatable": capacity,
        "conditions": [{ "type": "Ready", "status": "True", "reason": "Paper", "message": "a node on paper",
                         "lastHeartbeatTime": null, "lastTransitionTime": null }],
    }});
    nodes
        .patch_status(NODE, &PatchParams::default(), &Patch::Merge(&status))
        .await
        .context("cannot register the node")?;
    Ok(())
}

/// Lists and watches pods for ever; whatever goes wrong (the API server stopped, a watch ended) is begun anew.
async fn serve(kubeconfig: Kubeconfig) {
    loop {
        if let Ok(client) = client_of(kubeconfig.clone()).await {
            // An error of one round is met again, or gone, in the next.
            let _ = round(&client).await;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

async fn round(client: &Client) -> Result<()> {
    let pods: Api<Pod> = Api::all(client.clone());
    let list = pods.list(&ListParams::default()).await?;
    let version = list.metadata.resource_version.clone().unwrap_or_default();
    for pod in list.items {
        tokio::spawn(attend(client.clone(), pod));
    }
    let params = WatchParams::default().timeout(RELIST_SECONDS);
    let mut events = pods.watch(&params, &version).await?.boxed();
    while let Some(event) = events.next().await {
        match event? {
            WatchEvent::Added(pod) | WatchEvent::Modified(pod) => {
                tokio::spawn(attend(client.clone(), pod));
            }
            WatchEvent::Deleted(_) | WatchEvent::Bookmark(_) => {}
            WatchEvent::Error(_) => break,
        }
    }
    Ok(())
}

/// Takes a pod one step further. Each step changes the pod, so its next one follows from the next event; one that fails
/// (a conflict, the pod gone) is made up for by the next event or the next listing.
async fn attend(client: Client, pod: Pod) {
    let Some(namespace) = pod.namespace() else { return };
    let pods: Api<Pod> = Api::namespaced(client, &namespace);
    if let Err(error) = step(&pods, &pod).await
        && !matches!(error.downcast_ref(), Some(kube::Error::Api(status)) if matches!(status.code, 404 | 409))
    {
        eprintln!("fake node: pod {namespace}/{}: {error:#}", pod.name_any());
    }
}

async fn step(pods: &Api<Pod>, pod: &Pod) -> Result<()> {
    let name = pod.name_any();
    let node = pod.spec.as_ref().and_then(|spec| spec.node_name.as_deref());
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref()).unwrap_or("Pending");
    if pod.metadata.deletion_timestamp.is_some() {
        if node == Some(NODE) {
            let now = DeleteParams { grace_period_seconds: Some(0), ..DeleteParams::default() };
            pods.delete(&name, &now).await?;
        }
    } else if node.is_none() {
        let binding = json!({
            "apiVersion": "v1", "kind": "Binding", "metadata": { "name": name },
            "target": { "apiVersion": "v1", "kind": "Node", "name": NODE },
        });
        let params = PostParams::default();
        let _status: serde_json::Value = pods.create_subresource("binding", &name, &params, &binding).await?;
    } else if node == Some(NODE) && phase == "Pending" {
        pods.patch_status(&name, &PatchParams::default(), &Patch::Merge(&running(pod))).await?;
        if let Some(seconds) = pod.annotations().get(JOB_SECONDS).and_then(|text| text.parse::<f64>().ok()) {
            tokio::time::sleep(Duration::try_from_secs_f64(seconds).unwrap_or_default()).await;
            let done = json!({ "status": { "phase": "Succeeded", "conditions": conditions("False") } });
            pods.patch_status(&name, &PatchParams::default(), &Patch::Merge(&done)).await?;
        }
    }
    Ok(())
}

/// The status of a pod that runs and is ready.
fn running(pod: &Pod) -> serde_json::Value {
    let now = k8s_openapi::jiff::Timestamp::now().to_string();
    let containers = pod.spec.iter().flat_map(|spec| &spec.containers);
    let statuses: Vec<_> = containers
        .map(|container| {
            json!({ "name": container.name, "image": container.image, "imageID": "", "ready": true, "started": true,
                    "restartCount": 0, "state": { "running": { "startedAt": now } } })
        })
        .collect();
    json!({ "status": { "phase": "Running", "startTime": now, "podIP": "10.244.0.1", "hostIP": "127.0.0.1",
                        "conditions": conditions("True"), "containerStatuses": statuses } })
}

fn conditions(ready: &str) -> serde_json::Value {
    let now = k8s_openapi::jiff::Timestamp::now().to_string();
    let conditions = [("PodScheduled", "True"), ("Initialized", "True"), ("ContainersReady", ready), ("Ready", ready)];
    conditions
        .map(|(kind, status)| json!({ "type": kind, "status": status, "lastTransitionTime": now }))
        .into_iter()
        .collect()
}
