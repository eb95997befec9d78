//! The budget: how many requests per second this process sends, and who gets them.
//!
//! Every class has its share of the rate and of the burst. What a class cannot keep, since its bucket is full, is lent to
//! the others in their order; so one busy class gets the whole rate, and a flood in one never takes another's share.
use crate::metrics::Metrics;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Who sends. The order is the order of lending.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// Writes of `/scale`.
    Scale,
    /// HPAs, finalizers and labels.
    Hpa,
    /// Reads, and the opening of watches.
    Read,
    /// Writes of status.
    Status,
    /// Kubernetes events.
    Event,
}

/// Share of each class, in their order: a fifth is for reads, the rest is cut 50, 25, 20, 5 among the lanes of writes.
const SHARES: [f64; 5] = [0.40, 0.20, 0.20, 0.16, 0.04];

/// How long at most until a waiting class looks again whether it was lent something.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

impl Class {
    /// The word used in metrics.
    pub fn as_label(self) -> &'static str {
        match self {
            Class::Scale => "scale",
            Class::Hpa => "hpa",
            Class::Read => "read",
            Class::Status => "status",
            Class::Event => "event",
        }
    }
}

struct Buckets {
    tokens: [f64; 5],
    filled: Instant,
}

/// Tokens for requests.
pub struct Budget {
    /// Requests per second.
    rate: f64,
    capacity: [f64; 5],
    buckets: Mutex<Buckets>,
    /// Whoever waits for a class' token waits in line.
    lines: [tokio::sync::Mutex<()>; 5],
    metrics: Metrics,
}

impl Budget {
    /// A full budget of `qps` requests per second with bursts of `burst`.
    pub fn new(qps: u32, burst: u32, metrics: Metrics) -> Budget {
        let capacity = SHARES.map(|share| (share * f64::from(burst.max(1))).max(1.0));
        Budget {
            rate: f64::from(qps.max(1)),
            capacity,
            buckets: Mutex::new(Buckets { tokens: capacity, filled: Instant::now() }),
            lines: Default::default(),
            metrics,
        }
    }

    /// Waits for a token.
    pub async fn acquire(&self, class: Class) {
        let begun = Instant::now();
        {
            let _turn = self.lines[class as usize].lock().await;
            while let Err(wait) = self.try_acquire(class) {
                tokio::time::sleep(wait).await;
            }
        }
        self.metrics.waited(class, begun.elapsed());
    }

    /// Takes a token, or tells how long to wait before the next try.
    pub(crate) fn try_acquire(&self, class: Class) -> Result<(), Duration> {
        let mut buckets = self.lock();
        self.fill(&mut buckets);
        let tokens = &mut buckets.tokens[class as usize];
        if *tokens >= 1.0 {
            *tokens -= 1.0;
            return Ok(());
        }
        let missing = (1.0 - *tokens) / (self.rate * SHARES[class as usize]);
        Err(Duration::from_secs_f64(missing).clamp(Duration::from_millis(1), LOOK_AGAIN))
    }

    fn fill(&self, buckets: &mut Buckets) {
        let now = Instant::now();
        let new = now.duration_since(buckets.filled).as_secs_f64() * self.rate;
        buckets.filled = now;
        let mut spare = 0.0;
        for ((tokens, share), capacity) in buckets.tokens.iter_mut().zip(SHARES).zip(self.capacity) {
            let more = *tokens + new * share;
            spare += (more - capacity).max(0.0);
            *tokens = more.min(capacity);
        }
        for (tokens, capacity) in buckets.tokens.iter_mut().zip(self.capacity) {
            let lent = spare.min(capacity - *tokens);
            *tokens += lent;
            spare -= lent;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Buckets> {
        self.buckets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Budget {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Budget").field("qps", &self.rate).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn budget(qps: u32, burst: u32) -> Budget {
        Budget::new(qps, burst, Metrics::new(&mut prometheus_client::registry::Registry::default()))
    }

    fn drain(budget: &Budget, class: Class) -> u32 {
        let mut taken = 0;
        while budget.try_acquire(class).is_ok() {
            taken += 1;
        }
        taken
    }

    #[tokio::test(start_paused = true)]
    async fn a_flood_of_status_leaves_the_share_of_scale_alone() {
        let budget = budget(100, 100);
        assert_eq!(drain(&budget, Class::Status), 16);
        assert_eq!(drain(&budget, Class::Scale), 40);
        tokio::time::advance(Duration::from_secs(1)).await;
        // The classes that rest are full, so their share was lent: scale comes first.
        assert_eq!(drain(&budget, Class::Scale), 40);
        let status = drain(&budget, Class::Status);
        assert_eq!(status, 16, "bounded by its bucket");
    }

    #[tokio::test(start_paused = true)]
    async fn what_rests_is_lent_to_who_works() {
        let budget = budget(100, 1000);
        drain(&budget, Class::Status);
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(drain(&budget, Class::Status), 100, "all others are full: the whole rate is lent");
        drain(&budget, Class::Scale);
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(drain(&budget, Class::Scale), 84, "its own 40, and 44 that the resting three lend");
        assert_eq!(drain(&budget, Class::Status), 16, "its own share");
    }
}
