//! What should be stored, compared with what is: usually nothing is left to write.
use crate::condition;
use crate::decide::{Activity, Decision, Reading, metric_active};
use crate::failure::{Fault, Reason};
use crate::key::{TargetRef, Text};
use crate::time::Wall;
use crate::workload::{Ask, Declared, Hold, Trigger, Workload};
use crate::write::{Condition, HpaOp, HpaSeen, HpaShape, StatusView};
use std::collections::BTreeMap;

/// What should become of the HPA.
#[derive(Clone, Copy, Debug)]
pub(crate) enum HpaWish<'a> {
    /// Nothing: we cannot tell, or must not touch it.
    Leave,
    /// There should be none.
    Absent,
    /// There should be this one.
    Shape(&'a HpaShape),
}

/// The one thing to do next about an HPA; a renamed one is first deleted, then created.
pub(crate) fn hpa(
    wish: HpaWish<'_>,
    stored: Option<&HpaSeen>,
    differs: bool,
    declared: &Declared,
) -> Result<Option<HpaOp>, Fault> {
    let ours = stored.is_some_and(|stored| owned(stored, declared));
    Ok(match (wish, stored) {
        (HpaWish::Leave, _) | (HpaWish::Absent, None) => None,
        (HpaWish::Absent, Some(stored)) => ours.then(|| HpaOp::Delete { name: stored.shape.name.clone() }),
        (HpaWish::Shape(shape), None) => Some(HpaOp::Create(shape.clone())),
        (HpaWish::Shape(shape), Some(stored)) if stored.shape.name != shape.name => {
            // Not ours: it stays, and ours comes beside it.
            Some(if ours { HpaOp::Delete { name: stored.shape.name.clone() } } else { HpaOp::Create(shape.clone()) })
        }
        (HpaWish::Shape(shape), Some(stored)) => {
            if !ours && !adoptable(stored, declared) {
                let text = format!(
                    "HPA {} exists and belongs to something else: delete it, choose another name, or hand it over with the annotation {TRANSFER}",
                    shape.name
                );
                return Err(Fault::new(Reason::ConflictingHpa, text));
            }
            let update = || HpaOp::Update { shape: shape.clone(), version: stored.version.clone() };
            (!ours || differs).then(update)
        }
    })
}

const TRANSFER: &str = "scaledobject.keda.sh/transfer-hpa-ownership";
const UNCHECKED: &str = "validations.keda.sh/hpa-ownership";

fn owned(stored: &HpaSeen, declared: &Declared) -> bool {
    stored.owner.as_ref() == Some(&declared.uid)
}

/// Nobody's HPA may be taken over when the user named it and said so, on the object or on the HPA.
fn adoptable(stored: &HpaSeen, declared: &Declared) -> bool {
    let says = |annotations: &BTreeMap<Text, Text>, key: &str, value: &str| {
        annotations.get(key).is_some_and(|found| &**found == value)
    };
    let handed_over = declared.hpa.named && says(&declared.annotations, TRANSFER, "true");
    stored.owner.is_none() && (handed_over || says(&stored.shape.annotations, UNCHECKED, "false"))
}

/// All that a status is made of.
pub(crate) struct StatusFacts<'a> {
    pub(crate) workload: &'a Workload,
    pub(crate) readings: &'a [Reading<'a>],
    pub(crate) decision: &'a Decision,
    pub(crate) ready: Condition,
    /// Indices of the triggers that are put aside.
    pub(crate) quarantined: &'a [u16],
    /// The target's replicas when it was first seen.
    pub(crate) original_replicas: Option<u32>,
    pub(crate) hpa: Option<&'a HpaSeen>,
    /// The HPA has been unable to scale for long enough to say so.
    pub(crate) hpa_trouble: bool,
    /// The process is about to stop: what is only in memory is written.
    pub(crate) flush: bool,
}

/// The status as it should be. What we have no opinion on stays as it is stored.
pub(crate) fn status(facts: &StatusFacts<'_>, stored: &StatusView) -> StatusView {
    let declared = &*facts.workload.declared;
    let mut wanted = stored.clone();
    let pause = declared.pause;
    let paused = pause.all.is_some() || pause.scale_in || pause.scale_out;

    let conditions = &mut wanted.conditions;
    let lasting = lasting(facts.readings);
    let active = stored.conditions.active.as_ref();
    conditions.active = Some(condition::active(facts.decision, lasting, facts.quarantined, active));
    conditions.fallback = Some(condition::fallback());
    conditions.paused = Some(condition::paused(paused, stored.conditions.paused.as_ref()));
    let scaling = facts.hpa.and_then(|hpa| hpa.scaling_active.as_ref());
    conditions.hpa_active = condition::hpa_active(scaling, facts.hpa_trouble, &stored.conditions);
    conditions.ready = Some(facts.ready.clone());

    if !same_kind(stored.target.as_ref(), &declared.target) && !declared.target.resource.is_empty() {
        wanted.target = Some(declared.target.clone());
    }
    wanted.original_replicas = stored.original_replicas.or(facts.original_replicas);
    wanted.last_active = last_active(facts, stored);
    wanted.paused_replicas = match pause.all {
        Some(Hold::At(replicas)) => Some(replicas),
        Some(Hold::Here) | None => None,
    };
    if let Some(hpa) = facts.hpa.filter(|hpa| owned(hpa, declared)) {
        wanted.hpa_name = Some(hpa.shape.name.clone());
    }
    describe_triggers(facts, &mut wanted);
    wanted
}

/// `lastActiveTime` is written when a workload stops being active, and when the process stops: in between it is memory.
fn last_active(facts: &StatusFacts<'_>, stored: &StatusView) -> Option<Wall> {
    let in_memory = match facts.decision.activity {
        Activity::Active | Activity::Waiting => true,
        Activity::Unknown => !lasting(facts.readings),
        Activity::Inactive => false,
    };
    if (in_memory || facts.workload.declared.force_active) && !facts.flush {
        return stored.last_active;
    }
    let known = facts.decision.memory.last_active.map(|at| Wall(at.0.div_euclid(1000) * 1000));
    known.max(stored.last_active)
}

/// Whether what is not known is more than a single failed poll.
fn lasting(readings: &[Reading<'_>]) -> bool {
    readings.iter().any(|reading| reading.failing() || reading.fault().is_some())
}

fn describe_triggers(facts: &StatusFacts<'_>, wanted: &mut StatusView) {
    let declared = &*facts.workload.declared;
    // A trigger that cannot be asked has no names; what was stored about it stays until it can.
    if facts.workload.fault.is_none() && !facts.readings.iter().any(|reading| reading.fault().is_some()) {
        let mut external = Vec::new();
        let mut resources = Vec::new();
        for trigger in &facts.workload.triggers {
            match trigger {
                Trigger::External { metrics, .. } => {
                    external.extend(metrics.iter().map(|metric| Text::from(metric.name.to_string())));
                }
                Trigger::Resource { resource, .. } => resources.push(resource.resource.clone()),
                Trigger::Unusable { .. } => {}
            }
        }
        wanted.activity.retain(|name, _| external.contains(name));
        wanted.external_metrics = external;
        wanted.resource_metrics = resources;
    }
    for reading in facts.readings {
        let Reading::Known { sample, metrics, .. } = reading else { continue };
        for (value, metric) in sample.values.iter().zip(metrics.iter()) {
            wanted.activity.insert(metric.name.to_string().into(), metric_active(sample, *value, metric));
        }
    }
    let types = declared.triggers.iter().map(|trigger| match &trigger.ask {
        Ask::Resource(resource) => resource.resource.clone(),
        Ask::External { .. } => trigger.kind.clone(),
    });
    wanted.trigger_types = Some(joined(types));
    let names = declared.triggers.iter().filter_map(|trigger| trigger.authentication.as_ref());
    let names = joined(names.map(|authentication| authentication.name.clone()));
    wanted.authentications = match (&wanted.authentications, names.is_empty()) {
        (Some(stored), true) if stored.is_empty() => Some(stored.clone()),
        (_, true) => None,
        (_, false) => Some(names),
    };
}

/// Each once, in the order in which they first come.
fn joined(names: impl Iterator<Item = Text>) -> Text {
    let mut once: Vec<Text> = Vec::new();
    for name in names {
        if !once.contains(&name) {
            once.push(name);
        }
    }
    once.join(",").into()
}

/// The status tells the kind, not the name.
fn same_kind(stored: Option<&TargetRef>, wanted: &TargetRef) -> bool {
    stored.is_some_and(|stored| {
        stored.group == wanted.group
            && stored.version == wanted.version
            && stored.kind == wanted.kind
            && (stored.resource == wanted.resource || wanted.resource.is_empty())
    })
}
