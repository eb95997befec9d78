//! Budgets: how much a source (scheme, host, port, credentials) is asked, by whom, and when not at all.
//!
//! ```text
//!  request ─► an equal one under way or just answered? ─► its answer (flight)
//!          └► source asked to wait? breaker open? ─► refused at once (slow, breaker)
//!          └► its namespace's queue ─► its namespace's turn (share) ─► a token (limiter) ─► a slot ─► the source
//! ```
//!
//! A place in the queue and a slot belong to a [`Permit`] or [`Ticket`] and are free again when it is dropped, whatever the
//! reason.
mod breaker;
mod flight;
mod limiter;
mod metrics;
mod overrides;
mod place;
mod refusal;
mod share;
mod slow;
mod source;
#[cfg(test)]
pub(crate) mod tests;

pub(crate) use flight::{Answer, Call, Flights, Got, Key, Sent};
pub(crate) use metrics::SourceMetrics;
pub use overrides::{NotAnOverride, Override};
pub(crate) use place::{Permit, Slot, Ticket, Verdict};
pub(crate) use source::Source;

use crate::egress::canonical;
use arc_swap::ArcSwap;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::time::Instant;
use windlass_core::failure::{Failure, FailureKind};
use windlass_core::query::{Endpoint, Question};
use windlass_core::{Fingerprint, Text};

/// What every source may be asked. A source is scheme, host, port and credentials.
#[derive(Clone, Debug, PartialEq)]
pub struct Budget {
    /// Requests a second on average; from 0.001 to a million.
    pub rate: f64,
    /// Requests at once after a rest; at least 1.
    pub burst: u32,
    /// Requests in flight; at least 1. Three quarters of these at most belong to one namespace.
    pub in_flight: usize,
    /// Requests that wait; at least 1. More than the rate serves within a poll's ten seconds could only be late.
    pub queue: usize,
    /// Of these, requests of one namespace; at least 1.
    pub queue_per_namespace: usize,
    /// Open connections, those that rest included; more than requests in flight.
    pub connections: usize,
    /// Failures in a row after which a breaker opens; at least 1.
    pub breaker_failures: u32,
    /// Pause before a breaker's first probe; doubles, with jitter, up to [`Budget::breaker_pause_cap`].
    pub breaker_pause: Duration,
    /// The longest pause between two probes.
    pub breaker_pause_cap: Duration,
    /// How long an answer is given to equal requests, counted from when it was asked for; zero: only while it is under way.
    pub share_window: Duration,
    /// The longest `Retry-After` that is honoured.
    pub retry_after_cap: Duration,
    /// What differs for some sources; of several that fit one, the last counts.
    pub overrides: Vec<Override>,
}

impl Default for Budget {
    fn default() -> Budget {
        Budget {
            rate: 200.0,
            burst: 400,
            in_flight: 64,
            queue: 2_000,
            queue_per_namespace: 1_000,
            connections: 128,
            breaker_failures: 5,
            breaker_pause: Duration::from_secs(5),
            breaker_pause_cap: Duration::from_secs(60),
            share_window: Duration::from_secs(1),
            retry_after_cap: Duration::from_secs(300),
            overrides: Vec::new(),
        }
    }
}

impl Budget {
    /// A quarter of the slots is always out of one namespace's reach.
    fn in_flight_per_namespace(&self) -> usize {
        match self.in_flight {
            0 | 1 => 1,
            slots => slots - (slots / 4).max(1),
        }
    }

    /// More than requests in flight, so that those that rest keep nobody waiting.
    fn most_connections(&self) -> usize {
        self.connections.max(self.in_flight.max(1) + 1)
    }

    fn bounds(&self) -> share::Bounds {
        share::Bounds {
            in_flight: self.in_flight.max(1),
            in_flight_per_domain: self.in_flight_per_namespace(),
            queue: self.queue.max(1),
            queue_per_domain: self.queue_per_namespace.max(1),
        }
    }
}

/// Sources that are kept at the same time.
const MOST_SOURCES: usize = 65_536;
/// A source that was not asked for so long is forgotten, and its breaker with it.
const FORGET: Duration = Duration::from_secs(600);
/// When there are too many, those that were not asked for so long go too.
const FORGET_SOON: Duration = Duration::from_secs(30);

/// What makes two requests go to one source.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct SourceId {
    tls: bool,
    host: Text,
    port: u16,
    secrets: Fingerprint,
}

/// The budgets of all sources.
pub(crate) struct Budgets {
    budget: ArcSwap<Budget>,
    sources: Mutex<HashMap<SourceId, Arc<Source>>>,
    metrics: SourceMetrics,
    io: Handle,
    /// Equal requests under way.
    pub(crate) flights: Flights,
}

impl Budgets {
    /// Must be called within a tokio runtime: what waits is woken from there.
    pub(crate) fn new(budget: Budget, metrics: SourceMetrics) -> Budgets {
        Budgets {
            flights: Flights::new(budget.share_window),
            budget: ArcSwap::from_pointee(budget),
            sources: Mutex::default(),
            metrics,
            io: Handle::current(),
        }
    }

    /// The source of a request.
    ///
    /// # Errors
    /// `Throttled` when there are too many sources.
    pub(crate) fn source(&self, question: &Question, endpoint: &Endpoint) -> Result<Arc<Source>, Failure> {
        let host: Text = canonical(&endpoint.host).into();
        let id = SourceId { tls: endpoint.tls.is_some(), host, port: endpoint.port, secrets: question.secrets };
        let mut sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(source) = sources.get(&id) {
            return Ok(source.clone());
        }
        if sources.len() >= MOST_SOURCES {
            forget(&mut sources, FORGET_SOON);
        }
        if sources.len() >= MOST_SOURCES {
            let message = format!("{MOST_SOURCES} sources were asked within {} s: no more fit", FORGET_SOON.as_secs());
            return Err(Failure::new(FailureKind::Throttled, message));
        }
        let name = if id.host.contains(':') {
            format!("[{}]:{}", id.host, id.port)
        } else {
            format!("{}:{}", id.host, id.port)
        };
        let name = crate::clean::line(&name);
        let source = Arc::new(Source::new(
            name,
            overrides::budget(&self.budget.load_full(), &id.host, id.port),
            &self.metrics,
            self.io.clone(),
        ));
        sources.insert(id, source.clone());
        Ok(source)
    }

    /// Other budgets from now on, for sources that are known too: what waits goes on waiting, what flies goes on flying, and
    /// breakers stay as they are.
    pub(crate) fn replace(&self, budget: Budget) {
        self.flights.set_window(budget.share_window);
        let budget = Arc::new(budget);
        let sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
        self.budget.store(budget.clone());
        for (id, source) in sources.iter() {
            source.adapt(overrides::budget(&budget, &id.host, id.port));
        }
    }

    /// Forgets sources that nobody asks any more.
    pub(crate) fn sweep(&self) {
        forget(&mut self.sources.lock().unwrap_or_else(PoisonError::into_inner), FORGET);
        self.flights.sweep();
    }
}

fn forget(sources: &mut HashMap<SourceId, Arc<Source>>, unused: Duration) {
    let now = Instant::now();
    // Whoever waits, flies, or keeps a connection holds its source.
    sources.retain(|_, source| Arc::strong_count(source) > 1 || now.duration_since(source.used()) < unused);
}
