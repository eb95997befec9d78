//! A breaker: after so many failures in a row nothing is sent any more, but for one request at a time that finds out
//! whether the source is back, at growing intervals with jitter.
//!
//! Pure: time and chance come in as arguments.
use std::time::Duration;
use tokio::time::Instant;

/// When a breaker opens and when it tries again.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rule {
    /// Failures in a row.
    pub(super) failures: u32,
    /// It stays closed while there was a success within this: a single bad query among good ones opens nothing.
    pub(super) quiet: Duration,
    /// Pause before the first probe; doubles at every probe that fails.
    pub(super) first: Duration,
    /// The longest pause.
    pub(super) cap: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Closed,
    /// The next probe may go at `until`; `probes` have failed.
    Open {
        until: Instant,
        probes: u32,
    },
    /// One request is finding out.
    Probing {
        probes: u32,
    },
}

/// The breaker of a source, or of one namespace at a source.
#[derive(Clone, Copy, Debug)]
pub(super) struct Breaker {
    state: State,
    failures: u32,
    succeeded: Option<Instant>,
}

/// Nothing goes through. How long until the next probe; none: one is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shut(pub(super) Option<Duration>);

impl Default for Breaker {
    fn default() -> Breaker {
        Breaker { state: State::Closed, failures: 0, succeeded: None }
    }
}

impl Breaker {
    pub(super) fn is_open(&self) -> bool {
        self.state != State::Closed
    }

    /// Whether a request may go through.
    pub(super) fn check(&self, now: Instant) -> Result<(), Shut> {
        match self.state {
            State::Closed => Ok(()),
            State::Open { until, .. } if until <= now => Ok(()),
            State::Open { until, .. } => Err(Shut(Some(until.duration_since(now)))),
            State::Probing { .. } => Err(Shut(None)),
        }
    }

    /// A request that [`Breaker::check`] let through begins. Returns whether it is a probe: its end has to be told.
    pub(super) fn begin(&mut self) -> bool {
        if let State::Open { probes, .. } = self.state {
            self.state = State::Probing { probes };
            return true;
        }
        false
    }

    /// The source lives.
    pub(super) fn succeeded(&mut self, now: Instant) {
        *self = Breaker { state: State::Closed, failures: 0, succeeded: Some(now) };
    }

    /// A request failed, `probe` or not. `chance` is a number from 0 to 1. Requests that were on their way when the
    /// breaker opened tell nothing new.
    pub(super) fn failed(&mut self, now: Instant, probe: bool, rule: &Rule, chance: f64) {
        match self.state {
            State::Closed => {
                self.failures = self.failures.saturating_add(1);
                let quiet = self.succeeded.is_none_or(|at| now.duration_since(at) >= rule.quiet);
                if self.failures >= rule.failures && quiet {
                    self.state = State::Open { until: now + pause(0, rule, chance), probes: 0 };
                }
            }
            State::Probing { probes } if probe => {
                let probes = probes.saturating_add(1);
                self.state = State::Open { until: now + pause(probes, rule, chance), probes };
            }
            State::Open { .. } | State::Probing { .. } => {}
        }
    }

    /// A probe ended without telling anything: the next request may be one.
    pub(super) fn abandoned(&mut self, now: Instant) {
        if let State::Probing { probes } = self.state {
            self.state = State::Open { until: now, probes };
        }
    }
}

/// `first × 2^doublings`, at most `cap`, and of that between three quarters and all.
pub(super) fn pause(doublings: u32, rule: &Rule, chance: f64) -> Duration {
    let factor = 1u32.checked_shl(doublings).unwrap_or(u32::MAX);
    let whole = rule.first.saturating_mul(factor).min(rule.cap);
    whole - (whole / 4).mul_f64(chance.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: Rule = Rule {
        failures: 3,
        quiet: Duration::from_secs(60),
        first: Duration::from_secs(5),
        cap: Duration::from_secs(60),
    };

    fn secs(secs: u64) -> Duration {
        Duration::from_secs(secs)
    }

    fn opened(now: Instant) -> Breaker {
        let mut breaker = Breaker::default();
        for _ in 0..3 {
            assert_eq!(breaker.check(now), Ok(()));
            breaker.failed(now, false, &RULE, 0.0);
        }
        breaker
    }

    #[test]
    fn opens_after_failures_in_a_row_and_lets_one_probe_through() {
        let now = Instant::now();
        let mut breaker = opened(now);
        assert_eq!(breaker.check(now), Err(Shut(Some(secs(5)))));
        assert_eq!(breaker.check(now + secs(5)), Ok(()));
        assert!(breaker.begin());
        assert_eq!(breaker.check(now + secs(5)), Err(Shut(None)), "one at a time");
        breaker.succeeded(now + secs(6));
        assert_eq!(breaker.check(now + secs(6)), Ok(()));
        assert!(!breaker.begin() && !breaker.is_open());
    }

    #[test]
    fn a_success_between_failures_keeps_it_closed() {
        let now = Instant::now();
        let mut breaker = Breaker::default();
        for _ in 0..10 {
            breaker.failed(now, false, &RULE, 0.0);
            breaker.failed(now, false, &RULE, 0.0);
            breaker.succeeded(now);
        }
        assert!(!breaker.is_open());
    }

    #[test]
    fn one_bad_query_does_not_open_it_for_good_ones_that_are_asked_less_often() {
        let start = Instant::now();
        let mut breaker = Breaker::default();
        for second in 0..600 {
            let now = start + secs(second);
            if second % 30 == 0 {
                breaker.succeeded(now);
            }
            breaker.failed(now, false, &RULE, 0.0);
            assert!(!breaker.is_open(), "after {second} s");
        }
        // Once the good one fails too, it opens.
        breaker.failed(start + secs(700), false, &RULE, 0.0);
        assert!(breaker.is_open());
    }

    #[test]
    fn pauses_grow_to_the_cap_with_jitter() {
        let mut now = Instant::now();
        let mut breaker = opened(now);
        for expected in [5, 10, 20, 40, 60, 60] {
            assert_eq!(breaker.check(now), Err(Shut(Some(secs(expected)))));
            now += secs(expected);
            assert!(breaker.begin());
            breaker.failed(now, true, &RULE, 0.0);
        }
        assert_eq!(pause(0, &RULE, 1.0), Duration::from_millis(3750));
        assert_eq!(pause(200, &RULE, 0.0), secs(60));
    }

    #[test]
    fn stragglers_and_abandoned_probes_change_nothing() {
        let now = Instant::now();
        let mut breaker = opened(now);
        breaker.failed(now + secs(1), false, &RULE, 0.0);
        assert_eq!(breaker.check(now + secs(1)), Err(Shut(Some(secs(4)))), "not prolonged");
        assert!(breaker.begin());
        breaker.failed(now + secs(5), false, &RULE, 0.0);
        assert_eq!(breaker.check(now + secs(5)), Err(Shut(None)), "the probe is still out");
        breaker.abandoned(now + secs(6));
        assert_eq!(breaker.check(now + secs(6)), Ok(()), "the next one probes");
    }
}
