//! What metrics are told.
use crate::build::object;
use crate::world::World;
use std::collections::BTreeMap;
use std::time::Duration;
use windlass_core::fact::{Fact, ObjectFacts, ObjectState, PollEnd, Polled, Why};
use windlass_core::failure::{FailureKind, Reason};
use windlass_core::settings::Settings;
use windlass_core::write::TargetSeen;
use windlass_core::{Msg, WorkloadKey, WriteKind};

fn polls(world: &World) -> Vec<Polled> {
    world.facts.iter().filter_map(|fact| if let Fact::Polled(polled) = fact { Some(*polled) } else { None }).collect()
}

fn decided(world: &World) -> BTreeMap<(WriteKind, Why), usize> {
    let mut count = BTreeMap::new();
    for fact in &world.facts {
        if let Fact::Decided(kind, why) = fact {
            *count.entry((*kind, *why)).or_default() += 1;
        }
    }
    count
}

/// What was told last of an object; `None`: nothing, or that it is gone.
fn told(world: &World, key: &WorkloadKey) -> Option<ObjectFacts> {
    world.facts.iter().rev().find_map(|fact| match fact {
        Fact::Object(object) if object.key == *key => Some(Some((**object).clone())),
        Fact::Gone(gone) if gone == key => Some(None),
        _ => None,
    })?
}

fn states(world: &World) -> Vec<(&'static str, u64)> {
    let all = ObjectState::ALL.iter().map(|state| (state.as_label(), world.core.census().of(*state)));
    all.filter(|(_, count)| *count > 0).collect()
}

#[test]
fn every_poll_is_told_once_with_the_age_of_what_was_known() {
    let mut world = World::new();
    world.set("q", 1.0);
    world.apply(object("web").queue("q").poll(30), 1);
    world.run(100.0);
    let told = polls(&world);
    assert_eq!(told.len(), world.asked["q"].len());
    assert!(told.iter().all(|poll| poll.end == PollEnd::Ready && poll.took == Duration::from_millis(40)), "{told:?}");
    assert_eq!(told[0].age, None, "there was nothing before the first");
    let period = Duration::from_secs(15);
    let usual = Some(period + world.poll_takes);
    assert!(told[2..].iter().all(|poll| poll.age == usual), "{told:?}");

    world.facts.clear();
    world.fail("q", FailureKind::Timeout);
    world.run(60.0);
    let ages: Vec<Duration> = polls(&world).iter().map(|poll| poll.age.unwrap()).collect();
    assert!(polls(&world).iter().all(|poll| poll.end == PollEnd::Failed(FailureKind::Timeout)));
    assert!(ages.windows(2).all(|pair| pair[1] == pair[0] + period), "nothing came in between: {ages:?}");
}

#[test]
fn what_a_batch_leaves_without_a_word_is_told_as_internal() {
    let mut world = World::new();
    world.answers.insert("q".into(), crate::world::Answer::Silence);
    world.apply(object("web").queue("q"), 1);
    world.run(20.0);
    let told = polls(&world);
    assert!(!told.is_empty());
    assert!(told.iter().all(|poll| poll.end == PollEnd::Failed(FailureKind::Internal)), "{told:?}");
}

#[test]
fn every_write_says_what_it_is_for() {
    let mut world = World::new();
    world.set("q", 5.0);
    let key = world.apply(object("web").queue("q").cooldown(30), 0);
    world.run(20.0);
    let first = decided(&world);
    assert_eq!(first[&(WriteKind::Scale, Why::Activated)], 1);
    assert_eq!(first[&(WriteKind::Hpa, Why::Created)], 1);
    assert_eq!(first[&(WriteKind::Meta, Why::Adopted)], 1);
    assert_eq!(first[&(WriteKind::Event, Why::Event(Reason::KEDAScaleTargetActivated))], 1);
    let writes: usize = first.values().sum();
    assert_eq!(writes, world.writes.len() + world.events.len(), "as many facts as writes");

    world.facts.clear();
    world.set("q", 0.0);
    world.run(120.0);
    assert_eq!(decided(&world)[&(WriteKind::Scale, Why::Deactivated)], 1);
    assert_eq!(decided(&world)[&(WriteKind::Status, Why::Active)], 1);
    world.facts.clear();
    world.deliver(Msg::Deleting(key));
    world.run(5.0);
    assert_eq!(decided(&world)[&(WriteKind::Meta, Why::Released)], 1);
}

#[test]
fn objects_are_counted_by_state() {
    let mut world = World::new();
    world.set("busy", 5.0);
    world.fail("dead", FailureKind::Unreachable);
    world.apply(object("busy").queue("busy"), 1);
    world.apply(object("idle").queue("idle"), 0);
    let dead = world.apply(object("dead").queue("dead"), 1);
    world.run(20.0);
    assert_eq!(states(&world), [("active", 1), ("inactive", 1), ("unknown", 1)]);
    world.set_target(&dead, TargetSeen::Missing);
    world.run(5.0);
    assert_eq!(states(&world), [("not-ready", 1), ("active", 1), ("inactive", 1)]);
    world.deliver(Msg::Deleting(dead.clone()));
    assert_eq!(states(&world), [("active", 1), ("inactive", 1), ("deleting", 1)]);
    world.deliver(Msg::Gone(dead));
    assert_eq!(states(&world), [("active", 1), ("inactive", 1)]);
}

#[test]
fn objects_are_told_by_themselves_only_when_asked_for() {
    let mut world = World::new();
    world.apply(object("web").queue("q"), 0);
    world.run(60.0);
    assert!(!world.facts.iter().any(|fact| matches!(fact, Fact::Object(_) | Fact::Gone(_))));
}

#[test]
fn an_object_is_told_as_it_changes_and_when_it_goes() {
    let mut world = World::with(Settings { tell_objects: true, ..Settings::default() });
    world.set("q", 7.0);
    let key = world.apply(object("web").queue("q").poll(30), 1);
    world.run(40.0);
    let facts = told(&world, &key).unwrap();
    assert_eq!((facts.paused, facts.fault), (false, None));
    let [trigger] = &facts.triggers[..] else { panic!("{facts:?}") };
    assert_eq!(trigger.took, Some(Duration::from_millis(40)));
    assert_eq!(trigger.metrics[0].reading, Some((7.0, true)));

    world.fail("q", FailureKind::Timeout);
    world.run(200.0);
    let facts = told(&world, &key).unwrap();
    assert_eq!(facts.triggers[0].metrics[0].reading, None, "what is too old is not known");
    let failed = polls(&world).iter().filter(|poll| poll.end != PollEnd::Ready).count() as u64;
    assert_eq!(facts.triggers[0].failures, failed);

    world.deliver(Msg::Deleting(key.clone()));
    assert_eq!(told(&world, &key), None);
    world.deliver(Msg::Gone(key.clone()));
    let gone = world.facts.iter().filter(|fact| **fact == Fact::Gone(key.clone())).count();
    assert_eq!(gone, 1, "once");
}
