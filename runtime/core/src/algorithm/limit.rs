//! How fast a behaviour's policies let a workload grow and shrink.
use super::memory::Memory;
use super::{Limit, Rules, seconds};
use crate::time::Mono;
use crate::workload::{ScalingPolicy, ScalingRules, SelectPolicy};

/// Cuts the wanted replicas to what the policies and the bounds allow now.
pub(super) fn rate(
    rules: &Rules<'_>,
    up: &ScalingRules,
    down: &ScalingRules,
    current: u32,
    wanted: u32,
    memory: &Memory,
    now: Mono,
) -> (u32, Limit) {
    if wanted > current {
        let most = most(up, current, memory, now).max(current);
        let (allowed, limit) =
            if rules.max > most { (most, Limit::ScaleUpLimit) } else { (rules.max, Limit::TooManyReplicas) };
        if wanted > allowed {
            return (allowed, limit);
        }
    } else if wanted < current {
        let fewest = fewest(down, current, memory, now).min(current);
        let (allowed, limit) =
            if rules.min < fewest { (fewest, Limit::ScaleDownLimit) } else { (rules.min, Limit::TooFewReplicas) };
        if wanted < allowed {
            return (allowed, limit);
        }
    }
    (wanted, Limit::DesiredWithinRange)
}

/// The most replicas that the policies of `scaleUp` allow. Percentages round up, or one replica could never grow.
fn most(rules: &ScalingRules, current: u32, memory: &Memory, now: Mono) -> u32 {
    let allowed = limits(rules, current, memory, now, |start, policy| {
        if policy.percent {
            (start as f64 * (1.0 + f64::from(policy.value) / 100.0)).ceil() as i64
        } else {
            start.saturating_add(policy.value.into())
        }
    });
    let most = match rules.select {
        Some(SelectPolicy::Disabled) => None,
        Some(SelectPolicy::Min) => allowed.min(),
        Some(SelectPolicy::Max) | None => allowed.max(),
    };
    most.map_or(current, replicas)
}

/// The fewest replicas that the policies of `scaleDown` allow. Percentages round down.
fn fewest(rules: &ScalingRules, current: u32, memory: &Memory, now: Mono) -> u32 {
    let allowed = limits(rules, current, memory, now, |start, policy| {
        if policy.percent {
            (start as f64 * (1.0 - f64::from(policy.value) / 100.0)) as i64
        } else {
            start.saturating_sub(policy.value.into())
        }
    });
    let fewest = match rules.select {
        Some(SelectPolicy::Disabled) => None,
        // The smallest change leaves the most replicas.
        Some(SelectPolicy::Min) => allowed.max(),
        Some(SelectPolicy::Max) | None => allowed.min(),
    };
    fewest.map_or(current, replicas)
}

/// What each policy allows, counted from the replicas at the start of its period.
fn limits(
    rules: &ScalingRules,
    current: u32,
    memory: &Memory,
    now: Mono,
    allow: impl Fn(i64, &ScalingPolicy) -> i64,
) -> impl Iterator<Item = i64> {
    rules.policies.iter().flatten().map(move |policy| {
        let (added, removed) = memory.changes_after(now, seconds(policy.period_s));
        let start = i64::from(current).saturating_sub(added).saturating_add(removed);
        allow(start, policy)
    })
}

fn replicas(count: i64) -> u32 {
    u32::try_from(count.max(0)).unwrap_or(u32::MAX)
}
