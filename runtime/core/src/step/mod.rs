//! One message: take it in, then poll what is due, then consider every workload that it touched.
//!
//! ```text
//!  Upsert, Refused, Deleting, Gone ── intake ──┐
//!  Outcomes, BatchEnded ───────────── outcome ─┼─► touched ──consider──► board · decide · diff ──► writes
//!  Seen, Ack ──────────────────────── stored ──┤
//!  time ───────────────────────────── due ─────┴─► batches
//! ```
mod consider;
mod intake;
mod judge;
mod outcome;
mod quarantine;
mod release;
mod send;
mod stored;
mod tell;

use crate::core::Core;
use crate::fact::Fact;
use crate::message::{Msg, Out};
use crate::time::Now;

impl Core {
    /// Takes in one message at `now`, and whatever is due by then. Appends to `out` what is to be polled and written;
    /// values to serve go to the board. Costs as much as the message is long, and no more for all that is known.
    pub fn step(&mut self, now: Now, msg: Msg, out: &mut Out) {
        self.now = now;
        let flush = matches!(msg, Msg::Flush);
        let decided = out.writes.len();
        match msg {
            Msg::Upsert(workload) => self.upsert(*workload, now, out),
            Msg::Refused { key, uid, generation, fault } => self.refused(&key, uid, generation, fault, now),
            Msg::Deleting(key) => self.deleting(&key, now),
            Msg::Gone(key) => self.gone(&key, now),
            Msg::Seen(key, seen) => self.seen(&key, seen, now),
            Msg::Outcomes(batch, outcomes) => self.outcomes(batch, outcomes, now),
            Msg::BatchBroke(batch, why) => self.schedule.broke(batch, why),
            Msg::BatchEnded(batch) => self.batch_ended(batch, now),
            Msg::Ack(key, kind, result) => self.acknowledged(&key, kind, result, now, out),
            Msg::Tick => {}
            // The one message that concerns everybody, at the very end.
            Msg::Flush => self.touched.extend(self.workloads.iter().map(|(index, _)| index as u32)),
        }
        self.due(now, out);
        while let Some(index) = self.touched.pop() {
            self.consider(index, now, flush, out);
        }
        out.facts.append(&mut self.facts);
        let written = out.writes.iter().skip(decided);
        out.facts.extend(written.map(|write| Fact::Decided(write.kind(), self.why(write))));
    }

    /// Polls what is due, and touches the workloads for which time has come.
    fn due(&mut self, now: Now, out: &mut Out) {
        let lost = self.schedule.due(now, &mut out.batches);
        self.tell_lost(&lost, now.mono);
        for id in lost {
            self.touch_readers(id);
        }
        while let Some(index) = self.wakes.pop(now.mono) {
            self.touch(index);
        }
    }
}
