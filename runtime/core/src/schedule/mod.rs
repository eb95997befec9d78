//! What is asked when. Equal questions are asked once; a batch is what is due of a slot now; a query is in flight at
//! most once. Adding a query, changing a period, backing off and asking alone each touch one slot.
mod hold;
mod lane;
mod poll;
mod timer;
mod turn;
mod ward;

pub(crate) use poll::{Answer, Poll, Reader};
pub(crate) use timer::Timers;

use crate::failure::{Failure, FailureKind};
use crate::message::{Asked, Batch, BatchId, QueryId};
use crate::quarantine::Scope;
use crate::query::{QueryIdentity, Question};
use crate::sample::Outcome;
use crate::settings::Settings;
use crate::time::{Mono, Now, Wall};
use lane::{Lanes, Removed, at_phase};
use slab::Slab;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;
use ward::{Fall, Wards};

/// A caller that never tells the end of a batch is waited for this much longer than the batch's budget.
const GRACE: Duration = Duration::from_secs(5);
/// The cadence rule knows no shorter period.
const SHORTEST: Duration = Duration::from_secs(1);

/// How often a trigger asks: at `pollingInterval` while its target is at zero or its metrics are cached, else at least
/// as often as the HPA controller reads.
pub fn period(poll: Duration, at_zero: bool, cached: bool, read_interval: Duration) -> Duration {
    let period = if at_zero || cached { poll } else { poll.min(read_interval) };
    period.max(SHORTEST)
}

/// A batch that was sent.
#[derive(Debug)]
struct Flight {
    queries: Vec<QueryId>,
    unreported: usize,
    deadline: Mono,
    /// Why it ended before its time.
    why: Option<Failure>,
}

/// All questions, their places and due times.
#[derive(Debug)]
pub(crate) struct Schedule {
    settings: Arc<Settings>,
    polls: Slab<Poll>,
    /// How often each place was used: late messages for a reused place are dropped by it.
    generations: Vec<u32>,
    known: HashMap<QueryIdentity, u32>,
    lanes: Lanes,
    wards: Wards,
    timers: Timers<u32>,
    flights: HashMap<BatchId, Flight>,
    last_batch: u64,
}

impl Schedule {
    pub(crate) fn new(settings: Arc<Settings>) -> Schedule {
        Schedule {
            settings,
            polls: Slab::new(),
            generations: Vec::new(),
            known: HashMap::new(),
            lanes: Lanes::default(),
            wards: Wards::default(),
            timers: Timers::new(),
            flights: HashMap::new(),
            last_batch: 0,
        }
    }

    /// The poll of an id, unless its place was given to another.
    pub(crate) fn get(&self, id: QueryId) -> Option<&Poll> {
        self.polls.get(id.index as usize).filter(|poll| poll.id == id)
    }

    fn get_mut(&mut self, id: QueryId) -> Option<&mut Poll> {
        self.polls.get_mut(id.index as usize).filter(|poll| poll.id == id)
    }

    /// How many questions are asked.
    pub(crate) fn len(&self) -> usize {
        self.polls.len()
    }

    /// When something is due.
    pub(crate) fn next(&self) -> Option<Mono> {
        self.timers.next()
    }

    /// A reader wants a question asked.
    pub(crate) fn read(&mut self, question: &Arc<Question>, reader: Reader, period: Duration, now: Now) -> QueryId {
        if let Some(&index) = self.known.get(&question.identity) {
            let id = self.polls[index as usize].id;
            self.pace(id, reader, period, now);
            return id;
        }
        let entry = self.polls.vacant_entry();
        let index = entry.key() as u32;
        if self.generations.len() <= index as usize {
            self.generations.resize(index as usize + 1, 0);
        }
        let id = QueryId { index, generation: self.generations[index as usize] };
        let mut poll = Poll::new(id, question.clone());
        poll.set_reader(reader, period);
        let (slot, first) = self.lanes.place(index, question, now, &self.settings);
        poll.slot = slot;
        poll.due = first;
        entry.insert(poll);
        self.known.insert(question.identity, index);
        self.wards.came(question);
        self.timers.at_latest(slot, first);
        id
    }

    /// Gives a question that has no answer yet the one of its predecessor: it ages on as it would have there.
    pub(crate) fn inherit(&mut self, id: QueryId, answer: Answer) {
        if let Some(poll) = self.get_mut(id).filter(|poll| poll.answer.is_none()) {
            poll.answer = Some(answer);
        }
    }

    /// Sets a reader's period; the query goes by the shortest of its readers'.
    pub(crate) fn pace(&mut self, id: QueryId, reader: Reader, period: Duration, now: Now) {
        let settings = self.settings.clone();
        let Some(poll) = self.get_mut(id) else { return };
        if !poll.set_reader(reader, period) {
            return;
        }
        poll.stretch(&settings);
        // A query that backs off keeps doing so.
        if poll.trouble.attempts == 0 && !poll.waiting() {
            let (slot, period) = (poll.slot, poll.period());
            let due = self.lanes.slots.get(slot as usize).map(|slot| at_phase(slot.phase, period, now.mono));
            self.advance(id, due);
        }
    }

    /// Brings a query's due time forward.
    fn advance(&mut self, id: QueryId, due: Option<Mono>) {
        if let (Some(due), Some(poll)) = (due, self.get_mut(id))
            && due < poll.due
        {
            poll.due = due;
            let slot = poll.slot;
            self.timers.at_latest(slot, due);
        }
    }

    /// A reader leaves; a question goes with its last reader.
    pub(crate) fn leave(&mut self, id: QueryId, reader: Reader) {
        let Some(poll) = self.get_mut(id) else { return };
        poll.drop_reader(reader);
        if !poll.unread() {
            return;
        }
        let (slot, identity) = (poll.slot, poll.question.identity);
        let (question, down, held) = (poll.question.clone(), poll.down(), poll.up());
        if held {
            self.wards.census.left(Scope::Query);
        }
        self.wards.went(&question, down);
        self.polls.remove(id.index as usize);
        self.generations[id.index as usize] = self.generations[id.index as usize].wrapping_add(1);
        self.known.remove(&identity);
        if self.lanes.remove(slot, id.index, &question) == Removed::SlotGone {
            self.timers.set(slot, None);
        }
    }

    /// Makes batches of everything that is due. Returns the queries of which there is news: their batch never ended, so
    /// that they have failed, or they are held back from now on.
    pub(crate) fn due(&mut self, now: Now, batches: &mut Vec<Batch>) -> Vec<QueryId> {
        let mut overdue = BTreeSet::new();
        let mut news = Vec::new();
        while let Some(slot) = self.timers.pop(now.mono) {
            self.due_of_slot(slot, now, batches, &mut overdue, &mut news);
        }
        for batch in overdue {
            news.extend(self.ended(batch, now));
        }
        news
    }

    fn due_of_slot(
        &mut self,
        index: u32,
        now: Now,
        batches: &mut Vec<Batch>,
        overdue: &mut BTreeSet<BatchId>,
        news: &mut Vec<QueryId>,
    ) {
        let Some(slot) = self.lanes.slots.get(index as usize) else { return };
        let mut together = Vec::new();
        let mut alone = Vec::new();
        let mut next: Option<Mono> = None;
        for &query in &slot.queries {
            let Some(poll) = self.polls.get_mut(query as usize) else { continue };
            if poll.due <= now.mono {
                let late = now.mono.since(poll.due);
                poll.due = following(poll, slot.phase, now.mono);
                let idle = poll.asked.is_none();
                let skipped = idle && hold::skipped(&mut self.wards, poll, &self.settings, now.mono, news);
                match poll.asked {
                    None if skipped => {}
                    None => {
                        poll.late = late;
                        if poll.trouble.suspect { &mut alone } else { &mut together }.push(poll.id);
                    }
                    Some(batch) if self.flights.get(&batch).is_none_or(|flight| flight.deadline < now.mono) => {
                        overdue.insert(batch);
                    }
                    Some(_) => {}
                }
            }
            next = Some(next.map_or(poll.due, |next| next.min(poll.due)));
        }
        self.timers.set(index, next);
        if !together.is_empty() {
            batches.push(self.send(together, now));
        }
        for query in alone {
            batches.push(self.send(vec![query], now));
        }
    }

    fn send(&mut self, queries: Vec<QueryId>, now: Now) -> Batch {
        self.last_batch += 1;
        let id = BatchId(self.last_batch);
        let mut asked = Vec::with_capacity(queries.len());
        let mut shortest = self.settings.poll_budget;
        for query in &queries {
            let Some(poll) = self.polls.get_mut(query.index as usize) else { continue };
            poll.asked = Some(id);
            poll.asked_at = now.mono;
            shortest = shortest.min(poll.period());
            asked.push(Asked { id: poll.id, question: poll.question.clone(), state: poll.state.clone() });
        }
        let lane = asked.first().map(|first| lane::LaneKey::of(&first.question));
        let (component, domain) = lane.map_or((crate::key::Digest([0; 32]), "".into()), |l| (l.component, l.domain));
        let deadline = now.mono + shortest + GRACE;
        self.flights.insert(id, Flight { unreported: queries.len(), queries, deadline, why: None });
        Batch { id, component, domain, queries: asked, now: now.wall, budget: shortest }
    }

    /// Takes an outcome, if it is the first of a query that this batch asked. Returns whether it was.
    pub(crate) fn outcome(&mut self, batch: BatchId, id: QueryId, outcome: Outcome, now: Now) -> bool {
        let settings = self.settings.clone();
        let Some(poll) = self.get_mut(id).filter(|poll| poll.asked == Some(batch)) else { return false };
        poll.asked = None;
        poll.took = Some(now.mono.since(poll.asked_at));
        // A failure of the component itself says neither that it works nor that it takes its batch down.
        let guest = matches!(&outcome, Outcome::Failed(failure) if failure.kind == FailureKind::Internal);
        if !guest {
            let (question, down, held) = (poll.question.clone(), poll.down(), poll.up());
            if held {
                self.wards.census.left(Scope::Query);
            }
            self.wards.answered(&question, down);
        }
        let Some(poll) = self.get_mut(id) else { return false };
        match outcome {
            Outcome::Ready(sample, state) => {
                if let Some(state) = state {
                    poll.state = state;
                }
                let age = now.mono.since(sample.observed).as_millis() as i64;
                let next = sample.next.map(|at| poll.edge(now.mono_at(at)));
                poll.answered(sample, Wall(now.wall.0 - age), &settings);
                let (slot, period) = (poll.slot, poll.period());
                // The period may have changed while the query was in flight, or it may have backed off until now.
                let regular = self.lanes.slots.get(slot as usize).map(|slot| regular(slot.phase, period, now.mono));
                self.advance(id, regular);
                self.advance(id, next);
            }
            Outcome::Failed(failure) => _ = self.failed(id, failure, now),
            Outcome::Pending { state, retry } => {
                poll.state = state;
                poll.trouble.suspect = false;
                let period = poll.period();
                let due = now.mono + retry.clamp(Duration::from_millis(100), period);
                self.advance(id, Some(due));
            }
        }
        self.reported(batch);
        true
    }

    /// A query has failed. Returns how long it rests beyond its period.
    fn failed(&mut self, id: QueryId, failure: Failure, now: Now) -> Duration {
        let settings = self.settings.clone();
        let internal = failure.kind == FailureKind::Internal;
        let Some(poll) = self.get_mut(id) else { return Duration::ZERO };
        if !internal {
            poll.trouble.suspect = false;
        }
        let pause = poll.failed(failure, &settings);
        if !pause.is_zero() {
            // Later than the slot's timer is fine: the slot looks again and finds nothing due.
            poll.due = poll.due.max(now.mono + pause);
        }
        pause
    }

    fn reported(&mut self, batch: BatchId) {
        if let Some(flight) = self.flights.get_mut(&batch) {
            flight.unreported -= 1;
            if flight.unreported == 0 {
                self.flights.remove(&batch);
            }
        }
    }

    /// A batch is about to end before its time.
    pub(crate) fn broke(&mut self, batch: BatchId, why: Failure) {
        if let Some(flight) = self.flights.get_mut(&batch) {
            flight.why = Some(why);
        }
    }

    /// A batch has ended: its queries without an outcome have failed, and are asked alone next time. Returns them.
    pub(crate) fn ended(&mut self, batch: BatchId, now: Now) -> Vec<QueryId> {
        let Some(flight) = self.flights.remove(&batch) else { return Vec::new() };
        let alone = flight.queries.len() == 1;
        let mut unreported = flight.queries;
        unreported.retain(|id| self.get(*id).is_some_and(|poll| poll.asked == Some(batch)));
        for id in &unreported {
            self.lost(*id, alone, flight.why.clone(), now);
        }
        unreported
    }

    /// A query about which its batch said nothing.
    fn lost(&mut self, id: QueryId, alone: bool, why: Option<Failure>, now: Now) {
        let Some(poll) = self.get_mut(id) else { return };
        poll.asked = None;
        poll.took = Some(now.mono.since(poll.asked_at));
        let first = poll.trouble.alone == 0;
        poll.unreported(alone);
        let (question, asked, period) = (poll.question.clone(), poll.asked_at, poll.period());
        if alone {
            let settings = &self.settings;
            self.wards.fell(&Fall { question: &question, first, asked, period, now: now.mono, settings });
        }
        let silent = || Failure::new(FailureKind::Internal, "the scaler gave no answer");
        let pause = self.failed(id, why.unwrap_or_else(silent), now);
        if alone {
            self.put_aside(id, pause.max(period), now.mono);
        }
    }
}

/// The poll after the one that is sent now. Only after the first one the phase may come close.
fn following(poll: &Poll, phase: u64, now: Mono) -> Mono {
    if poll.waiting() { regular(phase, poll.period(), now) } else { at_phase(phase, poll.period(), now) }
}

/// The next moment of the phase, but not at once.
fn regular(phase: u64, period: Duration, now: Mono) -> Mono {
    at_phase(phase, period, now + (period / 4).min(Duration::from_secs(1)))
}
