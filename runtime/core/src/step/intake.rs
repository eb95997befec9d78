//! What users want: objects come, change and go.
use crate::core::Core;
use crate::failure::{Fault, Reason};
use crate::key::{Text, WorkloadKey};
use crate::message::{Out, QueryId};
use crate::schedule::{Answer, Reader, period};
use crate::time::Now;
use crate::tracked::{Deleting, Tracked};
use crate::workload::{Metric, Trigger, Workload};
use crate::write::{TargetSeen, Write};
use std::time::Duration;

impl Core {
    /// A workload is new or has changed.
    pub(super) fn upsert(&mut self, workload: Workload, now: Now, out: &mut Out) {
        let key = workload.declared.key.clone();
        let index = self.place_of(&key, &workload.declared.uid, now);
        let settle = self.settings.settle;
        let Some(tracked) = self.tracked(index) else { return };
        if tracked.workload.as_ref() == Some(&workload) && tracked.refused.is_none() {
            return;
        }
        let generation = workload.declared.generation;
        if tracked.generation != 0 && tracked.generation < generation && workload.fault.is_none() {
            let uid = tracked.uid.clone();
            let (reason, text) = (Reason::KEDAScalersStarted, "Started scalers watch".into());
            out.writes.push(Write::Event { key, uid, reason, text });
        }
        tracked.generation = generation;
        let before = tracked.workload.replace(workload);
        tracked.refused = None;
        tracked.hpa = None;
        tracked.hpa_differs = None;
        tracked.used.clear();
        tracked.settle_until = now.mono + settle;
        let heirlooms = self.heirlooms(index, before.as_ref());
        self.ask(index, now);
        for (position, answer) in heirlooms {
            let id =
                self.workloads.get(index as usize).and_then(|tracked| tracked.asked.get(position).copied().flatten());
            if let Some(id) = id {
                self.schedule.inherit(id, answer);
            }
        }
        self.touch(index);
    }

    /// Answers that stay good: of triggers that nobody changed, but that another component serves from now on.
    fn heirlooms(&self, index: u32, before: Option<&Workload>) -> Vec<(usize, Answer)> {
        let Some(tracked) = self.workloads.get(index as usize) else { return Vec::new() };
        let Some((now, before)) = tracked.workload.as_ref().zip(before) else { return Vec::new() };
        let (old, new) =
            (before.declared.triggers.iter().zip(&before.triggers), now.declared.triggers.iter().zip(&now.triggers));
        let heirs = old.zip(new).enumerate().filter(|(_, ((was, old), (is, new)))| was == is && succeeds(old, new));
        heirs
            .filter_map(|(position, _)| Some((position, tracked.poll(&self.schedule, position)?.answer.clone()?)))
            .collect()
    }

    /// An object cannot be lowered. What it was before keeps its HPA and replicas, but is not asked for any more.
    pub(super) fn refused(&mut self, key: &WorkloadKey, uid: Text, generation: i64, fault: Fault, now: Now) {
        let index = self.place_of(key, &uid, now);
        let Some(tracked) = self.tracked(index) else { return };
        tracked.generation = generation;
        tracked.refused = Some(fault);
        self.ask(index, now);
        self.touch(index);
    }

    /// An object is being deleted.
    pub(super) fn deleting(&mut self, key: &WorkloadKey, now: Now) {
        let deadline = now.mono + self.settings.delete_deadline;
        let index = self.place_for(key, now.mono);
        let Some(tracked) = self.tracked(index) else { return };
        if tracked.deleting.is_none() {
            tracked.deleting = Some(Deleting { deadline, restored: false, told: false });
        }
        self.ask(index, now);
        self.clear_board(index);
        self.touch(index);
    }

    /// An object is gone. What was seen may already be of the one that comes next under its name, since the watches and
    /// the objects come on different ways: that is kept until it is claimed, or for a while.
    pub(super) fn gone(&mut self, key: &WorkloadKey, now: Now) {
        let stored = self.place(key).and_then(|index| self.workloads.get(index as usize)).and_then(Tracked::bequest);
        self.forget(key);
        if let Some(stored) = stored {
            let index = self.place_for(key, now.mono);
            if let Some(tracked) = self.tracked(index) {
                if let Some(TargetSeen::Found { spec, .. }) = &stored.target {
                    tracked.original_replicas = Some(*spec);
                }
                tracked.stored = stored;
            }
            self.touch(index);
        }
    }

    /// Drops all that is known under a name.
    pub(super) fn forget(&mut self, key: &WorkloadKey) {
        let Some(index) = self.place(key) else { return };
        self.clear_board(index);
        self.places.remove(key);
        self.wakes.set(index, None);
        let Some(tracked) = self.workloads.try_remove(index as usize) else { return };
        self.tell_gone(&tracked);
        self.touched.retain(|other| *other != index);
        for (trigger, id) in tracked.asked.into_iter().enumerate() {
            if let Some(id) = id {
                self.schedule.leave(id, Reader { workload: index, trigger: trigger as u16 });
            }
        }
    }

    /// The place of an object; one of the same name that was created anew starts from nothing.
    fn place_of(&mut self, key: &WorkloadKey, uid: &Text, now: Now) -> u32 {
        let other = |tracked: &Tracked| !tracked.uid.is_empty() && tracked.uid != *uid;
        if self.place(key).and_then(|index| self.workloads.get(index as usize)).is_some_and(other) {
            self.gone(key, now);
        }
        let index = self.place_for(key, now.mono);
        if let Some(tracked) = self.tracked(index) {
            tracked.uid = uid.clone();
        }
        index
    }

    /// Asks what the workload wants asked, and no more what it does not.
    fn ask(&mut self, index: u32, now: Now) {
        let read_interval = self.settings.read_interval;
        let Core { workloads, schedule, .. } = self;
        let Some(tracked) = workloads.get_mut(index as usize) else { return };
        let before = std::mem::take(&mut tracked.asked);
        let mut asked: Vec<Option<QueryId>> = Vec::with_capacity(tracked.triggers().len());
        if tracked.asks() {
            for (position, trigger) in tracked.triggers().iter().enumerate() {
                let reader = Reader { workload: index, trigger: position as u16 };
                let period = trigger_period(tracked, trigger, read_interval);
                asked.push(match trigger {
                    Trigger::External { question, .. } => Some(schedule.read(question, reader, period, now)),
                    Trigger::Resource { .. } | Trigger::Unusable { .. } => None,
                });
            }
        }
        // Only now, so that a question that is asked before and after stays the same one.
        for (position, id) in before.into_iter().enumerate() {
            let Some(id) = id else { continue };
            if asked.get(position) != Some(&Some(id)) {
                schedule.leave(id, Reader { workload: index, trigger: position as u16 });
            }
        }
        tracked.asked = asked;
    }

    /// Keeps the periods of a workload's questions right: they follow from whether its target is at zero.
    pub(super) fn keep_pace(&mut self, index: u32, now: Now) {
        let read_interval = self.settings.read_interval;
        let Core { workloads, schedule, .. } = self;
        let Some(tracked) = workloads.get(index as usize) else { return };
        for (position, (trigger, id)) in tracked.triggers().iter().zip(&tracked.asked).enumerate() {
            if let Some(id) = id {
                let reader = Reader { workload: index, trigger: position as u16 };
                schedule.pace(*id, reader, trigger_period(tracked, trigger, read_interval), now);
            }
        }
    }

    fn clear_board(&mut self, index: u32) {
        let Core { workloads, board, .. } = self;
        let Some(tracked) = workloads.get_mut(index as usize) else { return };
        for (metric, _) in std::mem::take(&mut tracked.shown) {
            board.remove(&tracked.metric_key(metric));
        }
    }
}

/// Whether a trigger is the same as before for everybody but its component.
fn succeeds(before: &Trigger, now: &Trigger) -> bool {
    let (Trigger::External { question: old, metrics: had, .. }, Trigger::External { question, metrics, .. }) =
        (before, now)
    else {
        return false;
    };
    let names = |metrics: &[Metric]| metrics.iter().map(|metric| metric.name.clone()).collect::<Vec<_>>();
    old.component != question.component && old.trigger.domain == question.trigger.domain && names(had) == names(metrics)
}

fn trigger_period(tracked: &Tracked, trigger: &Trigger, read_interval: Duration) -> Duration {
    let poll = tracked.workload.as_ref().map_or(Duration::from_secs(30), |workload| workload.declared.poll);
    let at_zero = matches!(tracked.stored.target, Some(TargetSeen::Found { spec: 0, .. }));
    let cached = matches!(trigger, Trigger::External { cached: true, .. });
    period(poll, at_zero, cached, read_interval)
}
