//! Who is asked when.
use crate::build::{object, object_in};
use crate::world::World;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::time::Duration;
use windlass_core::schedule::period;
use windlass_core::time::Mono;

/// Queries per second over a window.
fn per_second(world: &World, from: Mono, seconds: u64) -> Vec<usize> {
    let mut buckets = vec![0; seconds as usize];
    for (at, queries) in &world.polls {
        let second = at.0.saturating_sub(from.0) / 1000;
        if *at >= from && second < seconds {
            buckets[second as usize] += queries;
        }
    }
    buckets
}

fn max_over_mean(buckets: &[usize]) -> f64 {
    let mean = buckets.iter().sum::<usize>() as f64 / buckets.len() as f64;
    buckets.iter().copied().max().unwrap_or(0) as f64 / mean
}

#[test]
fn the_cadence_rule() {
    let seconds = Duration::from_secs;
    for (poll, at_zero, cached, expected) in [
        (30, false, false, 15),
        (30, true, false, 30),
        (30, false, true, 30),
        (5, false, false, 5),
        (5, true, false, 5),
        (300, false, false, 15),
        (300, true, true, 300),
        (0, true, false, 1),
    ] {
        assert_eq!(period(seconds(poll), at_zero, cached, seconds(15)), seconds(expected));
    }
}

#[test]
fn a_query_is_asked_at_its_interval_at_zero_and_as_often_as_the_hpa_reads_when_awake() {
    let mut world = World::new();
    world.apply(object("asleep").queue("asleep"), 0);
    world.set("awake", 1.0);
    world.apply(object("awake").queue("awake"), 1);
    world.set("cached", 1.0);
    world.apply(object("cached").cached("cached"), 1);
    world.run(60.0);
    world.forget();
    world.run(600.0);
    let count = |queue: &str| world.asked[queue].len();
    assert_eq!((count("asleep"), count("awake"), count("cached")), (20, 40, 20));
}

#[test]
fn equal_questions_are_asked_once_and_go_with_their_last_reader() {
    let mut world = World::new();
    let mut keys = Vec::new();
    for at in 0..500 {
        keys.push(world.apply(object(&format!("o{at}")).queue(&format!("q{}", at % 5)), 0));
    }
    assert_eq!(world.core.questions(), 5);
    world.run(60.0);
    world.forget();
    world.run(300.0);
    assert_eq!(world.polls.iter().map(|(_, queries)| queries).sum::<usize>(), 50, "five questions, ten periods");
    world.set("q1", 5.0);
    world.run(30.0);
    assert_eq!(keys.iter().filter(|key| world.replicas(key) == 1).count(), 100, "all readers hear the answer");
    for key in &keys[..495] {
        world.deliver(windlass_core::Msg::Gone(key.clone()));
    }
    assert_eq!(world.core.questions(), 5);
    for key in &keys[495..] {
        world.deliver(windlass_core::Msg::Gone(key.clone()));
    }
    assert_eq!(world.core.questions(), 0);
}

#[test]
fn a_shared_question_goes_by_its_most_impatient_reader() {
    let mut world = World::new();
    world.set("q", 1.0);
    world.apply(object("slow").cached("q").poll(60), 1);
    let fast = world.apply(object("fast").queue("q").poll(5), 1);
    world.run(60.0);
    world.forget();
    world.run(300.0);
    assert_eq!(world.asked["q"].len(), 60);
    world.deliver(windlass_core::Msg::Gone(fast));
    world.run(60.0);
    world.forget();
    world.run(300.0);
    assert_eq!(world.asked["q"].len(), 5);
}

#[test]
fn a_new_object_is_asked_at_once() {
    let mut world = World::new();
    for at in 0..200 {
        world.apply(object(&format!("o{at}")).queue(&format!("q{at}")), 0);
    }
    world.run(60.0);
    world.set("late", 1.0);
    let key = world.apply(object("late").queue("late").poll(600), 0);
    world.run(0.3);
    assert_eq!(world.replicas(&key), 1);
}

/// Ten thousand questions that come at once, as after a restart: no burst at the start beyond the pace of first polls,
/// and a flat rate from then on.
#[test]
fn ten_thousand_are_asked_at_a_flat_rate() {
    for (poll, namespaces) in [(30, 1), (30, 100), (15, 10)] {
        let mut world = World::new();
        for at in 0..10_000 {
            let namespace = format!("ns{}", at % namespaces);
            world.apply(object_in(&namespace, &format!("o{at}")).queue(&format!("q{at}")).poll(poll), 0);
        }
        let start = world.now;
        world.run(10.0);
        let first = per_second(&world, start, 6);
        assert!(first.iter().all(|queries| *queries < 4_500), "first polls are spread: {first:?}");
        world.run(50.0);
        let from = world.now;
        world.forget();
        world.run(120.0);
        let buckets = per_second(&world, from, 120);
        assert_eq!(buckets.iter().sum::<usize>(), 10_000 * 120 / poll as usize);
        let ratio = max_over_mean(&buckets);
        assert!(ratio < 1.3, "{namespaces} namespaces every {poll} s: max/mean {ratio:.2}, {buckets:?}");
    }
}

#[test]
fn batches_are_full_where_they_can_be() {
    let mut world = World::new();
    for at in 0..640 {
        world.apply(object(&format!("o{at}")).queue_at("grouped-cloud", &format!("q{at}")), 0);
    }
    world.run(60.0);
    world.forget();
    world.run(30.0);
    assert_eq!(world.polls.len(), 10, "one request answers a batch");
}

/// Sources of fewer questions are not asked all of them at once either.
#[test]
fn fewer_questions_are_spread_over_their_period() {
    for (count, most) in [(50, 32), (180, 32), (1_500, 130)] {
        let mut world = World::new();
        for at in 0..count {
            let object = object_in(&format!("ns{}", at / 100), &format!("o{at}"));
            world.apply(object.queue(&format!("q{at}")).poll(15), 0);
        }
        world.run(60.0);
        let from = world.now;
        world.forget();
        world.run(60.0);
        assert!(world.polls.iter().all(|(_, queries)| *queries <= 16.max(count / 60)), "{:?}", world.polls);
        let buckets = per_second(&world, from, 60);
        assert!(buckets.iter().all(|queries| *queries <= most), "{count} questions every 15 s: {buckets:?}");
    }
}

/// Each of many sources has few questions, and so asks them at one moment: these moments are spread too.
#[test]
fn sources_of_few_questions_take_turns() {
    for (sources, each) in [(30, 16), (60, 10), (400, 1)] {
        let mut world = World::new();
        for at in 0..sources * each {
            let object = object(&format!("o{at}"));
            world.apply(object.queue_at(&format!("cloud{}", at % sources), &format!("q{at}")).poll(15), 0);
        }
        world.run(60.0);
        let from = world.now;
        world.forget();
        world.run(60.0);
        let buckets = per_second(&world, from, 60);
        assert_eq!(buckets.iter().sum::<usize>(), sources * each * 4);
        let ratio = max_over_mean(&buckets);
        assert!(ratio <= 1.5, "{sources} sources of {each}: max/mean {ratio:.2}, {buckets:?}");
    }
}

/// Batches do not mix namespaces, but questions that differ in nothing else are asked in the same moment, and so by one
/// request: at rest, and when all are new.
#[test]
fn the_same_question_of_many_namespaces_is_asked_at_the_same_moment() {
    let mut world = World::new();
    let start = world.now;
    for at in 0..2_000 {
        let object = object_in(&format!("ns{}", at / 100), &format!("o{at}"));
        world.apply(object.queue(&format!("q{}", at % 50)).poll(15), 0);
    }
    world.run(10.0);
    // What is asked within a second of the last time is answered by that time's request.
    let requests = |world: &World, from: Mono| {
        let mut requests = Vec::new();
        for times in world.asked.values() {
            let mut sent: Option<Mono> = None;
            for at in times.iter().filter(|at| **at >= from) {
                if sent.is_none_or(|sent| at.since(sent) >= Duration::from_secs(1)) {
                    sent = Some(*at);
                    requests.push(*at);
                }
            }
        }
        requests
    };
    assert_eq!(requests(&world, start).iter().filter(|at| at.since(start) < Duration::from_secs(1)).count(), 50);
    world.run(50.0);
    let from = world.now;
    world.forget();
    world.run(60.0);
    let requests = requests(&world, from);
    assert_eq!(requests.len(), 50 * 4, "50 questions, four periods");
    // A batch is an instance: 20 namespaces with 50 questions each do not need a thousand of them.
    assert!(world.polls.len() <= 20 * 4 * 4, "{} batches in four periods", world.polls.len());
    let mut seconds = [0usize; 60];
    requests.iter().for_each(|at| seconds[at.since(from).as_millis().saturating_sub(1) as usize / 1000] += 1);
    assert!(seconds.iter().all(|requests| *requests <= 16), "{seconds:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    /// Objects with all sorts of intervals come and go: every question is asked in every period, exactly when it should
    /// be, and the world sees no batch that mixes domains and no query twice in flight.
    #[test]
    fn every_question_is_asked_in_every_period(
        script in prop::collection::vec((0usize..40, 0usize..4, 0usize..3, prop::bool::ANY, 0u32..2000), 1..60),
    ) {
        let mut world = World::new();
        let mut alive: BTreeMap<usize, (u64, Mono)> = BTreeMap::new();
        for (name, namespace, interval, present, pause) in script {
            let seconds = [5, 30, 60][interval];
            let namespace = format!("ns{namespace}");
            let id = name * 4 + namespace.as_bytes()[2] as usize - 48;
            let object = object_in(&namespace, &format!("o{name}")).queue(&format!("q{id}")).poll(seconds);
            if present {
                world.apply(object, 0);
                alive.insert(id, (seconds, world.now));
            } else {
                world.deliver(windlass_core::Msg::Gone(object.key()));
                alive.remove(&id);
            }
            world.run(f64::from(pause) / 1000.0);
        }
        prop_assert_eq!(world.core.questions(), alive.len());
        let end = world.now;
        world.run(300.0);
        for (id, (seconds, _)) in alive {
            let queue = format!("q{id}");
            let times: Vec<u64> = world.asked[queue.as_str()].iter().filter(|at| **at >= end).map(|at| at.0).collect();
            for pair in times.windows(2).skip(1) {
                prop_assert!(pair[1] - pair[0] <= seconds * 1000, "{} every {} s: {:?}", id, seconds, pair);
            }
            let expected = 300 / seconds as usize;
            prop_assert!(times.len() + 1 >= expected && times.len() <= expected + 2, "{}: {} of {}", id, times.len(), expected);
        }
    }
}

#[test]
fn sources_and_domains_keep_to_themselves() {
    let mut world = World::new();
    for at in 0..40 {
        let source = format!("grouped-source{}", at % 2);
        let namespace = format!("ns{}", at % 4 / 2);
        world.apply(object_in(&namespace, &format!("o{at}")).queue_at(&source, &format!("q{at}")), 0);
    }
    world.run(5.0);
    world.forget();
    world.run(30.0);
    // The world checks every batch: one component, one domain, one source, one group.
    assert_eq!(world.polls.len(), 4);
}
