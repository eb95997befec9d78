//! The direct engine: 1..N by the HPA controller's algorithm, on every sample.
use super::{Because, Facts, Reading};
use crate::algorithm::{self, Limit, Replicas, Rules};
use crate::failure::Reason;
use crate::milli::Milli;
use crate::sample::Known;
use crate::workload::{Aim, Metric, ResourceTrigger, Trigger};
use crate::write::TargetSeen;
use std::fmt::Write;

/// One metric as the algorithm sees it, and whose it is.
struct Input<'a> {
    of: Of<'a>,
    input: algorithm::Input,
}

#[derive(Clone, Copy)]
enum Of<'a> {
    Metric(&'a Metric),
    Resource(u16, &'a ResourceTrigger),
}

/// What the algorithm makes of the readings; `None`: it has no say (no target, no replicas, no metrics).
pub(super) fn recommend(facts: &Facts<'_>, memory: &mut algorithm::Memory) -> Option<(u32, Because)> {
    let Some(TargetSeen::Found { spec, ready, current, .. }) = facts.target else { return None };
    let declared = &*facts.workload.declared;
    let inputs = inputs(facts);
    if *spec == 0 || inputs.is_empty() {
        return None;
    }
    let all: Vec<algorithm::Input> = inputs.iter().map(|input| input.input).collect();
    let rules = Rules {
        min: declared.bounds.min.max(1),
        max: declared.bounds.max,
        behavior: facts.behavior,
        flags: facts.flags,
    };
    let replicas = Replicas { spec: *spec, current: *current, ready: *ready };
    let verdict = algorithm::decide(&rules, &all, replicas, memory, facts.now.mono);
    let mut text = String::new();
    if verdict.desired != *spec {
        let _ = write!(text, "{spec} → {}, ", verdict.desired);
    }
    if let Some(input) = verdict.leading.and_then(|leading| inputs.get(leading)) {
        input.write(&mut text);
        if let Some(recommended) = verdict.recommended {
            let _ = write!(text, " = {recommended}");
        }
        text.push_str(", ");
    }
    text.push_str(words(verdict.limit));
    Some((verdict.desired, Because::Recommended(text.into())))
}

fn inputs<'a>(facts: &Facts<'a>) -> Vec<Input<'a>> {
    let mut inputs = Vec::new();
    for (trigger, reading) in facts.workload.triggers.iter().zip(facts.readings) {
        match trigger {
            Trigger::External { metrics, aim, .. } => {
                for (position, metric) in metrics.iter().enumerate() {
                    let value = value_of(reading, position).usable();
                    let input = algorithm::Reading { target: metric.target, aim: *aim, value }.into();
                    inputs.push(Input { of: Of::Metric(metric), input });
                }
            }
            Trigger::Resource { index, resource } => {
                let Reading::Resource { known, .. } = reading else { continue };
                inputs.push(Input { of: Of::Resource(*index, resource), input: algorithm::Input::Resource(*known) });
            }
            Trigger::Unusable { .. } => {}
        }
    }
    inputs
}

impl Input<'_> {
    /// For people: whose, how much, compared with what.
    fn write(&self, text: &mut String) {
        let _ = match (self.of, self.input) {
            (Of::Metric(metric), algorithm::Input::External(reading)) => {
                let each = if reading.aim == Aim::Average { " each" } else { "" };
                write!(text, "{}: {} for {}{each}", metric.name, reading.value.unwrap_or_default(), reading.target)
            }
            (Of::Resource(index, resource), algorithm::Input::Resource(Some(found))) => {
                write!(text, "s{index}-{}: {found}", resource.resource)
            }
            _ => Ok(()),
        };
    }
}

fn value_of(reading: &Reading<'_>, position: usize) -> Known<Milli> {
    let Reading::Known { sample, aged, .. } = reading else { return Known::Unknown(Reason::UnknownState) };
    match (sample.values.get(position), aged) {
        (Some(value), None) => Known::Fresh(*value),
        (Some(value), Some(age)) => Known::Ageing(*value, *age),
        (None, _) => Known::Unknown(Reason::UnknownState),
    }
}

fn words(limit: Limit) -> &'static str {
    match limit {
        Limit::DesiredWithinRange => "within range",
        Limit::ScalingDisabled => "at zero",
        Limit::AboveMaximum => "there were more than the maximum",
        Limit::BelowMinimum => "there were fewer than the minimum",
        Limit::MetricsUnavailable => "held: metrics are not known",
        Limit::ScaleUpStabilized => "held by a lower recommendation in the window",
        Limit::ScaleDownStabilized => "held by a higher recommendation in the window",
        Limit::ScaleUpLimit => "growing no faster than the policy allows",
        Limit::ScaleDownLimit => "shrinking no faster than the policy allows",
        Limit::TooManyReplicas => "capped by the maximum",
        Limit::TooFewReplicas => "raised to the minimum",
    }
}
