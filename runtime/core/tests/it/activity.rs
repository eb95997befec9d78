//! 0↔1: activation, cooldown, idle replicas, bounds and pauses.
use crate::build::{Object, object};
use crate::world::World;
use windlass_core::failure::Reason;
use windlass_core::key::WorkloadKey;
use windlass_core::write::Tri;

fn world(object: Object, replicas: u32) -> (World, WorkloadKey) {
    let mut world = World::new();
    let key = world.apply(object, replicas);
    (world, key)
}

#[test]
fn a_first_item_wakes_the_target_and_an_empty_queue_puts_it_to_sleep_after_the_cooldown() {
    let (mut world, key) = world(object("web").queue("q"), 0);
    world.run(60.0);
    assert_eq!(world.replicas(&key), 0);
    world.set("q", 3.0);
    world.run(31.0);
    assert_eq!(world.replicas(&key), 1);
    assert_eq!(world.active(&key), (Tri::Yes, "ScalerActive".into()));
    world.set("q", 0.0);
    world.run(16.0);
    assert_eq!(world.replicas(&key), 1);
    assert_eq!(world.active(&key), (Tri::No, "ScalerCooldown".into()));
    world.run(61.0);
    assert_eq!(world.replicas(&key), 0);
    assert_eq!(world.active(&key), (Tri::No, "ScalerNotActive".into()));
    let told = world.told(&key);
    assert!(told.contains(&Reason::KEDAScaleTargetActivated) && told.contains(&Reason::KEDAScaleTargetDeactivated));
}

#[test]
fn the_cooldown_ends_to_the_moment_not_at_the_next_poll() {
    let (mut world, key) = world(object("web").queue("q").cooldown(60).poll(300), 0);
    world.set("q", 1.0);
    world.run(10.0);
    assert_eq!(world.replicas(&key), 1);
    world.run(60.0);
    let last = world.core.view(&key).unwrap();
    assert_eq!(last.activity, Some(windlass_core::decide::Activity::Active));
    world.set("q", 0.0);
    // Somewhere within the next period the queue is found empty; from the last activity the cooldown counts.
    while world.active(&key).0 == Tri::Yes {
        world.run(0.1);
    }
    let stored = world.held[&key].record.status.last_active.expect("written when it turned inactive");
    while world.replicas(&key) > 0 {
        world.run(0.01);
    }
    let waited = world.clock().wall.0 - stored.0;
    assert!((60_000..61_100).contains(&waited), "{waited} ms after the last activity, to the second");
}

#[test]
fn what_was_never_active_waits_for_the_initial_cooldown() {
    let (mut world, key) = world(object("web").queue("q").initial_cooldown(100), 2);
    world.run(95.0);
    assert_eq!(world.replicas(&key), 2);
    world.run(10.0);
    assert_eq!(world.replicas(&key), 0);
}

#[test]
fn idle_replicas_stand_in_for_zero() {
    let (mut world, key) = world(object("web").queue("q").bounds(3, 10).idle(1), 1);
    world.run(40.0);
    assert_eq!(world.replicas(&key), 1, "below the minimum, but idle");
    world.set("q", 1.0);
    world.run(40.0);
    assert_eq!(world.replicas(&key), 3);
    world.set("q", 0.0);
    world.run(40.0);
    assert_eq!(world.replicas(&key), 3);
    world.run(60.0);
    assert_eq!(world.replicas(&key), 1);
}

#[test]
fn bounds_hold_from_below() {
    let (mut world, key) = world(object("web").queue("q").bounds(2, 10), 0);
    world.run(5.0);
    assert_eq!(world.replicas(&key), 2, "raised without any activity");
    world.run(200.0);
    assert_eq!(world.replicas(&key), 2, "and never below");
}

#[test]
fn activation_is_a_threshold_to_pass() {
    for (items, expected) in [(0.0, 0), (0.001, 1), (-0.0, 0)] {
        let (mut world, key) = world(object("web").queue("q"), 0);
        world.set("q", items);
        world.run(5.0);
        assert_eq!(world.replicas(&key), expected, "{items}");
    }
}

#[test]
fn one_active_trigger_is_enough_and_resource_triggers_have_no_say() {
    let (mut world, key) = world(object("web").queue("a").queue("b").cpu(), 0);
    world.run(40.0);
    assert_eq!(world.replicas(&key), 0);
    world.set("b", 1.0);
    world.run(31.0);
    assert_eq!(world.replicas(&key), 1);
}

#[test]
fn with_resource_triggers_alone_it_is_always_active() {
    let (mut world, key) = world(object("web").cpu().bounds(1, 10), 0);
    world.run(5.0);
    assert_eq!(world.replicas(&key), 1);
    assert_eq!(world.active(&key).0, Tri::Yes);
}

#[test]
fn forced_activation_wakes_and_keeps_awake() {
    let (mut world, key) = world(object("web").queue("q").forced(), 0);
    world.run(300.0);
    assert_eq!(world.replicas(&key), 1);
    world.forget();
    world.run(300.0);
    assert!(world.writes.is_empty());
    world.change(object("web").queue("q"));
    world.run(44.0);
    assert_eq!(world.replicas(&key), 1, "the cooldown counts from the last poll under it");
    world.run(20.0);
    assert_eq!(world.replicas(&key), 0);
}

#[test]
fn one_direction_can_be_paused() {
    let (mut out, key) = world(object("web").queue("q").pause(false, true), 0);
    out.set("q", 5.0);
    out.run(100.0);
    assert_eq!(out.replicas(&key), 0);
    assert_eq!(out.held[&key].record.status.conditions.paused.as_ref().unwrap().status, Tri::Yes);

    let (mut inward, key) = world(object("web").queue("q").pause(true, false), 3);
    inward.run(300.0);
    assert_eq!(inward.replicas(&key), 3);
}

#[test]
fn a_take_over_in_the_middle_of_activity_does_not_cut_the_cooldown_short() {
    let (mut world, key) = world(object("web").queue("q"), 0);
    world.set("q", 1.0);
    world.run(500.0);
    assert_eq!(world.held[&key].record.status.last_active, None, "in memory while active");
    // Down for ten minutes, and the queue was emptied meanwhile.
    world.now = windlass_core::Mono(world.now.0 + 600_000);
    world.set("q", 0.0);
    world.restart(vec![object("web").queue("q")]);
    world.run(50.0);
    assert_eq!(world.replicas(&key), 1);
    world.run(30.0);
    assert_eq!(world.replicas(&key), 0);
}

#[test]
fn a_take_over_in_the_middle_of_a_cooldown_goes_on_with_it() {
    let (mut world, key) = world(object("web").queue("q").cooldown(300), 0);
    world.set("q", 1.0);
    world.run(20.0);
    world.set("q", 0.0);
    world.run(100.0);
    assert_eq!(world.active(&key), (Tri::No, "ScalerCooldown".into()));
    let ends = world.held[&key].record.status.last_active.unwrap().0 + 300_000;
    world.restart(vec![object("web").queue("q").cooldown(300)]);
    let left = (ends - world.clock().wall.0) as f64 / 1000.0;
    world.run(left - 3.0);
    assert_eq!(world.replicas(&key), 1);
    world.run(5.0);
    assert_eq!(world.replicas(&key), 0);
}
