//! Writes and their lanes.
use crate::edge::{DEPLOYMENTS, Edge, HPAS, OBJECTS, deployment, key, object};
use crate::server::ApiServer;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;
use windlass_core::workload::Aim;
use windlass_core::write::{Condition, HpaMetric, HpaOp, HpaShape, StatusView, Tri, Write, WriteKind, WriteResult};
use windlass_core::{Milli, Mono, Reason, TargetRef};

fn target(name: &str) -> TargetRef {
    TargetRef {
        group: "apps".into(),
        version: "v1".into(),
        kind: "Deployment".into(),
        resource: "deployments".into(),
        name: name.into(),
    }
}

fn scale(name: &str, to: u32, version: &str) -> Write {
    Write::Scale { key: key(name), target: target(name), to, if_version: version.into(), decided: Mono(0) }
}

fn status(name: &str, message: &str, version: &str) -> Write {
    let mut wanted = StatusView::default();
    wanted.conditions.ready = Some(Condition::new(Tri::Yes, Reason::ScaledObjectReady, message));
    let stored = Box::new(StatusView::default());
    Write::Status { key: key(name), wanted: Box::new(wanted), stored, if_version: version.into() }
}

fn shape() -> HpaShape {
    HpaShape {
        name: "keda-hpa-orders".into(),
        labels: BTreeMap::from([("app.kubernetes.io/managed-by".into(), "keda-operator".into())]),
        annotations: BTreeMap::new(),
        target: target("orders"),
        min: 1,
        max: 9,
        metrics: vec![HpaMetric::External {
            name: "s0-queue".into(),
            object: "orders".into(),
            target: Milli(5000),
            aim: Aim::Average,
        }],
        behavior: None,
    }
}

/// An edge with an object and its target, after the first sync.
async fn edge() -> (Edge, String, String) {
    let server = ApiServer::start().await;
    let object = server.put(OBJECTS, object("orders", "orders"));
    let deployment = server.put(DEPLOYMENTS, deployment("orders", 3));
    let version = |object: Value| object["metadata"]["resourceVersion"].as_str().unwrap().to_owned();
    let mut edge = Edge::start(server).await;
    edge.synced().await;
    edge.drain().await;
    (edge, version(object), version(deployment))
}

async fn one(edge: &mut Edge, write: Write) -> WriteResult {
    let kind = write.kind();
    edge.cluster.writer.submit(write);
    let (k, ended, result) = edge.ack().await;
    assert_eq!((k, ended), (key("orders"), kind));
    result
}

#[tokio::test]
async fn a_scale_is_one_patch_with_the_version() {
    let (mut edge, _, version) = edge().await;
    let WriteResult::Done(Some(new)) = one(&mut edge, scale("orders", 5, &version)).await else { panic!() };
    let writes = edge.server.writes();
    assert_eq!(writes.len(), 1);
    assert_eq!(writes[0].line(), "patch /apis/apps/v1/namespaces/shop/deployments/orders/scale");
    assert_eq!(writes[0].body, json!({ "metadata": { "resourceVersion": version }, "spec": { "replicas": 5 } }));
    assert_eq!(one(&mut edge, scale("orders", 6, &version)).await, WriteResult::Conflict, "it has changed since");
    assert!(matches!(one(&mut edge, scale("orders", 6, &new)).await, WriteResult::Done(_)));
    edge.server.trouble("patch", 500);
    assert!(matches!(one(&mut edge, scale("orders", 7, &new)).await, WriteResult::Failed(_)));
    edge.server.trouble("patch", 429);
    assert!(matches!(one(&mut edge, scale("orders", 7, &new)).await, WriteResult::Failed(_)));
    edge.server.remove(DEPLOYMENTS, "shop", "orders");
    assert_eq!(one(&mut edge, scale("orders", 7, &new)).await, WriteResult::Gone);
    assert_eq!(edge.server.writes().len(), 6, "no retries of its own");
}

#[tokio::test]
async fn an_hpa_is_created_replaced_and_deleted() {
    let (mut edge, ..) = edge().await;
    let write = |op| Write::Hpa { key: key("orders"), uid: "uid-orders".into(), op };
    let WriteResult::Done(Some(version)) = one(&mut edge, write(HpaOp::Create(shape()))).await else { panic!() };
    let stored = edge.server.get(HPAS, "shop", "keda-hpa-orders").unwrap();
    assert_eq!(stored["metadata"]["ownerReferences"][0]["uid"], "uid-orders");
    assert_eq!(
        stored["spec"]["metrics"][0]["external"]["metric"]["selector"]["matchLabels"],
        json!({ "scaledobject.keda.sh/name": "orders" })
    );
    assert_eq!(
        edge.hpa().await.unwrap().shape,
        HpaShape { target: TargetRef { resource: "".into(), ..target("orders") }, ..shape() }
    );
    assert_eq!(one(&mut edge, write(HpaOp::Create(shape()))).await, WriteResult::Conflict);
    let update = HpaOp::Update { shape: HpaShape { max: 7, ..shape() }, version: version.clone() };
    assert!(matches!(one(&mut edge, write(update.clone())).await, WriteResult::Done(Some(_))));
    assert_eq!(edge.server.writes().last().unwrap().body["metadata"]["resourceVersion"], json!(&*version));
    assert_eq!(one(&mut edge, write(update.clone())).await, WriteResult::Conflict);
    let delete = HpaOp::Delete { name: "keda-hpa-orders".into() };
    assert_eq!(one(&mut edge, write(delete.clone())).await, WriteResult::Done(None));
    assert_eq!(one(&mut edge, write(delete)).await, WriteResult::Done(None), "it is gone, as wanted");
    assert_eq!(one(&mut edge, write(update)).await, WriteResult::Gone);
}

#[tokio::test]
async fn finalizer_and_label_are_one_patch_that_leaves_those_of_others() {
    let (mut edge, version, _) = edge().await;
    let meta = |finalizer, version: &str| Write::Meta {
        key: key("orders"),
        finalizer,
        label: true,
        if_version: version.into(),
    };
    let WriteResult::Done(Some(version)) = one(&mut edge, meta(true, &version)).await else { panic!() };
    let writes = edge.server.writes();
    assert_eq!(writes.len(), 1);
    assert_eq!(writes[0].line(), "patch /apis/keda.sh/v1alpha1/namespaces/shop/scaledobjects/orders");
    assert_eq!(writes[0].body["metadata"]["finalizers"], json!(["finalizer.keda.sh"]));
    assert_eq!(writes[0].body["metadata"]["labels"], json!({ "scaledobject.keda.sh/name": "orders" }));
    let record = edge.record().await;
    assert!(record.finalizer && record.label && record.version == version);
    edge.server.change(OBJECTS, "shop", "orders", |object| {
        object["metadata"]["finalizers"] = json!(["example.com/other", "finalizer.keda.sh"]);
    });
    let version = edge.record().await.version;
    assert!(matches!(one(&mut edge, meta(false, &version)).await, WriteResult::Done(_)));
    let stored = edge.server.get(OBJECTS, "shop", "orders").unwrap();
    assert_eq!(stored["metadata"]["finalizers"], json!(["example.com/other"]));
}

#[tokio::test]
async fn a_status_is_the_difference_only() {
    let (mut edge, version, _) = edge().await;
    assert!(matches!(one(&mut edge, status("orders", "fine", &version)).await, WriteResult::Done(Some(_))));
    let writes = edge.server.writes();
    assert_eq!(writes[0].line(), "patch /apis/keda.sh/v1alpha1/namespaces/shop/scaledobjects/orders/status");
    assert_eq!(writes[0].body["metadata"], json!({ "resourceVersion": version }));
    assert_eq!(writes[0].body["status"].as_object().unwrap().len(), 1, "conditions alone");
    let same = Write::Status {
        key: key("orders"),
        wanted: Box::default(),
        stored: Box::default(),
        if_version: version.as_str().into(),
    };
    assert_eq!(one(&mut edge, same).await, WriteResult::Done(None));
    assert_eq!(edge.server.writes().len(), 1, "nothing to write, nothing sent");
}

#[tokio::test]
async fn an_event_is_told_once() {
    let (mut edge, ..) = edge().await;
    let event = |text: &str| Write::Event {
        key: key("orders"),
        uid: "uid-orders".into(),
        reason: Reason::KEDAScalerFailed,
        text: text.into(),
    };
    assert_eq!(one(&mut edge, event(&"x".repeat(3000))).await, WriteResult::Done(None));
    assert_eq!(one(&mut edge, event(&"x".repeat(3000))).await, WriteResult::Dropped);
    assert_eq!(one(&mut edge, event("another")).await, WriteResult::Done(None));
    let writes = edge.server.writes();
    assert_eq!(writes.len(), 2);
    assert_eq!(writes[0].line(), "create /apis/events.k8s.io/v1/namespaces/shop/events");
    assert_eq!(writes[0].body["type"], "Warning");
    assert_eq!(writes[0].body["reason"], "KEDAScalerFailed");
    assert_eq!(writes[0].body["regarding"]["uid"], "uid-orders");
    assert_eq!(writes[0].body["note"].as_str().unwrap().len(), 1024);
    assert_ne!(writes[0].body["metadata"]["name"], writes[1].body["metadata"]["name"]);
}

#[tokio::test]
async fn the_newest_status_wins_and_the_one_under_way_ends_first() {
    let (mut edge, version, _) = edge().await;
    edge.server.hold(&["patch /apis/keda.sh"]);
    edge.cluster.writer.submit(status("orders", "one", &version));
    edge.server.until("the first is sent", |asked| asked.iter().any(|asked| asked.verb == "patch")).await;
    for message in ["two", "three", "four"] {
        edge.cluster.writer.submit(status("orders", message, ""));
    }
    assert_eq!(edge.ack().await.2, WriteResult::Dropped);
    assert_eq!(edge.ack().await.2, WriteResult::Dropped);
    assert_eq!(edge.server.writes().len(), 1, "one at a time");
    edge.server.hold(&[]);
    assert!(matches!(edge.ack().await.2, WriteResult::Done(_)));
    edge.ack().await;
    let writes = edge.server.writes();
    assert_eq!(writes.len(), 2);
    assert_eq!(writes[1].body["status"]["conditions"][0]["message"], "four");
}

#[tokio::test]
async fn a_scale_never_waits_behind_status() {
    let (mut edge, _, version) = edge().await;
    edge.server.hold(&["patch /apis/keda.sh"]);
    for number in 0..500 {
        edge.cluster.writer.submit(status(&format!("o{number}"), "busy", "1"));
    }
    edge.server
        .until("statuses are under way", |asked| asked.iter().filter(|asked| asked.verb == "patch").count() >= 16)
        .await;
    let before = edge.server.writes().len();
    let WriteResult::Done(_) = one(&mut edge, scale("orders", 5, &version)).await else { panic!() };
    assert_eq!(edge.server.writes().len(), before + 1, "no status came before it");
}

#[tokio::test]
async fn a_scale_that_waited_too_long_is_dropped() {
    let sent = lanes::one_that_waits(Duration::from_secs(16)).await;
    assert_eq!(sent, WriteResult::Dropped);
    let sent = lanes::one_that_waits(Duration::from_secs(1)).await;
    assert_ne!(sent, WriteResult::Dropped);
}

mod lanes {
    use super::*;

    /// Thirty-two scales hold all places of the lane for a while; how does the next one end?
    pub(super) async fn one_that_waits(wait: Duration) -> WriteResult {
        let (mut edge, ..) = edge().await;
        edge.server.hold(&["patch /apis/apps"]);
        for number in 0..32 {
            edge.cluster.writer.submit(scale(&format!("o{number}"), 1, "1"));
        }
        edge.server
            .until("all places are taken", |asked| asked.iter().filter(|asked| asked.verb == "patch").count() == 32)
            .await;
        edge.cluster.writer.submit(scale("orders", 5, "1"));
        tokio::time::pause();
        tokio::time::advance(wait).await;
        tokio::time::resume();
        edge.server.hold(&[]);
        loop {
            let (k, kind, result) = edge.ack().await;
            assert_eq!(kind, WriteKind::Scale);
            if k == key("orders") {
                return result;
            }
        }
    }
}

#[tokio::test]
async fn shutdown_sends_what_waits() {
    let (edge, version, _) = edge().await;
    edge.server.hold(&["patch"]);
    edge.cluster.writer.submit(status("orders", "last words", &version));
    let Edge { server, cluster, .. } = edge;
    let writer = cluster.writer.clone();
    let down = tokio::spawn(cluster.shutdown(Duration::from_secs(10)));
    server.until("it is sent", |asked| asked.iter().any(|asked| asked.verb == "patch")).await;
    server.hold(&[]);
    assert_eq!(down.await.unwrap(), 0);
    let stored = server.get(OBJECTS, "shop", "orders").unwrap();
    assert_eq!(stored["status"]["conditions"][0]["message"], "last words");
    writer.submit(status("orders", "too late", "1"));
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(server.writes().len(), 1);
}

#[tokio::test]
async fn shutdown_gives_up_at_its_deadline() {
    let (edge, version, _) = edge().await;
    edge.server.hold(&["patch"]);
    edge.cluster.writer.submit(status("orders", "last words", &version));
    assert_eq!(edge.cluster.shutdown(Duration::from_millis(100)).await, 1);
}
