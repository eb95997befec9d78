//! The algorithm of the HorizontalPodAutoscaler controller (`autoscaling/v2`, Kubernetes 1.36), as a pure function with a
//! small memory: what it would make of these metrics, in a cluster or without one.
//!
//! ```text
//! metrics ──proposal each──► the highest ──stabilise──► ──limit the rate──► min..max
//!    a missing one never scales down      memory: recommendations   memory: scalings
//! ```
mod limit;
mod memory;
mod proposal;
pub mod resource;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod vectors;

pub use memory::Memory;
use proposal::Tolerances;
pub use resource::Resource;

use crate::hpa::defaulted;
use crate::milli::Milli;
use crate::time::Mono;
use crate::workload::{Aim, Behavior, ScalingRules};
use std::time::Duration;

/// What the controller's flags set.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Flags {
    /// `--horizontal-pod-autoscaler-tolerance`: how far a metric may be off its target without an effect, as a ratio.
    pub tolerance: f64,
    /// `--horizontal-pod-autoscaler-downscale-stabilization`: the window of `scaleDown` where the behaviour has none.
    pub scale_down_window: Duration,
}

impl Default for Flags {
    fn default() -> Flags {
        Flags { tolerance: 0.1, scale_down_window: Duration::from_secs(300) }
    }
}

/// What an HPA's spec says.
#[derive(Clone, Copy, Debug)]
pub struct Rules<'a> {
    /// `minReplicas`, at least 1.
    pub min: u32,
    /// `maxReplicas`.
    pub max: u32,
    /// `behavior`.
    pub behavior: Option<&'a Behavior>,
    /// The controller's flags.
    pub flags: Flags,
}

/// The target's replicas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Replicas {
    /// `spec.replicas`: how many there should be.
    pub spec: u32,
    /// `status.replicas`: how many there are.
    pub current: u32,
    /// How many are ready.
    pub ready: u32,
}

/// A metric and its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// Target.
    pub target: Milli,
    /// Per replica or for all of them.
    pub aim: Aim,
    /// The value; `None`: unknown.
    pub value: Option<Milli>,
}

/// What is known of one metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// An external metric.
    External(Reading),
    /// A resource metric; `None`: unknown.
    Resource(Option<Resource>),
}

impl From<Reading> for Input {
    fn from(reading: Reading) -> Input {
        Input::External(reading)
    }
}

/// What decided, last of all: the words of the HPA's conditions where it has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Limit {
    /// No limit: the metrics' own wish.
    DesiredWithinRange,
    /// The target is at zero replicas, which switches an HPA off.
    ScalingDisabled,
    /// There were more replicas than the maximum, whatever the metrics say.
    AboveMaximum,
    /// There were fewer replicas than the minimum, whatever the metrics say.
    BelowMinimum,
    /// Metrics are missing: all of them, or some while the others would scale down.
    MetricsUnavailable,
    /// A lower recommendation within the window holds scaling up.
    ScaleUpStabilized,
    /// A higher recommendation within the window holds scaling down.
    ScaleDownStabilized,
    /// The policies let it grow no faster.
    ScaleUpLimit,
    /// The policies let it shrink no faster.
    ScaleDownLimit,
    /// The maximum.
    TooManyReplicas,
    /// The minimum.
    TooFewReplicas,
}

impl Limit {
    /// The reason as an HPA's condition shows it.
    pub fn as_str(self) -> &'static str {
        match self {
            Limit::DesiredWithinRange => "DesiredWithinRange",
            Limit::ScalingDisabled => "ScalingDisabled",
            Limit::AboveMaximum => "AboveMaximum",
            Limit::BelowMinimum => "BelowMinimum",
            Limit::MetricsUnavailable => "MetricsUnavailable",
            Limit::ScaleUpStabilized => "ScaleUpStabilized",
            Limit::ScaleDownStabilized => "ScaleDownStabilized",
            Limit::ScaleUpLimit => "ScaleUpLimit",
            Limit::ScaleDownLimit => "ScaleDownLimit",
            Limit::TooManyReplicas => "TooManyReplicas",
            Limit::TooFewReplicas => "TooFewReplicas",
        }
    }
}

/// The outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// How many replicas there should be.
    pub desired: u32,
    /// What the metrics alone would have; `None` when they were not looked at, or could not be used.
    pub recommended: Option<u32>,
    /// Which input (by place) asked for the most replicas.
    pub leading: Option<usize>,
    /// What decided.
    pub limit: Limit,
}

/// Decides once, as the controller does every 15 s. `memory` learns the recommendation; that the target was really
/// scaled must be told to it by [`Memory::scaled`].
pub fn decide(rules: &Rules<'_>, inputs: &[Input], replicas: Replicas, memory: &mut Memory, now: Mono) -> Verdict {
    memory.begin(replicas.spec, now);
    let unasked = |desired, limit| Verdict { desired, recommended: None, leading: None, limit };
    if replicas.spec == 0 {
        return unasked(0, Limit::ScalingDisabled);
    }
    if replicas.spec > rules.max {
        return unasked(rules.max, Limit::AboveMaximum);
    }
    if replicas.spec < rules.min {
        return unasked(rules.min, Limit::BelowMinimum);
    }
    let tolerances = Tolerances::of(rules);
    let Some(highest) = proposal::highest(inputs, replicas, tolerances) else {
        return unasked(replicas.spec, Limit::MetricsUnavailable);
    };
    let (desired, limit) = match rules.behavior {
        None => plain(rules, replicas.spec, highest.replicas, memory, now),
        Some(behavior) => behaved(rules, &defaulted(behavior), replicas.spec, highest.replicas, memory, now),
    };
    Verdict { desired, recommended: Some(highest.replicas), leading: Some(highest.input), limit }
}

/// Without a behaviour: the highest recommendation within the window, at most twice the replicas (or 4), min..max.
fn plain(rules: &Rules<'_>, current: u32, recommended: u32, memory: &mut Memory, now: Mono) -> (u32, Limit) {
    let window = rules.flags.scale_down_window;
    // This path counts a recommendation that is exactly as old as the window, the one with a behaviour does not.
    let stable = memory.highest_since(now - window).map_or(recommended, |highest| highest.max(recommended));
    memory.recommend(recommended, window, now);
    let most = current.saturating_mul(2).max(4);
    if stable < rules.min {
        return (rules.min, Limit::TooFewReplicas);
    }
    if stable > most.min(rules.max) {
        return if rules.max > most { (most, Limit::ScaleUpLimit) } else { (rules.max, Limit::TooManyReplicas) };
    }
    (stable, if stable == recommended { Limit::DesiredWithinRange } else { Limit::ScaleDownStabilized })
}

/// With a behaviour, all of whose defaults are filled in.
fn behaved(
    rules: &Rules<'_>,
    behavior: &Behavior,
    current: u32,
    recommended: u32,
    memory: &mut Memory,
    now: Mono,
) -> (u32, Limit) {
    let none = ScalingRules::default();
    let up = behavior.scale_up.as_ref().unwrap_or(&none);
    let down = behavior.scale_down.as_ref().unwrap_or(&none);
    let window = |rules: &ScalingRules, unset| rules.stabilization_s.map_or(unset, seconds);
    let (up_window, down_window) = (window(up, Duration::ZERO), window(down, rules.flags.scale_down_window));
    let lowest = memory.lowest_after(now, up_window).map_or(recommended, |lowest| lowest.min(recommended));
    let highest = memory.highest_after(now, down_window).map_or(recommended, |highest| highest.max(recommended));
    memory.recommend(recommended, up_window.max(down_window), now);
    // Up to the lowest, then down to the highest recommendation; in between it stays where it is.
    let stable = current.max(lowest).min(highest);
    let (desired, limit) = limit::rate(rules, up, down, current, stable, memory, now);
    match limit {
        Limit::DesiredWithinRange if stable == recommended => (desired, limit),
        Limit::DesiredWithinRange if recommended >= current => (desired, Limit::ScaleUpStabilized),
        Limit::DesiredWithinRange => (desired, Limit::ScaleDownStabilized),
        limited => (desired, limited),
    }
}

/// Seconds as the API has them, at most an hour (the API server takes no more).
fn seconds(seconds: i32) -> Duration {
    Duration::from_secs(u64::try_from(seconds).unwrap_or(0).min(3600))
}
