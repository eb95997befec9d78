//! The objects: 60 % prometheus over fifty queries, 20 % lists of one Redis, 10 % metrics APIs, 10 % cron.
use serde_json::{Value, json};

/// Objects of one namespace.
pub(super) const PER_NAMESPACE: usize = 100;
/// Different Prometheus queries, whatever the number of objects.
pub(super) const QUERIES: usize = 50;

/// What an object asks, by its index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// One of the queries, by its number.
    Prometheus(usize),
    /// A list of its own.
    Redis(usize),
    /// A path of its own.
    MetricsApi(usize),
    /// Nobody.
    Cron,
}

impl Kind {
    pub(super) fn of(index: usize) -> Kind {
        let (turn, place) = (index / 10, index % 10);
        match place {
            0..=5 => Kind::Prometheus((turn * 6 + place) % QUERIES),
            6 | 7 => Kind::Redis(turn * 2 + place - 6),
            8 => Kind::MetricsApi(turn),
            _ => Kind::Cron,
        }
    }

    /// Whether it fails while a part of the sources does.
    pub(super) fn fails(self) -> bool {
        match self {
            Kind::Prometheus(number) | Kind::Redis(number) | Kind::MetricsApi(number) => super::source::fails(number),
            Kind::Cron => false,
        }
    }
}

/// Names of a generation of objects: `web` stays, `edge` follows the clock.
pub(super) fn name(generation: &str, index: usize) -> String {
    format!("{generation}-{index}")
}

pub(super) fn namespace(generation: &str, index: usize) -> String {
    format!("bench-{generation}-{}", index / PER_NAMESPACE)
}

/// The index in a name of a generation.
pub(super) fn index_of(generation: &str, name: &str) -> Option<usize> {
    name.strip_prefix(generation)?.strip_prefix('-')?.parse().ok()
}

pub(super) fn deployment(name: &str, replicas: i32) -> Value {
    let labels = json!({ "app": name });
    json!({
        "metadata": { "name": name },
        "spec": {
            "replicas": replicas, "selector": { "matchLabels": labels },
            "template": {
                "metadata": { "labels": labels },
                "spec": { "containers": [{ "name": "main", "image": "none" }], "terminationGracePeriodSeconds": 1 },
            },
        },
    })
}

fn scaled_object(name: &str, mut spec: Value, trigger: Value) -> Value {
    spec["scaleTargetRef"] = json!({ "name": name });
    spec["maxReplicaCount"] = json!(10);
    spec["triggers"] = json!([trigger]);
    json!({ "apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject", "metadata": { "name": name }, "spec": spec })
}

/// One that asks for what it has: one replica.
pub(super) fn steady(generation: &str, index: usize, http: &str, redis: &str) -> Value {
    let trigger = match Kind::of(index) {
        Kind::Prometheus(number) => json!({ "type": "prometheus", "metadata": {
            "serverAddress": http, "query": format!("sum(requests_number_{number}_total)"), "threshold": "5" } }),
        Kind::Redis(number) => json!({ "type": "redis", "metadata": {
            "address": redis, "listName": format!("number-{number}"), "listLength": "5" } }),
        Kind::MetricsApi(number) => json!({ "type": "metrics-api", "metadata": {
            "url": format!("{http}/number/{number}"), "valueLocation": "value", "targetValue": "5" } }),
        Kind::Cron => clock("0 0 * * *", "59 23 * * *"),
    };
    scaled_object(&name(generation, index), json!({ "pollingInterval": 30, "minReplicaCount": 1 }), trigger)
}

/// One that is at zero outside a window.
pub(super) fn edge(index: usize, start: &str, end: &str) -> Value {
    scaled_object(&name("edge", index), json!({ "minReplicaCount": 0, "cooldownPeriod": 1 }), clock(start, end))
}

fn clock(start: &str, end: &str) -> Value {
    json!({ "type": "cron", "metadata": { "timezone": "Etc/UTC", "start": start, "end": end, "desiredReplicas": "1" } })
}
