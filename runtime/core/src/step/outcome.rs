//! What the event sources said.
use crate::core::Core;
use crate::fact::PollEnd;
use crate::message::{BatchId, QueryId};
use crate::sample::Outcome;
use crate::time::Now;

impl Core {
    /// Outcomes of a batch, as they come. What is late, double or about a query that is gone does nothing.
    pub(super) fn outcomes(&mut self, batch: BatchId, outcomes: Vec<(QueryId, Outcome)>, now: Now) {
        for (id, outcome) in outcomes {
            let (end, age) = (PollEnd::of(&outcome), self.schedule.get(id).and_then(|poll| poll.age(now.mono)));
            if self.schedule.outcome(batch, id, outcome, now) {
                self.tell_polled(id, end, age);
                self.touch_readers(id);
            }
        }
    }

    /// A batch has ended: what it did not tell about has failed.
    pub(super) fn batch_ended(&mut self, batch: BatchId, now: Now) {
        let lost = self.schedule.ended(batch, now);
        self.tell_lost(&lost, now.mono);
        for id in lost {
            self.touch_readers(id);
        }
    }

    pub(super) fn touch_readers(&mut self, id: QueryId) {
        let Some(poll) = self.schedule.get(id) else { return };
        for reader in poll.readers() {
            if let Some(tracked) = self.workloads.get_mut(reader.workload as usize)
                && !tracked.touched
            {
                tracked.touched = true;
                self.touched.push(reader.workload);
            }
        }
    }
}
