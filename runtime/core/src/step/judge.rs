//! What is known about a workload → what should become of it, and whether that may be written yet.
use super::send::Judged;
use crate::condition::{Health, Told};
use crate::decide::{Facts, Reading, decide};
use crate::diff::{self, HpaWish, StatusFacts};
use crate::failure::{Fault, Reason};
use crate::schedule::Schedule;
use crate::settings::Settings;
use crate::time::{Mono, Now};
use crate::tracked::Tracked;
use crate::workload::{Engine, Trigger};
use crate::write::{HpaOp, TargetSeen};

/// What pods use may be used this many reads long, should no read end meanwhile.
const USABLE_READS: u32 = 3;

impl Tracked {
    /// What each trigger says.
    pub(crate) fn readings<'a>(&'a self, schedule: &'a Schedule, settings: &Settings, now: Mono) -> Vec<Reading<'a>> {
        let triggers = self.triggers().iter().enumerate();
        triggers.map(|(position, trigger)| self.reading(schedule, settings, position, trigger, now)).collect()
    }

    /// What pods use, while it is no older than [`USABLE_READS`] reads.
    fn resource(&self, index: u16, settings: &Settings, now: Mono) -> Reading<'_> {
        // At zero there are no pods, and nothing to complain about.
        let at_zero = matches!(self.stored.target, Some(TargetSeen::Found { spec: 0, .. }));
        let Some(used) = self.used.get(&index).filter(|_| !at_zero) else {
            return Reading::Resource { known: None, failure: None, failing: false };
        };
        let usable = now <= used.at + settings.read_interval * USABLE_READS;
        let failing = used.failing_since.is_some_and(|since| now >= since + settings.hpa_trouble);
        Reading::Resource { known: used.known.filter(|_| usable), failure: used.failure.as_ref(), failing }
    }

    fn reading<'a>(
        &'a self,
        schedule: &'a Schedule,
        settings: &Settings,
        position: usize,
        trigger: &'a Trigger,
        now: Mono,
    ) -> Reading<'a> {
        let (metrics, aim) = match trigger {
            Trigger::Unusable { fault, .. } => return Reading::Unusable(fault),
            Trigger::Resource { index, .. } => return self.resource(*index, settings, now),
            Trigger::External { metrics, aim, .. } => (metrics, *aim),
        };
        let Some(poll) = self.poll(schedule, position) else {
            return Reading::Waiting;
        };
        let failure = poll.trouble.failure.as_ref();
        let quarantine = poll.trouble.quarantine.as_ref();
        match &poll.answer {
            Some(answer) => {
                let failing = now > answer.fresh_until && poll.lasting(now);
                if now > answer.valid_until(aim) {
                    return Reading::Unknown { failure, failing, quarantine };
                }
                let aged = (now > answer.fresh_until).then(|| now.since(answer.sample.observed));
                Reading::Known { sample: &answer.sample, metrics, aged, failure, failing, quarantine }
            }
            None if failure.is_some() => Reading::Unknown { failure, failing: true, quarantine },
            None => Reading::Waiting,
        }
    }

    pub(super) fn judge(
        &self,
        schedule: &Schedule,
        settings: &Settings,
        now: Now,
        flush: bool,
        told: &mut Option<Told>,
    ) -> Option<Judged> {
        let workload = self.workload.as_ref()?;
        let readings = self.readings(schedule, settings, now.mono);
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
            flags: settings.direct,
            now,
        });
        let record = self.stored.record.as_ref();
        let meta = fault.is_none() && record.is_some_and(|record| !record.finalizer || !record.label);
        let status = record.and_then(|record| {
            if !flush && self.status_waits(&readings, fault, hpa.is_some() || meta, settings, now.mono) {
                return None;
            }
            let indices: Vec<u16> = workload.triggers.iter().map(trigger_index).collect();
            let health =
                Health { fault, target, readings: &readings, indices: &indices, held_back: &workload.held_back };
            let unknown = |reading: &Reading<'_>| matches!(reading, Reading::Unknown { quarantine: Some(_), .. });
            let quarantined: Vec<u16> = indices
                .iter()
                .zip(&readings)
                .filter(|(_, reading)| unknown(reading))
                .map(|(index, _)| *index)
                .collect();
            let facts = StatusFacts {
                workload,
                readings: &readings,
                decision: &decision,
                ready: health.ready(told),
                quarantined: &quarantined,
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
}

fn trigger_index(trigger: &Trigger) -> u16 {
    match trigger {
        Trigger::External { index, .. } | Trigger::Resource { index, .. } | Trigger::Unusable { index, .. } => *index,
    }
}
