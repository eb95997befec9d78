//! Facts for metrics: what a step has brought about.
use crate::core::Core;
use crate::decide::{Activity, Because, metric_active};
use crate::fact::{Fact, MetricFacts, ObjectFacts, ObjectState, PollEnd, Polled, TriggerFacts, Why};
use crate::message::QueryId;
use crate::schedule::{Poll, Schedule};
use crate::time::Mono;
use crate::tracked::Tracked;
use crate::workload::{DeclaredTrigger, Trigger};
use crate::write::{Condition, HpaOp, StatusView, TargetSeen, Tri, Write};
use std::time::Duration;

impl Core {
    /// A poll has ended. `age` is that of the answer before it.
    pub(super) fn tell_polled(&mut self, query: QueryId, end: PollEnd, age: Option<Duration>) {
        let Some(poll) = self.schedule.get(query) else { return };
        let (component, took, late) = (poll.question.component, poll.took.unwrap_or_default(), poll.late);
        self.facts.push(Fact::Polled(Polled { query, component, end, age, took, late }));
    }

    /// Queries about which their batch said nothing.
    pub(super) fn tell_lost(&mut self, queries: &[QueryId], now: Mono) {
        for id in queries {
            let Some(poll) = self.schedule.get(*id) else { continue };
            let Some(failure) = &poll.trouble.failure else { continue };
            self.tell_polled(*id, PollEnd::Failed(failure.kind), poll.age(now));
        }
    }

    /// What was told of an object, brought up to date.
    pub(super) fn tell_object(&mut self, index: u32, now: Mono) {
        let Core { workloads, schedule, settings, census, facts, .. } = self;
        let Some(tracked) = workloads.get_mut(index as usize) else { return };
        let state = tracked.state();
        census.moved(tracked.state, state);
        tracked.state = state;
        if !settings.tell_objects {
            return;
        }
        let wanted = tracked.facts(schedule, now);
        match wanted {
            Some(wanted) if tracked.told_facts.as_deref() != Some(&wanted) => {
                facts.push(Fact::Object(Box::new(wanted.clone())));
                tracked.told_facts = Some(Box::new(wanted));
            }
            None if tracked.told_facts.take().is_some() => facts.push(Fact::Gone(tracked.key.clone())),
            _ => {}
        }
    }

    /// An object is forgotten.
    pub(super) fn tell_gone(&mut self, tracked: &Tracked) {
        self.census.moved(tracked.state, None);
        if tracked.told_facts.is_some() {
            self.facts.push(Fact::Gone(tracked.key.clone()));
        }
    }

    /// What a write that this step decided is for.
    pub(super) fn why(&self, write: &Write) -> Why {
        match write {
            Write::Scale { key, .. } => {
                let tracked = self.place(key).and_then(|index| self.workloads.get(index as usize));
                match tracked {
                    Some(tracked) if tracked.deleting.is_some() => Why::Restored,
                    Some(Tracked { last: Some(last), .. }) => Why::of_scale(&last.because),
                    _ => Why::Activated,
                }
            }
            Write::Hpa { op: HpaOp::Create(_), .. } => Why::Created,
            Write::Hpa { op: HpaOp::Update { .. }, .. } => Why::Corrected,
            Write::Hpa { op: HpaOp::Delete { .. }, .. } => Why::Removed,
            Write::Meta { finalizer: true, .. } => Why::Adopted,
            Write::Meta { finalizer: false, .. } => Why::Released,
            Write::Status { wanted, stored, .. } => of_status(wanted, stored),
            Write::Event { reason, .. } => Why::Event(*reason),
        }
    }
}

/// The most telling difference between two statuses.
fn of_status(wanted: &StatusView, stored: &StatusView) -> Why {
    let word = |condition: &Option<Condition>| condition.as_ref().map(|c| (c.status, c.reason.clone()));
    let status = |condition: &Option<Condition>| condition.as_ref().map_or(Tri::Unknown, |c| c.status);
    let (new, old) = (&wanted.conditions, &stored.conditions);
    if word(&new.ready) != word(&old.ready) {
        Why::Ready
    } else if status(&new.active) != status(&old.active) {
        Why::Active
    } else if new != old {
        Why::Condition
    } else {
        Why::Details
    }
}

impl Tracked {
    /// `None`: only seen, and never claimed by an object.
    fn state(&self) -> Option<ObjectState> {
        if self.deleting.is_some() {
            return Some(ObjectState::Deleting);
        }
        if self.refused.is_some() {
            return Some(ObjectState::NotReady);
        }
        let workload = self.workload.as_ref()?;
        let Some(last) = &self.last else { return Some(ObjectState::Waiting) };
        Some(match (&last.because, last.activity) {
            (Because::Fault(_) | Because::TargetMissing | Because::TargetUnreadable(_), _) => ObjectState::NotReady,
            _ if workload.declared.pause.all.is_some() => ObjectState::Paused,
            (Because::TargetNotSeen, _) | (_, Activity::Waiting) => ObjectState::Waiting,
            (_, Activity::Active) => ObjectState::Active,
            (_, Activity::Inactive) => ObjectState::Inactive,
            (_, Activity::Unknown) => ObjectState::Unknown,
        })
    }

    fn facts(&self, schedule: &Schedule, now: Mono) -> Option<ObjectFacts> {
        if self.deleting.is_some() || (self.workload.is_none() && self.refused.is_none()) {
            return None;
        }
        let declared = self.workload.as_ref().map(|workload| workload.declared.clone());
        let declared = declared.iter().flat_map(|declared| declared.triggers.iter());
        let mut late = Duration::ZERO;
        let triggers = declared.zip(self.triggers()).enumerate();
        let triggers = triggers
            .map(|(position, (declared, trigger))| {
                let poll = self.poll(schedule, position);
                late = late.max(poll.map_or(Duration::ZERO, |poll| poll.late));
                trigger_facts(poll, declared, trigger, now)
            })
            .collect();
        let unusable = self.triggers().iter().find_map(|trigger| match trigger {
            Trigger::Unusable { fault, .. } => Some(fault),
            _ => None,
        });
        let mut fault = self.fault().or(unusable).map(|fault| fault.reason);
        if matches!(self.stored.target, Some(TargetSeen::Missing)) {
            fault = fault.or(Some(crate::Reason::TargetNotFound));
        }
        Some(ObjectFacts { key: self.key.clone(), paused: self.pause().all.is_some(), fault, late, triggers })
    }
}

fn trigger_facts(poll: Option<&Poll>, declared: &DeclaredTrigger, trigger: &Trigger, now: Mono) -> TriggerFacts {
    let mut metrics = Vec::new();
    if let Trigger::External { metrics: named, aim, .. } = trigger {
        let answer = poll.and_then(|poll| poll.answer.as_ref());
        // As on the board: what is too old is not known.
        let answer = answer.filter(|answer| now <= answer.valid_until(*aim));
        for (place, metric) in named.iter().enumerate() {
            let reading = answer.and_then(|answer| {
                let value = *answer.sample.values.get(place)?;
                Some((value.as_f64(), metric_active(&answer.sample, value, metric)))
            });
            metrics.push(MetricFacts { name: metric.name.clone(), reading });
        }
    }
    TriggerFacts {
        index: declared.index,
        kind: declared.kind.clone(),
        name: declared.name.clone(),
        failures: poll.map_or(0, |poll| poll.failures),
        took: poll.and_then(|poll| poll.took),
        metrics,
    }
}
