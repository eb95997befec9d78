//! What the API server holds: what the watches see, and how our own writes ended.
//!
//! The watches lag behind our writes. What a write stored is taken as seen when it is acknowledged, and older sights are
//! dropped, so that nothing is written a second time because of them.
use crate::core::Core;
use crate::failure::Reason;
use crate::key::{Text, WorkloadKey};
use crate::message::{Out, Seen};
use crate::settings::seed_of;
use crate::time::{Mono, Now};
use crate::tracked::{ScaleFlight, StatusFlight, Tracked};
use crate::write::{Condition, Conditions, HpaOp, HpaSeen, RecordSeen, TargetSeen, Tri, Write, WriteKind, WriteResult};
use std::time::Duration;

impl Core {
    /// A watch has seen something.
    pub(super) fn seen(&mut self, key: &WorkloadKey, seen: Seen, now: Now) {
        let lag = self.settings.watch_lag;
        let index = self.place_for(key, now.mono);
        let Some(tracked) = self.tracked(index) else { return };
        match seen {
            Seen::Record(record) => tracked.see_record(record, now),
            Seen::Hpa(hpa) => tracked.see_hpa(hpa, now.mono, lag),
            Seen::Target(target) => tracked.see_target(target),
            Seen::Use(found) => tracked.see_use(found, now.mono),
        }
        self.touch(index);
    }

    /// A write has ended. One that is not under way (any more) does not matter.
    pub(super) fn acknowledged(
        &mut self,
        key: &WorkloadKey,
        kind: WriteKind,
        result: WriteResult,
        now: Now,
        out: &mut Out,
    ) {
        let Some(index) = self.place(key) else { return };
        let settings = self.settings.clone();
        let Some(tracked) = self.tracked(index) else { return };
        let seed = tracked.seed();
        match (kind, result) {
            (WriteKind::Scale, WriteResult::Done(version)) => tracked.scaled(version, now.mono, out),
            (WriteKind::Hpa, WriteResult::Done(version)) => tracked.hpa_written(version, now.mono),
            (WriteKind::Hpa, WriteResult::Gone) => tracked.hpa_gone(),
            (WriteKind::Meta, WriteResult::Done(version)) => tracked.meta_written(version),
            (WriteKind::Status, WriteResult::Done(version)) => tracked.status_written(version, out),
            (WriteKind::Event, _) => return,
            (kind, WriteResult::Conflict) => match kind {
                WriteKind::Scale => drop(tracked.desks.scale.conflict(now.mono, seed, &settings)),
                WriteKind::Hpa => drop(tracked.desks.hpa.conflict(now.mono, seed, &settings)),
                WriteKind::Meta => drop(tracked.desks.meta.conflict(now.mono, seed, &settings)),
                _ => drop(tracked.desks.status.conflict(now.mono, seed, &settings)),
            },
            (kind, _) => tracked.write_failed(kind, now.mono, &settings, out),
        }
        self.touch(index);
    }
}

impl Tracked {
    /// A number of the workload's own, for jitter.
    pub(super) fn seed(&self) -> u64 {
        seed_of(self.key.name.as_bytes()) ^ seed_of(self.key.namespace.as_bytes()).rotate_left(17)
    }

    fn see_record(&mut self, record: RecordSeen, now: Now) {
        if self.stored.record.as_ref().is_some_and(|known| older(&record.version, &known.version)) {
            return;
        }
        if !self.taken_over {
            self.taken_over = true;
            // Nobody wrote down when it was last active while it still was: as far as we know, until now.
            let active = record.status.conditions.active.as_ref().is_some_and(|active| active.status == Tri::Yes);
            let stored = if active { Some(now.wall) } else { record.status.last_active };
            self.memory.last_active = self.memory.last_active.max(stored);
        }
        self.stored.record = Some(record);
    }

    fn see_hpa(&mut self, hpa: Option<HpaSeen>, now: Mono, lag: Duration) {
        self.stored.hpa_known = true;
        match hpa {
            Some(hpa) => {
                let known = self.stored.hpa.as_ref().map(|known| &known.version).or(self.desks.hpa_deleted.as_ref());
                if known.is_some_and(|known| older(&hpa.version, known)) {
                    return;
                }
                if self.stored.hpa.is_none() && self.desks.hpa_deleted.as_ref() == Some(&hpa.version) {
                    return;
                }
                self.hpa_doubt = None;
                self.stored.hpa = Some(hpa);
            }
            // The sight may be from before our own creation: believe it only if nothing else comes.
            None if self.desks.hpa_created.is_some_and(|at| now < at + lag) => {
                self.hpa_doubt = self.desks.hpa_created.map(|at| at + lag);
                return;
            }
            None => self.stored.hpa = None,
        }
        self.hpa_differs = None;
    }

    fn see_target(&mut self, target: TargetSeen) {
        if let (Some(TargetSeen::Found { version: known, .. }), TargetSeen::Found { version, .. }) =
            (&self.stored.target, &target)
            && older(version, known)
        {
            return;
        }
        if let (None, TargetSeen::Found { spec, .. }) = (self.original_replicas, &target) {
            self.original_replicas = Some(*spec);
        }
        self.stored.target = Some(target);
    }

    fn scaled(&mut self, stored: Option<Text>, now: Mono, out: &mut Out) {
        let Some(flight) = self.desks.scale.done() else { return };
        if let Some(TargetSeen::Found { spec, version, .. }) = &mut self.stored.target
            && newest(version, stored)
        {
            *spec = flight.to;
        }
        let ScaleFlight { from, to, text } = flight;
        let behavior = self.hpa.as_ref().and_then(|shape| shape.as_ref()).and_then(|shape| shape.behavior.as_ref());
        self.memory.algorithm.scaled(behavior, from, to, now);
        if self.deleting.is_some() || (from != 0 && to != 0 && !self.crosses_idle(from, to)) {
            return;
        }
        let reason = if to > from { Reason::KEDAScaleTargetActivated } else { Reason::KEDAScaleTargetDeactivated };
        self.tell(reason, text, out);
    }

    fn crosses_idle(&self, from: u32, to: u32) -> bool {
        let idle = self.workload.as_ref().and_then(|workload| workload.declared.bounds.idle);
        idle.is_some_and(|idle| from <= idle || to <= idle)
    }

    fn hpa_written(&mut self, version: Option<Text>, now: Mono) {
        let Some(op) = self.desks.hpa.done() else { return };
        self.desks.hpa_created = None;
        let newer = |known: &HpaSeen| version.as_ref().is_some_and(|stored| older(stored, &known.version));
        if !matches!(op, HpaOp::Delete { .. }) && self.stored.hpa.as_ref().is_some_and(newer) {
            return;
        }
        let before = self.stored.hpa.take();
        self.stored.hpa = match op {
            HpaOp::Create(shape) => {
                self.desks.hpa_created = Some(now);
                let owner = Some(self.uid.clone());
                Some(HpaSeen { shape, owner, version: version.unwrap_or_else(|| "".into()), scaling_active: None })
            }
            HpaOp::Update { shape, version: compared } => {
                let version = version.unwrap_or(compared);
                let scaling_active = before.and_then(|before| before.scaling_active);
                Some(HpaSeen { shape, owner: Some(self.uid.clone()), version, scaling_active })
            }
            HpaOp::Delete { .. } => {
                self.desks.hpa_deleted = before.map(|before| before.version);
                None
            }
        };
        self.hpa_differs = None;
    }

    fn hpa_gone(&mut self) {
        if self.desks.hpa.done().is_some() {
            self.desks.hpa_deleted = self.stored.hpa.take().map(|hpa| hpa.version);
            self.hpa_differs = None;
        }
    }

    fn meta_written(&mut self, version: Option<Text>) {
        let Some(flight) = self.desks.meta.done() else { return };
        if let Some(record) = &mut self.stored.record
            && newest(&mut record.version, version)
        {
            record.finalizer = flight.finalizer;
            record.label |= flight.finalizer;
        }
    }

    fn status_written(&mut self, version: Option<Text>, out: &mut Out) {
        let Some(StatusFlight { wanted, before }) = self.desks.status.done() else { return };
        let after = wanted.conditions.clone();
        if let Some(record) = &mut self.stored.record
            && newest(&mut record.version, version)
        {
            record.status = *wanted;
        }
        self.tell_transitions(&before, &after, out);
    }

    fn write_failed(&mut self, kind: WriteKind, now: Mono, settings: &crate::Settings, out: &mut Out) {
        let seed = self.seed();
        match kind {
            WriteKind::Scale => {
                let first = self.desks.scale.attempts == 0;
                let Some(flight) = self.desks.scale.failed(now, seed, settings) else { return };
                if first {
                    let up = flight.to > flight.from;
                    let reason = if up {
                        Reason::KEDAScaleTargetActivationFailed
                    } else {
                        Reason::KEDAScaleTargetDeactivationFailed
                    };
                    let text = format!("Failed to scale from {} to {}", flight.from, flight.to);
                    self.tell(reason, text.into(), out);
                }
            }
            WriteKind::Hpa => drop(self.desks.hpa.failed(now, seed, settings)),
            WriteKind::Meta => drop(self.desks.meta.failed(now, seed, settings)),
            WriteKind::Status => drop(self.desks.status.failed(now, seed, settings)),
            WriteKind::Event => {}
        }
    }

    /// Writes whose end was never told have failed.
    pub(super) fn expire_writes(&mut self, now: Mono, settings: &crate::Settings, out: &mut Out) {
        let desks = &self.desks;
        let overdue = [
            (WriteKind::Scale, desks.scale.overdue(now, settings)),
            (WriteKind::Hpa, desks.hpa.overdue(now, settings)),
            (WriteKind::Meta, desks.meta.overdue(now, settings)),
            (WriteKind::Status, desks.status.overdue(now, settings)),
        ];
        for (kind, overdue) in overdue {
            if overdue {
                self.write_failed(kind, now, settings, out);
            }
        }
    }

    /// Events tell what a stored status newly says.
    fn tell_transitions(&self, before: &Conditions, after: &Conditions, out: &mut Out) {
        let status = |condition: &Option<Condition>| condition.as_ref().map(|condition| condition.status);
        let was_ready = status(&before.ready) == Some(Tri::Yes);
        match &after.ready {
            Some(ready) if ready.status == Tri::Yes && !was_ready => {
                if before.ready.is_none() {
                    self.tell(Reason::KEDAScalersStarted, "Started scalers watch".into(), out);
                }
                self.tell(Reason::ScaledObjectReady, "ScaledObject is ready for scaling".into(), out);
            }
            Some(ready) if ready.status != Tri::Yes => {
                let same =
                    before.ready.as_ref().is_some_and(|old| old.status == ready.status && old.reason == ready.reason);
                // What is put aside is told when it is, trigger by trigger.
                let told = &*ready.reason == Reason::ComponentUnavailable.as_str() && !self.held.is_empty();
                if !same && !told {
                    let triggers = [Reason::TriggerError, Reason::PartialTriggerError];
                    let failed = triggers.iter().any(|reason| reason.as_str() == &*ready.reason);
                    let reason = if failed { Reason::KEDAScalerFailed } else { Reason::ScaledObjectCheckFailed };
                    self.tell(reason, ready.message.clone(), out);
                }
            }
            _ => {}
        }
        let was_paused = status(&before.paused) == Some(Tri::Yes);
        match (was_paused, &after.paused) {
            (false, Some(paused)) if paused.status == Tri::Yes => {
                self.tell(Reason::ScaledObjectPaused, paused.message.clone(), out);
            }
            (true, Some(paused)) if paused.status == Tri::No => {
                self.tell(Reason::ScaledObjectUnpaused, paused.message.clone(), out);
            }
            _ => {}
        }
    }

    pub(super) fn tell(&self, reason: Reason, text: Text, out: &mut Out) {
        out.writes.push(Write::Event { key: self.key.clone(), uid: self.uid.clone(), reason, text });
    }
}

/// Whether a resource version is older than another. They are decimal numbers that grow; of others nothing is known.
fn older(seen: &str, known: &str) -> bool {
    match (seen.parse::<u128>(), known.parse::<u128>()) {
        (Ok(seen), Ok(known)) => seen < known,
        _ => false,
    }
}

/// Takes the version that a write of ours stored. `false`: something newer was seen already, and counts.
fn newest(known: &mut Text, stored: Option<Text>) -> bool {
    let Some(stored) = stored else { return true };
    let newest = !older(&stored, known);
    if newest {
        *known = stored;
    }
    newest
}
