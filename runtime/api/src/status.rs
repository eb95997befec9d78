//! The status of a ScaledObject: as the core sees it, as it is stored, and the smallest patch between the two.
use crate::annotation::{FINALIZER, OWNER_LABEL};
use crate::hpa::tri;
use crate::scaled_object::{ScaledObject, ScaledObjectCondition, ScaledObjectStatus};
use k8s_openapi::jiff::Timestamp;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use windlass_core::write::{Condition, Conditions, RecordSeen, StatusView, Tri};
use windlass_core::{TargetRef, Text, Wall};

/// An object's own record.
pub fn record(object: &ScaledObject) -> RecordSeen {
    let metadata = &object.metadata;
    let label = metadata.labels.as_ref().and_then(|labels| labels.get(OWNER_LABEL));
    let mut status = object.status.as_ref().map(view).unwrap_or_default();
    if let Some(target) = &mut status.target {
        // The stored status does not tell the name, so it can never be a difference.
        target.name = object.spec.scale_target_ref.name.as_str().into();
    }
    RecordSeen {
        version: metadata.resource_version.as_deref().unwrap_or_default().into(),
        finalizer: metadata.finalizers.iter().flatten().any(|name| name == FINALIZER),
        label: label.is_some() && label == metadata.name.as_ref(),
        status,
    }
}

/// A stored status in the core's words. Times are cut to whole seconds, as they are stored.
pub fn view(status: &ScaledObjectStatus) -> StatusView {
    let name = |text: &Option<String>| text.as_deref().filter(|text| !text.is_empty()).map(Text::from);
    let count = |number: Option<i64>| number.and_then(|number| u32::try_from(number).ok());
    let list = |names: &Option<Vec<String>>| names.iter().flatten().map(|name| name.as_str().into()).collect();
    StatusView {
        conditions: conditions(status.conditions.as_deref().unwrap_or_default()),
        target: status.scale_target_gvkr.as_ref().map(|gvkr| TargetRef {
            group: gvkr.group.as_str().into(),
            version: gvkr.version.as_str().into(),
            kind: gvkr.kind.as_str().into(),
            resource: gvkr.resource.as_str().into(),
            // Not told by the status: see `record`.
            name: "".into(),
        }),
        original_replicas: count(status.original_replica_count),
        last_active: status.last_active_time.as_ref().map(|time| Wall(time.0.as_second().saturating_mul(1000))),
        external_metrics: list(&status.external_metric_names),
        resource_metrics: list(&status.resource_metric_names),
        hpa_name: name(&status.hpa_name),
        paused_replicas: count(status.paused_replica_count),
        trigger_types: name(&status.triggers_types),
        authentications: name(&status.authentications_types),
        activity: status
            .triggers_activity
            .iter()
            .flatten()
            .map(|(metric, activity)| (metric.as_str().into(), activity.is_active.unwrap_or(false)))
            .collect(),
    }
}

fn conditions(list: &[ScaledObjectCondition]) -> Conditions {
    let find = |kind: &str| {
        list.iter().find(|condition| condition.kind == kind).map(|condition| Condition {
            status: tri(&condition.status),
            reason: condition.reason.as_deref().unwrap_or_default().into(),
            message: condition.message.as_deref().unwrap_or_default().into(),
        })
    };
    Conditions {
        ready: find("Ready"),
        active: find("Active"),
        fallback: find("Fallback"),
        paused: find("Paused"),
        hpa_active: find("HPAActive"),
    }
}

/// A merge patch that makes the stored status the wanted one: changed fields only, a field that is gone as `null`,
/// conditions as a whole (they are a list without keys). `None`: nothing to write.
pub fn status_patch(wanted: &StatusView, stored: &StatusView) -> Option<Value> {
    let mut patch = Map::new();
    if condition_list(&wanted.conditions, Unset::Initial) != condition_list(&stored.conditions, Unset::Absent) {
        patch.insert("conditions".into(), condition_list(&wanted.conditions, Unset::Initial));
    }
    let (wanted_fields, stored_fields) = (fields(wanted), fields(stored));
    for ((name, new), (_, old)) in wanted_fields.into_iter().zip(stored_fields) {
        if new != old {
            patch.insert(name.into(), new);
        }
    }
    let activity = activity_patch(&wanted.activity, &stored.activity);
    if !activity.is_empty() {
        patch.insert("triggersActivity".into(), Value::Object(activity));
    }
    (!patch.is_empty()).then(|| json!({ "status": patch }))
}

/// Everything but conditions and activity, in one order for both sides; `null` is unset.
fn fields(view: &StatusView) -> [(&'static str, Value); 10] {
    let text = |text: &Option<Text>| text.as_deref().map_or(Value::Null, Value::from);
    let count = |count: Option<u32>| count.map_or(Value::Null, Value::from);
    let list = |names: &[Text]| if names.is_empty() { Value::Null } else { names.iter().map(|name| &**name).collect() };
    let target = view.target.as_ref();
    [
        ("scaleTargetKind", target.map_or(Value::Null, |t| format!("{}/{}.{}", t.group, t.version, t.kind).into())),
        (
            "scaleTargetGVKR",
            target.map_or(
                Value::Null,
                |t| json!({ "group": &*t.group, "version": &*t.version, "kind": &*t.kind, "resource": &*t.resource }),
            ),
        ),
        ("originalReplicaCount", count(view.original_replicas)),
        ("lastActiveTime", view.last_active.and_then(time).map_or(Value::Null, Value::from)),
        ("externalMetricNames", list(&view.external_metrics)),
        ("resourceMetricNames", list(&view.resource_metrics)),
        ("hpaName", text(&view.hpa_name)),
        ("pausedReplicaCount", count(view.paused_replicas)),
        ("triggersTypes", text(&view.trigger_types)),
        ("authenticationsTypes", text(&view.authentications)),
    ]
}

/// `2026-01-02T03:04:05Z`: whole seconds, as Kubernetes stores times.
fn time(wall: Wall) -> Option<String> {
    Timestamp::from_second(wall.0.div_euclid(1000)).ok().map(|time| time.to_string())
}

fn activity_patch(wanted: &BTreeMap<Text, bool>, stored: &BTreeMap<Text, bool>) -> Map<String, Value> {
    let changed = wanted.iter().filter(|(metric, active)| stored.get(*metric) != Some(active));
    let gone = stored.keys().filter(|metric| !wanted.contains_key(*metric));
    changed
        .map(|(metric, active)| (metric.to_string(), json!({ "isActive": active })))
        .chain(gone.map(|metric| (metric.to_string(), Value::Null)))
        .collect()
}

/// What stands for a condition that is not set.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Unset {
    /// KEDA's initial value.
    Initial,
    /// Nothing.
    Absent,
}

/// The list in KEDA's order. With [`Unset::Initial`] a list that has any condition has the first four.
fn condition_list(conditions: &Conditions, unset: Unset) -> Value {
    let four = [
        ("Ready", &conditions.ready, Tri::Unknown),
        ("Active", &conditions.active, Tri::Unknown),
        ("Fallback", &conditions.fallback, Tri::Unknown),
        ("Paused", &conditions.paused, Tri::No),
    ];
    let any = four.iter().any(|(_, condition, _)| condition.is_some()) || conditions.hpa_active.is_some();
    let initial = |status| Condition { status, ..Condition::default() };
    let four = four.into_iter().filter_map(|(kind, condition, status)| match condition {
        Some(condition) => Some((kind, condition.clone())),
        None if any && unset == Unset::Initial => Some((kind, initial(status))),
        None => None,
    });
    four.chain(conditions.hpa_active.clone().map(|condition| ("HPAActive", condition)))
        .map(|(kind, condition)| {
            let mut told = Map::from_iter([
                ("type".to_owned(), Value::from(kind)),
                (
                    "status".to_owned(),
                    Value::from(match condition.status {
                        Tri::Yes => "True",
                        Tri::No => "False",
                        Tri::Unknown => "Unknown",
                    }),
                ),
            ]);
            for (name, text) in [("reason", &condition.reason), ("message", &condition.message)] {
                if !text.is_empty() {
                    told.insert(name.into(), Value::from(&**text));
                }
            }
            Value::Object(told)
        })
        .collect()
}
