//! Another component takes over the triggers of an object.
use crate::build::object;
use crate::world::World;
use std::time::Duration;
use windlass_core::failure::FailureKind;
use windlass_core::write::Tri;
use windlass_core::{Milli, Reason};

#[test]
fn the_last_value_is_served_until_the_new_component_has_its_own_and_nothing_is_written() {
    let mut world = World::new();
    world.set("orders", 20.0);
    let key = world.apply(object("web").queue("orders"), 1);
    world.run(60.0);
    assert_eq!(world.read(&key, "s0-orders"), Some(Ok(Milli(20_000))));
    let writes = world.writes.len();
    // Its first poll takes its time.
    world.poll_takes = Duration::from_secs(2);
    world.set("orders", 30.0);
    world.change(object("web").queue("orders").answered_by(8));
    assert_eq!(world.read(&key, "s0-orders"), Some(Ok(Milli(20_000))), "no gap");
    world.run(1.0);
    assert_eq!(world.read(&key, "s0-orders"), Some(Ok(Milli(20_000))));
    world.run(20.0);
    assert_eq!(world.read(&key, "s0-orders"), Some(Ok(Milli(30_000))));
    assert_eq!(world.writes.len(), writes, "{:?}", world.writes);
}

#[test]
fn what_it_inherits_grows_old_as_it_would_have() {
    let mut world = World::new();
    world.set("orders", 20.0);
    let key = world.apply(object("web").value("orders"), 1);
    world.run(60.0);
    world.fail("orders", FailureKind::Unreachable);
    world.change(object("web").value("orders").answered_by(8));
    assert!(world.read(&key, "s0-orders").unwrap().is_ok());
    world.run(120.0);
    assert_eq!(world.read(&key, "s0-orders"), Some(Err(Reason::UnknownState)));
}

#[test]
fn a_trigger_that_its_user_changed_inherits_nothing() {
    let mut world = World::new();
    world.set("orders", 20.0);
    world.set("bills", 5.0);
    let key = world.apply(object("web").queue("orders"), 1);
    world.run(60.0);
    world.change(object("web").queue("bills").answered_by(8));
    assert_eq!(world.read(&key, "s0-orders"), None);
    assert_ne!(world.read(&key, "s0-bills"), Some(Ok(Milli(20_000))));
    // The same metric of another kind of trigger.
    let mut other = object("web").queue("bills");
    other.declared.triggers[0].kind = "stack".into();
    world.run(60.0);
    assert_eq!(world.read(&key, "s0-bills"), Some(Ok(Milli(5_000))));
    world.change(other.answered_by(9));
    assert_eq!(world.read(&key, "s0-bills"), Some(Err(Reason::UnknownState)));
}

#[test]
fn an_object_says_which_trigger_stays_behind_and_is_ready() {
    let mut world = World::new();
    world.set("orders", 20.0);
    let key = world.apply(object("web").queue("orders"), 1);
    world.run(60.0);
    let writes = world.writes.len();
    world.change(object("web").queue("orders").held_back(0, "the newer one wants more"));
    world.run(60.0);
    let message = |world: &World| world.held[&key].record.status.conditions.ready.clone().unwrap().message;
    let text = message(&world);
    assert_eq!(world.ready(&key), (Tri::Yes, "ScaledObjectReady".into()));
    assert!(text.ends_with("; trigger 0 stays with its component: the newer one wants more"), "{text}");
    assert_eq!(world.writes.len(), writes + 1, "told once: {:?}", world.writes);
    world.change(object("web").queue("orders"));
    world.run(60.0);
    assert!(!message(&world).contains("stays"));
}
