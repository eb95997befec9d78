//! Components that fail everybody who asks them: first in one domain, then in all.
//!
//! A query is *down* while it has, the last time that anything was heard of it, brought down a batch of its own. A domain
//! is *fallen* while every query that it asks of a component is down. A component is quarantined for a domain when that
//! falls with two queries at least (one by itself is put aside as a query), and as a whole when every domain that asks it
//! has fallen, two at least. Then queries that are down are skipped, but for one probe after each pause: of the domain, or
//! of the whole. Any answer ends it. What has not failed alone is never skipped, so a query that works is not held back by
//! those that do not, of whichever domain.
use super::turn::Turns;
use crate::key::Digest;
use crate::quarantine::{Census, Scope};
use crate::query::{Domain, Question};
use crate::settings::{Settings, backoff, seed};
use crate::time::Mono;
use std::collections::HashMap;
use std::time::Duration;

/// Queries of a domain, or domains, that must have failed at least: a single one is no sign of a broken component.
const MIN: u32 = 2;
/// However many take turns, nobody waits longer than this (or than its own period) for being asked again.
const LONGEST_WAIT: Duration = Duration::from_secs(6 * 3600);

/// What a domain asks of a component.
#[derive(Debug, Default)]
struct Ward {
    queries: u32,
    down: u32,
    /// Counted as fallen by the whole.
    fallen: bool,
    quarantine: Option<Hold>,
    /// Its queries' turns.
    turns: Turns,
    /// The round of the whole in which it had its turn.
    turn: u64,
}

/// All that is asked of a component.
#[derive(Debug, Default)]
struct Whole {
    domains: u32,
    fallen: u32,
    quarantine: Option<Hold>,
    /// Its domains' turns.
    turns: Turns,
}

/// A quarantine.
#[derive(Debug)]
struct Hold {
    /// Failures of polls that were sent before this change nothing any more.
    since: Mono,
    failures: u32,
    pause: Duration,
    /// The next probe.
    until: Mono,
}

impl Hold {
    /// The next one, after a query fell that was asked at `asked`; `None`: this changes nothing.
    fn after(before: Option<&Hold>, fall: &Fall<'_>) -> Option<Hold> {
        let failures = match before {
            Some(hold) if fall.asked < hold.since => return None,
            Some(hold) => hold.failures.saturating_add(1),
            None => 1,
        };
        // The first pause is two periods: one would skip nothing. None lasts longer for one query's long period.
        let cap = fall.settings.failure_cap;
        let pause = backoff((fall.period * 2).min(cap), cap, failures, seed(&fall.question.identity));
        Some(Hold { since: fall.now, failures, pause, until: fall.now + pause })
    }
}

/// A query that brought down a batch of its own.
pub(super) struct Fall<'a> {
    pub(super) question: &'a Question,
    /// It had not before.
    pub(super) first: bool,
    /// When its batch was sent.
    pub(super) asked: Mono,
    pub(super) period: Duration,
    pub(super) now: Mono,
    pub(super) settings: &'a Settings,
}

/// What is known of a query that is down.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Down {
    /// The round of its domain in which it had its turn.
    pub(super) turn: u64,
}

/// Whether a query is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Admission {
    /// It is; by this quarantine's probe.
    Asked(Option<Scope>),
    /// Not before this moment.
    Held(Scope, Mono),
}

/// All components, by domain.
#[derive(Debug, Default)]
pub(crate) struct Wards {
    wards: HashMap<(Digest, Domain), Ward>,
    wholes: HashMap<Digest, Whole>,
    /// Those wards with something down: while there are none, an answer costs no look-up.
    troubled: u32,
    pub(super) census: Census,
}

fn key(question: &Question) -> (Digest, Domain) {
    (question.component, question.trigger.domain.clone())
}

impl Wards {
    /// A query came.
    pub(super) fn came(&mut self, question: &Question) {
        let ward = self.wards.entry(key(question)).or_default();
        ward.queries += 1;
        if ward.queries == 1 {
            self.wholes.entry(question.component).or_default().domains += 1;
        }
        self.settle(question);
    }

    /// A query went.
    pub(super) fn went(&mut self, question: &Question, down: Option<Down>) {
        let key = key(question);
        let Some(ward) = self.wards.get_mut(&key) else { return };
        ward.queries = ward.queries.saturating_sub(1);
        let gone = ward.queries == 0;
        if let Some(down) = down {
            self.up(question, down);
        }
        self.settle(question);
        if gone {
            self.remove(&key);
        }
    }

    /// A domain asks nothing of a component any more. It has not fallen, since it is not down.
    fn remove(&mut self, key: &(Digest, Domain)) {
        let Some(ward) = self.wards.remove(key) else { return };
        let Some(whole) = self.wholes.get_mut(&key.0) else { return };
        whole.domains = whole.domains.saturating_sub(1);
        whole.turns.left(ward.turn, whole.fallen);
        if whole.domains == 0 {
            self.wholes.remove(&key.0);
        }
    }

    /// A query is answered, whatever the answer: the component works.
    pub(super) fn answered(&mut self, question: &Question, down: Option<Down>) {
        if self.troubled == 0 {
            return;
        }
        if let Some(ward) = self.wards.get_mut(&key(question)) {
            end(&mut ward.quarantine, Scope::Namespace, &mut self.census);
        }
        if let Some(whole) = self.wholes.get_mut(&question.component) {
            end(&mut whole.quarantine, Scope::Component, &mut self.census);
        }
        if let Some(down) = down {
            self.up(question, down);
        }
        self.settle(question);
    }

    /// A query is down no more.
    fn up(&mut self, question: &Question, down: Down) {
        let Some(ward) = self.wards.get_mut(&key(question)).filter(|ward| ward.down > 0) else { return };
        ward.down -= 1;
        ward.turns.left(down.turn, ward.down);
        if ward.down == 0 {
            self.troubled = self.troubled.saturating_sub(1);
        }
    }

    /// A query brought down a batch of its own.
    pub(super) fn fell(&mut self, fall: &Fall<'_>) {
        let Some(ward) = self.wards.get_mut(&key(fall.question)) else { return };
        if fall.first {
            ward.down += 1;
            if ward.down == 1 {
                self.troubled += 1;
            }
        }
        if ward.quarantine.is_some() || ward.down >= ward.queries.max(MIN) {
            advance(&mut ward.quarantine, Scope::Namespace, fall, &mut self.census);
        }
        self.settle(fall.question);
        let Some(whole) = self.wholes.get_mut(&fall.question.component) else { return };
        if whole.quarantine.is_some() || whole.fallen >= whole.domains.max(MIN) {
            advance(&mut whole.quarantine, Scope::Component, fall, &mut self.census);
        }
    }

    /// Counts a domain as fallen or not, and ends quarantines that nothing is left of.
    fn settle(&mut self, question: &Question) {
        let Some(ward) = self.wards.get_mut(&key(question)) else { return };
        let Some(whole) = self.wholes.get_mut(&question.component) else { return };
        let fallen = ward.down > 0 && ward.down >= ward.queries;
        match (ward.fallen, fallen) {
            (false, true) => whole.fallen += 1,
            (true, false) => whole.fallen = whole.fallen.saturating_sub(1),
            _ => {}
        }
        ward.fallen = fallen;
        if ward.down == 0 {
            end(&mut ward.quarantine, Scope::Namespace, &mut self.census);
        }
        if whole.fallen < MIN {
            end(&mut whole.quarantine, Scope::Component, &mut self.census);
        }
    }

    /// What holds back a query that is down, and when the next one is asked.
    pub(super) fn held(&self, question: &Question) -> Option<(Scope, Mono)> {
        let whole = self.wholes.get(&question.component).and_then(|whole| whole.quarantine.as_ref());
        let ward = || self.wards.get(&key(question)).and_then(|ward| ward.quarantine.as_ref());
        let of = |scope| move |hold: &Hold| (scope, hold.until);
        whole.map(of(Scope::Component)).or_else(|| ward().map(of(Scope::Namespace)))
    }

    /// Whether a query is asked now that is due and down, and was asked last at `asked`. The one that is asked takes the
    /// probe: the next may be sent after `patience`, if nothing is heard of it.
    pub(super) fn admits(
        &mut self,
        question: &Question,
        down: &mut Down,
        asked: Mono,
        now: Mono,
        patience: Duration,
    ) -> Admission {
        let Some(ward) = self.wards.get_mut(&key(question)) else { return Admission::Asked(None) };
        let Some(whole) = self.wholes.get_mut(&question.component) else { return Admission::Asked(None) };
        let (scope, hold) = match (&mut whole.quarantine, &mut ward.quarantine) {
            (Some(hold), _) => (Scope::Component, hold),
            (None, Some(hold)) => (Scope::Namespace, hold),
            (None, None) => return Admission::Asked(None),
        };
        if now.since(asked) < LONGEST_WAIT {
            let had = ward.turns.had(down.turn) || (scope == Scope::Component && whole.turns.had(ward.turn));
            // Who had its turn lets the others go first; when none of them is due within another pause, it goes again.
            let from = if had { hold.until + hold.pause } else { hold.until };
            if now < from {
                return Admission::Held(scope, from);
            }
        }
        hold.until = now + patience;
        ward.turns.take(&mut down.turn, ward.down);
        if scope == Scope::Component {
            whole.turns.take(&mut ward.turn, whole.fallen);
        }
        self.census.probed(scope);
        Admission::Asked(Some(scope))
    }
}

/// Begins a quarantine, or goes on with it after a probe that failed.
fn advance(quarantine: &mut Option<Hold>, scope: Scope, fall: &Fall<'_>, census: &mut Census) {
    let Some(next) = Hold::after(quarantine.as_ref(), fall) else { return };
    if quarantine.replace(next).is_none() {
        census.entered(scope);
    }
}

fn end(quarantine: &mut Option<Hold>, scope: Scope, census: &mut Census) {
    if quarantine.take().is_some() {
        census.left(scope);
    }
}
