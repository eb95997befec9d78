//! The rate of one source: a token bucket (governor), on tokio's clock so that tests can turn it.
use governor::clock::Clock;
use governor::middleware::NoOpMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use std::num::NonZeroU32;
use std::time::Duration;
use tokio::time::Instant;

/// Requests a second that can be told apart: beyond, the bucket counts in less than a microsecond.
const MOST_RATE: f64 = 1e6;
/// One request in about a quarter of an hour.
const LEAST_RATE: f64 = 1e-3;

/// Time since the limiter was made.
#[derive(Clone, Debug)]
struct Since(Instant);

impl Clock for Since {
    type Instant = Duration;

    fn now(&self) -> Duration {
        self.0.elapsed()
    }
}

/// Tokens for requests.
#[derive(Debug)]
pub(super) struct Limiter {
    bucket: RateLimiter<NotKeyed, InMemoryState, Since, NoOpMiddleware<Duration>>,
    clock: Since,
}

impl Limiter {
    /// A full bucket of `burst` tokens that gets `rate` tokens a second.
    pub(super) fn new(rate: f64, burst: u32) -> Limiter {
        let rate = if rate.is_nan() { LEAST_RATE } else { rate.clamp(LEAST_RATE, MOST_RATE) };
        let one = Duration::from_secs_f64(1.0 / rate);
        let burst = NonZeroU32::new(burst).unwrap_or(NonZeroU32::MIN);
        // The period is at least a microsecond, so there always is a quota.
        let quota = Quota::with_period(one).unwrap_or(Quota::per_second(NonZeroU32::MIN)).allow_burst(burst);
        let clock = Since(Instant::now());
        Limiter { bucket: RateLimiter::direct_with_clock(quota, clock.clone()), clock }
    }

    /// Takes a token, or tells how long until there is one.
    pub(super) fn take(&self) -> Result<(), Duration> {
        self.bucket.check().map_err(|not_yet| not_yet.wait_time_from(self.clock.now()).max(Duration::from_millis(1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drain(limiter: &Limiter) -> usize {
        std::iter::from_fn(|| limiter.take().ok()).count()
    }

    #[tokio::test(start_paused = true)]
    async fn burst_first_then_the_rate() {
        let limiter = Limiter::new(10.0, 4);
        assert_eq!(drain(&limiter), 4);
        assert_eq!(limiter.take(), Err(Duration::from_millis(100)));
        tokio::time::advance(Duration::from_millis(250)).await;
        assert_eq!(drain(&limiter), 2);
        tokio::time::advance(Duration::from_secs(60)).await;
        assert_eq!(drain(&limiter), 4, "a rested bucket holds no more than its burst");
    }

    #[tokio::test(start_paused = true)]
    async fn less_than_one_a_second_and_nonsense() {
        let slow = Limiter::new(0.5, 1);
        assert_eq!(drain(&slow), 1);
        assert_eq!(slow.take(), Err(Duration::from_secs(2)));
        for nonsense in [f64::NAN, f64::INFINITY, -1.0, 0.0] {
            assert_eq!(Limiter::new(nonsense, 0).take(), Ok(()), "{nonsense}");
        }
    }
}
