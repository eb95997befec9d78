//! Components that break down: what is put aside, what people are told, and that nobody else notices.
use crate::build::{object, object_in};
use crate::world::{Answer, World};
use proptest::prelude::*;
use std::time::Duration;
use windlass_core::WorkloadKey;
use windlass_core::failure::{FailureKind, Reason};
use windlass_core::milli::Milli;
use windlass_core::quarantine::Scope;
use windlass_core::write::{Tri, WriteKind};

fn message(world: &World, key: &WorkloadKey) -> String {
    world.held[key].record.status.conditions.ready.clone().unwrap_or_default().message.to_string()
}

fn asked(world: &World, names: &[String]) -> usize {
    names.iter().map(|name| world.asked.get(name.as_str()).map_or(0, Vec::len)).sum()
}

#[test]
fn a_query_that_is_put_aside_is_told_once_and_so_is_its_way_back() {
    let mut world = World::new();
    world.answers.insert("bad".into(), Answer::Kills);
    let bad = world.apply(object("bad").queue("bad"), 0);
    world.run(600.0);
    assert_eq!(world.ready(&bad), (Tri::No, "TriggerError".into()));
    assert!(
        message(&world, &bad).contains("quarantined after 3 failures alone, asked again within"),
        "{}",
        message(&world, &bad)
    );
    let put_aside = |(_, _, reason, text): &&(_, WorkloadKey, Reason, windlass_core::Text)| {
        *reason == Reason::KEDAScalerFailed && text.contains("quarantined after 3 failures alone")
    };
    assert_eq!(world.events.iter().filter(put_aside).count(), 1, "{:?}", world.events);
    let count = world.core.quarantines().of(Scope::Query);
    assert_eq!((count.held, count.entered, count.left), (1, 1, 0));

    world.forget();
    world.run(3_600.0);
    assert_eq!((world.writes.len(), world.events.len()), (0, 0), "it stays as it is: {:?}", world.writes);

    world.set("bad", 5.0);
    world.run(360.0);
    assert_eq!((world.ready(&bad).0, world.replicas(&bad)), (Tri::Yes, 1));
    let back = |(_, _, reason, text): &&(_, WorkloadKey, Reason, windlass_core::Text)| {
        *reason == Reason::KEDAScalersStarted && text.contains("answers again")
    };
    assert_eq!(world.events.iter().filter(back).count(), 1, "{:?}", world.events);
    assert_eq!(world.core.quarantines().of(Scope::Query).held, 0);
}

#[test]
fn what_is_put_aside_holds_its_replicas() {
    let mut world = World::new();
    world.set("q", 20.0);
    let key = world.apply(object("web").queue("q").cooldown(5).direct(), 4);
    world.run(60.0);
    world.answers.insert("q".into(), Answer::Kills);
    world.run(7_200.0);
    assert_eq!(world.replicas(&key), 4, "unknown is never zero");
}

#[test]
fn a_component_that_fails_for_all_is_probed_once_for_all() {
    let mut world = World::new();
    let names: Vec<String> = (0..40).map(|at| format!("bad{at}")).collect();
    let mut keys = Vec::new();
    for (at, name) in names.iter().enumerate() {
        world.answers.insert(name.as_str().into(), Answer::Kills);
        keys.push(world.apply(object_in(&format!("team-{}", at % 10), name).queue(name), 0));
    }
    world.run(3_600.0);
    assert_eq!(world.core.quarantines().of(Scope::Component).held, 1);
    for key in &keys {
        assert_eq!(world.ready(key), (Tri::No, "ComponentUnavailable".into()));
        assert!(message(&world, key).contains("in all namespaces"), "{}", message(&world, key));
    }
    world.forget();
    world.run(3_600.0);
    let probes = asked(&world, &names);
    assert!((8..=30).contains(&probes), "one probe per pause for ten namespaces: {probes} in an hour");
    assert_eq!(world.count(WriteKind::Status), 0, "{:?}", world.writes);
    // One of them works again: nobody waits any longer.
    for name in &names {
        world.set(name, 5.0);
    }
    world.run(330.0 + 300.0 + 60.0);
    assert_eq!(world.core.quarantines().of(Scope::Component).held, 0);
    for key in &keys {
        assert_eq!((world.ready(key).0, world.replicas(key)), (Tri::Yes, 1), "{key}");
    }
}

#[test]
fn one_namespace_that_fails_is_no_sign_of_a_broken_component() {
    let mut world = World::new();
    for at in 0..6 {
        let name = format!("bad{at}");
        world.answers.insert(name.as_str().into(), Answer::Kills);
        world.apply(object_in(&format!("team-{}", at % 3), &name).queue(&name), 0);
    }
    world.set("good", 5.0);
    let good = world.apply(object_in("team-good", "good").queue("good"), 0);
    world.run(3_600.0);
    let quarantines = world.core.quarantines();
    assert_eq!((quarantines.of(Scope::Namespace).held, quarantines.of(Scope::Component).entered), (3, 0));
    assert_eq!((world.ready(&good).0, world.replicas(&good)), (Tri::Yes, 1));
}

/// What a guest may do with a query that is not a good one.
fn fault() -> impl Strategy<Value = Answer> {
    prop_oneof![
        3 => Just(Answer::Kills),
        3 => Just(Answer::Silence),
        1 => Just(Answer::Pending(Duration::from_secs(5))),
        1 => Just(Answer::Throttled(Duration::from_secs(40))),
        1 => Just(Answer::Fails(FailureKind::Internal, "it broke".into())),
        2 => (0_u32..9).prop_map(|items| Answer::Items(f64::from(items))),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// Whatever its neighbours' queries do to the guest, a query that works has its own value, is asked in time and is
    /// never put aside; and one that does not work is asked again and again.
    #[test]
    fn a_good_query_never_pays_for_its_neighbours(
        steps in prop::collection::vec((0_usize..6, fault(), 1_u32..400), 1..25),
        takes in 0_u64..3_000,
    ) {
        let mut world = World::new();
        world.poll_takes = Duration::from_millis(takes);
        let bad: Vec<String> = (0..6).map(|at| format!("bad{at}")).collect();
        let mut good = Vec::new();
        for (at, name) in bad.iter().enumerate() {
            world.apply(object_in(["a", "b"][at % 2], name).queue(name), 1);
        }
        for (at, namespace) in ["a", "b", "c"].into_iter().enumerate() {
            let name = format!("good{at}");
            world.set(&name, 7.0 + at as f64);
            good.push((world.apply(object_in(namespace, &name).queue(&name), 1), name, Milli(7_000 + at as i64 * 1_000)));
        }
        world.run(40.0);
        for (which, answer, seconds) in steps {
            world.answers.insert(bad[which].as_str().into(), answer);
            world.run(f64::from(seconds));
            for (key, name, value) in &good {
                match world.read(key, &format!("s0-{name}")) {
                    Some(Ok(read)) => prop_assert_eq!(read, *value, "another's value"),
                    other => prop_assert!(false, "{name} has no value: {other:?}"),
                }
                prop_assert_eq!(world.ready(key).0, Tri::Yes, "{}", message(&world, key));
            }
        }
        for (_, name, _) in &good {
            let asked = &world.asked[name.as_str()];
            // A period is 30 s, one may be lost with its batch, and the next one is asked alone.
            let longest = asked.windows(2).map(|pair| pair[1].since(pair[0])).max().unwrap_or_default();
            prop_assert!(longest <= Duration::from_secs(70), "{name} was not asked for {longest:?}");
        }
        // Nobody is forgotten: all are asked again, and what works again is noticed.
        for name in &bad {
            world.set(name, 5.0);
        }
        world.run(1_300.0);
        prop_assert_eq!(world.core.quarantines().of(Scope::Query).held, 0);
        prop_assert_eq!(world.core.quarantines().of(Scope::Component).held, 0);
    }
}
