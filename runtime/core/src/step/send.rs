//! Sending what differs: one write of a kind at a time, resting on the version that was compared.
use crate::decide::Decision;
use crate::key::TargetRef;
use crate::message::Out;
use crate::time::Now;
use crate::tracked::{MetaFlight, ScaleFlight, StatusFlight, Tracked};
use crate::write::{Condition, Conditions, HpaOp, StatusView, TargetSeen, Tri, Write};

/// What came of looking at a workload.
pub(super) struct Judged {
    pub(super) decision: Decision,
    pub(super) hpa: Option<HpaOp>,
    pub(super) meta: bool,
    pub(super) status: Option<Box<StatusView>>,
}

impl Tracked {
    /// Sends what may be sent now; the rest is found again at the next consideration.
    pub(super) fn write(&mut self, judged: Judged, now: Now, out: &mut Out) {
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

    pub(super) fn send_scale(&mut self, target: TargetRef, to: u32, because: &str, now: Now, out: &mut Out) {
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
        let flight = StatusFlight { wanted: wanted.clone(), before: stored.conditions.clone() };
        out.writes.push(Write::Status { key, wanted, stored, if_version: version.clone() });
        self.desks.status.send(flight, Some(version), now.mono);
    }

    /// An object that could never be lowered: its Ready condition is all that it gets.
    pub(super) fn write_refusal(&mut self, now: Now, out: &mut Out) {
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
}
