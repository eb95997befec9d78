//! Lanes and their slots: which queries may share a batch, and at which moment of their period they are asked.
use crate::key::{Digest, Fingerprint, Text};
use crate::query::{Domain, Question, SourceKey};
use crate::settings::Settings;
use crate::time::{Mono, Now};
use slab::Slab;
use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

/// 2^64 divided by the golden ratio: multiples of it fill a circle as evenly as any sequence that does not know its end.
const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

/// 2^64 divided by the plastic number, for the first moments of sources: evenly spread too, and in no step with the moments that
/// follow.
const PLASTIC: u64 = 0xC13F_A9A9_02A6_328F;

/// How far ahead of the pace a new query may be asked, to share a batch with those that came before it.
const TOGETHER: Duration = Duration::from_secs(1);

/// An answer is shared for a second (`host::budget`); what is asked a little earlier than that after the last time costs no request.
const SHARED: Duration = Duration::from_millis(800);

/// Slots of a source are filled to this many questions first: so many requests at once are no burst to any source.
const FEW: usize = 16;

/// A source of more is spread over about so many moments of its period, before slots are filled whole. More moments would be
/// flatter still, but a namespace that asks what others ask needs a batch, and so an instance, for each of them.
const SPREAD: usize = 128;

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
    /// The phase of its first slot.
    seed: u64,
    turn: u64,
    slots: u32,
    /// In microseconds, since many first polls may fall into a millisecond.
    first_us: u64,
    /// Questions by what they are apart from their namespace.
    alike: HashMap<Fingerprint, Alike>,
}

/// What questions share that one request can answer.
#[derive(Debug, Default)]
struct Alike {
    count: u32,
    phase: u64,
    /// When the last of them that came is asked for the first time.
    first: Mono,
}

/// Slots of a lane that have room.
#[derive(Debug, Default)]
struct Room {
    by_size: BTreeSet<(usize, u32)>,
    /// One of each phase.
    by_phase: HashMap<u64, u32>,
}

impl Room {
    fn remove(&mut self, index: u32, size: usize, phase: u64) {
        self.by_size.remove(&(size, index));
        if self.by_phase.get(&phase) == Some(&index) {
            self.by_phase.remove(&phase);
        }
    }

    fn insert(&mut self, index: u32, size: usize, phase: u64) {
        self.by_size.insert((size, index));
        self.by_phase.insert(phase, index);
    }
}

/// All slots.
#[derive(Debug, Default)]
pub(crate) struct Lanes {
    pub(crate) slots: Slab<Slot>,
    room: HashMap<LaneKey, Room>,
    sources: HashMap<SourceKey, Source>,
    /// Sources that ever came: a hash of their names would put some of few next to one another.
    came: u64,
}

/// Whether each query is a request of its own to a source: then it is the source that decides how queries are spread. Queries
/// of a group are asked together, and those without an endpoint ask nobody.
fn asks_for_itself(question: &Question) -> bool {
    question.plan.group.is_empty() && !question.plan.endpoints.is_empty()
}

impl Source {
    /// How far a slot is filled before there is another one.
    fn slot_size(&self, settings: &Settings) -> usize {
        self.alike.len().div_ceil(SPREAD).max(FEW).min(settings.batch_max)
    }

    /// When a new question is asked for the first time: with those that are alike, if they are asked about now, else as
    /// the source's pace allows.
    fn first(&mut self, question: &Question, now: Now, settings: &Settings) -> Mono {
        let soonest = now.mono + settings.gather;
        let alike = self.alike.get(&question.alike).filter(|alike| alike.count > 0 && asks_for_itself(question));
        if let Some(alike) = alike
            && soonest < alike.first + SHARED
        {
            return soonest.max(alike.first);
        }
        self.first_us = self.first_us.max(soonest.0.saturating_mul(1000));
        let first = Mono(self.first_us / 1000);
        self.first_us += 1_000_000 / u64::from(settings.first_polls_per_second.max(1));
        first
    }

    fn next_phase(&mut self) -> u64 {
        let phase = self.seed.wrapping_add(self.turn.wrapping_mul(GOLDEN));
        self.turn += 1;
        phase
    }

    /// A question leaves.
    fn left(&mut self, question: &Question) {
        if let Some(alike) = self.alike.get_mut(&question.alike) {
            alike.count = alike.count.saturating_sub(1);
            if alike.count == 0 {
                self.alike.remove(&question.alike);
            }
        }
    }
}

impl Lanes {
    /// Gives a query a place. Returns its slot and when it is asked for the first time.
    pub(crate) fn place(&mut self, query: u32, question: &Question, now: Now, settings: &Settings) -> (u32, Mono) {
        let lane = LaneKey::of(question);
        let source = self.sources.entry(lane.source).or_insert_with(|| {
            self.came = self.came.wrapping_add(1);
            Source { seed: self.came.wrapping_mul(PLASTIC), ..Source::default() }
        });
        let first = source.first(question, now, settings);
        let room = self.room.entry(lane.clone()).or_default();

        let itself = asks_for_itself(question);
        let known = source.alike.get(&question.alike).filter(|_| itself).map(|alike| alike.phase);
        let fitting = match known {
            Some(phase) => room.by_phase.get(&phase).copied(),
            None => {
                let most = if itself { source.slot_size(settings) } else { settings.batch_max };
                room.by_size.first().filter(|(size, _)| *size < most).map(|(_, index)| *index)
            }
        };
        let index = fitting.unwrap_or_else(|| {
            let phase = known.unwrap_or_else(|| source.next_phase());
            source.slots += 1;
            let slot = Slot { lane: lane.clone(), phase, queries: Vec::new(), first: Mono(0) };
            self.slots.insert(slot) as u32
        });
        let Some(slot) = self.slots.get_mut(index as usize) else { return (index, first) };
        room.remove(index, slot.queries.len(), slot.phase);
        slot.queries.push(query);
        if slot.queries.len() < settings.batch_max {
            room.insert(index, slot.queries.len(), slot.phase);
        }
        // Those that come together are asked together, but not at the price of the source's pace.
        if slot.first <= now.mono || slot.first + TOGETHER < first {
            slot.first = first;
        }
        if itself {
            let alike = source.alike.entry(question.alike).or_default();
            alike.count += 1;
            (alike.phase, alike.first) = (slot.phase, alike.first.max(slot.first));
        }
        (index, slot.first)
    }

    /// Takes a query from its place; a slot goes with its last query.
    pub(crate) fn remove(&mut self, index: u32, query: u32, question: &Question) -> Removed {
        let Some(slot) = self.slots.get_mut(index as usize) else { return Removed::SlotGone };
        let (before, phase) = (slot.queries.len(), slot.phase);
        slot.queries.retain(|other| *other != query);
        let lane = slot.lane.clone();
        let left = slot.queries.len();
        let room = self.room.entry(lane.clone()).or_default();
        room.remove(index, before, phase);
        if left > 0 {
            room.insert(index, left, phase);
        } else {
            self.slots.remove(index as usize);
            if room.by_size.is_empty() {
                // Full slots of the lane come back to this map when they get room.
                self.room.remove(&lane);
            }
        }
        if let Some(source) = self.sources.get_mut(&lane.source) {
            source.left(question);
            if left == 0 {
                source.slots = source.slots.saturating_sub(1);
            }
            if source.slots == 0 {
                self.sources.remove(&lane.source);
            }
        }
        if left > 0 { Removed::SlotStays } else { Removed::SlotGone }
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
