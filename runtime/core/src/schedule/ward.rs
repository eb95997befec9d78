//! Components that fail a whole domain. A component is quarantined for a domain while every query that the domain asks of
//! it has, the last time that anything was heard of it, brought down a batch of its own, and there are at least two of
//! them (one by itself is put aside as a query). Then those queries are skipped, but for one probe after each pause; any
//! answer ends it. What has not failed alone is never skipped, so a query that works is not held back by those that do
//! not; and a domain's failures say nothing about another domain.
use crate::key::Digest;
use crate::query::{Domain, Question};
use crate::settings::{Settings, backoff, seed};
use crate::time::Mono;
use std::collections::HashMap;
use std::time::Duration;

/// Queries that must have failed at least: a single one is no sign of a broken component.
const QUERIES_MIN: u32 = 2;

/// What a domain asks of a component.
#[derive(Debug, Default)]
struct Ward {
    queries: u32,
    /// Those of them that have brought down a batch of their own since the last answer.
    down: u32,
    quarantine: Option<Quarantine>,
}

#[derive(Debug)]
struct Quarantine {
    /// Failures of polls that were sent before this change nothing any more.
    since: Mono,
    failures: u32,
    /// The next probe.
    until: Mono,
}

/// All components, by domain.
#[derive(Debug, Default)]
pub(crate) struct Wards {
    wards: HashMap<(Digest, Domain), Ward>,
    /// Those with something down: while there are none, an answer costs no look-up.
    troubled: u32,
}

fn key(question: &Question) -> (Digest, Domain) {
    (question.component, question.trigger.domain.clone())
}

impl Wards {
    /// A query came.
    pub(crate) fn came(&mut self, question: &Question) {
        self.wards.entry(key(question)).or_default().queries += 1;
    }

    /// A query went; `down`: it had brought down a batch of its own.
    pub(crate) fn went(&mut self, question: &Question, down: bool) {
        let key = key(question);
        let Some(ward) = self.wards.get_mut(&key) else { return };
        ward.queries = ward.queries.saturating_sub(1);
        if down && ward.down > 0 {
            ward.down -= 1;
            if ward.down == 0 {
                ward.quarantine = None;
                self.troubled = self.troubled.saturating_sub(1);
            }
        }
        if ward.queries == 0 {
            self.wards.remove(&key);
        }
    }

    /// A query is answered, whatever the answer: the component works. `down`: it had brought down a batch of its own.
    pub(crate) fn answered(&mut self, question: &Question, down: bool) {
        if self.troubled == 0 {
            return;
        }
        let Some(ward) = self.wards.get_mut(&key(question)) else { return };
        ward.quarantine = None;
        if down && ward.down > 0 {
            ward.down -= 1;
            if ward.down == 0 {
                self.troubled = self.troubled.saturating_sub(1);
            }
        }
    }

    /// A query brought down a batch of its own that was sent at `asked`; `first`: it had not before.
    pub(crate) fn fell(
        &mut self,
        question: &Question,
        first: bool,
        asked: Mono,
        period: Duration,
        now: Mono,
        settings: &Settings,
    ) {
        let Some(ward) = self.wards.get_mut(&key(question)) else { return };
        if first {
            ward.down += 1;
            if ward.down == 1 {
                self.troubled += 1;
            }
        }
        let failures = match &ward.quarantine {
            Some(quarantine) if asked < quarantine.since => return,
            Some(quarantine) => quarantine.failures.saturating_add(1),
            None if ward.down >= ward.queries.max(QUERIES_MIN) => 1,
            None => return,
        };
        let cap = settings.failure_cap.max(period);
        // The first pause is two periods: one would skip nothing.
        let pause = backoff(period * 2, cap, failures, seed(&question.identity));
        ward.quarantine = Some(Quarantine { since: now, failures, until: now + pause });
    }

    /// Whether a due query that has failed alone is asked now. The one that is asked takes the probe: the next may be
    /// sent after `patience`, if nothing is heard of it.
    pub(crate) fn admits(&mut self, question: &Question, now: Mono, patience: Duration) -> bool {
        let Some(ward) = self.wards.get_mut(&key(question)) else { return true };
        let Some(quarantine) = &mut ward.quarantine else { return true };
        if now < quarantine.until {
            return false;
        }
        quarantine.until = now + patience;
        true
    }
}
