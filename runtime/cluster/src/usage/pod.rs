//! Pods and their measurements, as far as they matter: what else the API server tells is not kept.
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde::Deserialize;
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;
use windlass_api::quantity::Quantity;
use windlass_core::algorithm::resource::{Pod, PodUse};
use windlass_core::{Text, Wall};

/// A list of anything.
#[derive(Deserialize)]
pub(super) struct Listed<T> {
    #[serde(default = "Vec::new")]
    pub(super) items: Vec<T>,
}

/// A pod.
#[derive(Deserialize)]
pub(super) struct PodItem {
    metadata: Metadata,
    #[serde(default)]
    spec: Spec,
    #[serde(default)]
    status: Status,
}

/// A `PodMetrics`.
#[derive(Deserialize)]
pub(super) struct Measured {
    metadata: Metadata,
    timestamp: Time,
    window: String,
    #[serde(default)]
    containers: Vec<MeasuredContainer>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    name: String,
    deletion_timestamp: Option<Time>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Spec {
    #[serde(default)]
    containers: Vec<Container>,
    #[serde(default)]
    init_containers: Vec<Container>,
    resources: Option<Resources>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Container {
    name: String,
    restart_policy: Option<String>,
    resources: Option<Resources>,
}

#[derive(Deserialize)]
struct Resources {
    #[serde(default)]
    requests: HashMap<String, String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    phase: Option<String>,
    start_time: Option<Time>,
    #[serde(default)]
    conditions: Vec<Condition>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Condition {
    #[serde(rename = "type")]
    kind: String,
    status: String,
    last_transition_time: Option<Time>,
}

#[derive(Deserialize)]
struct MeasuredContainer {
    name: String,
    #[serde(default)]
    usage: HashMap<String, String>,
}

impl PodItem {
    pub(super) fn into_pod(self) -> Pod {
        let Status { phase, start_time, conditions } = self.status;
        let ready = conditions.into_iter().find(|condition| condition.kind == "Ready");
        // The controller takes only "False" for not ready, and no time for the beginning of all times.
        let ready = ready.map(|ready| (ready.status != "False", ready.last_transition_time.map_or(Wall(0), wall)));
        let beside = |container: &Container| container.restart_policy.as_deref() == Some("Always");
        let containers = self.spec.containers.into_iter().chain(self.spec.init_containers.into_iter().filter(beside));
        Pod {
            name: self.metadata.name.into(),
            over: self.metadata.deletion_timestamp.is_some() || phase.as_deref() == Some("Failed"),
            pending: phase.as_deref() == Some("Pending"),
            started: start_time.map(wall),
            ready,
            requests: requests(self.spec.resources),
            containers: containers.map(|container| (container.name.into(), requests(container.resources))).collect(),
        }
    }
}

impl Measured {
    /// `None`: the window cannot be read.
    pub(super) fn into_use(self) -> Option<PodUse> {
        let window: jiff::SignedDuration = self.window.parse().ok()?;
        let containers = self.containers.into_iter();
        Some(PodUse {
            pod: self.metadata.name.into(),
            at: wall(self.timestamp),
            window: Duration::try_from(window).ok()?,
            containers: containers.map(|container| (container.name.into(), amounts(container.usage))).collect(),
        })
    }
}

fn wall(time: Time) -> Wall {
    Wall(time.0.as_millisecond())
}

fn requests(resources: Option<Resources>) -> BTreeMap<Text, i64> {
    amounts(resources.map(|resources| resources.requests).unwrap_or_default())
}

/// CPU and memory, in thousandths.
fn amounts(quantities: HashMap<String, String>) -> BTreeMap<Text, i64> {
    let amount = |(name, quantity): (String, String)| {
        let milli = quantity.parse::<Quantity>().ok()?.as_milli()?;
        matches!(&*name, "cpu" | "memory").then(|| (name.into(), milli.0))
    };
    quantities.into_iter().filter_map(amount).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_pod_is_cut_down_to_what_matters() {
        let pod: PodItem = serde_json::from_value(json!({
            "metadata": { "name": "web-1", "labels": { "app": "web" } },
            "spec": {
                "containers": [{ "name": "main", "image": "i", "resources": { "requests": { "cpu": "250m", "memory": "64Mi", "x/y": "1" } } }],
                "initContainers": [
                    { "name": "once", "resources": { "requests": { "cpu": "9" } } },
                    { "name": "proxy", "restartPolicy": "Always", "resources": { "requests": { "cpu": "1" } } },
                ],
                "resources": { "requests": { "cpu": "2" } },
            },
            "status": {
                "phase": "Running", "startTime": "2026-01-01T00:00:00Z",
                "conditions": [
                    { "type": "Initialized", "status": "False" },
                    { "type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T00:00:02Z" },
                ],
            },
        }))
        .unwrap();
        let pod = pod.into_pod();
        let start = 1_767_225_600_000;
        assert_eq!((&*pod.name, pod.over, pod.pending), ("web-1", false, false));
        assert_eq!((pod.started, pod.ready), (Some(Wall(start)), Some((true, Wall(start + 2_000)))));
        assert_eq!(pod.requests, BTreeMap::from([("cpu".into(), 2_000)]));
        let main = BTreeMap::from([("cpu".into(), 250), ("memory".into(), 64 * 1024 * 1024 * 1000)]);
        let proxy = BTreeMap::from([("cpu".into(), 1_000)]);
        assert_eq!(pod.containers, [("main".into(), main), ("proxy".into(), proxy)]);

        let bare: PodItem = serde_json::from_value(json!({
            "metadata": { "name": "new", "deletionTimestamp": "2026-01-01T00:00:00Z" }, "status": { "phase": "Pending" } }))
        .unwrap();
        let bare = bare.into_pod();
        assert_eq!((bare.over, bare.pending, bare.started, bare.ready), (true, true, None, None));
    }

    #[test]
    fn windows_are_durations_of_go() {
        for (written, milliseconds) in [("30s", 30_000), ("1m0s", 60_000), ("15.017s", 15_017), ("1m0.5s", 60_500)] {
            let measured: Measured = serde_json::from_value(json!({
                "metadata": { "name": "web-1" }, "timestamp": "2026-01-01T00:00:00Z", "window": written,
                "containers": [{ "name": "main", "usage": { "cpu": "4271n", "memory": "8000Ki" } }],
            }))
            .unwrap();
            let used = measured.into_use().unwrap();
            assert_eq!(used.window, Duration::from_millis(milliseconds), "{written}");
            let amounts = BTreeMap::from([("cpu".into(), 1), ("memory".into(), 8_000 * 1_024 * 1_000)]);
            assert_eq!(used.containers, [("main".into(), amounts)], "rounded up, as the API machinery does");
        }
    }
}
