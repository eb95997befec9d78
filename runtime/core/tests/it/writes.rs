//! Write economy: what a cluster in which nothing happens costs, and what one object costs.
use crate::build::{Object, object, object_in};
use crate::world::World;
use proptest::prelude::*;
use std::time::Duration;
use windlass_core::failure::{FailureKind, Fault, Reason};
use windlass_core::message::Msg;
use windlass_core::write::{Condition, HpaOp, Tri, Write, WriteKind, WriteResult};

fn kinds(world: &World) -> Vec<WriteKind> {
    let mut kinds: Vec<WriteKind> = world.writes.iter().map(|(_, write)| write.kind()).collect();
    kinds.sort();
    kinds
}

#[test]
fn a_new_object_costs_three_writes() {
    use WriteKind::{Hpa, Meta, Scale, Status};
    for (items, replicas, expected) in
        [(0.0, 0, vec![Hpa, Meta, Status]), (5.0, 1, vec![Hpa, Meta, Status]), (5.0, 0, vec![Scale, Hpa, Meta, Status])]
    {
        let mut world = World::new();
        world.set("q", items);
        let key = world.apply(object("web").queue("q"), replicas);
        world.run(600.0);
        assert_eq!(kinds(&world), expected, "{items} items, {replicas} replicas: {:#?}", world.writes);
        assert_eq!(world.ready(&key), (Tri::Yes, "ScaledObjectReady".into()));
        let status = &world.held[&key].record.status;
        assert_eq!(status.hpa_name.as_deref(), Some("keda-hpa-web"));
        assert_eq!(status.external_metrics, vec!["s0-q".into()]);
        assert_eq!(status.original_replicas, Some(replicas));
        assert_eq!(status.trigger_types.as_deref(), Some("queue"));
        assert_eq!(status.activity.get("s0-q"), Some(&(items > 0.0)));
        let ready: Vec<_> = world.told(&key).into_iter().filter(|r| *r == Reason::ScaledObjectReady).collect();
        assert_eq!(ready.len(), 1);
    }
}

#[test]
fn a_new_object_whose_source_is_down_costs_three_writes_too() {
    let mut world = World::new();
    world.fail("q", FailureKind::Unreachable);
    let key = world.apply(object("web").queue("q"), 0);
    world.run(600.0);
    assert_eq!(kinds(&world), vec![WriteKind::Hpa, WriteKind::Meta, WriteKind::Status]);
    assert_eq!(world.ready(&key), (Tri::No, "TriggerError".into()));
    assert_eq!(world.told(&key), vec![Reason::KEDAScalerFailed]);
}

#[test]
fn slow_watches_and_slow_writes_make_no_difference() {
    for (write_ms, watch_ms, poll_ms) in
        [(1, 1, 1), (10, 3000, 10), (2000, 10, 3000), (2500, 4000, 100), (1, 4500, 9000)]
    {
        let mut world = World::new();
        world.write_takes = Duration::from_millis(write_ms);
        world.watch_lags = Duration::from_millis(watch_ms);
        world.poll_takes = Duration::from_millis(poll_ms);
        world.set("q", 1.0);
        world.apply(object("web").queue("q"), 0);
        world.run(600.0);
        // A poll that takes longer than the object may take to settle is told in a second status.
        let statuses = 1 + usize::from(poll_ms > 5000);
        let status = &world.held.values().next().unwrap().record.status;
        assert_eq!(status.original_replicas, Some(0), "what it was before we came");
        assert_eq!(world.count(WriteKind::Status), statuses, "{write_ms} {watch_ms} {poll_ms}: {:#?}", world.writes);
        assert_eq!(
            (world.count(WriteKind::Hpa), world.count(WriteKind::Meta), world.count(WriteKind::Scale)),
            (1, 1, 1)
        );
    }
}

#[test]
fn a_watch_that_is_faster_than_the_answer_hides_nothing() {
    let mut world = World::new();
    (world.echo_first, world.write_takes) = (true, Duration::from_millis(200));
    world.set("q", 1.0);
    let key = world.apply(object("web").queue("q"), 0);
    world.fail("broken", FailureKind::Auth);
    let broken = world.apply(object("broken").queue("broken"), 2);
    world.run(600.0);
    assert_eq!(world.told(&broken), vec![Reason::KEDAScalerFailed]);
    let told = world.told(&key);
    for reason in [Reason::KEDAScaleTargetActivated, Reason::KEDAScalersStarted, Reason::ScaledObjectReady] {
        assert_eq!(told.iter().filter(|told| **told == reason).count(), 1, "{reason}: {told:?}");
    }
    assert_eq!((world.count(WriteKind::Scale), world.count(WriteKind::Status), world.count(WriteKind::Hpa)), (1, 2, 2));
}

#[test]
fn replicas_that_others_set_before_our_write_was_acknowledged_count() {
    let mut world = World::new();
    (world.echo_first, world.write_takes) = (true, Duration::from_secs(2));
    world.set("q", 5.0);
    let key = world.apply(object("web").queue("q"), 0);
    while world.replicas(&key) == 0 {
        world.run(0.1);
    }
    // The HPA is faster than the answer to our write.
    world.run(1.1);
    world.scale_by_hand(&key, 9);
    world.run(60.0);
    world.set("q", 0.0);
    world.run(3_600.0);
    assert_eq!(world.replicas(&key), 0);
    let last = world.told(&key).into_iter().filter(|reason| *reason == Reason::KEDAScaleTargetDeactivated).count();
    assert_eq!(last, 1);
    let from_nine = world.events.iter().any(|(_, _, _, text)| text.contains("from 9 to 0"));
    assert!(from_nine, "{:?}", world.events);
}

#[test]
fn a_steady_cluster_costs_nothing_at_all() {
    let mut world = World::new();
    for at in 0..40 {
        let queue = format!("q{at}");
        match at % 5 {
            0 => world.set(&queue, 5.0),
            1 => world.fail(&queue, FailureKind::Auth),
            2 => world.fail(&queue, FailureKind::Timeout),
            _ => {}
        }
        world.apply(object(&format!("web-{at}")).queue(&queue).value(&format!("{queue}v")), u32::from(at % 5 == 0));
    }
    world.run(300.0);
    world.forget();
    let before = world.polls.len();
    world.run(2.0 * 3600.0);
    assert!(world.polls.len() > before + 1000, "it did poll");
    assert_eq!(world.writes, vec![]);
    assert_eq!(world.events, vec![]);
    let objects: Vec<Object> =
        (0..40).map(|at| object(&format!("web-{at}")).queue(&format!("q{at}")).value(&format!("q{at}v"))).collect();
    world.restart(objects);
    world.run(600.0);
    assert_eq!(world.writes, vec![], "and a restart costs nothing either");
    assert_eq!(world.events, vec![]);
}

#[test]
fn changing_values_cost_nothing_while_what_they_mean_stays_the_same() {
    let mut world = World::new();
    world.set("q", 1.0);
    world.apply(object("web").queue("q"), 1);
    world.run(60.0);
    world.forget();
    for items in 1..500 {
        world.set("q", f64::from(items));
        world.run(15.0);
    }
    assert_eq!(world.writes, vec![]);
}

#[test]
fn an_edited_hpa_is_put_right_once_and_a_deleted_one_comes_back() {
    let mut world = World::new();
    let key = world.apply(object("web").queue("q"), 1);
    world.run(60.0);
    world.forget();
    world.set_hpa(&key, |hpa| hpa.as_mut().unwrap().shape.max = 99);
    world.run(60.0);
    assert_eq!(kinds(&world), vec![WriteKind::Hpa]);
    assert_eq!(world.held[&key].hpa.as_ref().unwrap().shape.max, 10);
    world.set_hpa(&key, |hpa| *hpa = None);
    world.run(60.0);
    assert_eq!(kinds(&world), vec![WriteKind::Hpa, WriteKind::Hpa]);
    assert!(world.held[&key].hpa.is_some());
}

#[test]
fn an_hpa_deleted_right_after_its_creation_comes_back() {
    let mut world = World::new();
    let key = world.apply(object("web").queue("q"), 1);
    world.run(0.5);
    assert!(world.held[&key].hpa.is_some());
    world.set_hpa(&key, |hpa| *hpa = None);
    world.run(60.0);
    assert!(world.held[&key].hpa.is_some());
}

#[test]
fn a_renamed_hpa_is_deleted_and_created() {
    let mut world = World::new();
    let key = world.apply(object("web").queue("q"), 1);
    world.run(60.0);
    world.forget();
    let mut renamed = object("web").queue("q").generation(2);
    renamed.declared.hpa.name = "mine".into();
    world.change(renamed);
    world.run(60.0);
    let ops: Vec<_> = world
        .writes
        .iter()
        .filter_map(|(_, write)| match write {
            Write::Hpa { op, .. } => Some(op.clone()),
            _ => None,
        })
        .collect();
    assert!(
        matches!(&ops[..], [HpaOp::Delete { name }, HpaOp::Create(shape)] if &**name == "keda-hpa-web" && &*shape.name == "mine")
    );
    assert_eq!(world.held[&key].record.status.hpa_name.as_deref(), Some("mine"));
    assert_eq!(world.count(WriteKind::Status), 1);
}

#[test]
fn somebody_elses_hpa_is_left_alone_unless_it_is_handed_over() {
    let mut world = World::new();
    world.set("q", 1.0);
    let mut named = object("web").queue("q");
    (named.declared.hpa.name, named.declared.hpa.named) = ("mine".into(), true);
    let key = world.apply(named.clone(), 1);
    world.run(30.0);
    world.set_hpa(&key, |hpa| hpa.as_mut().unwrap().owner = None);
    world.run(30.0);
    world.forget();
    world.set_hpa(&key, |hpa| hpa.as_mut().unwrap().shape.max = 3);
    world.run(30.0);
    assert_eq!(world.ready(&key), (Tri::No, "ConflictingHpa".into()));
    world.set("q", 0.0);
    world.run(300.0);
    assert_eq!(world.replicas(&key), 1, "neither HPA nor replicas are touched");
    world.set("q", 1.0);
    world.run(40.0);
    assert_eq!(world.count(WriteKind::Hpa), 0);
    named.declared.annotations.insert("scaledobject.keda.sh/transfer-hpa-ownership".into(), "true".into());
    world.change(named);
    world.run(30.0);
    assert_eq!(world.count(WriteKind::Hpa), 1);
    assert_eq!(world.held[&key].hpa.as_ref().unwrap().owner.as_deref(), Some("uid-shop-web"));
    assert_eq!(world.ready(&key).0, Tri::Yes);
}

#[test]
fn a_conflict_is_decided_again_on_what_is_seen_next() {
    let mut world = World::new();
    world.watch_lags = Duration::from_millis(800);
    let key = world.apply(object("web").queue("q"), 0);
    world.run(60.0);
    world.forget();
    // Somebody scales by hand just before we do: our write conflicts, and is not needed any more.
    world.set("q", 1.0);
    while world.writes.is_empty() {
        world.run(0.01);
        if world.polls.len() == 1 && world.replicas(&key) == 0 && world.writes.is_empty() {
            world.scale_by_hand(&key, 4);
        }
    }
    world.run(100.0);
    assert_eq!(world.count(WriteKind::Scale), 1, "{:#?}", world.writes);
    assert_eq!(world.replicas(&key), 4);
    assert!(!world.told(&key).contains(&Reason::KEDAScaleTargetActivated));
}

#[test]
fn failed_writes_are_tried_again_with_growing_pauses() {
    let mut world = World::new();
    world.refuse.insert(WriteKind::Scale, vec![WriteResult::Failed("etcd is gone".into()); 5]);
    world.refuse.insert(WriteKind::Status, vec![WriteResult::Failed("etcd is gone".into()); 3]);
    world.refuse.insert(WriteKind::Hpa, vec![WriteResult::Dropped]);
    world.set("q", 1.0);
    let key = world.apply(object("web").queue("q"), 0);
    world.run(300.0);
    assert_eq!(world.replicas(&key), 1);
    assert_eq!((world.count(WriteKind::Scale), world.count(WriteKind::Status), world.count(WriteKind::Hpa)), (6, 4, 2));
    let times: Vec<u64> =
        world.writes.iter().filter(|(_, write)| write.kind() == WriteKind::Scale).map(|(at, _)| at.0).collect();
    let pauses: Vec<u64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(pauses.windows(2).all(|pair| pair[1] > pair[0]), "{pauses:?}");
    let failed = world.told(&key).into_iter().filter(|reason| *reason == Reason::KEDAScaleTargetActivationFailed);
    assert_eq!(failed.count(), 1, "told once, not at every try");
}

#[test]
fn a_write_whose_end_is_never_told_is_given_up() {
    let mut world = World::new();
    let key = world.apply(object("web").queue("q"), 1);
    world.run(60.0);
    world.set_hpa(&key, |hpa| hpa.as_mut().unwrap().shape.max = 99);
    world.write_takes = Duration::from_secs(100_000);
    world.run(1.0);
    world.forget();
    world.run(58.0);
    assert_eq!(world.count(WriteKind::Hpa), 0);
    world.lose_writes();
    world.run(5.0);
    assert_eq!(world.count(WriteKind::Hpa), 1, "and tried again");
}

#[test]
fn a_fault_is_told_at_once_in_one_write_and_nothing_else_is_touched() {
    let mut world = World::new();
    let fault = Fault::new(Reason::ConflictingScaledObject, "the target is scaled by ScaledObject other");
    let key = world.apply(object("web").queue("q").fault(fault), 3);
    world.run(600.0);
    assert_eq!(kinds(&world), vec![WriteKind::Status]);
    assert_eq!(world.ready(&key), (Tri::No, "ConflictingScaledObject".into()));
    assert_eq!(world.told(&key), vec![Reason::ScaledObjectCheckFailed]);
    assert!(world.polls.is_empty());
    world.change(object("web").queue("q"));
    world.run(600.0);
    assert_eq!(world.ready(&key).0, Tri::Yes);
}

#[test]
fn a_refused_object_says_so_and_keeps_its_hpa() {
    let mut world = World::new();
    world.set("q", 1.0);
    let key = world.apply(object("web").queue("q"), 1);
    world.run(60.0);
    world.forget();
    let fault = Fault::new(Reason::UnsupportedField, "spec.fallback is not supported yet");
    let refused = |key: &windlass_core::WorkloadKey| Msg::Refused {
        key: key.clone(),
        uid: "uid-shop-web".into(),
        generation: 2,
        fault: fault.clone(),
    };
    world.deliver(refused(&key));
    world.run(600.0);
    assert_eq!(kinds(&world), vec![WriteKind::Status]);
    assert_eq!(world.ready(&key), (Tri::No, "UnsupportedField".into()));
    assert!(world.polls.is_empty() && world.held[&key].hpa.is_some());
    assert!(world.read(&key, "s0-q").unwrap().is_err());
    world.change(object("web").queue("q").generation(3));
    world.run(60.0);
    assert_eq!(world.ready(&key).0, Tri::Yes);

    // One that never was anything else.
    let mut world = World::new();
    let key = world.apply(object("new").queue("q"), 1);
    world.restart(vec![]);
    world.held.get_mut(&key).unwrap().hpa = None;
    let record = world.held[&key].record.clone();
    world.forget();
    world.deliver(Msg::Seen(key.clone(), windlass_core::Seen::Record(record)));
    world.deliver(Msg::Refused { key: key.clone(), uid: "uid-shop-new".into(), generation: 1, fault: fault.clone() });
    world.run(60.0);
    assert_eq!(kinds(&world), vec![WriteKind::Status]);
    assert_eq!(world.ready(&key), (Tri::No, "UnsupportedField".into()));
}

#[test]
fn an_hpa_that_cannot_scale_is_told_once_it_lasts() {
    let mut world = World::new();
    world.set("q", 1.0);
    let key = world.apply(object("web").queue("q"), 1);
    world.run(60.0);
    world.forget();
    let condition = |status, reason: &str, message: &str| {
        Some(Condition { status, reason: reason.into(), message: message.into() })
    };
    world
        .set_hpa(&key, |hpa| hpa.as_mut().unwrap().scaling_active = condition(Tri::No, "FailedGetExternalMetric", "1"));
    world.run(30.0);
    world.set_hpa(&key, |hpa| hpa.as_mut().unwrap().scaling_active = condition(Tri::Yes, "ValidMetricFound", ""));
    world.run(100.0);
    assert_eq!(world.writes, vec![], "a start is no trouble");
    for message in ["2", "3", "4"] {
        world.set_hpa(&key, |hpa| {
            hpa.as_mut().unwrap().scaling_active = condition(Tri::No, "FailedGetExternalMetric", message);
        });
        world.run(61.0);
    }
    assert_eq!(kinds(&world), vec![WriteKind::Status]);
    let told = |world: &World| world.held[&key].record.status.conditions.hpa_active.clone().unwrap();
    assert_eq!((told(&world).status, &*told(&world).reason), (Tri::No, "FailedGetExternalMetric"));
    world.set_hpa(&key, |hpa| hpa.as_mut().unwrap().scaling_active = condition(Tri::Yes, "ValidMetricFound", ""));
    world.run(10.0);
    assert_eq!(told(&world).status, Tri::Yes);
    assert_eq!(world.count(WriteKind::Status), 2);
}

#[test]
fn a_stop_writes_what_is_only_in_memory() {
    let mut world = World::new();
    world.set("busy", 1.0);
    let busy = world.apply(object("busy").queue("busy"), 1);
    let idle = world.apply(object("idle").queue("idle"), 0);
    world.run(300.0);
    world.forget();
    world.deliver(Msg::Flush);
    world.run(0.2);
    assert_eq!(kinds(&world), vec![WriteKind::Status]);
    let stored = world.held[&busy].record.status.last_active.unwrap();
    assert!(world.clock().wall.0 - stored.0 < 16_000 && stored.0 % 1000 == 0);
    assert_eq!(world.held[&idle].record.status.last_active, None);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// However objects come and whatever they are: three writes each beside scaling, and after that silence.
    #[test]
    fn every_object_costs_at_most_three_writes(
        shapes in prop::collection::vec((0usize..4, 0u32..3, prop::bool::ANY), 1..12),
        write_ms in 1u64..2000, watch_ms in 1u64..3000, poll_ms in 1u64..2000,
    ) {
        let mut world = World::new();
        world.write_takes = Duration::from_millis(write_ms);
        world.watch_lags = Duration::from_millis(watch_ms);
        world.poll_takes = Duration::from_millis(poll_ms);
        world.set("full", 9.0);
        world.fail("down", FailureKind::Unreachable);
        for (at, (shape, replicas, cpu)) in shapes.iter().enumerate() {
            let mut object = object_in(&format!("ns{}", at % 3), &format!("o{at}")).bounds(1, 5);
            object = match shape {
                0 => object.queue("full"),
                1 => object.queue("empty"),
                2 => object.queue("down"),
                _ => object.queue("full").value("down").queue("empty"),
            };
            if *cpu {
                object = object.cpu();
            }
            world.apply(object, *replicas);
            world.run(0.3);
        }
        world.run(120.0);
        for kind in [WriteKind::Meta, WriteKind::Hpa, WriteKind::Status] {
            prop_assert!(world.count(kind) <= shapes.len(), "{:?}: {:#?}", kind, world.writes);
        }
        world.forget();
        world.run(1800.0);
        prop_assert_eq!(&world.writes, &vec![]);
    }
}
