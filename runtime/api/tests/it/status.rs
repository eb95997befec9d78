//! Status: as it is stored, and the smallest patch.
use crate::object::object;
use serde_json::{Value, json};
use windlass_api::ScaledObjectStatus;
use windlass_api::status::{record, status_patch, view};
use windlass_core::write::{Condition, StatusView, Tri};
use windlass_core::{Reason, TargetRef, Wall};

fn wanted() -> StatusView {
    let mut view = StatusView {
        target: Some(TargetRef {
            group: "apps".into(),
            version: "v1".into(),
            kind: "Deployment".into(),
            resource: "deployments".into(),
            name: "orders".into(),
        }),
        original_replicas: Some(0),
        last_active: Some(Wall(1_767_323_045_678)),
        external_metrics: vec!["s0-list".into()],
        hpa_name: Some("keda-hpa-orders".into()),
        trigger_types: Some("some-queue".into()),
        activity: [("s0-list".into(), true)].into(),
        ..StatusView::default()
    };
    view.conditions.ready = Some(Condition::new(Tri::Yes, Reason::ScaledObjectReady, "ready"));
    view
}

fn stored() -> Value {
    json!({
        "conditions": [
            { "type": "Ready", "status": "True", "reason": "ScaledObjectReady", "message": "ready" },
            { "type": "Active", "status": "Unknown" },
            { "type": "Fallback", "status": "Unknown" },
            { "type": "Paused", "status": "False" },
        ],
        "scaleTargetKind": "apps/v1.Deployment",
        "scaleTargetGVKR": { "group": "apps", "version": "v1", "kind": "Deployment", "resource": "deployments" },
        "originalReplicaCount": 0,
        "lastActiveTime": "2026-01-02T03:04:05Z",
        "externalMetricNames": ["s0-list"],
        "hpaName": "keda-hpa-orders",
        "triggersTypes": "some-queue",
        "triggersActivity": { "s0-list": { "isActive": true } },
    })
}

#[test]
fn a_new_status_is_written_whole() {
    assert_eq!(status_patch(&wanted(), &StatusView::default()), Some(json!({ "status": stored() })));
}

#[test]
fn what_is_stored_is_not_written_again() {
    let object = object(json!({ "status": stored() }));
    let record = record(&object);
    assert_eq!(status_patch(&wanted(), &record.status), None);
    assert_eq!(record.status.target, wanted().target, "the name is the object's own");
    // And typed status and JSON are the same thing.
    assert_eq!(serde_json::to_value(object.status.unwrap()).unwrap(), stored());
}

#[test]
fn a_patch_holds_only_what_changed() {
    let typed: ScaledObjectStatus = serde_json::from_value(stored()).unwrap();
    let before = view(&typed);
    let mut after = before.clone();
    after.paused_replicas = Some(3);
    after.hpa_name = None;
    after.external_metrics.clear();
    after.activity = [("s1-list".into(), false)].into();
    after.last_active = Some(Wall(1_767_323_045_999));
    assert_eq!(
        status_patch(&after, &before),
        Some(json!({ "status": {
            "hpaName": null,
            "externalMetricNames": null,
            "pausedReplicaCount": 3,
            "triggersActivity": { "s0-list": null, "s1-list": { "isActive": false } },
        } })),
        "a time within the same second is no change"
    );
}

#[test]
fn conditions_are_written_as_a_whole_in_order() {
    let typed: ScaledObjectStatus = serde_json::from_value(stored()).unwrap();
    let before = view(&typed);
    let mut after = before.clone();
    after.conditions.hpa_active = Some(Condition::new(Tri::No, Reason::HPAMetricsUnavailable, ""));
    let patch = status_patch(&after, &before).unwrap();
    let list = patch["status"]["conditions"].as_array().unwrap();
    let types: Vec<&str> = list.iter().map(|condition| condition["type"].as_str().unwrap()).collect();
    assert_eq!(types, ["Ready", "Active", "Fallback", "Paused", "HPAActive"]);
    assert_eq!(list[4], json!({ "type": "HPAActive", "status": "False", "reason": "HPAMetricsUnavailable" }));
    assert_eq!(patch["status"].as_object().unwrap().len(), 1);
}

#[test]
fn the_record_tells_finalizer_and_label() {
    let bare = record(&object(json!({})));
    assert_eq!((bare.finalizer, bare.label), (false, false));
    let marked = record(&object(json!({ "metadata": {
        "resourceVersion": "9", "finalizers": ["other", "finalizer.keda.sh"], "labels": { "scaledobject.keda.sh/name": "orders" }
    } })));
    assert_eq!((marked.finalizer, marked.label, &*marked.version), (true, true, "9"));
    let foreign = record(&object(json!({ "metadata": { "labels": { "scaledobject.keda.sh/name": "other" } } })));
    assert!(!foreign.label);
}
