//! What a request holds of its source: a place in the queue, a slot, a connection. All are given back by being dropped.
use super::refusal::Refusal;
use super::share::Left;
use super::slow::asked_to_wait;
use super::source::Source;
use http::{HeaderMap, StatusCode};
use std::sync::Arc;
use std::time::SystemTime;
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use tokio::time::Instant;
use windlass_core::failure::{Failure, FailureKind};
use windlass_core::query::Domain;

/// How a request went, as far as it says something about its source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It was answered.
    Answered,
    /// No connection: no query can cause that, so it counts for all namespaces.
    Unconnected,
    /// TLS failed, the connection broke, or the answer was a 5xx: the query may be to blame, so it counts for its
    /// namespace alone.
    Failed,
    /// It was not answered in time. Counts as [`Verdict::Failed`] does.
    Late,
}

/// Which breakers a request finds out about.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Probes {
    pub(super) source: bool,
    pub(super) domain: bool,
}

/// A place in the queue, or a slot. Free again when dropped.
pub(super) struct Place {
    pub(super) source: Arc<Source>,
    pub(super) domain: Domain,
    pub(super) id: u64,
    /// What it still has to find out.
    pub(super) probes: Probes,
}

impl Drop for Place {
    fn drop(&mut self) {
        let probes = self.probes;
        let mut state = self.source.lock();
        let now = Instant::now();
        if probes.source {
            state.breaker.abandoned(now);
        }
        if probes.domain
            && let Some(breaker) = state.breakers.get_mut(&self.domain)
        {
            breaker.abandoned(now);
        }
        match state.share.leave(&self.domain, self.id) {
            Left::Queue => drop(self.source.series.waiting.dec()),
            Left::Flight => drop(self.source.series.in_flight.dec()),
            Left::Nowhere => {}
        }
        self.source.pump(&mut state);
    }
}

/// A request that waits for its turn. Dropped, it waits no more.
pub(crate) struct Ticket {
    pub(super) told: oneshot::Receiver<Result<(), Refusal>>,
    pub(super) since: Instant,
    pub(super) place: Place,
}

impl Ticket {
    /// Waits for the turn.
    ///
    /// # Errors
    /// `Throttled` when it does not come before the deadline; `Throttled` or `Unreachable` when the source asked to wait or
    /// is found dead meanwhile.
    pub(crate) async fn granted(mut self, deadline: Instant) -> Result<Permit, Failure> {
        let source = self.place.source.clone();
        if let Ok(told) = self.told.try_recv() {
            return match told {
                Ok(()) => {
                    source.series.wait_seconds.observe(0.0);
                    Ok(Permit(self.place))
                }
                Err(refusal) => Err(source.refuse(refusal)),
            };
        }
        match tokio::time::timeout_at(deadline, &mut self.told).await {
            Ok(Ok(Ok(()))) => {
                source.series.waited.inc();
                source.series.wait_seconds.observe(self.since.elapsed().as_secs_f64());
                Ok(Permit(self.place))
            }
            Ok(Ok(Err(refusal))) => Err(source.refuse(refusal)),
            Ok(Err(_)) => Err(Failure::new(FailureKind::Internal, "the queue of a source lost a request")),
            Err(_) => Err(source.refuse(source.missing(&self.place.domain))),
        }
    }
}

/// A request in flight. Dropped, its slot is free again.
pub(crate) struct Permit(Place);

impl Permit {
    /// Tells how the request went. The first word counts for probes.
    pub(crate) fn tell(&mut self, verdict: Verdict) {
        let probes = std::mem::take(&mut self.0.probes);
        self.0.source.learn(&self.0.domain, probes, verdict);
    }

    /// Tells what an HTTP source answered.
    pub(crate) fn tell_answer(&mut self, status: StatusCode, headers: &HeaderMap) {
        match asked_to_wait(status, headers, SystemTime::now()) {
            Some(wait) => {
                // It lives, and said so: that is no failure of the breaker's kind.
                self.tell(Verdict::Answered);
                self.0.source.slow_down(wait);
            }
            None if status.is_server_error() => self.tell(Verdict::Failed),
            None => {
                self.tell(Verdict::Answered);
                self.0.source.lock().slow.answered(Instant::now());
            }
        }
    }

    /// Nothing was sent: the token goes to the next one.
    pub(crate) fn unused(self) {
        let mut state = self.0.source.lock();
        state.spare = (state.spare + 1).min(self.0.source.budget.load().burst);
    }
}

/// An open connection's place among those of its source.
pub(crate) struct Slot {
    source: Arc<Source>,
    permit: Option<OwnedSemaphorePermit>,
}

impl Slot {
    pub(super) fn new(source: Arc<Source>, permit: Option<OwnedSemaphorePermit>) -> Slot {
        source.series.connections.inc();
        Slot { source, permit }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.source.series.connections.dec();
        if let Some(permit) = self.permit.take()
            && self.source.pay()
        {
            permit.forget();
        }
    }
}
