//! Drive: the one task that owns the core. It waits only on its inbox and on the core's next wake-up; polls run in tasks
//! of their own, and their outcomes come back as messages.
use crate::clock::Clock;
use crate::metrics::Metrics;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot, watch};
use windlass_core::failure::Failure;
use windlass_core::message::{Batch, BatchId, Msg, Out, QueryId};
use windlass_core::port::{Poller, Report, Writer};
use windlass_core::sample::Outcome;
use windlass_core::view::View;
use windlass_core::{Core, Mono, Now, WorkloadKey};

/// How many messages are handled before batches and writes leave.
const ROUND: usize = 512;
/// Beyond its budget a batch gets this long to end by itself before it is dropped.
const GRACE: Duration = Duration::from_secs(1);
/// Without a wake-up of its own the core is still asked this often.
const IDLE: Duration = Duration::from_secs(60);

/// What the task needs.
pub struct Drive {
    /// The core, with its board.
    pub core: Core,
    /// Time.
    pub clock: Clock,
    /// Asks sources.
    pub poller: Arc<dyn Poller>,
    /// Writes.
    pub writer: Arc<dyn Writer>,
    /// Metrics.
    pub metrics: Metrics,
}

/// Asks the driving task what it sees of a workload.
#[derive(Clone, Debug)]
pub struct Watcher(mpsc::Sender<Question>);

/// What the driving task is asked.
#[derive(Debug)]
enum Question {
    View(WorkloadKey, oneshot::Sender<Option<View>>),
    Flush(oneshot::Sender<()>),
}

impl Watcher {
    /// What the core knows of a workload now; `None`: it knows no such workload, or has stopped.
    pub async fn view(&self, key: WorkloadKey) -> Option<View> {
        let (tell, told) = oneshot::channel();
        self.0.send(Question::View(key, tell)).await.ok()?;
        told.await.ok()?
    }

    /// Has what would be lost at the end of the process written, and waits until all of it is with the writer.
    pub async fn flush(&self) {
        let (tell, told) = oneshot::channel();
        if self.0.send(Question::Flush(tell)).await.is_ok() {
            let _ = told.await;
        }
    }
}

/// How often a beat is asked for.
const BEAT: Duration = Duration::from_secs(10);

impl Watcher {
    /// Tells, from time to time, that the core still answers: the last moment at which it did.
    pub async fn beat(self, tell: watch::Sender<Option<Now>>, clock: Clock) {
        let nobody = WorkloadKey::scaled_object("", "");
        loop {
            let (answer, answered) = oneshot::channel();
            if self.0.send(Question::View(nobody.clone(), answer)).await.is_err() || answered.await.is_err() {
                return;
            }
            tell.send_replace(Some(clock.now()));
            tokio::time::sleep(BEAT).await;
        }
    }
}

/// The driving task, ready to run.
pub struct Driver {
    drive: Drive,
    inbox: Inbox,
    questions: mpsc::Receiver<Question>,
}

/// The core's end of its inbox.
pub struct Inbox {
    messages: mpsc::Receiver<Msg>,
    own: mpsc::WeakSender<Msg>,
}

/// The core's one inbox, bounded, and the way into it. It exists before the core, since those who write for the core
/// answer through it.
pub fn inbox() -> (mpsc::Sender<Msg>, Inbox) {
    let (sender, messages) = mpsc::channel(crate::INBOX);
    let own = sender.downgrade();
    (sender, Inbox { messages, own })
}

impl Drive {
    /// The task, and the way to ask it. The task ends when all senders of the inbox are gone.
    pub fn driver(self, inbox: Inbox) -> (Driver, Watcher) {
        let (ask, questions) = mpsc::channel(64);
        (Driver { drive: self, inbox, questions }, Watcher(ask))
    }
}

impl Driver {
    /// Runs until the inbox ends.
    pub async fn run(mut self) {
        let mut messages = Vec::with_capacity(ROUND);
        let mut out = Out::default();
        loop {
            let now = self.drive.clock.now();
            let wait = self.drive.core.next_wake().map_or(IDLE, |at| at.since(now.mono)).min(IDLE);
            tokio::select! {
                biased;
                Some(question) = self.questions.recv() => match question {
                    Question::View(key, tell) => drop(tell.send(self.drive.core.view(&key))),
                    Question::Flush(tell) => {
                        // What came before is part of what is told.
                        while messages.len() < ROUND && let Ok(message) = self.inbox.messages.try_recv() {
                            messages.push(message);
                        }
                        messages.push(Msg::Flush);
                        self.round(&mut messages, &mut out);
                        let _ = tell.send(());
                    }
                },
                count = self.inbox.messages.recv_many(&mut messages, ROUND) => {
                    if count == 0 {
                        return;
                    }
                    self.round(&mut messages, &mut out);
                }
                () = tokio::time::sleep(wait) => {
                    messages.push(Msg::Tick);
                    self.round(&mut messages, &mut out);
                }
            }
        }
    }

    /// Handles messages, then lets go what they brought about. A due wake-up is served in the same round, so a busy inbox
    /// never holds back polls.
    fn round(&mut self, messages: &mut Vec<Msg>, out: &mut Out) {
        let started = Instant::now();
        let now = self.drive.clock.now();
        for message in messages.drain(..) {
            self.drive.metrics.messages.inc();
            let read = self.count(&message);
            self.drive.core.step(now, message, out);
            for observed in read {
                self.drive.metrics.decided_after(now.mono.since(observed) + started.elapsed());
            }
        }
        if self.drive.core.next_wake().is_some_and(|at| at <= now.mono) {
            self.drive.core.step(now, Msg::Tick, out);
        }
        for write in out.writes.drain(..) {
            self.drive.writer.submit(write);
        }
        for batch in out.batches.drain(..) {
            self.poll(batch);
        }
        self.drive.metrics.quarantines.show(self.drive.core.quarantines());
        for fact in out.facts.drain(..) {
            self.drive.metrics.take(fact);
        }
        self.drive.metrics.stand(&self.drive.core, self.inbox.messages.len());
        self.drive.metrics.round_seconds.observe(started.elapsed().as_secs_f64());
    }

    /// Counts answers, and tells when those with a value were read.
    fn count(&self, message: &Msg) -> Vec<Mono> {
        let Msg::Outcomes(_, outcomes) = message else { return Vec::new() };
        self.drive.metrics.answers.inc_by(outcomes.len() as u64);
        let read = outcomes.iter().filter_map(|(_, outcome)| match outcome {
            Outcome::Ready(sample, _) => Some(sample.observed),
            _ => None,
        });
        read.collect()
    }

    /// Starts a batch in a task of its own.
    fn poll(&self, batch: Batch) {
        let Some(inbox) = self.inbox.own.upgrade() else { return };
        let (poller, metrics) = (self.drive.poller.clone(), self.drive.metrics.clone());
        tokio::spawn(async move {
            metrics.batches.inc();
            let started = Instant::now();
            run_batch(poller, batch, inbox).await;
            metrics.batch_seconds.observe(started.elapsed().as_secs_f64());
            metrics.batches.dec();
        });
    }
}

/// Collects outcomes without blocking the guest: a batch has at most 64 queries, and only the first outcome of each counts.
struct Collector {
    outcomes: mpsc::UnboundedSender<(QueryId, Outcome)>,
    /// Why the batch did not end well.
    why: Arc<OnceLock<Failure>>,
}

impl Report for Collector {
    fn outcome(&self, _batch: BatchId, query: QueryId, outcome: Outcome) {
        let _ = self.outcomes.send((query, outcome));
    }

    fn broke(&self, _batch: BatchId, why: Failure) {
        let _ = self.why.set(why);
    }
}

/// Runs one batch and hands its outcomes over as they come. Ends in any case: a poller that overruns is dropped.
async fn run_batch(poller: Arc<dyn Poller>, batch: Batch, inbox: mpsc::Sender<Msg>) {
    let id = batch.id;
    let limit = batch.budget + GRACE;
    let (tell, mut outcomes) = mpsc::unbounded_channel();
    let why = Arc::new(OnceLock::new());
    let collector = Arc::new(Collector { outcomes: tell, why: why.clone() });
    let poll = tokio::time::timeout(limit, poller.poll(batch, collector));
    tokio::pin!(poll);
    let mut ready = Vec::new();
    let mut polling = true;
    while polling {
        tokio::select! {
            biased;
            Some(outcome) = outcomes.recv() => {
                ready.push(outcome);
                while let Ok(more) = outcomes.try_recv() {
                    ready.push(more);
                }
                let _ = inbox.send(Msg::Outcomes(id, std::mem::take(&mut ready))).await;
            }
            ended = &mut poll => {
                if ended.is_err() {
                    tracing::warn!(batch = id.0, "a batch overran its budget and was dropped");
                }
                polling = false;
            }
        }
    }
    outcomes.close();
    while let Some(outcome) = outcomes.recv().await {
        ready.push(outcome);
    }
    if !ready.is_empty() {
        let _ = inbox.send(Msg::Outcomes(id, ready)).await;
    }
    if let Some(why) = why.get() {
        let _ = inbox.send(Msg::BatchBroke(id, why.clone())).await;
    }
    let _ = inbox.send(Msg::BatchEnded(id)).await;
}
