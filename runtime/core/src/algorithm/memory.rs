//! What the algorithm remembers of one target: recent recommendations and recent scalings.
use super::seconds;
use crate::hpa::defaulted;
use crate::time::Mono;
use crate::workload::{Behavior, ScalingRules};
use std::collections::VecDeque;
use std::time::Duration;

/// Entries less than this apart become one, which bounds the memory: no window and no period is longer than an hour.
const GRAIN: Duration = Duration::from_secs(1);

/// Recommendations of up to one [`GRAIN`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Recommendation {
    first: Mono,
    last: Mono,
    lowest: u32,
    highest: u32,
}

/// Scalings of up to one [`GRAIN`] in one direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Scaling {
    first: Mono,
    last: Mono,
    change: i64,
}

/// The memory of one target. At most about 3600 entries of each sort, usually twenty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    recommendations: VecDeque<Recommendation>,
    ups: Vec<Scaling>,
    downs: Vec<Scaling>,
}

impl Memory {
    /// A new target's replicas count as its first recommendation, so that a restart scales nothing down at once.
    pub(super) fn begin(&mut self, current: u32, now: Mono) {
        if self.recommendations.is_empty() {
            self.recommendations.push_back(Recommendation { first: now, last: now, lowest: current, highest: current });
        }
    }

    /// Remembers a recommendation and forgets those older than `longest`.
    pub(super) fn recommend(&mut self, replicas: u32, longest: Duration, now: Mono) {
        while self.recommendations.front().is_some_and(|oldest| now.since(oldest.last) > longest) {
            self.recommendations.pop_front();
        }
        match self.recommendations.back_mut().filter(|newest| now.since(newest.first) < GRAIN) {
            Some(newest) => {
                newest.last = now;
                newest.lowest = newest.lowest.min(replicas);
                newest.highest = newest.highest.max(replicas);
            }
            None => {
                let entry = Recommendation { first: now, last: now, lowest: replicas, highest: replicas };
                self.recommendations.push_back(entry);
            }
        }
    }

    /// The highest recommendation made at `start` or later.
    pub(super) fn highest_since(&self, start: Mono) -> Option<u32> {
        self.recommendations.iter().filter(|entry| entry.last >= start).map(|entry| entry.highest).max()
    }

    /// The highest recommendation of the window that ends now.
    pub(super) fn highest_after(&self, now: Mono, window: Duration) -> Option<u32> {
        self.within(now, window).map(|entry| entry.highest).max()
    }

    /// The lowest recommendation of the window that ends now.
    pub(super) fn lowest_after(&self, now: Mono, window: Duration) -> Option<u32> {
        self.within(now, window).map(|entry| entry.lowest).min()
    }

    fn within(&self, now: Mono, window: Duration) -> impl Iterator<Item = &Recommendation> {
        self.recommendations.iter().filter(move |entry| now.since(entry.last) < window)
    }

    /// The target was scaled. Policies count these; without a behaviour there are none, and nothing is remembered.
    pub fn scaled(&mut self, behavior: Option<&Behavior>, from: u32, to: u32, now: Mono) {
        let Some(behavior) = behavior.map(defaulted) else { return };
        let change = i64::from(to).saturating_sub(from.into());
        let (scalings, rules) = match change {
            0 => return,
            1.. => (&mut self.ups, behavior.scale_up),
            _ => (&mut self.downs, behavior.scale_down),
        };
        let period = longest_period(rules.as_ref());
        let change = change.saturating_abs();
        let entry = Scaling { first: now, last: now, change };
        let newest = scalings.iter_mut().max_by_key(|scaling| scaling.last);
        if let Some(newest) = newest.filter(|newest| now.since(newest.first) < GRAIN) {
            newest.last = now;
            newest.change = newest.change.saturating_add(change);
        } else if let Some(stale) = scalings.iter_mut().rfind(|scaling| now.since(scaling.last) > period) {
            // One takes the place of one, as in the controller: what is too old for this direction's policies may
            // still count for the other's, whose periods may be longer.
            *stale = entry;
        } else {
            scalings.push(entry);
        }
    }

    /// How many replicas were added and removed in the period that ends now.
    pub(super) fn changes_after(&self, now: Mono, period: Duration) -> (i64, i64) {
        let sum = |scalings: &[Scaling]| {
            let recent = scalings.iter().filter(|scaling| now.since(scaling.last) < period);
            recent.fold(0i64, |sum, scaling| sum.saturating_add(scaling.change))
        };
        (sum(&self.ups), sum(&self.downs))
    }

    /// How many entries are held.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.recommendations.len() + self.ups.len() + self.downs.len()
    }
}

fn longest_period(rules: Option<&ScalingRules>) -> Duration {
    let policies = rules.and_then(|rules| rules.policies.as_deref()).unwrap_or_default();
    policies.iter().map(|policy| seconds(policy.period_s)).max().unwrap_or_default()
}
