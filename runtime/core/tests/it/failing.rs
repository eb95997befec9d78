//! Sources and components that do not do what they should.
use crate::build::{object, object_in};
use crate::world::{Answer, World};
use std::time::Duration;
use windlass_core::failure::FailureKind;
use windlass_core::milli::Milli;
use windlass_core::write::Tri;

#[test]
fn a_source_that_comes_back_is_noticed_within_a_period() {
    for kind in [
        FailureKind::Unreachable,
        FailureKind::Timeout,
        FailureKind::Throttled,
        FailureKind::NotFound,
        FailureKind::BadResponse,
        FailureKind::Internal,
        FailureKind::Denied,
    ] {
        let mut world = World::new();
        world.fail("q", kind);
        let key = world.apply(object("web").queue("q"), 0);
        world.run(3600.0);
        world.set("q", 5.0);
        world.run(30.5);
        assert_eq!(world.replicas(&key), 1, "{kind:?}");
        assert_eq!(world.ready(&key).0, Tri::Yes, "{kind:?}");
    }
}

#[test]
fn refused_credentials_are_tried_ever_more_rarely() {
    let mut world = World::new();
    world.fail("q", FailureKind::Auth);
    let key = world.apply(object("web").queue("q"), 0);
    world.run(3600.0);
    let times = &world.asked["q"];
    assert!(times.len() < 20, "{} polls in an hour", times.len());
    let pauses: Vec<u64> = times.windows(2).map(|pair| pair[1].0 - pair[0].0).collect();
    assert!(pauses.iter().all(|pause| *pause <= 331_000), "never longer than five minutes: {pauses:?}");
    world.set("q", 5.0);
    world.run(331.0);
    assert_eq!(world.replicas(&key), 1);
}

#[test]
fn a_source_that_asks_for_time_gets_it() {
    let mut world = World::new();
    world.answers.insert("q".into(), Answer::Throttled(Duration::from_secs(100)));
    world.apply(object("web").queue("q"), 0);
    world.run(1000.0);
    let pauses: Vec<u64> = world.asked["q"].windows(2).map(|pair| pair[1].0 - pair[0].0).collect();
    assert!(pauses.iter().all(|pause| (100_000..=131_000).contains(pause)), "{pauses:?}");
}

#[test]
fn a_pending_answer_is_neither_value_nor_failure() {
    let mut world = World::new();
    world.answers.insert("q".into(), Answer::Pending(Duration::from_secs(2)));
    let key = world.apply(object("web").queue("q").poll(60), 0);
    world.run(20.0);
    assert!(world.asked["q"].len() >= 8, "asked again when told: {:?}", world.asked["q"]);
    assert_eq!(world.ready(&key).0, Tri::Yes);
    assert!(world.read(&key, "s0-q").unwrap().is_err());
    world.set("q", 5.0);
    world.run(3.0);
    assert_eq!(world.replicas(&key), 1);
}

#[test]
fn a_query_that_kills_its_guest_is_found_and_its_neighbours_go_on() {
    let mut world = World::new();
    world.answers.insert("bad".into(), Answer::Kills);
    world.apply(object("bad").queue("bad"), 0);
    let mut keys = Vec::new();
    for at in 0..10 {
        let queue = format!("good{at}");
        world.set(&queue, 5.0);
        keys.push(world.apply(object(&format!("good{at}")).queue(&queue), 0));
    }
    world.run(65.0);
    for key in &keys {
        assert_eq!(world.replicas(key), 1, "after one lost batch, alone and well");
    }
    world.run(3600.0);
    world.forget();
    world.run(3600.0);
    let bad = world.asked["bad"].len();
    assert!((5..=20).contains(&bad), "put aside, but not for ever: {bad} polls in an hour");
    for key in &keys {
        assert_eq!(world.read(key, &format!("s0-{}", key.name)), Some(Ok(Milli(5000))));
    }
}

#[test]
fn a_silent_query_fails_alone() {
    let mut world = World::new();
    world.answers.insert("mute".into(), Answer::Silence);
    let mute = world.apply(object("mute").queue("mute"), 0);
    world.set("fine", 5.0);
    let fine = world.apply(object("fine").queue("fine"), 0);
    world.run(10.0);
    assert_eq!(world.replicas(&fine), 1);
    assert_eq!(world.ready(&mute), (Tri::No, "TriggerError".into()));
}

#[test]
fn a_batch_that_never_ends_is_given_up() {
    let mut world = World::new();
    world.set("q", 5.0);
    world.poll_takes = Duration::from_secs(1_000_000);
    let key = world.apply(object("web").queue("q"), 0);
    world.run(5.0);
    world.poll_takes = Duration::from_millis(10);
    // The world would not let a query fly twice; this one has crashed.
    world.lose_flights();
    world.run(120.0);
    assert_eq!(world.replicas(&key), 1);
}

#[test]
fn a_poll_that_takes_longer_than_its_period_is_not_sent_twice() {
    let mut world = World::new();
    world.set("q", 5.0);
    world.poll_takes = Duration::from_millis(4_500);
    let key = world.apply(object_in("a", "web").queue("q").poll(2), 1);
    world.run(60.0);
    assert!(world.asked["q"].len() <= 14, "the world checks that none flies twice");
    assert_eq!(world.replicas(&key), 1);
}

#[test]
fn an_edge_is_asked_for_exactly() {
    let mut world = World::new();
    let key = world.apply(object("web").queue("q").poll(300), 0);
    let edge = windlass_core::Wall(world.clock().wall.0 + 100_000);
    world.answers.insert("q".into(), Answer::Until(0.0, edge));
    world.run(99.9);
    world.answers.insert("q".into(), Answer::Items(1.0));
    assert_eq!(world.replicas(&key), 0);
    world.run(0.3);
    assert_eq!(world.replicas(&key), 1, "at the edge, not at the next poll");
}

#[test]
fn a_scaler_that_always_asks_to_be_asked_at_once_is_held_back() {
    let mut world = World::new();
    world.answers.insert("q".into(), Answer::Until(1.0, windlass_core::Wall(0)));
    world.apply(object("web").queue("q"), 1);
    world.run(100.0);
    assert!(world.asked["q"].len() <= 101, "{}", world.asked["q"].len());
}

#[test]
fn a_component_that_fails_a_whole_domain_is_probed_and_comes_back() {
    let mut world = World::new();
    let names: Vec<String> = (0..10).map(|at| format!("bad{at}")).collect();
    let mut keys = Vec::new();
    for name in &names {
        world.answers.insert(name.as_str().into(), Answer::Kills);
        keys.push(world.apply(object_in("broken", name).queue(name), 0));
    }
    world.set("other", 5.0);
    let other = world.apply(object_in("fine", "other").queue("other"), 0);
    world.run(3600.0);
    world.forget();
    world.run(3600.0);
    let asked: usize = names.iter().map(|name| world.asked.get(name.as_str()).map_or(0, Vec::len)).sum();
    assert!((8..=20).contains(&asked), "one probe per pause for all ten: {asked} polls in an hour");
    assert!(world.asked["other"].len() >= 119, "another domain's is never skipped");
    assert_eq!(world.replicas(&other), 1);
    for key in &keys {
        assert_eq!(world.ready(key).0, Tri::No);
    }
    for name in &names {
        world.set(name, 5.0);
    }
    world.run(300.0 + 330.0 + 60.0);
    for key in &keys {
        assert_eq!((world.replicas(key), world.ready(key).0), (1, Tri::Yes));
    }
}

#[test]
fn a_query_that_works_is_never_skipped_for_its_neighbours() {
    let mut world = World::new();
    for at in 0..5 {
        let name = format!("bad{at}");
        world.answers.insert(name.as_str().into(), Answer::Kills);
        world.apply(object(&name).queue(&name), 0);
    }
    world.run(3600.0);
    // It comes while the component is quarantined for its own domain.
    world.set("late", 5.0);
    let late = world.apply(object("late").queue("late"), 0);
    world.run(95.0);
    assert_eq!(world.replicas(&late), 1);
    world.forget();
    world.run(3600.0);
    assert!(world.asked["late"].len() >= 119, "{}", world.asked["late"].len());
}
