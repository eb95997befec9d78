//! Holding back queries that bring down their batches: who is skipped, and what is new of it.
use super::poll::{Held, Poll};
use super::ward::{Admission, Wards};
use super::{GRACE, Schedule};
use crate::message::QueryId;
use crate::quarantine::{Census, Scope};
use crate::settings::Settings;
use crate::time::Mono;
use std::time::Duration;

impl Schedule {
    /// All quarantines, counted.
    pub(crate) fn census(&self) -> Census {
        self.wards.census
    }

    /// A query has failed alone, and is not asked again before `pause` is over: is it held back from now on?
    pub(super) fn put_aside(&mut self, id: QueryId, pause: Duration, now: Mono) {
        let Some(poll) = self.polls.get_mut(id.index as usize).filter(|poll| poll.id == id) else { return };
        if poll.aside() {
            hold(&mut self.wards, poll, Scope::Query, pause, &self.settings);
        }
        if let Some((scope, until)) = self.wards.held(&poll.question) {
            hold(&mut self.wards, poll, scope, until.since(now), &self.settings);
        }
    }
}

/// Whether a query that is due is skipped; if that is news, it is noted.
pub(super) fn skipped(
    wards: &mut Wards,
    poll: &mut Poll,
    settings: &Settings,
    now: Mono,
    news: &mut Vec<QueryId>,
) -> bool {
    if poll.trouble.alone == 0 {
        return false;
    }
    let patience = settings.poll_budget + GRACE;
    match wards.admits(&poll.question, &mut poll.trouble.down, poll.asked_at, now, patience) {
        Admission::Asked(scope) => {
            if scope.is_none() && poll.aside() {
                wards.census.probed(Scope::Query);
            }
            false
        }
        Admission::Held(scope, until) => {
            // Whoever is skipped is there when the next probe is sent, however long its own period is.
            poll.due = poll.due.min(until);
            if hold(wards, poll, scope, until.since(now), settings) {
                news.push(poll.id);
            }
            true
        }
    }
}

/// Notes that a query is held back; tells whether that is news.
fn hold(wards: &mut Wards, poll: &mut Poll, scope: Scope, pause: Duration, settings: &Settings) -> bool {
    let held = poll.hold(scope, pause, settings.failure_cap);
    if held == Held::Anew {
        wards.census.entered(Scope::Query);
    }
    held != Held::AsBefore
}
