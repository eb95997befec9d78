//! What is known about one workload: what its user wants, what the API server holds, what is on its way.
use crate::algorithm;
use crate::board::{MetricKey, Served};
use crate::condition::Told;
use crate::decide::{Decision, Memory};
use crate::fact::{ObjectFacts, ObjectState};
use crate::failure::{Failure, Fault};
use crate::key::{MetricName, Text, WorkloadKey};
use crate::message::QueryId;
use crate::schedule::{Poll, Schedule};
use crate::settings::{Settings, backoff};
use crate::time::{Mono, Now};
use crate::workload::{Pause, Trigger, Workload};
use crate::write::{Conditions, HpaOp, HpaSeen, HpaShape, StatusView, Stored};
use std::collections::BTreeMap;

/// One workload.
#[derive(Debug)]
pub(crate) struct Tracked {
    pub(crate) key: WorkloadKey,
    pub(crate) uid: Text,
    pub(crate) generation: i64,
    /// The last one that could be lowered.
    pub(crate) workload: Option<Workload>,
    /// The object as it is now cannot be lowered.
    pub(crate) refused: Option<Fault>,
    pub(crate) deleting: Option<Deleting>,
    /// The target's replicas when it was first seen, before anything was done to them.
    pub(crate) original_replicas: Option<u32>,
    pub(crate) stored: Stored,
    /// What the target's pods use, by the index of the trigger.
    pub(crate) used: BTreeMap<u16, Used>,
    pub(crate) memory: Memory,
    /// The object's own record was seen, and with it what was stored about its past.
    pub(crate) taken_over: bool,
    /// The question of each trigger, by position.
    pub(crate) asked: Vec<Option<QueryId>>,
    /// What the board shows.
    pub(crate) shown: BTreeMap<MetricName, Served>,
    pub(crate) desks: Desks,
    /// Before this, what is not known yet is waited for.
    pub(crate) settle_until: Mono,
    /// Since when this is here, for what is only seen and never claimed by an object.
    pub(crate) since: Mono,
    /// The HPA as it should be; `None`: not worked out since the workload last changed.
    pub(crate) hpa: Option<Option<HpaShape>>,
    /// Whether the stored HPA differs from it; `None`: not compared since either changed.
    pub(crate) hpa_differs: Option<bool>,
    /// The watch told that the HPA is gone while our own creation was just acknowledged.
    pub(crate) hpa_doubt: Option<Mono>,
    /// Since when the HPA cannot scale.
    pub(crate) hpa_trouble: Option<Mono>,
    /// Failures that the Ready condition tells of: its text changes only when these do.
    pub(crate) told: Option<Told>,
    /// Questions of which an event has told that they are put aside.
    pub(crate) held: Vec<QueryId>,
    pub(crate) last: Option<Decision>,
    pub(crate) wake: Option<Mono>,
    /// As it is counted.
    pub(crate) state: Option<ObjectState>,
    /// What metrics were told of it.
    pub(crate) told_facts: Option<Box<ObjectFacts>>,
    /// To be considered at the end of this step.
    pub(crate) touched: bool,
}

/// What the pods of a target use, as it was read last.
#[derive(Debug)]
pub(crate) struct Used {
    pub(crate) known: Option<algorithm::Resource>,
    pub(crate) failure: Option<Failure>,
    /// When `known` was read.
    pub(crate) at: Mono,
    /// Since when reads fail.
    pub(crate) failing_since: Option<Mono>,
}

/// An object on its way out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deleting {
    /// It is let go then, whatever else.
    pub(crate) deadline: Mono,
    /// Its replicas are as they were before it came, or nobody asked for that.
    pub(crate) restored: bool,
    pub(crate) told: bool,
}

impl Tracked {
    pub(crate) fn new(key: WorkloadKey, now: Mono) -> Tracked {
        Tracked {
            key,
            uid: "".into(),
            generation: 0,
            workload: None,
            refused: None,
            deleting: None,
            original_replicas: None,
            stored: Stored::default(),
            used: BTreeMap::new(),
            memory: Memory::default(),
            taken_over: false,
            asked: Vec::new(),
            shown: BTreeMap::new(),
            desks: Desks::default(),
            settle_until: now,
            since: now,
            hpa: None,
            hpa_differs: None,
            hpa_doubt: None,
            hpa_trouble: None,
            told: None,
            held: Vec::new(),
            last: None,
            wake: None,
            state: None,
            told_facts: None,
            touched: false,
        }
    }

    /// Why the object as a whole cannot be served.
    pub(crate) fn fault(&self) -> Option<&Fault> {
        self.refused.as_ref().or_else(|| self.workload.as_ref().and_then(|workload| workload.fault.as_ref()))
    }

    pub(crate) fn triggers(&self) -> &[Trigger] {
        self.workload.as_ref().map_or(&[], |workload| &workload.triggers)
    }

    /// What pods use was read, or could not be: then it is unknown at once, as to the HPA controller. That only holds what
    /// there is.
    pub(crate) fn see_use(&mut self, found: Vec<(u16, Result<algorithm::Resource, Failure>)>, now: Mono) {
        for (index, found) in found {
            let used =
                self.used.entry(index).or_insert(Used { known: None, failure: None, at: now, failing_since: None });
            match found {
                Ok(known) => *used = Used { known: Some(known), failure: None, at: now, failing_since: None },
                Err(failure) => {
                    (used.known, used.failure) = (None, Some(failure));
                    used.failing_since.get_or_insert(now);
                }
            }
        }
    }

    /// The poll of a trigger, by its position; `None`: nothing is asked for it.
    pub(crate) fn poll<'a>(&self, schedule: &'a Schedule, position: usize) -> Option<&'a Poll> {
        schedule.get(self.asked.get(position).copied().flatten()?)
    }

    pub(crate) fn pause(&self) -> Pause {
        self.workload.as_ref().map_or_else(Pause::default, |workload| workload.declared.pause)
    }

    /// Without an API server's record nothing is stored about the past: local mode.
    pub(crate) fn local(&self) -> bool {
        self.uid.is_empty()
    }

    /// Under which name the board shows a metric.
    pub(crate) fn metric_key(&self, metric: MetricName) -> MetricKey {
        MetricKey { namespace: self.key.namespace.clone(), object: self.key.name.clone(), metric }
    }

    /// What was seen and may concern the next object of this name: its target, an HPA that is not this one's (which
    /// goes with it), and a record on which nothing has been written yet.
    pub(crate) fn bequest(&self) -> Option<Stored> {
        let mut stored = self.stored.clone();
        stored.record = stored.record.filter(|record| record.status == StatusView::default() && !record.finalizer);
        let own = |hpa: &HpaSeen| !self.uid.is_empty() && hpa.owner.as_ref() == Some(&self.uid);
        if stored.hpa.as_ref().is_some_and(own) {
            stored.hpa = None;
            stored.hpa_known = false;
        }
        (stored.record.is_some() || stored.hpa_known || stored.target.is_some()).then_some(stored)
    }

    /// Whether its triggers are to be asked.
    pub(crate) fn asks(&self) -> bool {
        self.deleting.is_none() && self.fault().is_none() && self.pause().all.is_none()
    }
}

/// One desk per kind of write: one write at a time, then the next.
#[derive(Debug, Default)]
pub(crate) struct Desks {
    pub(crate) scale: Desk<ScaleFlight>,
    pub(crate) hpa: Desk<HpaOp>,
    /// When an HPA of ours was last created.
    pub(crate) hpa_created: Option<Mono>,
    /// Version of the HPA that we deleted last.
    pub(crate) hpa_deleted: Option<Text>,
    pub(crate) meta: Desk<MetaFlight>,
    pub(crate) status: Desk<StatusFlight>,
}

/// A scale on its way.
#[derive(Clone, Debug)]
pub(crate) struct ScaleFlight {
    pub(crate) from: u32,
    pub(crate) to: u32,
    pub(crate) text: Text,
}

/// A status on its way.
#[derive(Clone, Debug)]
pub(crate) struct StatusFlight {
    pub(crate) wanted: Box<StatusView>,
    /// What was stored when it was sent: the watch may show the new one before the write is acknowledged.
    pub(crate) before: Conditions,
}

/// A change of finalizer and label on its way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MetaFlight {
    pub(crate) finalizer: bool,
}

/// A place where one write is under way at most.
#[derive(Debug)]
pub(crate) struct Desk<T> {
    pub(crate) flight: Option<T>,
    sent: Mono,
    /// Version on which the flight rests.
    base: Option<Text>,
    /// Failures in a row.
    pub(crate) attempts: u32,
    not_before: Option<Mono>,
    /// It changed under us at this version; a newer one will be seen.
    stale: Option<Text>,
}

impl<T> Default for Desk<T> {
    fn default() -> Desk<T> {
        Desk { flight: None, sent: Mono(0), base: None, attempts: 0, not_before: None, stale: None }
    }
}

impl<T> Desk<T> {
    /// Whether a write that rests on `version` may go now.
    pub(crate) fn open(&self, now: Mono, version: Option<&Text>) -> bool {
        if self.flight.is_some() {
            return false;
        }
        let known_stale = self.stale.is_some() && self.stale.as_ref() == version;
        // A version seen since a conflict lifts the pause that the conflict imposed.
        match self.not_before {
            Some(at) if now < at => self.stale.is_some() && !known_stale,
            _ => true,
        }
    }

    pub(crate) fn send(&mut self, flight: T, version: Option<Text>, now: Mono) {
        self.flight = Some(flight);
        self.sent = now;
        self.base = version;
    }

    /// It is done; returns what it was.
    pub(crate) fn done(&mut self) -> Option<T> {
        self.attempts = 0;
        self.not_before = None;
        self.stale = None;
        self.base = None;
        self.flight.take()
    }

    /// It changed under us: wait for what is seen next, or for a while.
    pub(crate) fn conflict(&mut self, now: Mono, seed: u64, settings: &Settings) -> Option<T> {
        let flight = self.failed(now, seed, settings);
        self.stale = self.base.take();
        flight
    }

    /// It failed: wait for a while.
    pub(crate) fn failed(&mut self, now: Mono, seed: u64, settings: &Settings) -> Option<T> {
        self.attempts = self.attempts.saturating_add(1);
        self.stale = None;
        let pause = backoff(settings.write_retry, settings.write_retry_cap, self.attempts, seed);
        self.not_before = Some(now + pause);
        self.flight.take()
    }

    /// Was sent so long ago that its end will not be told any more.
    pub(crate) fn overdue(&self, now: Mono, settings: &Settings) -> bool {
        self.flight.is_some() && now >= self.sent + settings.write_deadline
    }

    /// When this desk has to be looked at again.
    pub(crate) fn wake(&self, now: Now, settings: &Settings) -> Option<Mono> {
        match &self.flight {
            Some(_) => Some(self.sent + settings.write_deadline),
            None => self.not_before.filter(|at| *at > now.mono),
        }
    }
}
