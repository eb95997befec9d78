//! A prepared workload: what the user declared, with each trigger's question or the reason why there is none.
use crate::failure::{Fault, Reason};
use crate::key::{MetricName, Text};
use crate::milli::Milli;
use crate::query::{MetricSpec, Question};
use crate::workload::{Ask, Declared, DeclaredTrigger, Intake, Metric, Trigger, Workload};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Puts a workload together. `questions` has one entry per trigger with an event source, in their order; one that is
/// missing makes its trigger unusable, like one that is a fault.
///
/// Rules over the triggers as a whole, which KEDA checks when it reconciles, are checked here too: their violation is
/// the workload's fault, unless it already has one.
pub fn workload(intake: &Intake, questions: Vec<Result<Arc<Question>, Fault>>) -> Workload {
    let mut questions = questions.into_iter();
    let mut triggers = Vec::with_capacity(intake.declared.triggers.len());
    for (place, declared) in intake.declared.triggers.iter().enumerate() {
        let index = declared.index;
        if let Ask::Resource(resource) = &declared.ask {
            triggers.push(Trigger::Resource { index, resource: resource.clone() });
            continue;
        }
        let unprepared = || Err(Fault::new(Reason::TriggerError, format!("spec.triggers[{index}] was not prepared")));
        let question = questions.next().unwrap_or_else(unprepared);
        let question = match intake.materials.get(place).and_then(|material| material.fault.clone()) {
            Some(fault) => Err(fault),
            None => question,
        };
        let trigger = question.and_then(|question| external(declared, question));
        triggers.push(trigger.unwrap_or_else(|fault| Trigger::Unusable { index, fault }));
    }
    let fault = intake.fault.clone().or_else(|| broken_rule(&intake.declared, &triggers));
    Workload { declared: intake.declared.clone(), triggers, fault, held_back: Vec::new() }
}

fn external(declared: &DeclaredTrigger, question: Arc<Question>) -> Result<Trigger, Fault> {
    let index = declared.index;
    let metrics = match &question.plan.metrics {
        Some(specs) => metrics(index, specs)?,
        // Not known before the first reading.
        None => Vec::new(),
    };
    let (aim, cached) = match &declared.ask {
        Ask::External { aim, cached, .. } => (*aim, *cached),
        Ask::Resource(_) => Default::default(),
    };
    Ok(Trigger::External { index, question, metrics, aim, cached })
}

/// The metrics of a trigger, from what its component said: at `configure`, or with its first reading.
///
/// # Errors
/// There is none, two have one name, or a target or activation is no usable number: targets are positive, finite and at
/// least a thousandth, since the API server takes no other.
pub fn metrics(index: u16, specs: &[MetricSpec]) -> Result<Vec<Metric>, Fault> {
    let fault = |message: String| Fault::new(Reason::InvalidTrigger, format!("spec.triggers[{index}]: {message}"));
    if specs.is_empty() {
        return Err(fault("its component names no metric for it".to_owned()));
    }
    let mut names = BTreeSet::new();
    let mut metrics = Vec::with_capacity(specs.len());
    for spec in specs {
        let name = MetricName::new(index, &spec.name);
        let target = Milli::from_f64(spec.target).filter(|target| target.0 > 0).ok_or_else(|| {
            fault(format!("metric {name} has the target {}: it must be a number of at least 0.001", spec.target))
        })?;
        if !spec.activation.is_finite() {
            return Err(fault(format!("metric {name} has no finite activation threshold")));
        }
        if !names.insert(name.name.clone()) {
            return Err(fault(format!("metric name {name} is not unique: give its metrics different names")));
        }
        metrics.push(Metric { name, target, activation: spec.activation });
    }
    Ok(metrics)
}

/// The first rule over all triggers that is broken.
fn broken_rule(declared: &Declared, triggers: &[Trigger]) -> Option<Fault> {
    let fault = |message: String| Some(Fault::new(Reason::ScaledObjectCheckFailed, message));
    let mut names: BTreeSet<&Text> = BTreeSet::new();
    for trigger in &declared.triggers {
        if let Some(name) = trigger.name.as_ref().filter(|name| !name.is_empty())
            && !names.insert(name)
        {
            let index = trigger.index;
            return fault(format!("spec.triggers[{index}].name: {name} is the name of another trigger too"));
        }
    }
    // A cached value makes no sense where there is no source to spare: the answer follows from the time alone.
    let cached = triggers.iter().find_map(|trigger| match trigger {
        Trigger::External { index, question, cached: true, .. } if question.plan.endpoints.is_empty() => {
            Some((*index, &question.trigger.kind))
        }
        _ => None,
    });
    let (index, kind) = cached?;
    fault(format!("spec.triggers[{index}].useCachedMetrics: not supported for trigger type {kind}: remove it"))
}
