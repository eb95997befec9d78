//! One workload, as a whole: what is known → the board, a decision, and the writes that it takes.
use crate::board::{Basis, Served};
use crate::condition::{Health, cannot_scale};
use crate::core::Core;
use crate::decide::{Decision, Facts, Reading, decide};
use crate::diff::{self, HpaWish, StatusFacts};
use crate::failure::{Fault, Reason};
use crate::hpa;
use crate::key::{MetricName, Text};
use crate::message::Out;
use crate::milli::Milli;
use crate::schedule::Schedule;
use crate::settings::Settings;
use crate::time::{Mono, Now, Wall};
use crate::tracked::{MetaFlight, ScaleFlight, Tracked};
use crate::workload::{Aim, Engine, Metric, Trigger};
use crate::write::{Condition, Conditions, HpaOp, StatusView, TargetSeen, Tri, Write};
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

/// What came of looking at a workload.
struct Judged {
    decision: Decision,
    hpa: Option<HpaOp>,
    meta: bool,
    status: Option<Box<StatusView>>,
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
        let poll = self.asked.get(position).copied().flatten().and_then(|id| schedule.get(id));
        let Some(answer) = poll.and_then(|poll| poll.answer.as_ref()) else { return unknown(Reason::UnknownState) };
        let valid_until = if aim == Aim::Value { answer.fresh_until } else { answer.usable_until };
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

    /// What each trigger says.
    pub(crate) fn readings<'a>(&'a self, schedule: &'a Schedule, now: Mono) -> Vec<Reading<'a>> {
        let triggers = self.triggers().iter().enumerate();
        triggers.map(|(position, trigger)| self.reading(schedule, position, trigger, now)).collect()
    }

    fn reading<'a>(&'a self, schedule: &'a Schedule, position: usize, trigger: &'a Trigger, now: Mono) -> Reading<'a> {
        let (metrics, aim) = match trigger {
            Trigger::Resource { .. } => return Reading::Resource,
            Trigger::Unusable { fault, .. } => return Reading::Unusable(fault),
            Trigger::External { metrics, aim, .. } => (metrics, *aim),
        };
        let Some(poll) = self.asked.get(position).copied().flatten().and_then(|id| schedule.get(id)) else {
            return Reading::Waiting;
        };
        let failure = poll.trouble.failure.as_ref();
        match &poll.answer {
            Some(answer) => {
                let failing = now > answer.fresh_until && poll.lasting(now);
                let until = if aim == Aim::Value { answer.fresh_until } else { answer.usable_until };
                if now > until {
                    return Reading::Unknown { failure, failing };
                }
                let aged = (now > answer.fresh_until).then(|| now.since(answer.sample.observed));
                Reading::Known { sample: &answer.sample, metrics, aged, failure, failing }
            }
            None if failure.is_some() => Reading::Unknown { failure, failing: true },
            None => Reading::Waiting,
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

    fn judge(
        &self,
        schedule: &Schedule,
        settings: &Settings,
        now: Now,
        flush: bool,
        told: &mut Option<(Vec<(u16, Option<crate::failure::FailureKind>)>, Text)>,
    ) -> Option<Judged> {
        let workload = self.workload.as_ref()?;
        let readings = self.readings(schedule, now.mono);
        let target = self.stored.target.as_ref();
        let (hpa, conflict) = match self.hpa_step(&readings, now.mono) {
            Ok(op) => (op, None),
            Err(fault) => (None, Some(fault)),
        };
        let fault = self.fault().or(conflict.as_ref());
        let decision = decide(&Facts {
            workload,
            readings: &readings,
            fault,
            target,
            past_known: self.local() || self.stored.record.is_some(),
            memory: &self.memory,
            behavior: self.hpa.as_ref().and_then(|shape| shape.as_ref()).and_then(|shape| shape.behavior.as_ref()),
            now,
        });
        let record = self.stored.record.as_ref();
        let meta = fault.is_none() && record.is_some_and(|record| !record.finalizer || !record.label);
        let status = record.and_then(|record| {
            if !flush && self.status_waits(&readings, fault, hpa.is_some() || meta, settings, now.mono) {
                return None;
            }
            let indices: Vec<u16> = workload.triggers.iter().map(trigger_index).collect();
            let health = Health { fault, target, readings: &readings, indices: &indices };
            let facts = StatusFacts {
                workload,
                readings: &readings,
                decision: &decision,
                ready: health.ready(told),
                original_replicas: self.original_replicas,
                hpa: self.stored.hpa.as_ref(),
                hpa_trouble: self.hpa_trouble.is_some_and(|since| now.mono >= since + settings.hpa_trouble),
                flush,
            };
            let wanted = diff::status(&facts, &record.status);
            (wanted != record.status).then(|| Box::new(wanted))
        });
        Some(Judged { decision, hpa, meta, status })
    }

    /// The next thing to do about the HPA.
    fn hpa_step(&self, readings: &[Reading<'_>], now: Mono) -> Result<Option<HpaOp>, Fault> {
        let Some(workload) = &self.workload else { return Ok(None) };
        if !self.stored.hpa_known || self.refused.is_some() {
            return Ok(None);
        }
        let declared = &*workload.declared;
        let untouchable = workload.fault.is_some() || readings.iter().any(|reading| reading.fault().is_some());
        let found = matches!(self.stored.target, Some(TargetSeen::Found { .. }));
        let wish = match &self.hpa {
            _ if untouchable => HpaWish::Leave,
            _ if declared.pause.all.is_some() || declared.engine == Engine::Direct => HpaWish::Absent,
            Some(Some(shape)) if found => HpaWish::Shape(shape),
            _ => HpaWish::Leave,
        };
        let differs = self.hpa_differs.unwrap_or(false);
        match diff::hpa(wish, self.stored.hpa.as_ref(), differs, declared) {
            // The HPA of an object that was created anew under its old name is about to be collected.
            Err(_) if now < self.settle_until => Ok(None),
            other => other,
        }
    }

    /// Whether the status is better written a little later, together with what is about to be known. A fault is told at
    /// once.
    fn status_waits(
        &self,
        readings: &[Reading<'_>],
        fault: Option<&Fault>,
        writes: bool,
        settings: &Settings,
        now: Mono,
    ) -> bool {
        let unready = |reading: &Reading<'_>| match reading {
            Reading::Waiting => self.asks(),
            Reading::Unusable(fault) => fault.reason == Reason::ComponentUnavailable,
            _ => false,
        };
        let broken = |reading: &Reading<'_>| reading.fault().is_some() && !unready(reading);
        if fault.is_some() || readings.iter().any(broken) {
            return false;
        }
        let seen = self.stored.target.is_some() && self.stored.hpa_known;
        let open = readings.iter().any(unready) || !seen;
        if open && now < self.settle_until {
            return true;
        }
        let under_way = writes || self.desks.hpa.flight.is_some() || self.desks.meta.flight.is_some();
        under_way && now < self.settle_until + settings.settle
    }

    /// Sends what may be sent now; the rest is found again at the next consideration.
    fn write(&mut self, judged: Judged, now: Now, out: &mut Out) {
        let Judged { decision, hpa, meta, status } = judged;
        self.write_scale(&decision, now, out);
        if let Some(op) = hpa {
            let version = self.stored.hpa.as_ref().map(|hpa| hpa.version.clone());
            if self.desks.hpa.open(now.mono, version.as_ref()) {
                out.writes.push(Write::Hpa { key: self.key.clone(), uid: self.uid.clone(), op: op.clone() });
                self.desks.hpa.send(op, version, now.mono);
            }
        }
        if meta {
            self.write_meta(true, now, out);
        }
        if let Some(wanted) = status {
            self.write_status(wanted, now, out);
        }
        self.memory = decision.memory.clone();
        self.last = Some(decision);
    }

    fn write_scale(&mut self, decision: &Decision, now: Now, out: &mut Out) {
        let (Some(to), Some(workload)) = (decision.replicas, &self.workload) else { return };
        let target = workload.declared.target.clone();
        let because = decision.because.to_string();
        self.send_scale(target, to, &because, now, out);
    }

    pub(super) fn send_scale(
        &mut self,
        target: crate::key::TargetRef,
        to: u32,
        because: &str,
        now: Now,
        out: &mut Out,
    ) {
        let Some(TargetSeen::Found { spec, version, .. }) = &self.stored.target else { return };
        let (from, version) = (*spec, version.clone());
        if !self.desks.scale.open(now.mono, Some(&version)) {
            return;
        }
        let verb = if to > from { "Scaled" } else { "Deactivated" };
        let (kind, namespace) = (&target.kind, &self.key.namespace);
        let text = format!(
            "{verb} {}.{kind} {namespace}/{} from {from} to {to}: {because}",
            target.api_version(),
            target.name
        );
        let key = self.key.clone();
        out.writes.push(Write::Scale { key, target, to, if_version: version.clone(), decided: now.mono });
        self.desks.scale.send(ScaleFlight { from, to, text: text.into() }, Some(version), now.mono);
    }

    pub(super) fn write_meta(&mut self, finalizer: bool, now: Now, out: &mut Out) -> bool {
        let Some(record) = &self.stored.record else { return false };
        let version = record.version.clone();
        if !self.desks.meta.open(now.mono, Some(&version)) {
            return false;
        }
        let key = self.key.clone();
        out.writes.push(Write::Meta { key, finalizer, label: finalizer, if_version: version.clone() });
        self.desks.meta.send(MetaFlight { finalizer }, Some(version), now.mono);
        true
    }

    fn write_status(&mut self, wanted: Box<StatusView>, now: Now, out: &mut Out) {
        let Some(record) = &self.stored.record else { return };
        let version = record.version.clone();
        // A change of the object's metadata is about to change the version that this rests on.
        if self.desks.meta.flight.is_some() || !self.desks.status.open(now.mono, Some(&version)) {
            return;
        }
        let (key, stored) = (self.key.clone(), Box::new(record.status.clone()));
        out.writes.push(Write::Status { key, wanted: wanted.clone(), stored, if_version: version.clone() });
        self.desks.status.send(wanted, Some(version), now.mono);
    }

    /// An object that could never be lowered: its Ready condition is all that it gets.
    fn write_refusal(&mut self, now: Now, out: &mut Out) {
        let (Some(fault), Some(record)) = (&self.refused, &self.stored.record) else { return };
        let mut wanted = record.status.clone();
        let Conditions { ready, active, fallback, paused, .. } = &mut wanted.conditions;
        *ready = Some(Condition::new(Tri::No, fault.reason, fault.message.clone()));
        active.get_or_insert_default();
        fallback.get_or_insert_default();
        paused.get_or_insert_with(|| Condition { status: Tri::No, ..Condition::default() });
        if wanted != record.status {
            self.write_status(Box::new(wanted), now, out);
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

fn trigger_index(trigger: &Trigger) -> u16 {
    match trigger {
        Trigger::External { index, .. } | Trigger::Resource { index, .. } | Trigger::Unusable { index, .. } => *index,
    }
}
