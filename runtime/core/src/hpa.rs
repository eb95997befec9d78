//! The HorizontalPodAutoscaler that a workload wants, and whether the stored one really is another.
#[cfg(test)]
mod tests;

use crate::key::Text;
use crate::workload::{Behavior, ScalingPolicy, ScalingRules, SelectPolicy, Trigger, Workload};
use crate::write::{HpaMetric, HpaSeen, HpaShape};
use std::collections::BTreeMap;

/// What a label's value may hold, in characters.
const LABEL_LENGTH: usize = 63;

/// The HPA of a workload, as KEDA builds it: its bounds, one external metric per metric of its triggers, resource metrics
/// for `cpu` and `memory`, and its behaviour, with a direction switched off where an annotation pauses it.
///
/// `None` when the HPA cannot be told in full: the workload has a fault, one of its triggers is unusable, or a component
/// has yet to name its metrics. An HPA without those metrics would scale the workload down for no reason of its own, so
/// a stored one stays as it is.
pub fn shape(workload: &Workload) -> Option<HpaShape> {
    let declared = &workload.declared;
    if workload.fault.is_some() {
        return None;
    }
    let mut metrics = Vec::with_capacity(workload.triggers.len());
    for trigger in &workload.triggers {
        match trigger {
            Trigger::Unusable { .. } => return None,
            Trigger::External { metrics: told, .. } if told.is_empty() => return None,
            Trigger::External { metrics: told, aim, .. } => {
                metrics.extend(told.iter().map(|metric| HpaMetric::External {
                    name: metric.name.to_string().into(),
                    object: declared.key.name.clone(),
                    target: metric.target,
                    aim: *aim,
                }))
            }
            Trigger::Resource { resource, .. } => metrics.push(HpaMetric::Resource(resource.clone())),
        }
    }
    if metrics.is_empty() {
        return None;
    }
    metrics.sort_by_key(metric_type);
    let pause = &declared.pause;
    Some(HpaShape {
        name: declared.hpa.name.clone(),
        labels: labels(workload),
        annotations: declared.annotations.clone(),
        target: declared.target.clone(),
        min: declared.bounds.min.max(1),
        max: declared.bounds.max,
        metrics,
        behavior: paused(declared.hpa.behavior.clone(), pause.scale_in, pause.scale_out),
    })
}

/// The word of `autoscaling/v2` by which KEDA sorts metrics; triggers of one type keep their order.
fn metric_type(metric: &HpaMetric) -> &'static str {
    match metric {
        HpaMetric::External { .. } => "External",
        HpaMetric::Resource(resource) if resource.container.is_some() => "ContainerResource",
        HpaMetric::Resource(_) => "Resource",
        HpaMetric::Foreign(_) => "",
    }
}

/// The recommended application labels, overridden and completed by the object's own.
fn labels(workload: &Workload) -> BTreeMap<Text, Text> {
    let declared = &workload.declared;
    let own = [
        ("app.kubernetes.io/name", label_value(&declared.hpa.name)),
        ("app.kubernetes.io/version", env!("CARGO_PKG_VERSION").into()),
        ("app.kubernetes.io/part-of", declared.key.name.clone()),
        ("app.kubernetes.io/managed-by", "keda-operator".into()),
    ];
    let own = own.into_iter().map(|(key, value)| (Text::from(key), value));
    own.chain(declared.labels.iter().map(|(key, value)| (key.clone(), value.clone()))).collect()
}

/// A name as a label's value: cut where it is too long, and then without what a value must not end in.
fn label_value(name: &Text) -> Text {
    match name.char_indices().nth(LABEL_LENGTH) {
        None => name.clone(),
        Some((end, _)) => name[..end].trim_end_matches(|c: char| !c.is_alphanumeric()).into(),
    }
}

/// The behaviour with the paused directions switched off.
fn paused(behavior: Option<Behavior>, scale_in: bool, scale_out: bool) -> Option<Behavior> {
    if !scale_in && !scale_out {
        return behavior;
    }
    let mut behavior = behavior.unwrap_or_default();
    if scale_in {
        behavior.scale_down.get_or_insert_default().select = Some(SelectPolicy::Disabled);
    }
    if scale_out {
        behavior.scale_up.get_or_insert_default().select = Some(SelectPolicy::Disabled);
    }
    Some(behavior)
}

/// Whether the stored HPA is another one than wanted, so that a write would change something.
///
/// Defaults that the API server filled into the behaviour, the order of metrics (which means nothing), and labels or
/// annotations that somebody added are no difference. Whose it is, is another question.
pub fn differs(wanted: &HpaShape, stored: &HpaSeen) -> bool {
    let seen = &stored.shape;
    let same_target = wanted.target.group == seen.target.group
        && wanted.target.version == seen.target.version
        && wanted.target.kind == seen.target.kind
        && wanted.target.name == seen.target.name;
    !(same_target
        && wanted.name == seen.name
        && (wanted.min, wanted.max) == (seen.min, seen.max)
        && same_metrics(&wanted.metrics, &seen.metrics)
        && wanted.behavior.as_ref().map(defaulted) == seen.behavior.as_ref().map(defaulted)
        && holds(&seen.labels, &wanted.labels)
        && holds(&seen.annotations, &wanted.annotations))
}

/// Whether two lists hold the same metrics, in whatever order.
fn same_metrics(wanted: &[HpaMetric], seen: &[HpaMetric]) -> bool {
    if wanted == seen {
        return true;
    }
    let mut left: Vec<&HpaMetric> = seen.iter().collect();
    wanted.len() == seen.len()
        && wanted.iter().all(|metric| {
            let place = left.iter().position(|other| *other == metric);
            place.map(|place| left.swap_remove(place)).is_some()
        })
}

fn holds(all: &BTreeMap<Text, Text>, some: &BTreeMap<Text, Text>) -> bool {
    some.iter().all(|(key, value)| all.get(key) == Some(value))
}

/// A behaviour as the API server stores it: it fills both directions of `autoscaling/v2` as soon as there is any
/// behaviour at all. Only the window of `scaleDown` stays open, since a flag of the HPA controller gives it.
pub fn defaulted(behavior: &Behavior) -> Behavior {
    let pods = ScalingPolicy { percent: false, value: 4, period_s: 15 };
    let percent = ScalingPolicy { percent: true, value: 100, period_s: 15 };
    let up = filled(behavior.scale_up.as_ref(), Some(0), &[pods, percent]);
    let down = filled(behavior.scale_down.as_ref(), None, &[percent]);
    Behavior { scale_up: Some(up), scale_down: Some(down) }
}

fn filled(rules: Option<&ScalingRules>, window_s: Option<i32>, policies: &[ScalingPolicy]) -> ScalingRules {
    let rules = rules.cloned().unwrap_or_default();
    ScalingRules {
        stabilization_s: rules.stabilization_s.or(window_s),
        select: rules.select.or(Some(SelectPolicy::Max)),
        policies: rules.policies.or_else(|| Some(policies.to_vec())),
        tolerance: rules.tolerance,
    }
}
