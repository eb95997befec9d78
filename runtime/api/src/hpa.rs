//! `autoscaling/v2` HorizontalPodAutoscaler: the core's words, as KEDA stores them, and back.
use crate::annotation::OWNER_LABEL;
use crate::quantity::Quantity;
use k8s_openapi::api::autoscaling::v2 as k8s;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity as QuantityText;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta, OwnerReference};
use std::collections::BTreeMap;
use windlass_core::workload::{
    Aim, Behavior, ResourceTarget, ResourceTrigger, ScalingPolicy, ScalingRules, SelectPolicy,
};
use windlass_core::write::{Condition, HpaMetric, HpaSeen, HpaShape, Tri};
use windlass_core::{Milli, TargetRef, Text, WorkloadKey};

/// The HPA of a ScaledObject, owned by it. `version`: the resource version that an update is conditional on.
pub fn to_kubernetes(
    key: &WorkloadKey,
    uid: &str,
    shape: &HpaShape,
    version: Option<&str>,
) -> k8s::HorizontalPodAutoscaler {
    k8s::HorizontalPodAutoscaler {
        metadata: ObjectMeta {
            name: Some(shape.name.to_string()),
            namespace: Some(key.namespace.to_string()),
            labels: map(&shape.labels),
            annotations: map(&shape.annotations),
            resource_version: version.map(String::from),
            owner_references: Some(vec![OwnerReference {
                api_version: "keda.sh/v1alpha1".into(),
                kind: "ScaledObject".into(),
                name: key.name.to_string(),
                uid: uid.into(),
                controller: Some(true),
                block_owner_deletion: Some(true),
            }]),
            ..ObjectMeta::default()
        },
        spec: k8s::HorizontalPodAutoscalerSpec {
            scale_target_ref: k8s::CrossVersionObjectReference {
                api_version: Some(shape.target.api_version()),
                kind: shape.target.kind.to_string(),
                name: shape.target.name.to_string(),
            },
            min_replicas: Some(int(shape.min)),
            max_replicas: int(shape.max),
            metrics: Some(shape.metrics.iter().filter_map(metric).collect()),
            behavior: shape.behavior.as_ref().map(behavior),
        },
        status: None,
    }
}

/// What a stored HPA says. What we never write becomes [`HpaMetric::Foreign`].
pub fn from_kubernetes(hpa: &k8s::HorizontalPodAutoscaler) -> HpaSeen {
    let metadata = &hpa.metadata;
    let spec = &hpa.spec;
    let api_version = spec.scale_target_ref.api_version.as_deref().unwrap_or_default();
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    let owner = metadata.owner_references.iter().flatten().find(|owner| owner.controller == Some(true));
    let conditions = hpa.status.as_ref().and_then(|status| status.conditions.as_deref()).unwrap_or_default();
    HpaSeen {
        shape: HpaShape {
            name: metadata.name.as_deref().unwrap_or_default().into(),
            labels: texts(metadata.labels.as_ref()),
            annotations: texts(metadata.annotations.as_ref()),
            target: TargetRef {
                group: group.into(),
                version: version.into(),
                kind: spec.scale_target_ref.kind.as_str().into(),
                resource: "".into(),
                name: spec.scale_target_ref.name.as_str().into(),
            },
            min: count(spec.min_replicas.unwrap_or(1)),
            max: count(spec.max_replicas),
            metrics: spec.metrics.iter().flatten().map(metric_seen).collect(),
            behavior: spec.behavior.as_ref().map(behavior_seen),
        },
        owner: owner.map(|owner| owner.uid.as_str().into()),
        version: metadata.resource_version.as_deref().unwrap_or_default().into(),
        scaling_active: conditions.iter().find(|condition| condition.type_ == "ScalingActive").map(|condition| {
            Condition {
                status: tri(&condition.status),
                reason: condition.reason.as_deref().unwrap_or_default().into(),
                message: condition.message.as_deref().unwrap_or_default().into(),
            }
        }),
    }
}

/// `True`, `False` or anything else.
pub(crate) fn tri(status: &str) -> Tri {
    match status {
        "True" => Tri::Yes,
        "False" => Tri::No,
        _ => Tri::Unknown,
    }
}

fn int(count: u32) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

fn count(int: i32) -> u32 {
    u32::try_from(int).unwrap_or(0)
}

fn map(texts: &BTreeMap<Text, Text>) -> Option<BTreeMap<String, String>> {
    (!texts.is_empty()).then(|| texts.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect())
}

fn texts(map: Option<&BTreeMap<String, String>>) -> BTreeMap<Text, Text> {
    map.into_iter().flatten().map(|(name, value)| (name.as_str().into(), value.as_str().into())).collect()
}

fn metric(metric: &HpaMetric) -> Option<k8s::MetricSpec> {
    match metric {
        HpaMetric::External { name, object, target, aim } => {
            let quantity = Some(QuantityText(target.to_string()));
            let target = match aim {
                Aim::Average => {
                    k8s::MetricTarget { type_: "AverageValue".into(), average_value: quantity, ..Default::default() }
                }
                Aim::Value => k8s::MetricTarget { type_: "Value".into(), value: quantity, ..Default::default() },
            };
            let selector = LabelSelector {
                match_labels: Some(BTreeMap::from([(OWNER_LABEL.into(), object.to_string())])),
                match_expressions: None,
            };
            let metric = k8s::MetricIdentifier { name: name.to_string(), selector: Some(selector) };
            let external = Some(k8s::ExternalMetricSource { metric, target });
            Some(k8s::MetricSpec { type_: "External".into(), external, ..Default::default() })
        }
        HpaMetric::Resource(trigger) => Some(resource(trigger)),
        HpaMetric::Foreign(_) => None,
    }
}

fn resource(trigger: &ResourceTrigger) -> k8s::MetricSpec {
    let target = match &trigger.target {
        ResourceTarget::Utilization(per_cent) => k8s::MetricTarget {
            type_: "Utilization".into(),
            average_utilization: Some(*per_cent),
            ..Default::default()
        },
        ResourceTarget::AverageValue(quantity) => k8s::MetricTarget {
            type_: "AverageValue".into(),
            average_value: Some(QuantityText(quantity.to_string())),
            ..Default::default()
        },
    };
    let name = trigger.resource.to_string();
    match &trigger.container {
        Some(container) => k8s::MetricSpec {
            type_: "ContainerResource".into(),
            container_resource: Some(k8s::ContainerResourceMetricSource {
                container: container.to_string(),
                name,
                target,
            }),
            ..Default::default()
        },
        None => k8s::MetricSpec {
            type_: "Resource".into(),
            resource: Some(k8s::ResourceMetricSource { name, target }),
            ..Default::default()
        },
    }
}

fn metric_seen(metric: &k8s::MetricSpec) -> HpaMetric {
    let known = match (&metric.external, &metric.resource, &metric.container_resource) {
        (Some(external), None, None) => external_seen(external),
        (None, Some(resource), None) => resource_seen(&resource.name, None, &resource.target),
        (None, None, Some(resource)) => resource_seen(&resource.name, Some(&resource.container), &resource.target),
        _ => None,
    };
    known.unwrap_or_else(|| HpaMetric::Foreign(metric.type_.as_str().into()))
}

fn external_seen(external: &k8s::ExternalMetricSource) -> Option<HpaMetric> {
    let selector = external.metric.selector.as_ref()?;
    let labels = selector.match_labels.as_ref().filter(|labels| labels.len() == 1)?;
    let object = labels.get(OWNER_LABEL)?;
    if selector.match_expressions.as_ref().is_some_and(|list| !list.is_empty()) {
        return None;
    }
    let (aim, quantity) = match external.target.type_.as_str() {
        "AverageValue" => (Aim::Average, external.target.average_value.as_ref()?),
        "Value" => (Aim::Value, external.target.value.as_ref()?),
        _ => return None,
    };
    Some(HpaMetric::External {
        name: external.metric.name.as_str().into(),
        object: object.as_str().into(),
        target: quantity.0.parse::<Quantity>().ok()?.as_exact_milli()?,
        aim,
    })
}

fn resource_seen(name: &str, container: Option<&str>, target: &k8s::MetricTarget) -> Option<HpaMetric> {
    let target = match target.type_.as_str() {
        "Utilization" => ResourceTarget::Utilization(target.average_utilization?),
        "AverageValue" => {
            ResourceTarget::AverageValue(target.average_value.as_ref()?.0.parse::<Quantity>().ok()?.to_string().into())
        }
        _ => return None,
    };
    Some(HpaMetric::Resource(ResourceTrigger { resource: name.into(), container: container.map(Text::from), target }))
}

fn behavior(behavior: &Behavior) -> k8s::HorizontalPodAutoscalerBehavior {
    k8s::HorizontalPodAutoscalerBehavior {
        scale_up: behavior.scale_up.as_ref().map(rules),
        scale_down: behavior.scale_down.as_ref().map(rules),
    }
}

fn rules(rules: &ScalingRules) -> k8s::HPAScalingRules {
    let select = rules.select.map(|select| match select {
        SelectPolicy::Max => "Max",
        SelectPolicy::Min => "Min",
        SelectPolicy::Disabled => "Disabled",
    });
    k8s::HPAScalingRules {
        stabilization_window_seconds: rules.stabilization_s,
        select_policy: select.map(String::from),
        policies: rules.policies.as_ref().map(|policies| policies.iter().map(policy).collect()),
        tolerance: rules.tolerance.map(|tolerance| QuantityText(tolerance.to_string())),
    }
}

fn policy(policy: &ScalingPolicy) -> k8s::HPAScalingPolicy {
    k8s::HPAScalingPolicy {
        type_: if policy.percent { "Percent" } else { "Pods" }.into(),
        value: policy.value,
        period_seconds: policy.period_s,
    }
}

fn behavior_seen(behavior: &k8s::HorizontalPodAutoscalerBehavior) -> Behavior {
    Behavior {
        scale_up: behavior.scale_up.as_ref().map(rules_seen),
        scale_down: behavior.scale_down.as_ref().map(rules_seen),
    }
}

fn rules_seen(rules: &k8s::HPAScalingRules) -> ScalingRules {
    let select = rules.select_policy.as_deref().and_then(|select| match select {
        "Max" => Some(SelectPolicy::Max),
        "Min" => Some(SelectPolicy::Min),
        "Disabled" => Some(SelectPolicy::Disabled),
        _ => None,
    });
    let policies = rules.policies.as_ref().map(|policies| {
        let seen = |policy: &k8s::HPAScalingPolicy| ScalingPolicy {
            percent: policy.type_ == "Percent",
            value: policy.value,
            period_s: policy.period_seconds,
        };
        policies.iter().map(seen).collect()
    });
    ScalingRules {
        stabilization_s: rules.stabilization_window_seconds,
        select,
        policies,
        tolerance: rules.tolerance.as_ref().and_then(|text| milli(&text.0)),
    }
}

fn milli(text: &str) -> Option<Milli> {
    text.parse::<Quantity>().ok()?.as_milli()
}
