//! What is known about one workload, for people: the table of local mode, and why a decision is what it is.
use crate::condition::Health;
use crate::core::Core;
use crate::decide::{Activity, Because, Reading, metric_active};
use crate::failure::Failure;
use crate::key::{MetricName, Text, WorkloadKey};
use crate::milli::Milli;
use crate::quarantine::Quarantine;
use crate::time::Now;
use crate::workload::{Aim, Bounds, Engine, ResourceTarget, Trigger, Workload};
use crate::write::{Condition, Conditions, TargetSeen};
use std::time::Duration;

/// One workload.
#[derive(Clone, Debug, PartialEq)]
pub struct View {
    /// Which.
    pub key: WorkloadKey,
    /// Its target, `kind/name`.
    pub target: Text,
    /// Who scales it between one and many.
    pub engine: Engine,
    /// Bounds on its replicas.
    pub bounds: Bounds,
    /// How many replicas there should be; `None`: not known.
    pub replicas: Option<u32>,
    /// How many are ready.
    pub ready: Option<u32>,
    /// Its triggers.
    pub triggers: Vec<TriggerView>,
    /// What they say together; `None`: nothing was decided yet.
    pub activity: Option<Activity>,
    /// The replicas that the last decision wants; `None`: it leaves them.
    pub wanted: Option<u32>,
    /// Why.
    pub because: Option<Because>,
    /// The Ready condition as it is now, written or not.
    pub health: Condition,
    /// The conditions as they are stored.
    pub conditions: Conditions,
    /// How long until it is considered again though nothing comes in.
    pub wake: Option<Duration>,
}

/// One trigger.
#[derive(Clone, Debug, PartialEq)]
pub struct TriggerView {
    /// Its index in the object.
    pub index: u16,
    /// Its type, as the user wrote it.
    pub kind: Text,
    /// Its metrics.
    pub metrics: Vec<MetricView>,
    /// How old the last value is.
    pub age: Option<Duration>,
    /// How the last poll failed, when it did.
    pub failure: Option<Failure>,
    /// Polls in a row that failed.
    pub failures: u32,
    /// How it is put aside, since its component breaks down of it.
    pub quarantine: Option<Quarantine>,
    /// Why it cannot be asked at all.
    pub fault: Option<Text>,
    /// How long until it is asked again.
    pub next_poll: Option<Duration>,
    /// How often it is asked.
    pub period: Option<Duration>,
}

/// One metric of a trigger.
#[derive(Clone, Debug, PartialEq)]
pub struct MetricView {
    /// Its name.
    pub name: MetricName,
    /// The last value, whatever its age.
    pub value: Option<Milli>,
    /// Its target.
    pub target: Milli,
    /// Per replica or for all of them.
    pub aim: Aim,
    /// Whether it is active, when that is known.
    pub active: Option<bool>,
}

impl Core {
    /// What was known about a workload after the last step; `None`: there is none that could be lowered.
    pub fn view(&self, key: &WorkloadKey) -> Option<View> {
        let now = self.now;
        let tracked = self.workloads.get(self.place(key)? as usize)?;
        let workload = tracked.workload.as_ref()?;
        let declared = &*workload.declared;
        let readings = tracked.readings(&self.schedule, &self.settings, now.mono);
        let indices: Vec<u16> = declared.triggers.iter().map(|trigger| trigger.index).collect();
        let target = tracked.stored.target.as_ref();
        let health = Health {
            fault: tracked.fault(),
            target,
            readings: &readings,
            indices: &indices,
            held_back: &workload.held_back,
        };
        let (replicas, ready) = match target {
            Some(TargetSeen::Found { spec, ready, .. }) => (Some(*spec), Some(*ready)),
            _ => (None, None),
        };
        let triggers =
            (0..workload.triggers.len()).map(|position| self.trigger_view(tracked, workload, &readings, position, now));
        Some(View {
            key: key.clone(),
            target: format!("{}/{}", declared.target.kind, declared.target.name).into(),
            engine: declared.engine,
            bounds: declared.bounds,
            replicas,
            ready,
            triggers: triggers.collect(),
            activity: tracked.last.as_ref().map(|last| last.activity),
            wanted: tracked.last.as_ref().and_then(|last| last.replicas),
            because: tracked.last.as_ref().map(|last| last.because.clone()),
            health: health.ready(&mut tracked.told.clone()),
            conditions: tracked
                .stored
                .record
                .as_ref()
                .map(|record| record.status.conditions.clone())
                .unwrap_or_default(),
            wake: tracked.wake.map(|wake| wake.since(now.mono)),
        })
    }

    fn trigger_view(
        &self,
        tracked: &crate::tracked::Tracked,
        workload: &Workload,
        readings: &[Reading<'_>],
        position: usize,
        now: Now,
    ) -> TriggerView {
        let declared = workload.declared.triggers.get(position);
        let poll = tracked.poll(&self.schedule, position);
        let answer = poll.and_then(|poll| poll.answer.as_ref());
        let known = readings.get(position).and_then(Reading::active).is_some();
        let mut metrics = Vec::new();
        match workload.triggers.get(position) {
            Some(Trigger::External { metrics: named, aim, .. }) => {
                for (place, metric) in named.iter().enumerate() {
                    let value = answer.and_then(|answer| answer.sample.values.get(place)).copied();
                    let active = answer.zip(value).map(|(answer, value)| metric_active(&answer.sample, value, metric));
                    metrics.push(MetricView {
                        name: metric.name.clone(),
                        value,
                        target: metric.target,
                        aim: *aim,
                        active: active.filter(|_| known),
                    });
                }
            }
            Some(Trigger::Resource { index, resource }) => {
                let read = match readings.get(position) {
                    Some(Reading::Resource { known, .. }) => *known,
                    _ => None,
                };
                let target = match (&resource.target, read) {
                    (_, Some(read)) => read.target(),
                    (ResourceTarget::Utilization(percent), None) => Milli(i64::from(*percent) * 1000),
                    (ResourceTarget::AverageValue(_), None) => Milli::default(),
                };
                let (name, value) = (MetricName::new(*index, &resource.resource), read.map(|read| read.value()));
                metrics.push(MetricView { name, value, target, aim: Aim::Average, active: None });
            }
            Some(Trigger::Unusable { .. }) | None => {}
        }
        TriggerView {
            index: declared.map_or(position as u16, |declared| declared.index),
            kind: declared.map_or_else(|| "".into(), |declared| declared.kind.clone()),
            metrics,
            age: answer.map(|answer| now.mono.since(answer.sample.observed)),
            failure: readings.get(position).and_then(Reading::failure).cloned(),
            failures: poll.map_or(0, |poll| poll.trouble.attempts),
            quarantine: poll.and_then(|poll| poll.trouble.quarantine.clone()),
            fault: readings.get(position).and_then(Reading::fault).map(|fault| fault.message.clone()),
            next_poll: poll.map(|poll| poll.due.since(now.mono)),
            period: poll.map(|poll| poll.period()),
        }
    }
}
