//! Equal requests are asked once: those that come while one is under way, or shortly after it was asked, get its answer.
//!
//! Equal means: method, host, port, TLS and its material, target, headers and body as they go out, and the fingerprint of the
//! query's secrets. Whoever asks could have had the answer with its own request, so nothing of one namespace is told to
//! another but that somebody asked the same within the window.
//!
//! Waiting for the budget is not shared across namespaces: the first of each namespace queues in its namespace's own lane, and
//! whoever's turn comes first asks for all. So joining never makes anybody later than asking alone.
mod state;
#[cfg(test)]
mod tests;

use super::place::Permit;
use super::source::Source;
use bytes::Bytes;
use state::{Flight, Phase, Role, Sending};
use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;
use windlass_core::failure::Failure;
use windlass_core::query::Domain;

/// A hash over all that has to be equal.
pub(crate) type Key = [u8; 32];

/// An answer that is no success is given to those that asked in the same moment, and to nobody later: a source in trouble is
/// not to be asked once for each namespace.
const MOMENT: Duration = Duration::from_millis(200);

/// Bytes of all answers that are kept for the window.
const MOST_KEPT: usize = 32 << 20;

/// A whole answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Arc<[(String, String)]>,
    pub(crate) body: Bytes,
}

impl Answer {
    fn size(&self) -> usize {
        self.body.len() + self.headers.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>()
    }
}

/// What became of the one request.
pub(crate) enum Sent<T> {
    /// Good for all that asked the same: an answer, or a failure that any of them would have met.
    Whole(Result<Answer, Failure>),
    /// A failure of this request alone: its time was over.
    Mine(Failure),
    /// Too large to be kept: the others have to ask themselves.
    TooLarge(T),
}

/// What a caller gets.
#[derive(Debug)]
pub(crate) enum Got<T> {
    /// Of its own request or of an equal one.
    Whole(Answer),
    /// Its own, not kept.
    Own(T),
}

/// Who asks.
pub(crate) struct Call<'a> {
    pub(crate) key: Key,
    pub(crate) source: &'a Arc<Source>,
    pub(crate) domain: &'a Domain,
    pub(crate) deadline: Instant,
}

#[derive(Default)]
struct Entry {
    flight: Arc<Flight>,
    /// Ended; of use until then.
    until: Option<Instant>,
}

#[derive(Default)]
struct Kept {
    flights: HashMap<Key, Entry>,
    /// What has ended, about in the order in which it goes.
    ended: VecDeque<(Instant, Key, usize)>,
    bytes: usize,
}

/// All requests that can be shared.
pub(crate) struct Flights {
    kept: Mutex<Kept>,
    /// In microseconds.
    window: AtomicU64,
}

impl Flights {
    pub(super) fn new(window: Duration) -> Flights {
        let flights = Flights { kept: Mutex::default(), window: AtomicU64::new(0) };
        flights.set_window(window);
        flights
    }

    /// How long an answer is given to equal requests from now on.
    pub(super) fn set_window(&self, window: Duration) {
        self.window.store(u64::try_from(window.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets answers whose window is over.
    pub(super) fn sweep(&self) {
        self.lock().expire(Instant::now());
    }

    fn join(&self, key: Key) -> Joined<'_> {
        let now = Instant::now();
        let mut kept = self.lock();
        kept.expire(now);
        let entry = kept.flights.entry(key).or_default();
        if entry.until.is_some_and(|until| until <= now) {
            *entry = Entry::default();
        }
        Joined { flights: self, key, flight: entry.flight.clone() }
    }

    /// Sends a request unless an equal one answers it. `send` is called at most once, with a slot of the source.
    ///
    /// # Errors
    /// Of the source's budget, of `send`, or of the equal request.
    pub(crate) async fn run<T, F>(&self, call: Call<'_>, send: impl FnOnce(Permit) -> F) -> Result<Got<T>, Failure>
    where
        F: Future<Output = Sent<T>>,
    {
        let joined = self.join(call.key);
        let flight = &*joined.flight;
        let mut changes = flight.changes();
        loop {
            match flight.role(call.domain) {
                Role::Done(answer) => {
                    call.source.series.shared.inc();
                    return answer.map(Got::Whole);
                }
                Role::Alone => {
                    let permit = call.source.enter(call.domain)?.granted(call.deadline).await?;
                    return send(permit).await.got();
                }
                Role::Wait => {
                    let moved = async { changes.wait_for(|state| state.moved_on(call.domain)).await.map(drop) };
                    if tokio::time::timeout_at(call.deadline, moved).await.is_err() {
                        return Err(flight.late(&call));
                    }
                }
                Role::Queue(_) if call.deadline <= Instant::now() => return Err(flight.late(&call)),
                Role::Queue(queued) => {
                    let ticket = call.source.enter(call.domain)?;
                    let permit = tokio::select! {
                        biased;
                        permit = ticket.granted(call.deadline) => Some(permit?),
                        () = async { drop(changes.wait_for(|state| !state.is_queued()).await) } => None,
                    };
                    let Some(permit) = permit else { continue };
                    let Some(sending) = flight.begin() else {
                        permit.unused();
                        continue;
                    };
                    drop(queued);
                    let begun = Instant::now();
                    let sent = send(permit).await;
                    joined.end(sending, &sent, begun);
                    return sent.got();
                }
            }
        }
    }
}

impl<T> Sent<T> {
    fn got(self) -> Result<Got<T>, Failure> {
        match self {
            Sent::Whole(answer) => answer.map(Got::Whole),
            Sent::Mine(failure) => Err(failure),
            Sent::TooLarge(own) => Ok(Got::Own(own)),
        }
    }
}

impl Kept {
    /// Answers go about in the order in which they came: one may stay as long as the window beyond its own time, but
    /// [`Flights::join`] gives it to nobody.
    fn expire(&mut self, now: Instant) {
        while let Some((until, key, bytes)) = self.ended.front().copied()
            && until <= now
        {
            self.ended.pop_front();
            self.bytes -= bytes;
            // The place may be a newer request's by now.
            if self.flights.get(&key).is_some_and(|entry| entry.until == Some(until)) {
                self.flights.remove(&key);
            }
        }
    }

    /// Keeps what has ended until then.
    fn keep(&mut self, key: Key, until: Instant, bytes: usize) {
        if let Some(entry) = self.flights.get_mut(&key) {
            entry.until = Some(until);
            self.ended.push_back((until, key, bytes));
            self.bytes += bytes;
        }
    }
}

/// Part of a request.
struct Joined<'a> {
    flights: &'a Flights,
    key: Key,
    flight: Arc<Flight>,
}

impl Joined<'_> {
    /// The request has ended. What is not kept is out of reach before those that wait hear of it: a failure is told to
    /// nobody who comes later.
    fn end<T>(&self, sending: Sending<'_>, sent: &Sent<T>, begun: Instant) {
        let window = Duration::from_micros(self.flights.window.load(Ordering::Relaxed));
        let good = match sent {
            Sent::Whole(answer) => answer.as_ref().is_ok_and(|answer| (200..300).contains(&answer.status)),
            Sent::Mine(_) | Sent::TooLarge(_) => true,
        };
        let until = begun + if good { window } else { window.min(MOMENT) };
        let mut kept = self.flights.lock();
        let fresh = until > Instant::now();
        match sent {
            // The next one of those that wait asks.
            Sent::Mine(_) => drop(sending),
            Sent::TooLarge(_) => {
                if fresh {
                    kept.keep(self.key, until, 0)
                } else {
                    drop(kept.flights.remove(&self.key))
                }
                sending.end(Phase::Alone);
            }
            Sent::Whole(answer) => {
                let bytes = answer.as_ref().map_or(0, Answer::size);
                if answer.is_ok() && fresh && kept.bytes + bytes <= MOST_KEPT {
                    kept.keep(self.key, until, bytes);
                } else {
                    kept.flights.remove(&self.key);
                }
                sending.end(Phase::Done(answer.clone()));
            }
        }
    }
}

impl Drop for Joined<'_> {
    /// The last one to go takes a request with it that never ended.
    fn drop(&mut self) {
        let mut kept = self.flights.lock();
        let last = kept.flights.get(&self.key).is_some_and(|entry| {
            // Ours and the map's.
            Arc::ptr_eq(&entry.flight, &self.flight) && entry.until.is_none() && Arc::strong_count(&self.flight) == 2
        });
        if last {
            kept.flights.remove(&self.key);
        }
    }
}
