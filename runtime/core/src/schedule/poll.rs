//! The state of one question that is asked again and again.
use super::ward::Down;
use crate::failure::{Failure, FailureKind};
use crate::message::{BatchId, QueryId};
use crate::quarantine::{Quarantine, Scope};
use crate::query::Question;
use crate::sample::{Freshness, Sample};
use crate::settings::{Settings, backoff, seed};
use crate::time::{Mono, Wall};
use crate::workload::Aim;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Who reads an answer: a workload (its place) and one of its triggers (its position).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Reader {
    pub(crate) workload: u32,
    pub(crate) trigger: u16,
}

/// The last answer.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) sample: Sample,
    /// When it was read, by the wall clock.
    pub(crate) wall: Wall,
    pub(crate) fresh_until: Mono,
    pub(crate) usable_until: Mono,
}

impl Answer {
    /// How long it may be served. The HPA multiplies a metric of type `Value` by ready pods, so that a repeated one would run away.
    pub(crate) fn valid_until(&self, aim: Aim) -> Mono {
        match aim {
            Aim::Value => self.fresh_until,
            Aim::Average => self.usable_until,
        }
    }
}

/// What went wrong since the last answer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Trouble {
    pub(crate) failure: Option<Failure>,
    /// Failed polls in a row.
    pub(crate) attempts: u32,
    /// It may have brought a batch down: it is asked alone until it has answered.
    pub(crate) suspect: bool,
    /// How often it brought down a batch of its own.
    pub(crate) alone: u32,
    /// What is known of it while it has.
    pub(super) down: Down,
    /// It was put aside for that, and has not answered since.
    pub(crate) quarantine: Option<Quarantine>,
}

/// What is new of a query that is held back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Held {
    Anew,
    Wider,
    AsBefore,
}

/// One question and all that is known about it.
#[derive(Debug)]
pub(crate) struct Poll {
    pub(crate) id: QueryId,
    pub(crate) question: Arc<Question>,
    readers: BTreeMap<Reader, Duration>,
    /// How many readers want which period: the least is the query's own.
    periods: BTreeMap<Duration, u32>,
    pub(crate) slot: u32,
    pub(crate) due: Mono,
    pub(crate) asked: Option<BatchId>,
    pub(crate) asked_at: Mono,
    pub(crate) state: Arc<[u8]>,
    pub(crate) answer: Option<Answer>,
    pub(crate) trouble: Trouble,
    /// Failed polls in all.
    pub(crate) failures: u64,
    /// How long after it was due the last poll was sent.
    pub(crate) late: Duration,
    /// How long the last poll took.
    pub(crate) took: Option<Duration>,
}

/// An exact next poll is asked this much later than told: two clocks are rounded independently.
const EDGE_SLACK: Duration = Duration::from_millis(20);
/// A scaler cannot ask for polls closer together than this.
const SOONEST_AGAIN: Duration = Duration::from_secs(1);
/// Polls that bring down a batch of their own before the query is put aside.
const ALONE_MAX: u32 = 3;

impl Poll {
    pub(crate) fn new(id: QueryId, question: Arc<Question>) -> Poll {
        Poll {
            id,
            question,
            readers: BTreeMap::new(),
            periods: BTreeMap::new(),
            slot: 0,
            due: Mono(0),
            asked: None,
            asked_at: Mono(0),
            state: Arc::from([].as_slice()),
            answer: None,
            trouble: Trouble::default(),
            failures: 0,
            late: Duration::ZERO,
            took: None,
        }
    }

    /// The shortest period that a reader wants.
    pub(crate) fn period(&self) -> Duration {
        self.periods.first_key_value().map_or(Duration::from_secs(30), |(period, _)| *period)
    }

    pub(crate) fn readers(&self) -> impl Iterator<Item = Reader> + '_ {
        self.readers.keys().copied()
    }

    pub(crate) fn unread(&self) -> bool {
        self.readers.is_empty()
    }

    /// Adds a reader or changes its period. Returns whether the query's own period has changed.
    pub(crate) fn set_reader(&mut self, reader: Reader, period: Duration) -> bool {
        let before = self.period();
        match self.readers.insert(reader, period) {
            Some(old) if old == period => return false,
            Some(old) => self.forget_period(old),
            None => {}
        }
        *self.periods.entry(period).or_default() += 1;
        before != self.period()
    }

    /// Removes a reader.
    pub(crate) fn drop_reader(&mut self, reader: Reader) {
        if let Some(period) = self.readers.remove(&reader) {
            self.forget_period(period);
        }
    }

    fn forget_period(&mut self, period: Duration) {
        if let Some(count) = self.periods.get_mut(&period) {
            *count -= 1;
            if *count == 0 {
                self.periods.remove(&period);
            }
        }
    }

    /// How old the last sample is.
    pub(crate) fn age(&self, now: Mono) -> Option<Duration> {
        self.answer.as_ref().map(|answer| now.since(answer.sample.observed))
    }

    /// Whether neither a value nor a failure has come yet.
    pub(crate) fn waiting(&self) -> bool {
        self.answer.is_none() && self.trouble.failure.is_none()
    }

    /// Whether what went wrong is worth telling once there is no fresh value any more: it went wrong more than once, or
    /// it will not mend itself, or there is no usable value left.
    pub(crate) fn lasting(&self, now: Mono) -> bool {
        let hopeless = self.trouble.failure.as_ref().is_some_and(|failure| hopeless(failure.kind));
        let usable = self.answer.as_ref().is_some_and(|answer| now <= answer.usable_until);
        self.trouble.attempts > 1 || hopeless || !usable
    }

    /// Takes an answer.
    pub(crate) fn answered(&mut self, sample: Sample, wall: Wall, settings: &Settings) {
        let ages = freshness(self.period(), settings);
        let (fresh_until, usable_until) = (sample.observed + ages.fresh_for, sample.observed + ages.usable_for);
        self.trouble = Trouble::default();
        self.answer = Some(Answer { sample, wall, fresh_until, usable_until });
    }

    /// A longer period makes the last answer last longer; a shorter one does not take anything back.
    pub(crate) fn stretch(&mut self, settings: &Settings) {
        let ages = freshness(self.period(), settings);
        if let Some(answer) = &mut self.answer {
            answer.fresh_until = answer.fresh_until.max(answer.sample.observed + ages.fresh_for);
            answer.usable_until = answer.usable_until.max(answer.sample.observed + ages.usable_for);
        }
    }

    /// An exact next poll that the scaler asked for.
    pub(crate) fn edge(&self, at: Mono) -> Mono {
        (at + EDGE_SLACK).max(self.asked_at + SOONEST_AGAIN)
    }

    /// Takes a failure. Returns how long to wait beyond the next regular poll: nothing for a source that may be back
    /// any moment, ever longer for what only a person can mend.
    pub(crate) fn failed(&mut self, failure: Failure, settings: &Settings) -> Duration {
        self.failures += 1;
        self.trouble.attempts = self.trouble.attempts.saturating_add(1);
        let retry_after = failure.retry_after.unwrap_or_default().min(settings.failure_cap);
        let hopeless = hopeless(failure.kind);
        self.trouble.failure = Some(failure);
        let attempts = if self.aside() {
            self.trouble.alone - ALONE_MAX + 2
        } else if hopeless {
            self.trouble.attempts
        } else {
            1
        };
        let period = self.period();
        let cap = settings.failure_cap.max(period);
        let pause = backoff(period, cap, attempts, seed(&self.question.identity));
        // The first period passes anyway.
        if attempts <= 1 { retry_after } else { retry_after.max(pause) }
    }

    /// How it is down, if it is.
    pub(super) fn down(&self) -> Option<Down> {
        (self.trouble.alone > 0).then_some(self.trouble.down)
    }

    /// Whether it is put aside as a query.
    pub(super) fn aside(&self) -> bool {
        self.trouble.alone >= ALONE_MAX
    }

    /// Its component has answered about it: it is down no more. Tells whether it was in quarantine.
    pub(super) fn up(&mut self) -> bool {
        self.trouble.alone = 0;
        self.trouble.down = Down::default();
        self.trouble.quarantine.take().is_some()
    }

    /// It is held back. Tells what is new of that: it was not, or by something narrower.
    pub(super) fn hold(&mut self, scope: Scope, pause: Duration, longest: Duration) -> Held {
        match &mut self.trouble.quarantine {
            Some(known) if known.scope >= scope => Held::AsBefore,
            Some(known) => {
                known.scope = scope;
                Held::Wider
            }
            None => {
                self.trouble.quarantine = Some(Quarantine::new(scope, self.trouble.alone, pause, longest));
                Held::Anew
            }
        }
    }

    /// It was in a batch that ended without a word about it.
    pub(crate) fn unreported(&mut self, alone: bool) {
        self.trouble.suspect = true;
        if alone {
            self.trouble.alone = self.trouble.alone.saturating_add(1);
        }
    }
}

/// Failures that only a person can mend.
fn hopeless(kind: FailureKind) -> bool {
    matches!(kind, FailureKind::Invalid | FailureKind::Auth)
}

/// How long an answer may be used, for values that are averaged; others may be used while fresh.
pub(crate) fn freshness(period: Duration, settings: &Settings) -> Freshness {
    let timeout = budget(period, settings);
    Freshness { fresh_for: period + timeout, usable_for: period * settings.usable_periods.max(1) + timeout }
}

/// A poll must end within this.
pub(crate) fn budget(period: Duration, settings: &Settings) -> Duration {
    settings.poll_budget.min(period)
}
