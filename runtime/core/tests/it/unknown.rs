//! Unknown is never zero, and what is old is unknown.
use crate::build::object;
use crate::world::{Answer, World};
use proptest::prelude::*;
use windlass_core::failure::{Failure, FailureKind, Fault, Reason};
use windlass_core::milli::Milli;
use windlass_core::write::{TargetSeen, Tri};

#[test]
fn an_outage_changes_no_replicas_at_zero_one_and_many() {
    for replicas in [0, 1, 7] {
        let mut world = World::new();
        let key = world.apply(object("web").queue("q").cooldown(10), replicas);
        world.set("q", if replicas == 0 { 0.0 } else { 5.0 });
        world.run(40.0);
        let before = world.replicas(&key);
        world.fail("q", FailureKind::Unreachable);
        world.forget();
        world.run(3600.0);
        assert_eq!(world.replicas(&key), before);
        assert_eq!(world.ready(&key), (Tri::No, "TriggerError".into()));
        assert!(world.read(&key, "s0-q").unwrap().is_err());
        assert!(world.writes.len() <= 2, "transitions are written, not ticks: {:?}", world.writes);
    }
}

#[test]
fn a_metric_that_was_never_read_is_an_error_not_a_zero() {
    let mut world = World::new();
    world.fail("q", FailureKind::Timeout);
    let key = world.apply(object("web").queue("q"), 1);
    assert!(world.read(&key, "s0-q").unwrap().is_err(), "from the first moment on");
    assert_eq!(world.read(&key, "s0-other"), None, "what is not ours is not ours");
    world.run(100.0);
    assert!(world.read(&key, "s0-q").unwrap().is_err());
    assert_eq!(world.replicas(&key), 1);
}

#[test]
fn a_single_failed_poll_is_nobodys_business() {
    let mut world = World::new();
    world.set("q", 5.0);
    let key = world.apply(object("web").queue("q"), 1);
    world.run(100.0);
    world.forget();
    world.fail("q", FailureKind::Timeout);
    world.run(16.0);
    world.set("q", 5.0);
    world.run(100.0);
    assert!(world.writes.is_empty(), "{:?}", world.writes);
    assert_eq!(world.ready(&key).0, Tri::Yes);
}

#[test]
fn an_averaged_value_ages_for_some_periods_and_a_plain_one_only_for_its_own() {
    let mut world = World::new();
    world.set("a", 5.0);
    world.set("v", 5.0);
    let averaged = world.apply(object("averaged").queue("a"), 1);
    let plain = world.apply(object("plain").value("v"), 1);
    world.run(60.0);
    // From here on nothing can be read. Active: polled every 15 s, with a budget of 10 s.
    world.fail("a", FailureKind::Unreachable);
    world.fail("v", FailureKind::Unreachable);
    let (mut gone_a, mut gone_v) = (None, None);
    for second in 0..120 {
        world.run(1.0);
        if world.read(&plain, "s0-v").unwrap().is_err() && gone_v.is_none() {
            gone_v = Some(second);
        }
        if world.read(&averaged, "s0-a").unwrap().is_err() && gone_a.is_none() {
            gone_a = Some(second);
        }
    }
    assert!((10..=25).contains(&gone_v.unwrap()), "a period and the timeout after the last sample: {gone_v:?}");
    assert!((40..=55).contains(&gone_a.unwrap()), "three periods and the timeout: {gone_a:?}");
}

#[test]
fn readers_see_the_end_of_a_value_even_if_the_core_is_stuck() {
    let mut world = World::new();
    world.set("q", 5.0);
    let key = world.apply(object("web").queue("q"), 1);
    world.run(60.0);
    assert_eq!(world.read(&key, "s0-q"), Some(Ok(Milli(5000))));
    world.now = windlass_core::Mono(world.now.0 + 60_000);
    assert_eq!(world.read(&key, "s0-q"), Some(Err(Reason::UnknownState)));
}

#[test]
fn the_cooldown_clock_stands_still_while_nothing_is_known() {
    let mut world = World::new();
    world.set("q", 5.0);
    let key = world.apply(object("web").queue("q").cooldown(120), 1);
    world.run(60.0);
    world.set("q", 0.0);
    world.run(30.0);
    world.fail("q", FailureKind::Unreachable);
    world.run(600.0);
    assert_eq!(world.replicas(&key), 1);
    world.set("q", 0.0);
    world.run(35.0);
    assert_eq!(world.replicas(&key), 1, "not at once: the outage does not count");
    world.run(120.0);
    assert_eq!(world.replicas(&key), 0);
}

#[test]
fn a_known_active_trigger_outweighs_an_unknown_one_and_an_unknown_one_outweighs_rest() {
    let mut world = World::new();
    world.set("a", 5.0);
    world.fail("b", FailureKind::BadResponse);
    let key = world.apply(object("web").queue("a").queue("b").cooldown(10), 0);
    world.run(30.0);
    assert_eq!(world.replicas(&key), 1);
    assert_eq!(world.ready(&key), (Tri::Unknown, "PartialTriggerError".into()));
    world.set("a", 0.0);
    world.run(300.0);
    assert_eq!(world.replicas(&key), 1, "held");
    assert_eq!(world.active(&key).0, Tri::Unknown);
    world.set("b", 0.0);
    world.run(60.0);
    assert_eq!(world.replicas(&key), 0);
    assert_eq!(world.ready(&key).0, Tri::Yes);
}

#[test]
fn turning_unknown_from_active_is_remembered_across_a_take_over() {
    let mut world = World::new();
    world.set("q", 5.0);
    let key = world.apply(object("web").queue("q").cooldown(600), 1);
    world.run(100.0);
    world.fail("q", FailureKind::Unreachable);
    world.run(100.0);
    assert_eq!(world.active(&key).0, Tri::Unknown);
    world.set("q", 0.0);
    world.restart(vec![object("web").queue("q").cooldown(600)]);
    world.run(300.0);
    assert_eq!(world.replicas(&key), 1, "the cooldown since it was active is not over");
}

#[test]
fn what_cannot_be_asked_is_not_touched() {
    let fault = Fault::new(Reason::UnknownTriggerType, "trigger 1: type \"nope\" is served by no component");
    let mut world = World::new();
    world.set("q", 5.0);
    let key = world.apply(object("web").queue("q").unusable(fault), 0);
    world.run(600.0);
    assert_eq!(world.replicas(&key), 0);
    assert!(world.held[&key].hpa.is_none());
    assert_eq!(world.ready(&key), (Tri::No, "UnknownTriggerType".into()));
    assert_eq!(world.read(&key, "s0-q"), Some(Ok(Milli(5000))), "the others are asked and served");
    // It could be asked before: its HPA stays.
    let mut world = World::new();
    world.set("q", 5.0);
    let key = world.apply(object("web").queue("q").queue("r"), 1);
    world.run(60.0);
    let before = world.held[&key].hpa.clone();
    world.forget();
    let fault = Fault::new(Reason::ComponentUnavailable, "trigger 1: its component is quarantined");
    world.change(object("web").queue("q").unusable(fault).generation(2));
    world.set("q", 0.0);
    world.run(600.0);
    assert_eq!(world.held[&key].hpa, before);
    assert_eq!(world.replicas(&key), 1);
    assert_eq!(world.ready(&key), (Tri::No, "ComponentUnavailable".into()));
}

#[test]
fn a_target_that_is_missing_or_unreadable_is_said_and_left_alone() {
    let mut world = World::new();
    world.set("q", 5.0);
    let key = world.apply(object("web").queue("q"), 1);
    world.run(60.0);
    world.set_target(&key, TargetSeen::Missing);
    world.run(60.0);
    assert_eq!(world.ready(&key), (Tri::No, "TargetNotFound".into()));
    world.set_target(&key, TargetSeen::Unreadable("forbidden".into()));
    world.run(60.0);
    assert_eq!(world.ready(&key), (Tri::No, "ErrorGettingCurrentReplicas".into()));
    assert!(world.held[&key].hpa.is_some());
    world.scale_by_hand(&key, 0);
    world.run(60.0);
    assert_eq!(world.ready(&key).0, Tri::Yes);
    assert_eq!(world.replicas(&key), 1);
}

#[test]
fn failure_words_that_change_at_every_poll_are_not_written_at_every_poll() {
    let mut world = World::new();
    let key = world.apply(object("web").queue("q"), 1);
    for attempt in 0..100 {
        let text = format!("connection 4711{attempt} refused at {attempt}");
        world.answers.insert("q".into(), Answer::Fails(FailureKind::Unreachable, text.into()));
        world.run(15.0);
    }
    let told = world.held[&key].record.status.conditions.ready.clone().unwrap();
    assert!(told.message.contains("trigger 0: unreachable: connection"), "{}", told.message);
    assert_eq!(world.count(windlass_core::WriteKind::Status), 1);
}

fn answers() -> impl Strategy<Value = Answer> {
    prop_oneof![
        Just(Answer::Items(0.0)),
        Just(Answer::Items(3.0)),
        Just(Answer::Fails(FailureKind::Unreachable, "no".into())),
        Just(Answer::Fails(FailureKind::Auth, "no".into())),
        Just(Answer::Throttled(std::time::Duration::from_secs(40))),
        Just(Answer::Pending(std::time::Duration::from_secs(3))),
        Just(Answer::Silence),
        Just(Answer::Kills),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever the sources do: the target goes to zero only when every trigger was known to be empty for the whole
    /// cooldown, as far as polls could tell.
    #[test]
    fn nothing_goes_to_zero_on_what_is_not_known(script in prop::collection::vec((answers(), answers(), 5u32..90), 1..14)) {
        let mut world = World::new();
        world.set("a", 3.0);
        let key = world.apply(object("web").queue("a").queue("b").cooldown(30), 1);
        world.run(20.0);
        // Since when both queues have been really empty and readable.
        let mut quiet_since = None;
        for (a, b, seconds) in script {
            let quiet = matches!((&a, &b), (Answer::Items(x), Answer::Items(y)) if *x == 0.0 && *y == 0.0);
            world.answers.insert("a".into(), a);
            world.answers.insert("b".into(), b);
            quiet_since = if quiet { quiet_since.or(Some(world.now)) } else { None };
            for _ in 0..seconds {
                let before = world.replicas(&key);
                world.run(1.0);
                if before > 0 && world.replicas(&key) == 0 {
                    // A value may be a few periods old where its source fails afterwards: what was last known of
                    // both was that they are empty.
                    let last_known_empty = world.core.view(&key).unwrap().triggers.iter().all(|trigger| {
                        trigger.metrics.iter().all(|metric| metric.value == Some(Milli(0)))
                    });
                    prop_assert!(last_known_empty || quiet_since.is_some());
                    let view = world.core.view(&key).unwrap();
                    prop_assert_eq!(view.activity, Some(windlass_core::decide::Activity::Inactive));
                }
            }
        }
    }

    /// Failures of all kinds and words: unknown from the first moment to the last means no replica is ever changed.
    #[test]
    fn what_never_was_known_never_scales(kind in 0usize..9, replicas in 0u32..5, seconds in 60u32..900) {
        let kinds = [
            FailureKind::Invalid, FailureKind::Auth, FailureKind::Unreachable, FailureKind::Timeout,
            FailureKind::Throttled, FailureKind::NotFound, FailureKind::BadResponse, FailureKind::Denied,
            FailureKind::Internal,
        ];
        let mut world = World::new();
        world.fail("q", kinds[kind]);
        let key = world.apply(object("web").queue("q").cooldown(1), replicas);
        world.run(f64::from(seconds));
        prop_assert_eq!(world.replicas(&key), replicas);
        let failure = world.core.view(&key).unwrap().triggers[0].failure.clone().unwrap();
        prop_assert_eq!(failure, Failure::new(kinds[kind], "connection refused"));
    }
}
