//! The state of requests that are one, seen by all that wait for it.
use super::{Answer, Call};
use tokio::sync::watch;
use windlass_core::failure::{Failure, FailureKind};
use windlass_core::query::Domain;

/// How far it is.
#[derive(Clone, Default)]
pub(super) enum Phase {
    /// Nobody's turn has come yet.
    #[default]
    Queued,
    Sent,
    Done(Result<Answer, Failure>),
    /// Everybody asks for himself.
    Alone,
}

#[derive(Default)]
pub(super) struct State {
    phase: Phase,
    /// Namespaces of which somebody waits in the source's queue.
    queued: Vec<Domain>,
    /// It was sent before, and that one's time was over.
    unanswered: bool,
}

impl State {
    pub(super) fn is_queued(&self) -> bool {
        matches!(self.phase, Phase::Queued)
    }

    /// Whether somebody of a namespace that waits has something to do.
    pub(super) fn moved_on(&self, domain: &Domain) -> bool {
        match self.phase {
            Phase::Queued => !self.queued.contains(domain),
            Phase::Sent => false,
            Phase::Done(_) | Phase::Alone => true,
        }
    }
}

/// Requests that are one.
#[derive(Default)]
pub(super) struct Flight {
    state: watch::Sender<State>,
}

/// What one of them has to do.
pub(super) enum Role<'a> {
    Done(Result<Answer, Failure>),
    Alone,
    /// Another one acts.
    Wait,
    /// Wait in the source's queue, for the namespace.
    Queue(Queued<'a>),
}

impl Flight {
    pub(super) fn changes(&self) -> watch::Receiver<State> {
        self.state.subscribe()
    }

    pub(super) fn role(&self, domain: &Domain) -> Role<'_> {
        let mut role = Role::Wait;
        self.state.send_if_modified(|state| {
            match &state.phase {
                Phase::Done(answer) => role = Role::Done(answer.clone()),
                Phase::Alone => role = Role::Alone,
                Phase::Queued if !state.queued.contains(domain) => {
                    state.queued.push(domain.clone());
                    role = Role::Queue(Queued { flight: self, domain: domain.clone() });
                }
                Phase::Queued | Phase::Sent => {}
            }
            false
        });
        role
    }

    /// One's turn has come; none: another's came first.
    pub(super) fn begin(&self) -> Option<Sending<'_>> {
        let begun = self.state.send_if_modified(|state| {
            let first = state.is_queued();
            if first {
                state.phase = Phase::Sent;
            }
            first
        });
        begun.then_some(Sending { flight: self })
    }

    /// The failure of one whose time is over while it waits for another.
    pub(super) fn late(&self, call: &Call<'_>) -> Failure {
        let never_sent = {
            let state = self.state.borrow();
            state.is_queued() && !state.unanswered
        };
        if never_sent {
            return call.source.refuse(call.source.missing(call.domain));
        }
        Failure::new(FailureKind::Timeout, format!("{} did not answer in time", call.source.name()))
    }
}

/// Waits in the source's queue for its namespace. Dropped, another one of the namespace may.
pub(super) struct Queued<'a> {
    flight: &'a Flight,
    domain: Domain,
}

impl Drop for Queued<'_> {
    fn drop(&mut self) {
        self.flight.state.send_modify(|state| state.queued.retain(|other| *other != self.domain));
    }
}

/// Sends for all. Dropped without an end, the next one's turn decides.
pub(super) struct Sending<'a> {
    flight: &'a Flight,
}

impl Sending<'_> {
    pub(super) fn end(self, phase: Phase) {
        self.flight.state.send_modify(|state| state.phase = phase);
    }
}

impl Drop for Sending<'_> {
    fn drop(&mut self) {
        self.flight.state.send_if_modified(|state| {
            let unended = matches!(state.phase, Phase::Sent);
            if unended {
                state.phase = Phase::Queued;
                state.unanswered = true;
            }
            unended
        });
    }
}
