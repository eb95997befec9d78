//! `behavior`, with the checks that the API server would make on the HPA: better refused here, with the field's name.
use super::refused;
use crate::behavior::{HorizontalPodAutoscalerBehavior, HpaScalingPolicy, HpaScalingRules, QuantityText};
use crate::quantity::Quantity;
use windlass_core::workload::{Behavior, ScalingPolicy, ScalingRules, SelectPolicy};
use windlass_core::{Fault, Milli};

/// Lowers a behavior; `field` is where it stands.
pub(super) fn lower(field: &str, written: &HorizontalPodAutoscalerBehavior) -> Result<Behavior, Fault> {
    let side = |name: &str, rules: &Option<HpaScalingRules>| {
        rules.as_ref().map(|rules| self::rules(&format!("{field}.{name}"), rules)).transpose()
    };
    Ok(Behavior { scale_up: side("scaleUp", &written.scale_up)?, scale_down: side("scaleDown", &written.scale_down)? })
}

fn rules(field: &str, written: &HpaScalingRules) -> Result<ScalingRules, Fault> {
    let select = match written.select_policy.as_deref() {
        None | Some("") => None,
        Some("Max") => Some(SelectPolicy::Max),
        Some("Min") => Some(SelectPolicy::Min),
        Some("Disabled") => Some(SelectPolicy::Disabled),
        Some(other) => {
            return Err(refused(format!("{field}.selectPolicy: '{other}' is unknown; use Max, Min or Disabled")));
        }
    };
    // An empty list is left out on the way to the API server, and so means the default policies.
    let policies = written.policies.as_deref().filter(|list| !list.is_empty());
    let policies = policies.map(|list| {
        list.iter()
            .enumerate()
            .map(|(index, policy)| self::policy(&format!("{field}.policies[{index}]"), policy))
            .collect()
    });
    Ok(ScalingRules {
        stabilization_s: written
            .stabilization_window_seconds
            .map(|value| within(&format!("{field}.stabilizationWindowSeconds"), value, 0, 3600))
            .transpose()?,
        select,
        policies: policies.transpose()?,
        tolerance: written.tolerance.as_ref().map(|text| tolerance(&format!("{field}.tolerance"), text)).transpose()?,
    })
}

fn policy(field: &str, written: &HpaScalingPolicy) -> Result<ScalingPolicy, Fault> {
    let percent = match written.kind.as_str() {
        "Percent" => true,
        "Pods" => false,
        other => return Err(refused(format!("{field}.type: '{other}' is unknown; use Pods or Percent"))),
    };
    Ok(ScalingPolicy {
        percent,
        value: within(&format!("{field}.value"), written.value, 1, i32::MAX)?,
        period_s: within(&format!("{field}.periodSeconds"), written.period_seconds, 1, 1800)?,
    })
}

fn within(field: &str, value: i64, least: i32, most: i32) -> Result<i32, Fault> {
    i32::try_from(value)
        .ok()
        .filter(|small| (least..=most).contains(small))
        .ok_or_else(|| refused(format!("{field}: is {value}; use a number from {least} to {most}")))
}

fn tolerance(field: &str, text: &QuantityText) -> Result<Milli, Fault> {
    let quantity: Quantity = text.0.parse().map_err(|why| refused(format!("{field}: '{}' is {why}", text.0)))?;
    if quantity.is_negative() {
        return Err(refused(format!("{field}: '{}' is negative; use 0 or more", text.0)));
    }
    quantity.as_exact_milli().ok_or_else(|| {
        refused(format!("{field}: '{}' is finer than a thousandth; use at most three decimal places", text.0))
    })
}
