//! One workload, as a whole: what is known → the board, a decision, and the writes that it takes.
use crate::board::{Basis, Served};
use crate::condition::cannot_scale;
use crate::core::Core;
use crate::failure::Reason;
use crate::hpa;
use crate::key::MetricName;
use crate::message::Out;
use crate::milli::Milli;
use crate::schedule::Schedule;
use crate::settings::Settings;
use crate::time::{Mono, Now, Wall};
use crate::tracked::Tracked;
use crate::workload::{Aim, Metric, Trigger};
use std::time::Duration;

/// What was only ever seen, and never claimed by an object, is forgotten after this.
const UNCLAIMED: Duration = Duration::from_secs(600);

impl Core {
    /// Considers a workload anew: everything follows from what is known now.
    pub(super) fn consider(&mut self, index: u32, now: Now, flush: bool, out: &mut Out) {
        let settings = self.settings.clone();
        let Some(tracked) = self.workloads.get_mut(index as usize) else { return };
        tracked.touched = false;
        tracked.expire_writes(now.mono, &settings, out);
        tracked.settle_doubt(now.mono);
        if tracked.deleting.is_some() {
            tracked.release(now, out);
        } else if tracked.workload.is_some() {
            self.discover(index);
            self.show(index, now);
            self.keep_pace(index, now);
            self.act(index, now, flush, out);
        } else if tracked.refused.is_some() {
            tracked.write_refusal(now, out);
        } else if now.mono >= tracked.since + UNCLAIMED {
            let key = tracked.key.clone();
            return self.forget(&key);
        }
        self.tell_object(index, now.mono);
        self.arm(index, now);
    }

    /// Metrics that the plan left open are told by the first reading.
    fn discover(&mut self, index: u32) {
        let Core { workloads, schedule, .. } = self;
        let Some(tracked) = workloads.get_mut(index as usize) else { return };
        let Some(workload) = &mut tracked.workload else { return };
        let mut found = false;
        for (trigger, id) in workload.triggers.iter_mut().zip(&tracked.asked) {
            let Trigger::External { index, question, metrics, .. } = trigger else { continue };
            if question.plan.metrics.is_some() {
                continue;
            }
            let answer = id.and_then(|id| schedule.get(id)).and_then(|poll| poll.answer.as_ref());
            let Some(told) = answer.and_then(|answer| answer.sample.metrics.as_ref()) else { continue };
            let told: Vec<Metric> = told.iter().map(|spec| metric(*index, spec)).collect();
            if told != *metrics {
                *metrics = told;
                found = true;
            }
        }
        if found {
            tracked.hpa = None;
            tracked.hpa_differs = None;
        }
    }

    /// Puts on the board what readers may see, and takes off what is not the workload's any more.
    fn show(&mut self, index: u32, now: Now) {
        let Core { workloads, schedule, board, .. } = self;
        let Some(tracked) = workloads.get_mut(index as usize) else { return };
        let mut shown = std::mem::take(&mut tracked.shown);
        let mut keep = std::collections::BTreeMap::new();
        for (position, trigger) in tracked.triggers().iter().enumerate() {
            let Trigger::External { metrics, aim, .. } = trigger else { continue };
            for (place, metric) in metrics.iter().enumerate() {
                let served = tracked.served(schedule, position, place, *aim, now.mono);
                let before = shown.remove(&metric.name);
                let same = before
                    .as_ref()
                    .is_some_and(|before| *before == served || (before.value.is_err() && before.value == served.value));
                if !same {
                    board.show(&tracked.metric_key(metric.name.clone()), served.clone());
                }
                keep.insert(metric.name.clone(), served);
            }
        }
        let kept_for_fault = tracked.fault().is_some() && keep.is_empty();
        for (metric, served) in shown {
            if kept_for_fault {
                // The HPA is still there and still asks; it is told that nothing is known.
                let served = Served { value: Err(Reason::UnknownState), ..served };
                board.show(&tracked.metric_key(metric.clone()), served.clone());
                keep.insert(metric, served);
            } else {
                board.remove(&tracked.metric_key(metric));
            }
        }
        tracked.shown = keep;
    }

    /// Decides, and writes what differs from what is stored.
    fn act(&mut self, index: u32, now: Now, flush: bool, out: &mut Out) {
        let Core { workloads, schedule, settings, .. } = self;
        let Some(tracked) = workloads.get_mut(index as usize) else { return };
        tracked.compare_hpa();
        tracked.watch_hpa_trouble(now.mono);
        tracked.tell_quarantines(schedule, out);
        let mut told = tracked.told.take();
        let judged = tracked.judge(schedule, settings, now, flush, &mut told);
        tracked.told = told;
        let Some(judged) = judged else { return };
        tracked.write(judged, now, out);
    }

    /// Sets when the workload has to be considered again though nothing comes in.
    fn arm(&mut self, index: u32, now: Now) {
        let Core { workloads, schedule, settings, wakes, .. } = self;
        let Some(tracked) = workloads.get_mut(index as usize) else { return };
        tracked.wake = tracked.next_wake(schedule, settings, now);
        wakes.set(index, tracked.wake);
    }
}

fn metric(index: u16, spec: &crate::query::MetricSpec) -> Metric {
    Metric {
        name: MetricName::new(index, &spec.name),
        target: Milli::from_f64(spec.target).unwrap_or_default(),
        activation: spec.activation,
    }
}

impl Tracked {
    /// What the board shows for one metric.
    fn served(&self, schedule: &Schedule, position: usize, place: usize, aim: Aim, now: Mono) -> Served {
        let unknown = |reason| Served {
            value: Err(reason),
            basis: Basis::Measured,
            observed: now,
            observed_wall: Wall::default(),
            valid_until: Mono(u64::MAX),
        };
        if let Some(fault) = self.fault() {
            return unknown(fault.reason);
        }
        if self.pause().all.is_some() {
            return unknown(Reason::ScaledObjectPaused);
        }
        let Some(answer) = self.poll(schedule, position).and_then(|poll| poll.answer.as_ref()) else {
            return unknown(Reason::UnknownState);
        };
        let valid_until = answer.valid_until(aim);
        match answer.sample.values.get(place) {
            Some(value) if now <= valid_until => Served {
                value: Ok(*value),
                basis: Basis::Measured,
                observed: answer.sample.observed,
                observed_wall: answer.wall,
                valid_until,
            },
            _ => unknown(Reason::UnknownState),
        }
    }

    /// Keeps at hand how the HPA should be, and whether the stored one differs.
    fn compare_hpa(&mut self) {
        let Some(workload) = &self.workload else { return };
        let wanted = self.hpa.get_or_insert_with(|| hpa::shape(workload));
        if self.hpa_differs.is_none() {
            let differs = match (wanted, &self.stored.hpa) {
                (Some(wanted), Some(stored)) => hpa::differs(wanted, stored),
                _ => false,
            };
            self.hpa_differs = Some(differs);
        }
    }

    fn watch_hpa_trouble(&mut self, now: Mono) {
        let scaling = self.stored.hpa.as_ref().and_then(|hpa| hpa.scaling_active.as_ref());
        match scaling {
            Some(scaling) if cannot_scale(scaling) => _ = self.hpa_trouble.get_or_insert(now),
            _ => self.hpa_trouble = None,
        }
    }

    /// The watch said that the HPA is gone, and nothing has contradicted it since.
    fn settle_doubt(&mut self, now: Mono) {
        if self.hpa_doubt.is_some_and(|at| now >= at) {
            self.hpa_doubt = None;
            self.stored.hpa = None;
            self.hpa_differs = None;
        }
    }

    fn next_wake(&self, schedule: &Schedule, settings: &Settings, now: Now) -> Option<Mono> {
        let mut wake = Wake { now: now.mono, next: None };
        let desks = &self.desks;
        wake.at(desks.scale.wake(now, settings));
        wake.at(desks.hpa.wake(now, settings));
        wake.at(desks.meta.wake(now, settings));
        wake.at(desks.status.wake(now, settings));
        wake.at(self.hpa_doubt);
        if let Some(deleting) = &self.deleting {
            wake.at(Some(deleting.deadline));
            return wake.next;
        }
        if self.workload.is_none() && self.refused.is_none() {
            wake.at(Some(self.since + UNCLAIMED));
            return wake.next;
        }
        wake.at(Some(self.settle_until));
        wake.at(Some(self.settle_until + settings.settle));
        wake.at(self.hpa_trouble.map(|since| since + settings.hpa_trouble));
        wake.at(self.last.as_ref().and_then(|decision| decision.wake).map(|wall| now.mono_at(wall)));
        for id in self.asked.iter().flatten() {
            if let Some(answer) = schedule.get(*id).and_then(|poll| poll.answer.as_ref()) {
                wake.at(Some(Mono(answer.fresh_until.0.saturating_add(1))));
                wake.at(Some(Mono(answer.usable_until.0.saturating_add(1))));
            }
        }
        wake.next
    }
}

/// The earliest moment that is still to come.
struct Wake {
    now: Mono,
    next: Option<Mono>,
}

impl Wake {
    fn at(&mut self, moment: Option<Mono>) {
        if let Some(moment) = moment.filter(|moment| *moment > self.now) {
            self.next = Some(self.next.map_or(moment, |next| next.min(moment)));
        }
    }
}
