//! Who may read metrics: the API server's answer, kept per user.
use crate::Clock;
use crate::auth::{Identity, IdentityKey, User};
use crate::metrics::{Metrics, Reviewed};
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use thiserror::Error;
use tokio::sync::{Semaphore, watch};
use windlass_core::Mono;
use windlass_core::port::BoxFuture;

/// An access review could not be had.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct ReviewError(pub String);

/// Asks the API server whether a user may read all external metrics: a SubjectAccessReview for verb `list` (a GET without
/// the name of an object is a list), group `external.metrics.k8s.io`, resource `*`, all namespaces.
pub trait AccessReview: Send + Sync + 'static {
    /// Asks.
    fn review<'a>(&'a self, user: &'a User) -> BoxFuture<'a, Result<bool, ReviewError>>;
}

/// How long answers are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccessOptions {
    /// A permission counts this long.
    pub allowed_for: Duration,
    /// A permission of this age is asked again, in the background.
    pub refresh_after: Duration,
    /// A refusal counts this long.
    pub denied_for: Duration,
    /// While the API server does not answer, a former answer counts up to this age.
    pub kept_for: Duration,
    /// A review that takes longer has failed.
    pub timeout: Duration,
    /// Users that are remembered.
    pub users: usize,
    /// Reviews at the same time.
    pub reviews: usize,
}

impl Default for AccessOptions {
    fn default() -> AccessOptions {
        AccessOptions {
            allowed_for: Duration::from_secs(300),
            refresh_after: Duration::from_secs(240),
            denied_for: Duration::from_secs(10),
            kept_for: Duration::from_secs(1800),
            timeout: Duration::from_secs(8),
            users: 1024,
            reviews: 8,
        }
    }
}

/// No answer: the API server did not give one, and none is remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the API server did not answer whether this user may read metrics")]
pub(crate) struct Unreviewed;

/// Remembers who may read metrics.
pub struct Access {
    shared: Arc<Shared>,
}

struct Shared {
    review: Box<dyn AccessReview>,
    clock: Clock,
    options: AccessOptions,
    metrics: Metrics,
    entries: papaya::HashMap<IdentityKey, Arc<Entry>>,
    /// Held while a user is added, so that the bound holds.
    adding: Mutex<()>,
    permits: Semaphore,
    jitter: RandomState,
}

/// What is known of one user.
struct Entry {
    user: User,
    known: watch::Sender<Known>,
    used: AtomicU64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Known {
    /// The last answer, and when it came.
    answer: Option<(bool, Mono)>,
    /// How many reviews failed since, and when the next may begin.
    failed: u32,
    next: Mono,
    /// A review is under way.
    running: bool,
    /// How many reviews have ended.
    ended: u64,
}

/// What to do with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// Answer.
    Answer(bool),
    /// Answer, and ask again meanwhile.
    Refresh(bool),
    /// Ask, and wait for it.
    Wait,
    /// It failed a moment ago.
    Fail,
}

impl Known {
    fn step(&self, options: &AccessOptions, now: Mono) -> Step {
        let Some((allowed, at)) = self.answer else {
            return if self.failed > 0 && now < self.next { Step::Fail } else { Step::Wait };
        };
        let age = now.since(at);
        let fresh_for = if allowed { options.allowed_for } else { options.denied_for };
        if age < fresh_for {
            let due = allowed && age >= options.refresh_after && now >= self.next;
            return if due { Step::Refresh(allowed) } else { Step::Answer(allowed) };
        }
        if self.failed > 0 && age < options.kept_for {
            return if now >= self.next { Step::Refresh(allowed) } else { Step::Answer(allowed) };
        }
        if self.failed > 0 && now < self.next { Step::Fail } else { Step::Wait }
    }
}

impl Access {
    /// Reviews by `review`.
    pub fn new(review: impl AccessReview, clock: Clock, metrics: Metrics, options: AccessOptions) -> Access {
        Access {
            shared: Arc::new(Shared {
                review: Box::new(review),
                clock,
                metrics,
                entries: papaya::HashMap::new(),
                adding: Mutex::new(()),
                permits: Semaphore::new(options.reviews),
                options,
                jitter: RandomState::new(),
            }),
        }
    }

    /// Whether a user may read metrics. At once for a known user; a new one waits for one review, however many of its
    /// requests wait. Must be called within a tokio runtime.
    pub(crate) async fn check(&self, identity: &Identity<'_>) -> Result<bool, Unreviewed> {
        let entry = self.shared.entry(identity);
        let known = *entry.known.borrow();
        match known.step(&self.shared.options, (self.shared.clock)().mono) {
            Step::Answer(allowed) => Ok(allowed),
            Step::Refresh(allowed) => {
                self.shared.start(&entry);
                Ok(allowed)
            }
            Step::Wait => {
                let mut ended = entry.known.subscribe();
                self.shared.start(&entry);
                let ended = ended.wait_for(|now| now.ended != known.ended);
                // The review has a deadline of its own; this one bounds the wait for a permit too.
                let waited = tokio::time::timeout(2 * self.shared.options.timeout, ended).await;
                let known = match waited {
                    Ok(Ok(known)) => *known,
                    Ok(Err(_)) | Err(_) => return Err(Unreviewed),
                };
                match known.step(&self.shared.options, (self.shared.clock)().mono) {
                    Step::Answer(allowed) | Step::Refresh(allowed) => Ok(allowed),
                    Step::Wait | Step::Fail => Err(Unreviewed),
                }
            }
            Step::Fail => Err(Unreviewed),
        }
    }
}

impl Shared {
    fn entry(&self, identity: &Identity<'_>) -> Arc<Entry> {
        let now = (self.clock)().mono;
        let entries = self.entries.pin();
        if let Some(entry) = entries.get(identity) {
            entry.used.store(now.0, Ordering::Relaxed);
            return entry.clone();
        }
        let _adding = self.adding.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = entries.get(identity) {
            return entry.clone();
        }
        while entries.len() >= self.options.users.max(1) {
            // Rare: a new user while the cache is full.
            let oldest = entries.iter().min_by_key(|(_, entry)| entry.used.load(Ordering::Relaxed));
            match oldest.map(|(key, _)| key.clone()) {
                Some(key) => entries.remove(&key),
                None => break,
            };
        }
        let entry = Arc::new(Entry {
            user: identity.user(),
            known: watch::Sender::new(Known::default()),
            used: AtomicU64::new(now.0),
        });
        entries.insert(identity.to_key(), entry.clone());
        entry
    }

    /// Begins a review unless one is under way.
    fn start(self: &Arc<Self>, entry: &Arc<Entry>) {
        let begun = entry.known.send_if_modified(|known| !std::mem::replace(&mut known.running, true));
        if begun {
            let review = Review { shared: self.clone(), entry: entry.clone(), result: None };
            tokio::spawn(review.run());
        }
    }

    /// After `failed` failures: one second, doubled each time up to half a minute, and up to a quarter more.
    fn backoff(&self, failed: u32) -> Duration {
        let base = Duration::from_secs(1_u64 << failed.saturating_sub(1).min(5)).min(Duration::from_secs(30));
        let spread = self.jitter.hash_one((failed, (self.clock)().mono.0)) % 1000;
        base + base.mul_f64(spread as f64 / 4000.0)
    }
}

/// A review under way. What it found is recorded when it is dropped, so that a review that panics or is cancelled has
/// failed and leaves nobody waiting.
struct Review {
    shared: Arc<Shared>,
    entry: Arc<Entry>,
    result: Option<bool>,
}

impl Review {
    async fn run(mut self) {
        let begun = Instant::now();
        let timeout = self.shared.options.timeout;
        let asked = async {
            let _permit = self.shared.permits.acquire().await.map_err(|error| ReviewError(error.to_string()))?;
            self.shared.review.review(&self.entry.user).await
        };
        let outcome = match tokio::time::timeout(timeout, asked).await {
            Ok(outcome) => outcome,
            Err(_) => Err(ReviewError(format!("no answer within {} s", timeout.as_secs()))),
        };
        let reviewed = match &outcome {
            Ok(true) => Reviewed::Allowed,
            Ok(false) => Reviewed::Denied,
            Err(error) => {
                tracing::warn!(user = %self.entry.user.name, %error, "access review failed");
                Reviewed::Failed
            }
        };
        self.shared.metrics.reviewed(reviewed, begun.elapsed());
        self.result = outcome.ok();
    }
}

impl Drop for Review {
    fn drop(&mut self) {
        let now = (self.shared.clock)().mono;
        self.entry.known.send_modify(|known| {
            known.running = false;
            known.ended += 1;
            match self.result {
                Some(allowed) => {
                    known.answer = Some((allowed, now));
                    known.failed = 0;
                    known.next = now;
                }
                None => {
                    known.failed = known.failed.saturating_add(1);
                    known.next = now + self.shared.backoff(known.failed);
                }
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(answer: Option<(bool, u64)>, failed: u32, next_s: u64) -> Known {
        let answer = answer.map(|(allowed, at_s)| (allowed, Mono(at_s * 1000)));
        Known { answer, failed, next: Mono(next_s * 1000), ..Known::default() }
    }

    #[test]
    fn steps() {
        let options = AccessOptions::default();
        let table = [
            // known, now in seconds, expected
            (known(None, 0, 0), 10, Step::Wait),
            (known(None, 1, 11), 10, Step::Fail),
            (known(None, 1, 11), 11, Step::Wait),
            (known(Some((true, 0)), 0, 0), 239, Step::Answer(true)),
            (known(Some((true, 0)), 0, 0), 240, Step::Refresh(true)),
            (known(Some((true, 0)), 1, 245), 244, Step::Answer(true)),
            (known(Some((true, 0)), 1, 245), 245, Step::Refresh(true)),
            (known(Some((true, 0)), 0, 0), 300, Step::Wait),
            (known(Some((true, 0)), 3, 310), 305, Step::Answer(true)),
            (known(Some((true, 0)), 3, 310), 310, Step::Refresh(true)),
            (known(Some((true, 0)), 9, 1801), 1800, Step::Fail),
            (known(Some((true, 0)), 9, 1801), 1801, Step::Wait),
            (known(Some((false, 0)), 0, 0), 9, Step::Answer(false)),
            (known(Some((false, 0)), 0, 0), 10, Step::Wait),
            (known(Some((false, 0)), 1, 20), 15, Step::Answer(false)),
        ];
        for (known, now_s, expected) in table {
            assert_eq!(known.step(&options, Mono(now_s * 1000)), expected, "{known:?} at {now_s} s");
        }
    }
}
