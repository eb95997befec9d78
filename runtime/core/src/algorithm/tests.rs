use super::*;
use crate::workload::{ScalingPolicy, SelectPolicy};
use proptest::prelude::*;

fn at(seconds: u64) -> Mono {
    Mono(seconds * 1000)
}

fn rules(min: u32, max: u32, behavior: Option<&Behavior>) -> Rules<'_> {
    Rules { min, max, behavior, flags: Flags::default() }
}

/// Spec, status and ready are the same.
fn steady(replicas: u32) -> Replicas {
    Replicas { spec: replicas, current: replicas, ready: replicas }
}

/// A value per replica, in whole units, with a target of 10.
fn average(value: impl Into<Option<i64>>) -> Reading {
    let value = value.into().map(|value: i64| Milli(value * 1000));
    Reading { target: Milli(10_000), aim: Aim::Average, value }
}

fn total(value: i64) -> Reading {
    Reading { aim: Aim::Value, ..average(value) }
}

/// Decides on external metrics alone.
fn decide(rules: &Rules<'_>, readings: &[Reading], replicas: Replicas, memory: &mut Memory, now: Mono) -> Verdict {
    let inputs: Vec<Input> = readings.iter().copied().map(Input::from).collect();
    super::decide(rules, &inputs, replicas, memory, now)
}

/// One decision by a fresh memory, which holds the current replicas as the only recommendation.
fn fresh(rules: &Rules<'_>, readings: &[Reading], replicas: Replicas) -> (u32, Limit) {
    let verdict = decide(rules, readings, replicas, &mut Memory::default(), at(1000));
    (verdict.desired, verdict.limit)
}

/// What the metrics ask for, before anything limits it.
fn recommended(readings: &[Reading], replicas: Replicas) -> Option<u32> {
    decide(&rules(1, 100, None), readings, replicas, &mut Memory::default(), at(1000)).recommended
}

fn policy(percent: bool, value: i32, period_s: i32) -> ScalingPolicy {
    ScalingPolicy { percent, value, period_s }
}

fn up(rules: ScalingRules) -> Behavior {
    Behavior { scale_up: Some(rules), scale_down: None }
}

fn down(rules: ScalingRules) -> Behavior {
    let stabilization_s = rules.stabilization_s.or(Some(0));
    Behavior { scale_up: None, scale_down: Some(ScalingRules { stabilization_s, ..rules }) }
}

/// A controller that scales what it decides on, every 15 s from second 1000 on.
struct Loop<'a> {
    rules: Rules<'a>,
    memory: Memory,
    replicas: u32,
    now: u64,
}

impl<'a> Loop<'a> {
    fn new(rules: Rules<'a>, replicas: u32) -> Loop<'a> {
        Loop { rules, memory: Memory::default(), replicas, now: 1000 }
    }

    fn step(&mut self, value: impl Into<Option<i64>>) -> (u32, Limit) {
        let verdict = decide(&self.rules, &[average(value)], steady(self.replicas), &mut self.memory, at(self.now));
        if verdict.desired != self.replicas {
            self.memory.scaled(self.rules.behavior, self.replicas, verdict.desired, at(self.now));
            self.replicas = verdict.desired;
        }
        self.now += 15;
        (verdict.desired, verdict.limit)
    }
}

#[test]
fn average_values_ask_for_the_value_by_the_target() {
    for (value, replicas, expected) in [
        (100, 4, 10),
        (101, 4, 11),
        (44, 4, 4), // within a tenth of the target
        (45, 4, 5),
        (36, 4, 4),
        (35, 4, 4), // rounded up
        (30, 4, 3),
        (0, 4, 0),
    ] {
        assert_eq!(recommended(&[average(value)], steady(replicas)), Some(expected), "{value} by {replicas}");
    }
}

#[test]
fn average_values_are_compared_with_the_replicas_that_there_are() {
    let growing = Replicas { spec: 8, current: 4, ready: 2 };
    assert_eq!(recommended(&[average(40)], growing), Some(4));
    assert_eq!(recommended(&[average(80)], growing), Some(8));
    let none_yet = Replicas { spec: 8, current: 0, ready: 0 };
    assert_eq!(recommended(&[average(80)], none_yet), Some(8));
    assert_eq!(recommended(&[average(0)], none_yet), Some(0));
}

#[test]
fn total_values_multiply_the_ready_replicas() {
    assert_eq!(recommended(&[total(20)], steady(3)), Some(6));
    assert_eq!(recommended(&[total(11)], steady(3)), Some(3));
    assert_eq!(recommended(&[total(20)], Replicas { spec: 5, current: 5, ready: 2 }), Some(4));
    assert_eq!(recommended(&[total(11)], Replicas { spec: 5, current: 5, ready: 2 }), Some(5));
    assert_eq!(recommended(&[total(20)], Replicas { spec: 5, current: 0, ready: 0 }), None, "no pods at all");
}

#[test]
fn the_highest_proposal_leads() {
    let verdict = decide(
        &rules(1, 100, None),
        &[average(20), average(70), average(30)],
        steady(5),
        &mut Memory::default(),
        at(1000),
    );
    assert_eq!((verdict.desired, verdict.leading, verdict.recommended), (7, Some(1), Some(7)));
}

#[test]
fn missing_metrics_never_scale_down() {
    let all = rules(1, 100, None);
    assert_eq!(fresh(&all, &[average(None)], steady(5)), (5, Limit::MetricsUnavailable));
    assert_eq!(fresh(&all, &[], steady(5)), (5, Limit::MetricsUnavailable));
    assert_eq!(fresh(&all, &[average(None), average(10)], steady(5)), (5, Limit::MetricsUnavailable));
    assert_eq!(fresh(&all, &[average(None), average(70)], steady(5)), (7, Limit::DesiredWithinRange));
    let unusable = Reading { target: Milli(0), ..average(5) };
    assert_eq!(fresh(&all, &[unusable], steady(5)), (5, Limit::MetricsUnavailable));
}

#[test]
fn missing_metrics_leave_no_recommendation() {
    let all = rules(1, 100, None);
    let mut memory = Memory::default();
    for second in 0..100 {
        decide(&all, &[average(None)], steady(5), &mut memory, at(1000 + second * 15));
    }
    assert_eq!(memory.len(), 1);
}

#[test]
fn bounds_come_before_metrics() {
    let bounded = rules(3, 6, None);
    assert_eq!(fresh(&bounded, &[average(None)], steady(0)), (0, Limit::ScalingDisabled));
    assert_eq!(fresh(&bounded, &[average(None)], steady(2)), (3, Limit::BelowMinimum));
    assert_eq!(fresh(&bounded, &[average(None)], steady(9)), (6, Limit::AboveMaximum));
    assert_eq!(fresh(&bounded, &[average(1000)], steady(6)), (6, Limit::TooManyReplicas));
    assert_eq!(fresh(&bounded, &[average(1)], steady(3)), (3, Limit::ScaleDownStabilized));
    let none = ScalingRules::default();
    assert_eq!(fresh(&rules(3, 6, Some(&down(none))), &[average(1)], steady(4)), (3, Limit::TooFewReplicas));
}

#[test]
fn without_a_behaviour_it_doubles_at_most_but_always_may_have_four() {
    let all = rules(1, 100, None);
    assert_eq!(fresh(&all, &[average(1000)], steady(1)), (4, Limit::ScaleUpLimit));
    assert_eq!(fresh(&all, &[average(1000)], steady(8)), (16, Limit::ScaleUpLimit));
}

#[test]
fn scaling_down_waits_for_the_window() {
    let mut run = Loop::new(rules(1, 100, None), 10);
    assert_eq!(run.step(100), (10, Limit::DesiredWithinRange));
    for _ in 0..20 {
        assert_eq!(run.step(20), (10, Limit::ScaleDownStabilized));
    }
    assert_eq!(run.step(20), (2, Limit::DesiredWithinRange), "315 s after the last high recommendation");
}

#[test]
fn a_behaviour_leaves_the_window_a_moment_earlier() {
    let behavior = Behavior::default();
    let mut run = Loop::new(rules(1, 100, Some(&behavior)), 10);
    run.step(100);
    for _ in 0..19 {
        assert_eq!(run.step(20), (10, Limit::ScaleDownStabilized));
    }
    assert_eq!(run.step(20), (2, Limit::DesiredWithinRange), "exactly 300 s after");
}

#[test]
fn a_window_of_scale_up_takes_the_lowest() {
    let behavior = up(ScalingRules { stabilization_s: Some(60), ..ScalingRules::default() });
    let mut run = Loop::new(rules(1, 100, Some(&behavior)), 2);
    assert_eq!(run.step(20), (2, Limit::DesiredWithinRange));
    assert_eq!(run.step(40), (2, Limit::ScaleUpStabilized));
    assert_eq!(run.step(30), (2, Limit::ScaleUpStabilized));
    assert_eq!(run.step(50), (2, Limit::ScaleUpStabilized));
    assert_eq!(run.step(40), (3, Limit::ScaleUpStabilized), "the lowest of the last minute");
}

#[test]
fn policies_limit_scaling_up() {
    let select = |select, policies: &[ScalingPolicy]| {
        up(ScalingRules { select, policies: Some(policies.to_vec()), ..ScalingRules::default() })
    };
    let both = [policy(false, 3, 60), policy(true, 50, 60)];
    for (behavior, replicas, expected) in [
        (select(None, &both), 4, 7),
        (select(Some(SelectPolicy::Max), &both), 10, 15),
        (select(Some(SelectPolicy::Min), &both), 10, 13),
        (select(Some(SelectPolicy::Disabled), &both), 10, 10),
        (select(None, &[policy(true, 10, 60)]), 1, 2),
        (select(None, &[policy(true, 10, 60)]), 11, 13),
    ] {
        let result = fresh(&rules(1, 100, Some(&behavior)), &[average(1000)], steady(replicas));
        assert_eq!(result, (expected, Limit::ScaleUpLimit), "{behavior:?}");
    }
    let result = fresh(&rules(1, 12, Some(&select(None, &both))), &[average(1000)], steady(10));
    assert_eq!(result, (12, Limit::TooManyReplicas));
}

#[test]
fn policies_limit_scaling_down() {
    let select = |select, policies: &[ScalingPolicy]| {
        down(ScalingRules { select, policies: Some(policies.to_vec()), ..ScalingRules::default() })
    };
    let both = [policy(false, 3, 60), policy(true, 50, 60)];
    for (behavior, replicas, expected) in [
        (select(None, &both), 10, 5),
        (select(Some(SelectPolicy::Min), &both), 10, 7),
        (select(Some(SelectPolicy::Disabled), &both), 10, 10),
        (select(None, &[policy(true, 10, 60)]), 9, 8),
        (select(None, &[policy(true, 30, 60)]), 9, 6),
    ] {
        let result = fresh(&rules(1, 100, Some(&behavior)), &[average(0)], steady(replicas));
        assert_eq!(result, (expected, Limit::ScaleDownLimit), "{behavior:?}");
    }
    let result = fresh(&rules(8, 100, Some(&select(None, &both))), &[average(0)], steady(10));
    assert_eq!(result, (8, Limit::TooFewReplicas));
}

#[test]
fn policies_count_what_happened_within_their_period() {
    let behavior = up(ScalingRules { policies: Some(vec![policy(false, 4, 60)]), ..ScalingRules::default() });
    let mut run = Loop::new(rules(1, 100, Some(&behavior)), 1);
    let replicas: Vec<u32> = (0..9).map(|_| run.step(1000).0).collect();
    assert_eq!(replicas, [5, 5, 5, 5, 9, 9, 9, 9, 13]);
}

#[test]
fn a_tolerance_of_the_behaviour_replaces_the_controllers() {
    let tolerance = |thousandths| ScalingRules { tolerance: Some(Milli(thousandths)), ..ScalingRules::default() };
    let behavior = Behavior { scale_up: Some(tolerance(500)), scale_down: Some(tolerance(0)) };
    let own = rules(1, 100, Some(&behavior));
    let recommended = |value| decide(&own, &[average(value)], steady(4), &mut Memory::default(), at(1)).recommended;
    assert_eq!(recommended(60), Some(4));
    assert_eq!(recommended(61), Some(7));
    assert_eq!(recommended(30), Some(3));
    let eager = Behavior { scale_up: Some(tolerance(0)), scale_down: None };
    let own = rules(1, 100, Some(&eager));
    let verdict = decide(&own, &[average(41)], steady(4), &mut Memory::default(), at(1));
    assert_eq!(verdict.recommended, Some(5));
}

#[test]
fn extreme_values_stay_in_range() {
    let top = Reading { target: Milli(1), aim: Aim::Value, value: Some(Milli(i64::MAX)) };
    let replicas = Replicas { spec: 1, current: u32::MAX, ready: u32::MAX };
    let verdict = decide(&rules(1, u32::MAX, None), &[top], replicas, &mut Memory::default(), at(0));
    assert_eq!((verdict.desired, verdict.recommended), (4, Some(i32::MAX as u32)));
}

#[test]
fn the_memory_is_bounded() {
    let rules_up = ScalingRules { stabilization_s: Some(i32::MAX), ..ScalingRules::default() };
    let behavior = Behavior { scale_up: Some(rules_up.clone()), scale_down: Some(rules_up) };
    let all = rules(1, 100, Some(&behavior));
    let mut memory = Memory::default();
    for tick in 0..20_000u64 {
        let now = Mono(tick * 300);
        decide(&all, &[average(50)], steady(5), &mut memory, now);
        memory.scaled(Some(&behavior), 5, 6, now);
        memory.scaled(Some(&behavior), 6, 5, now);
    }
    assert!(memory.len() < 3 * 3700, "{}", memory.len());
}

prop_compose! {
    fn any_rules()(
        stabilization_s in proptest::option::of(0..700),
        select in proptest::option::of(proptest::sample::select(vec![
            SelectPolicy::Max,
            SelectPolicy::Min,
            SelectPolicy::Disabled,
        ])),
        policies in proptest::option::of(proptest::collection::vec((any::<bool>(), 1..300, 1..1800), 1..4)),
        tolerance in proptest::option::of(0i64..2000),
    ) -> ScalingRules {
        let policies = policies.map(|all| all.into_iter().map(|(p, value, period)| policy(p, value, period)).collect());
        ScalingRules { stabilization_s, select, policies, tolerance: tolerance.map(Milli) }
    }
}

fn any_behavior() -> impl Strategy<Value = Option<Behavior>> {
    let rules = || proptest::option::of(any_rules());
    proptest::option::of((rules(), rules()).prop_map(|(scale_up, scale_down)| Behavior { scale_up, scale_down }))
}

fn any_reading() -> impl Strategy<Value = Reading> {
    (1i64..50_000, any::<bool>(), proptest::option::weighted(0.9, 0i64..2_000_000)).prop_map(
        |(target, value_aim, value)| {
            let aim = if value_aim { Aim::Value } else { Aim::Average };
            Reading { target: Milli(target), aim, value: value.map(Milli) }
        },
    )
}

/// A memory that has lived through some decisions at these replicas, and the moment after them.
fn lived(rules: &Rules<'_>, replicas: u32, past: &[(Reading, u64)]) -> (Memory, u64) {
    let (mut memory, mut now, mut count) = (Memory::default(), 1_000_000, replicas);
    for (reading, gap_ms) in past {
        let desired = decide(rules, &[*reading], steady(count), &mut memory, Mono(now)).desired;
        memory.scaled(rules.behavior, count, desired, Mono(now));
        count = desired;
        now += gap_ms;
    }
    (memory, now)
}

proptest! {
    #[test]
    fn it_stays_within_the_bounds(
        behavior in any_behavior(),
        (min, span) in (1u32..20, 0u32..200),
        readings in proptest::collection::vec(any_reading(), 0..4),
        past in proptest::collection::vec((any_reading(), 0u64..400_000), 0..8),
        (spec, current, ready) in (0u32..300, 0u32..300, 0u32..300),
    ) {
        let rules = rules(min, min + span, behavior.as_ref());
        let (mut memory, now) = lived(&rules, spec, &past);
        let verdict = decide(&rules, &readings, Replicas { spec, current, ready }, &mut memory, Mono(now));
        if spec == 0 {
            prop_assert_eq!(verdict.desired, 0);
        } else {
            prop_assert!((min..=min + span).contains(&verdict.desired), "{:?}", verdict);
        }
    }

    #[test]
    fn a_higher_value_never_wants_fewer(
        behavior in any_behavior(),
        replicas in 1u32..100,
        reading in any_reading(),
        more in 0i64..500_000,
        other in any_reading(),
        past in proptest::collection::vec((any_reading(), 0u64..400_000), 0..8),
    ) {
        let rules = rules(1, 100, behavior.as_ref());
        let (memory, now) = lived(&rules, replicas, &past);
        let desired = |reading| {
            decide(&rules, &[other, reading], steady(replicas), &mut memory.clone(), Mono(now)).desired
        };
        if let Some(value) = reading.value {
            let higher = Reading { value: Some(Milli(value.0 + more)), ..reading };
            prop_assert!(desired(reading) <= desired(higher));
        }
    }

    #[test]
    fn a_missing_value_never_wants_fewer_than_there_are(
        behavior in any_behavior(),
        replicas in 1u32..100,
        readings in proptest::collection::vec(any_reading(), 0..4),
        past in proptest::collection::vec((any_reading(), 0u64..400_000), 0..8),
    ) {
        let rules = rules(1, 100, behavior.as_ref());
        let (mut memory, now) = lived(&rules, replicas, &past);
        let mut readings = readings;
        readings.push(average(None));
        prop_assert!(decide(&rules, &readings, steady(replicas), &mut memory, Mono(now)).desired >= replicas);
    }

    #[test]
    fn nothing_happens_within_the_tolerance(replicas in 1u32..1000, percent in 91i64..110, value_aim in any::<bool>()) {
        let aim = if value_aim { Aim::Value } else { Aim::Average };
        let per_replica = if value_aim { 1 } else { i64::from(replicas) };
        let reading = Reading { target: Milli(1000), aim, value: Some(Milli(percent * 10 * per_replica)) };
        let rules = rules(1, 1000, None);
        prop_assert_eq!(fresh(&rules, &[reading], steady(replicas)), (replicas, Limit::DesiredWithinRange));
    }

    #[test]
    fn a_disabled_direction_stays_put(
        replicas in 1u32..100,
        reading in any_reading(),
        past in proptest::collection::vec((any_reading(), 0u64..400_000), 0..8),
    ) {
        let off = ScalingRules { select: Some(SelectPolicy::Disabled), ..ScalingRules::default() };
        let behavior = Behavior { scale_up: Some(off.clone()), scale_down: Some(off) };
        let rules = rules(1, 100, Some(&behavior));
        let (mut memory, now) = lived(&rules, replicas, &past);
        prop_assert_eq!(decide(&rules, &[reading], steady(replicas), &mut memory, Mono(now)).desired, replicas);
    }

    #[test]
    fn a_steady_load_is_reached_and_kept(behavior in any_behavior(), replicas in 1u32..50, wanted in 1u32..50) {
        let stuck = |rules: Option<&ScalingRules>| {
            rules.is_some_and(|rules| {
                // A policy that cannot move a small workload, or none that may.
                rules.select == Some(SelectPolicy::Disabled)
                    || rules.policies.iter().flatten().any(|policy| policy.percent)
                    || rules.tolerance.is_some_and(|tolerance| tolerance.0 > 0)
            })
        };
        let given = behavior.as_ref();
        if !stuck(given.and_then(|b| b.scale_up.as_ref())) && !stuck(given.and_then(|b| b.scale_down.as_ref())) {
            let rules = Rules { flags: Flags { tolerance: 0.0, ..Flags::default() }, ..rules(1, 50, given) };
            let mut run = Loop::new(rules, replicas);
            for _ in 0..20_000 {
                run.step(i64::from(wanted) * 10);
            }
            prop_assert_eq!(run.replicas, wanted);
            prop_assert_eq!(run.step(i64::from(wanted) * 10), (wanted, Limit::DesiredWithinRange));
        }
    }
}
