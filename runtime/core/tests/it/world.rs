//! A small world around the core, over virtual time: an API server that applies writes and echoes them through watches
//! that lag, and event sources whose values tests set. What must hold always is checked at every step.
use crate::build::{Object, START};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::sync::Arc;
use std::time::Duration;
use windlass_core::board::Board;
use windlass_core::fact::Fact;
use windlass_core::failure::{Failure, FailureKind, Reason};
use windlass_core::key::{MetricName, Text, WorkloadKey};
use windlass_core::message::{Batch, BatchId, Msg, Out, QueryId, Seen};
use windlass_core::milli::Milli;
use windlass_core::query::MetricSpec;
use windlass_core::sample::{Outcome, Sample};
use windlass_core::time::{Mono, Now, Wall};
use windlass_core::write::{HpaOp, HpaSeen, RecordSeen, TargetSeen, Tri, Write, WriteKind, WriteResult};
use windlass_core::{Core, MetricKey, Settings};

/// What a source answers about a queue.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    /// This many items.
    Items(f64),
    /// This many, and "ask again then".
    Until(f64, Wall),
    /// A failure.
    Fails(FailureKind, Text),
    /// A failure that asks to be left alone for a while.
    Throttled(Duration),
    /// Not yet.
    Pending(Duration),
    /// The guest dies of it: nothing is reported about this query.
    Silence,
    /// The guest dies of it, and takes the rest of its batch with it.
    Kills,
}

/// An object as the API server holds it.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    pub(crate) record: RecordSeen,
    pub(crate) hpa: Option<HpaSeen>,
    pub(crate) target: TargetSeen,
}

struct Due {
    at: Mono,
    turn: u64,
    msg: Msg,
}

impl PartialEq for Due {
    fn eq(&self, other: &Due) -> bool {
        (self.at, self.turn) == (other.at, other.turn)
    }
}
impl Eq for Due {}
impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Due) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Due {
    fn cmp(&self, other: &Due) -> std::cmp::Ordering {
        (self.at, self.turn).cmp(&(other.at, other.turn))
    }
}

/// The world.
pub(crate) struct World {
    pub(crate) core: Core,
    pub(crate) board: Arc<Board>,
    pub(crate) now: Mono,
    /// What the sources answer; a queue that is not here has no items.
    pub(crate) answers: BTreeMap<Text, Answer>,
    pub(crate) held: BTreeMap<WorkloadKey, Held>,
    /// All writes but events.
    pub(crate) writes: Vec<(Mono, Write)>,
    pub(crate) events: Vec<(Mono, WorkloadKey, Reason, Text)>,
    /// What metrics were told, in order.
    pub(crate) facts: Vec<Fact>,
    /// Batches, by when they were sent and with how many queries.
    pub(crate) polls: Vec<(Mono, usize)>,
    /// How often each queue was asked.
    pub(crate) asked: BTreeMap<Text, Vec<Mono>>,
    /// The next writes of a kind end like this.
    pub(crate) refuse: BTreeMap<WriteKind, Vec<WriteResult>>,
    pub(crate) poll_takes: Duration,
    pub(crate) write_takes: Duration,
    pub(crate) watch_lags: Duration,
    /// The watch shows what a write stored before the write is acknowledged.
    pub(crate) echo_first: bool,
    version: u64,
    turn: u64,
    due: BinaryHeap<Reverse<Due>>,
    in_flight: BTreeSet<QueryId>,
    writing: BTreeSet<(WorkloadKey, WriteKind)>,
    steps: u64,
}

impl World {
    pub(crate) fn new() -> World {
        World::with(Settings::default())
    }

    pub(crate) fn with(settings: Settings) -> World {
        let board = Arc::new(Board::new());
        World {
            core: Core::new(settings, board.clone()),
            board,
            now: Mono(1_000_000),
            answers: BTreeMap::new(),
            held: BTreeMap::new(),
            writes: Vec::new(),
            events: Vec::new(),
            facts: Vec::new(),
            polls: Vec::new(),
            asked: BTreeMap::new(),
            refuse: BTreeMap::new(),
            poll_takes: Duration::from_millis(40),
            write_takes: Duration::from_millis(10),
            watch_lags: Duration::from_millis(30),
            echo_first: false,
            version: 100,
            turn: 0,
            due: BinaryHeap::new(),
            in_flight: BTreeSet::new(),
            writing: BTreeSet::new(),
            steps: 0,
        }
    }

    pub(crate) fn clock(&self) -> Now {
        Now { mono: self.now, wall: Wall(START.0 + (self.now.0 - 1_000_000) as i64) }
    }

    /// Sets the items of a queue.
    pub(crate) fn set(&mut self, queue: &str, items: f64) {
        self.answers.insert(queue.into(), Answer::Items(items));
    }

    /// Lets polls of a queue fail.
    pub(crate) fn fail(&mut self, queue: &str, kind: FailureKind) {
        self.answers.insert(queue.into(), Answer::Fails(kind, "connection refused".into()));
    }

    /// Creates an object with a target of so many replicas, as `kubectl apply` and the watches would bring it.
    pub(crate) fn apply(&mut self, object: Object, replicas: u32) -> WorkloadKey {
        self.see_only(object.clone(), replicas);
        let key = object.key();
        self.change(object);
        key
    }

    /// What the watches tell of a new object, without the object itself.
    pub(crate) fn see_only(&mut self, object: Object, replicas: u32) {
        let key = object.key();
        let version = self.next_version();
        let target = TargetSeen::Found { spec: replicas, ready: replicas, current: replicas, version: version.clone() };
        let record = RecordSeen { version, ..RecordSeen::default() };
        let held = self.held.entry(key.clone()).or_insert(Held { record, hpa: None, target }).clone();
        if !object.declared.uid.is_empty() {
            self.deliver(Msg::Seen(key.clone(), Seen::Record(held.record)));
            self.deliver(Msg::Seen(key.clone(), Seen::Hpa(held.hpa)));
        }
        self.deliver(Msg::Seen(key, Seen::Target(held.target)));
    }

    /// Changes an object.
    pub(crate) fn change(&mut self, object: Object) {
        self.deliver(Msg::Upsert(Box::new(object.workload())));
    }

    /// A new process takes over: nothing is left but what the API server holds.
    pub(crate) fn restart(&mut self, objects: Vec<Object>) {
        self.board = Arc::new(Board::new());
        self.core = Core::new(Settings::default(), self.board.clone());
        self.due.clear();
        self.in_flight.clear();
        self.writing.clear();
        for object in objects {
            self.apply(object, 0);
        }
    }

    /// Somebody else sets the target's replicas.
    pub(crate) fn scale_by_hand(&mut self, key: &WorkloadKey, replicas: u32) {
        let version = self.next_version();
        let target = TargetSeen::Found { spec: replicas, ready: replicas, current: replicas, version };
        self.set_target(key, target);
    }

    pub(crate) fn set_target(&mut self, key: &WorkloadKey, target: TargetSeen) {
        self.held.get_mut(key).unwrap().target = target.clone();
        self.after(self.watch_lags, Msg::Seen(key.clone(), Seen::Target(target)));
    }

    /// Somebody else changes the HPA.
    pub(crate) fn set_hpa(&mut self, key: &WorkloadKey, change: impl FnOnce(&mut Option<HpaSeen>)) {
        let version = self.next_version();
        let held = self.held.get_mut(key).unwrap();
        change(&mut held.hpa);
        if let Some(hpa) = &mut held.hpa {
            hpa.version = version;
        }
        let seen = held.hpa.clone();
        self.after(self.watch_lags, Msg::Seen(key.clone(), Seen::Hpa(seen)));
    }

    fn next_version(&mut self) -> Text {
        self.version += 1;
        self.version.to_string().into()
    }

    fn after(&mut self, delay: Duration, msg: Msg) {
        self.turn += 1;
        self.due.push(Reverse(Due { at: self.now + delay, turn: self.turn, msg }));
    }

    /// Runs for a while.
    pub(crate) fn run(&mut self, seconds: f64) {
        let end = self.now + Duration::from_secs_f64(seconds);
        loop {
            let message = self.due.peek().map(|Reverse(due)| due.at);
            let wake = self.core.next_wake().map(|wake| wake.max(self.now));
            let Some(at) = message.into_iter().chain(wake).min().filter(|at| *at <= end) else { break };
            self.now = at;
            let msg = if message == Some(at) { self.due.pop().map(|Reverse(due)| due.msg) } else { None };
            self.deliver(msg.unwrap_or(Msg::Tick));
            self.steps += 1;
            assert!(self.steps < 5_000_000, "the core keeps itself busy");
        }
        self.now = end;
    }

    /// Hands a message to the core and takes care of what it wants done.
    pub(crate) fn deliver(&mut self, msg: Msg) {
        self.watch_flights(&msg);
        let mut out = Out::default();
        self.core.step(self.clock(), msg, &mut out);
        if let Some(wake) = self.core.next_wake() {
            assert!(wake > self.now, "a step leaves nothing that is due");
        }
        self.facts.append(&mut out.facts);
        for batch in out.batches {
            self.poll(batch);
        }
        for write in out.writes {
            self.write(write);
        }
    }

    fn watch_flights(&mut self, msg: &Msg) {
        match msg {
            Msg::Outcomes(_, outcomes) => outcomes.iter().for_each(|(id, _)| _ = self.in_flight.remove(id)),
            Msg::Ack(key, kind, _) => _ = self.writing.remove(&(key.clone(), *kind)),
            _ => {}
        }
    }

    fn poll(&mut self, batch: Batch) {
        let first = &batch.queries.first().expect("no empty batch").question;
        assert!(batch.queries.len() <= 64, "a batch has at most 64 queries");
        assert_eq!(batch.component, first.component);
        assert_eq!(batch.domain, first.trigger.domain);
        assert!(batch.budget <= Duration::from_secs(10) && !batch.budget.is_zero());
        self.polls.push((self.now, batch.queries.len()));
        let mut outcomes = Vec::new();
        let mut dead = false;
        for asked in &batch.queries {
            let question = &asked.question;
            assert_eq!(question.trigger.domain, batch.domain, "a batch never mixes domains");
            assert_eq!((question.source, &question.plan.group), (first.source, &first.plan.group));
            assert!(self.in_flight.insert(asked.id), "a query is in flight at most once");
            let queue = self.queue_of(question);
            self.asked.entry(queue.clone()).or_default().push(self.now);
            let answer = self.answers.get(&queue).cloned().unwrap_or(Answer::Items(0.0));
            dead |= matches!(answer, Answer::Kills);
            if let Some(outcome) = outcome(&answer, question, &queue, self.now) {
                outcomes.push((asked.id, outcome));
            }
        }
        if dead {
            outcomes.clear();
        }
        let ids: Vec<QueryId> = batch.queries.iter().map(|asked| asked.id).collect();
        let reported: BTreeSet<QueryId> = outcomes.iter().map(|(id, _)| *id).collect();
        if !outcomes.is_empty() {
            self.after(self.poll_takes, Msg::Outcomes(batch.id, outcomes));
        }
        self.end(batch.id, ids, &reported);
    }

    fn end(&mut self, batch: BatchId, ids: Vec<QueryId>, reported: &BTreeSet<QueryId>) {
        // What is not reported is not in flight any more once the batch has ended; before that no query is due again.
        for id in ids.iter().filter(|id| !reported.contains(id)) {
            self.in_flight.remove(id);
        }
        self.after(self.poll_takes, Msg::BatchEnded(batch));
    }

    /// The queue that a question is about: the name of its metric, or of its identity where that is discovered.
    fn queue_of(&self, question: &windlass_core::query::Question) -> Text {
        match question.plan.metrics.as_ref().and_then(|metrics| metrics.first()) {
            Some(metric) => metric.name.clone(),
            None => "discovered".into(),
        }
    }

    fn write(&mut self, write: Write) {
        if let Write::Event { key, reason, text, .. } = write {
            self.events.push((self.now, key, reason, text));
            return;
        }
        let (key, kind) = (write.key().clone(), write.kind());
        assert!(self.writing.insert((key.clone(), kind)), "one write of a kind at a time: {write:?}");
        self.writes.push((self.now, write.clone()));
        let planned = self.refuse.get_mut(&kind).filter(|results| !results.is_empty()).map(|results| results.remove(0));
        let result = planned.unwrap_or_else(|| self.apply_write(write));
        self.after(self.write_takes, Msg::Ack(key, kind, result));
    }

    fn apply_write(&mut self, write: Write) -> WriteResult {
        let version = self.next_version();
        let Some(held) = self.held.get_mut(write.key()) else { return WriteResult::Gone };
        let key = write.key().clone();
        let seen = match write {
            Write::Scale { to, if_version, .. } => {
                let TargetSeen::Found { spec, ready, current, version: at } = &mut held.target else {
                    return WriteResult::Gone;
                };
                if *at != if_version {
                    return WriteResult::Conflict;
                }
                assert_ne!(*spec, to, "a scale changes something");
                (*spec, *ready, *current, *at) = (to, to, to, version.clone());
                Seen::Target(held.target.clone())
            }
            Write::Hpa { op, uid, .. } => match op {
                HpaOp::Create(_) if held.hpa.is_some() => return WriteResult::Conflict,
                HpaOp::Create(shape) => {
                    let hpa = HpaSeen { shape, owner: Some(uid), version: version.clone(), scaling_active: None };
                    held.hpa = Some(hpa);
                    Seen::Hpa(held.hpa.clone())
                }
                HpaOp::Update { shape, version: at } => {
                    let Some(hpa) = held.hpa.as_mut() else { return WriteResult::Gone };
                    if hpa.version != at {
                        return WriteResult::Conflict;
                    }
                    (hpa.shape, hpa.owner, hpa.version) = (shape, Some(uid), version.clone());
                    Seen::Hpa(held.hpa.clone())
                }
                HpaOp::Delete { name } => {
                    let there = held.hpa.take().expect("only what is there is deleted");
                    assert_eq!(there.shape.name, name);
                    Seen::Hpa(None)
                }
            },
            Write::Meta { finalizer, label, if_version, .. } => {
                if held.record.version != if_version {
                    return WriteResult::Conflict;
                }
                assert!(held.record.finalizer != finalizer || (label && !held.record.label), "a change");
                held.record.finalizer = finalizer;
                held.record.label |= label;
                held.record.version = version.clone();
                Seen::Record(held.record.clone())
            }
            Write::Status { wanted, stored, if_version, .. } => {
                if held.record.version != if_version {
                    return WriteResult::Conflict;
                }
                assert_eq!(*stored, held.record.status, "the difference is taken from what is stored");
                assert_ne!(wanted, stored, "nothing is written that is stored already");
                held.record.status = *wanted;
                held.record.version = version.clone();
                Seen::Record(held.record.clone())
            }
            Write::Event { .. } => unreachable!("handled before"),
        };
        let shown = if self.echo_first { self.write_takes / 2 } else { self.write_takes + self.watch_lags };
        self.after(shown, Msg::Seen(key, seen));
        WriteResult::Done(Some(version))
    }

    /// The target's replicas in the API server.
    pub(crate) fn replicas(&self, key: &WorkloadKey) -> u32 {
        match &self.held[key].target {
            TargetSeen::Found { spec, .. } => *spec,
            other => panic!("no replicas: {other:?}"),
        }
    }

    /// How many writes of a kind there were.
    pub(crate) fn count(&self, kind: WriteKind) -> usize {
        self.writes.iter().filter(|(_, write)| write.kind() == kind).count()
    }

    /// Reasons of the events about an object.
    pub(crate) fn told(&self, key: &WorkloadKey) -> Vec<Reason> {
        self.events.iter().filter(|(_, about, ..)| about == key).map(|(_, _, reason, _)| *reason).collect()
    }

    /// What a reader of a metric gets now.
    pub(crate) fn read(&self, key: &WorkloadKey, metric: &str) -> Option<Result<Milli, Reason>> {
        let metric: MetricName = metric.parse().unwrap();
        let key = MetricKey { namespace: key.namespace.clone(), object: key.name.clone(), metric };
        self.board.read(&key, self.now).map(|read| read.served.at(self.now))
    }

    /// Status and reason of the stored Ready condition.
    pub(crate) fn ready(&self, key: &WorkloadKey) -> (Tri, Text) {
        let ready = self.held[key].record.status.conditions.ready.clone().unwrap_or_default();
        (ready.status, ready.reason)
    }

    /// Status and reason of the stored Active condition.
    pub(crate) fn active(&self, key: &WorkloadKey) -> (Tri, Text) {
        let active = self.held[key].record.status.conditions.active.clone().unwrap_or_default();
        (active.status, active.reason)
    }

    /// What flies now never lands.
    pub(crate) fn lose_flights(&mut self) {
        self.in_flight.clear();
    }

    /// What is being written now is never acknowledged.
    pub(crate) fn lose_writes(&mut self) {
        self.writing.clear();
    }

    /// Forgets what was written, told and asked so far.
    pub(crate) fn forget(&mut self) {
        self.writes.clear();
        self.events.clear();
        self.polls.clear();
        self.asked.clear();
    }
}

fn outcome(answer: &Answer, question: &windlass_core::query::Question, queue: &str, now: Mono) -> Option<Outcome> {
    let sample = |items: f64, next: Option<Wall>| {
        let discovered = question.plan.metrics.is_none();
        let spec = MetricSpec { name: queue.into(), target: 5.0, activation: 0.0 };
        let metrics = discovered.then(|| Arc::from([spec].as_slice()));
        let values = [Milli::from_f64(items).unwrap()].into_iter().collect();
        Outcome::Ready(Sample { values, active: None, observed: now, next, metrics }, None)
    };
    Some(match answer {
        Answer::Items(items) => sample(*items, None),
        Answer::Until(items, next) => sample(*items, Some(*next)),
        Answer::Fails(kind, text) => Outcome::Failed(Failure::new(*kind, text.clone())),
        Answer::Throttled(retry) => {
            let failure = Failure::new(FailureKind::Throttled, "slow down");
            Outcome::Failed(Failure { retry_after: Some(*retry), ..failure })
        }
        Answer::Pending(retry) => Outcome::Pending { state: Arc::from([1].as_slice()), retry: *retry },
        Answer::Silence | Answer::Kills => return None,
    })
}
