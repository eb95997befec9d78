//! Triggers: what they ask, and the rules that hold for every trigger type.
use super::refused;
use crate::quantity::Quantity;
use crate::scaled_object::{AuthenticationReference, ScaleTrigger};
use std::collections::{BTreeMap, BTreeSet};
use windlass_core::workload::{Aim, Ask, AuthenticationRef, DeclaredTrigger, ResourceTarget, ResourceTrigger};
use windlass_core::{Fault, Reason, Text};

/// Lowers the triggers of an object.
pub(super) fn lower(triggers: &[ScaleTrigger]) -> Result<Vec<DeclaredTrigger>, Fault> {
    if triggers.is_empty() {
        return Err(refused("spec.triggers: is empty; add at least one trigger"));
    }
    let mut names = BTreeSet::new();
    let mut lowered = Vec::with_capacity(triggers.len());
    for (position, trigger) in triggers.iter().enumerate() {
        let field = format!("spec.triggers[{position}]");
        let index = u16::try_from(position)
            .map_err(|_| refused(format!("spec.triggers: has more than {} entries", u16::MAX)))?;
        let name = trigger.name.as_deref().filter(|name| !name.is_empty());
        if let Some(name) = name.filter(|name| !names.insert(*name)) {
            return Err(refused(format!("{field}.name: '{name}' is used by another trigger; names must be unique")));
        }
        if trigger.kind.is_empty() {
            return Err(refused(format!("{field}.type: is empty; name a trigger type")));
        }
        lowered.push(DeclaredTrigger {
            index,
            kind: trigger.kind.as_str().into(),
            name: name.map(Text::from),
            ask: ask(&field, trigger)?,
            authentication: authentication(&field, trigger.authentication_ref.as_ref())?,
        });
    }
    Ok(lowered)
}

fn invalid(message: String) -> Fault {
    Fault::new(Reason::InvalidTrigger, message)
}

fn ask(field: &str, trigger: &ScaleTrigger) -> Result<Ask, Fault> {
    if matches!(trigger.kind.as_str(), "cpu" | "memory") {
        return resource(field, trigger).map(Ask::Resource);
    }
    let aim = match trigger.metric_type.as_deref() {
        None | Some("" | "AverageValue") => Aim::Average,
        Some("Value") => Aim::Value,
        Some("Utilization") => {
            return Err(invalid(format!(
                "{field}.metricType: Utilization is only for cpu and memory; use AverageValue or Value for '{}'",
                trigger.kind
            )));
        }
        Some(other) => {
            return Err(invalid(format!("{field}.metricType: '{other}' is unknown; use AverageValue or Value")));
        }
    };
    let metadata: BTreeMap<Text, Text> =
        trigger.metadata.iter().map(|(name, value)| (name.as_str().into(), value.as_str().into())).collect();
    Ok(Ask::External { metadata, aim, cached: trigger.use_cached_metrics.unwrap_or(false) })
}

/// A `cpu` or `memory` trigger becomes a resource metric of the HPA.
fn resource(field: &str, trigger: &ScaleTrigger) -> Result<ResourceTrigger, Fault> {
    let kind = &trigger.kind;
    if trigger.use_cached_metrics.unwrap_or(false) {
        return Err(invalid(format!("{field}.useCachedMetrics: does nothing for '{kind}'; remove it")));
    }
    // Values are trimmed, and an empty one is as good as none, as for every other trigger type.
    let value = |name: &str| trigger.metadata.get(name).map(|value| value.trim()).filter(|value| !value.is_empty());
    if value("type").is_some() {
        return Err(invalid(format!(
            "{field}.metadata.type: was removed from KEDA 2.18; use metricType of the trigger"
        )));
    }
    let Some(written) = value("value") else {
        return Err(invalid(format!("{field}.metadata.value: is not set; give the target of '{kind}'")));
    };
    let target = match trigger.metric_type.as_deref() {
        Some("Utilization") => {
            let per_cent = written.parse().ok().filter(|value: &i32| *value > 0).ok_or_else(|| {
                invalid(format!(
                    "{field}.metadata.value: '{written}' is no whole number of per cent; write for instance \"60\""
                ))
            })?;
            ResourceTarget::Utilization(per_cent)
        }
        Some("AverageValue") => {
            let quantity: Quantity =
                written.parse().map_err(|why| invalid(format!("{field}.metadata.value: '{written}' is {why}")))?;
            if quantity.is_negative() || quantity.to_string() == "0" {
                return Err(invalid(format!(
                    "{field}.metadata.value: '{written}' is not above zero; use a positive quantity"
                )));
            }
            ResourceTarget::AverageValue(quantity.to_string().into())
        }
        None | Some("") => {
            return Err(invalid(format!("{field}.metricType: is not set; '{kind}' needs Utilization or AverageValue")));
        }
        Some(other) => {
            return Err(invalid(format!(
                "{field}.metricType: '{other}' does not fit '{kind}'; use Utilization or AverageValue"
            )));
        }
    };
    Ok(ResourceTrigger { resource: kind.as_str().into(), container: value("containerName").map(Text::from), target })
}

fn authentication(
    field: &str,
    reference: Option<&AuthenticationReference>,
) -> Result<Option<AuthenticationRef>, Fault> {
    // A reference without a name refers to nothing, as in KEDA.
    let Some(reference) = reference.filter(|reference| !reference.name.is_empty()) else { return Ok(None) };
    let cluster = match reference.kind.as_deref() {
        None | Some("" | "TriggerAuthentication") => false,
        Some("ClusterTriggerAuthentication") => true,
        Some(other) => {
            return Err(invalid(format!(
                "{field}.authenticationRef.kind: '{other}' is unknown; use TriggerAuthentication or ClusterTriggerAuthentication"
            )));
        }
    };
    Ok(Some(AuthenticationRef { name: reference.name.as_str().into(), cluster }))
}
