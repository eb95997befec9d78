//! Lanes and their slots: which queries may share a batch, and at which moment of their period they are asked.
use crate::key::Digest;
use crate::key::Text;
use crate::query::{Domain, Question, SourceKey};
use crate::settings::{Settings, seed_of};
use crate::time::{Mono, Now};
use slab::Slab;
use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

/// 2^64 divided by the golden ratio: multiples of it fill a circle as evenly as any sequence that does not know its end.
const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

/// How far ahead of the pace a new query may be asked, to share a batch with those that came before it.
const TOGETHER: Duration = Duration::from_secs(1);

/// What queries must have in common to share a batch.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct LaneKey {
    pub(crate) component: Digest,
    pub(crate) domain: Domain,
    pub(crate) source: SourceKey,
    pub(crate) group: Text,
}

impl LaneKey {
    pub(crate) fn of(question: &Question) -> LaneKey {
        LaneKey {
            component: question.component,
            domain: question.trigger.domain.clone(),
            source: question.source,
            group: question.plan.group.clone(),
        }
    }
}

/// Up to a batch of queries of one lane, asked at one phase of their periods.
#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) lane: LaneKey,
    /// Fraction of a period, in 1/2^64.
    pub(crate) phase: u64,
    /// Indices of its queries.
    pub(crate) queries: Vec<u32>,
    /// When those that came last are asked for the first time.
    first: Mono,
}

/// What is kept per source: where the next slot's phase lies, and when the next first poll may be.
#[derive(Debug, Default)]
struct Source {
    turn: u64,
    slots: u32,
    /// In microseconds, since many first polls may fall into a millisecond.
    first_us: u64,
}

/// All slots.
#[derive(Debug, Default)]
pub(crate) struct Lanes {
    pub(crate) slots: Slab<Slot>,
    /// Slots of a lane that have room.
    room: HashMap<LaneKey, BTreeSet<u32>>,
    sources: HashMap<SourceKey, Source>,
}

impl Lanes {
    /// Gives a query a place. Returns its slot and when it is asked for the first time.
    pub(crate) fn place(&mut self, query: u32, question: &Question, now: Now, settings: &Settings) -> (u32, Mono) {
        let lane = LaneKey::of(question);
        let source = self.sources.entry(lane.source).or_default();
        let gap_us = 1_000_000 / u64::from(settings.first_polls_per_second.max(1));
        let soonest = now.mono + settings.gather;
        source.first_us = source.first_us.max(soonest.0.saturating_mul(1000));
        let first = Mono(source.first_us / 1000);
        source.first_us += gap_us;

        let room = self.room.entry(lane.clone()).or_default();
        let index = match room.first() {
            Some(index) => *index,
            None => {
                let offset = seed_of(&lane.source.0.0);
                let phase = offset.wrapping_add(source.turn.wrapping_mul(GOLDEN));
                source.turn += 1;
                source.slots += 1;
                let slot = Slot { lane: lane.clone(), phase, queries: Vec::new(), first: Mono(0) };
                let index = self.slots.insert(slot) as u32;
                room.insert(index);
                index
            }
        };
        let Some(slot) = self.slots.get_mut(index as usize) else { return (index, first) };
        slot.queries.push(query);
        if slot.queries.len() >= settings.batch_max {
            room.remove(&index);
        }
        // Those that come together are asked together, but not at the price of the source's pace.
        if slot.first <= now.mono || slot.first + TOGETHER < first {
            slot.first = first;
        }
        (index, slot.first)
    }

    /// Takes a query from its place; a slot goes with its last query.
    pub(crate) fn remove(&mut self, index: u32, query: u32) -> Removed {
        let Some(slot) = self.slots.get_mut(index as usize) else { return Removed::SlotGone };
        slot.queries.retain(|other| *other != query);
        let lane = slot.lane.clone();
        if !slot.queries.is_empty() {
            self.room.entry(lane).or_default().insert(index);
            return Removed::SlotStays;
        }
        self.slots.remove(index as usize);
        if let Some(room) = self.room.get_mut(&lane) {
            room.remove(&index);
            if room.is_empty() {
                // Full slots of the lane come back to this map when they get room.
                self.room.remove(&lane);
            }
        }
        if let Some(source) = self.sources.get_mut(&lane.source) {
            source.slots = source.slots.saturating_sub(1);
            if source.slots == 0 {
                self.sources.remove(&lane.source);
            }
        }
        Removed::SlotGone
    }
}

/// What became of a slot.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Removed {
    SlotStays,
    SlotGone,
}

/// The first moment after `after` that lies at `phase` of `period`.
pub(crate) fn at_phase(phase: u64, period: Duration, after: Mono) -> Mono {
    let period = (period.as_millis() as u64).max(1);
    let offset = ((u128::from(phase) * u128::from(period)) >> 64) as u64;
    let start = after.0 - after.0 % period + offset;
    Mono(if start > after.0 { start } else { start.saturating_add(period) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_moment_is_within_a_period_and_at_the_phase() {
        for phase in [0, 1 << 62, u64::MAX] {
            for after in [0, 1, 14_999, 15_000, 123_456_789] {
                let next = at_phase(phase, Duration::from_secs(15), Mono(after));
                assert!(next.0 > after && next.0 <= after + 15_000);
                assert_eq!(next.0 % 15_000, ((u128::from(phase) * 15_000) >> 64) as u64);
            }
        }
    }
}
