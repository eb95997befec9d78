//! Objects come, change, pause, go and come again.
use crate::build::object;
use crate::world::World;
use std::time::Duration;
use windlass_core::failure::Reason;
use windlass_core::message::{Msg, Seen};
use windlass_core::workload::Hold;
use windlass_core::write::{HpaOp, Tri, Write, WriteKind, WriteResult};

#[test]
fn a_pause_deletes_the_hpa_holds_the_replicas_and_asks_nobody() {
    let mut world = World::new();
    world.set("q", 5.0);
    let key = world.apply(object("web").queue("q"), 1);
    world.run(60.0);
    world.forget();
    world.change(object("web").queue("q").paused(Hold::At(4)));
    world.run(600.0);
    assert_eq!(world.replicas(&key), 4);
    assert!(world.held[&key].hpa.is_none());
    assert!(world.polls.is_empty());
    assert_eq!(world.read(&key, "s0-q"), Some(Err(Reason::ScaledObjectPaused)));
    let status = &world.held[&key].record.status;
    assert_eq!(status.paused_replicas, Some(4));
    assert_eq!(status.conditions.paused.as_ref().unwrap().status, Tri::Yes);
    assert_eq!(&*status.conditions.paused.as_ref().unwrap().message, "ScaledObject is paused");
    assert_eq!(world.ready(&key).0, Tri::Yes);
    assert_eq!(world.active(&key).0, Tri::Yes, "as it was");
    assert_eq!(world.told(&key).iter().filter(|reason| **reason == Reason::ScaledObjectPaused).count(), 1);
    assert_eq!(world.count(WriteKind::Status), 1);

    world.forget();
    world.change(object("web").queue("q"));
    world.run(60.0);
    assert!(world.held[&key].hpa.is_some());
    let status = &world.held[&key].record.status;
    assert_eq!(status.paused_replicas, None);
    let paused = status.conditions.paused.as_ref().unwrap();
    assert_eq!((paused.status, &*paused.reason), (Tri::No, "ScaledObjectUnpaused"));
    assert_eq!(&*paused.message, "pause annotation removed for ScaledObject");
    assert!(world.told(&key).contains(&Reason::ScaledObjectUnpaused));
    assert_eq!(world.count(WriteKind::Status), 1);
}

#[test]
fn a_pause_in_place_leaves_the_replicas() {
    let mut world = World::new();
    let key = world.apply(object("web").queue("q").paused(Hold::Here), 3);
    world.run(600.0);
    assert_eq!(world.replicas(&key), 3);
    assert_eq!(world.count(WriteKind::Hpa), 0);
    assert_eq!(world.held[&key].record.status.paused_replicas, None);
}

#[test]
fn a_deleted_object_is_let_go_at_once() {
    let mut world = World::new();
    world.set("q", 5.0);
    let key = world.apply(object("web").queue("q"), 1);
    world.run(60.0);
    world.forget();
    world.deliver(Msg::Deleting(key.clone()));
    world.run(1.0);
    assert!(!world.held[&key].record.finalizer);
    assert_eq!(world.count(WriteKind::Meta), 1);
    assert_eq!(world.writes.len(), 1);
    assert_eq!(world.read(&key, "s0-q"), None);
    assert_eq!(world.told(&key), vec![Reason::ScaledObjectDeleted]);
    world.deliver(Msg::Gone(key.clone()));
    world.run(600.0);
    assert_eq!((world.core.workloads(), world.core.questions(), world.board.len()), (0, 0, 0));
    assert!(world.polls.is_empty());
    assert_eq!(world.core.next_wake(), None);
}

#[test]
fn replicas_are_restored_before_the_object_goes_when_asked_for() {
    let mut world = World::new();
    let key = world.apply(object("web").queue("q").restored(), 3);
    world.run(60.0);
    assert_eq!(world.replicas(&key), 0);
    world.forget();
    world.deliver(Msg::Deleting(key.clone()));
    world.run(1.0);
    assert_eq!(world.replicas(&key), 3);
    assert!(matches!(&world.writes[..], [(_, Write::Scale { to: 3, .. }), (_, Write::Meta { finalizer: false, .. })]));
}

#[test]
fn a_target_that_cannot_be_restored_does_not_hold_the_object_for_ever() {
    let mut world = World::new();
    let key = world.apply(object("web").queue("q").restored(), 3);
    world.run(60.0);
    world.refuse.insert(WriteKind::Scale, vec![WriteResult::Failed("no".into()); 100]);
    world.deliver(Msg::Deleting(key.clone()));
    world.run(29.0);
    assert!(world.held[&key].record.finalizer);
    world.run(2.0);
    assert!(!world.held[&key].record.finalizer);
}

#[test]
fn an_object_that_was_created_anew_starts_from_nothing() {
    let mut world = World::new();
    world.set("q", 5.0);
    let key = world.apply(object("web").queue("q"), 1);
    world.run(60.0);
    world.deliver(Msg::Deleting(key.clone()));
    world.run(1.0);
    world.held.remove(&key);
    // The watches tell of the new one before the end of the old one has come through.
    let mut anew = object("web").queue("q");
    anew.declared.uid = "another".into();
    world.set("q", 0.0);
    world.forget();
    world.apply(anew, 1);
    world.run(60.0);
    assert_eq!(world.core.workloads(), 1);
    assert_eq!(world.count(WriteKind::Meta), 1);
    assert_eq!(world.count(WriteKind::Hpa), 1);
    assert_eq!(world.replicas(&key), 0, "never active as far as this one is concerned");
}

#[test]
fn sights_of_objects_that_never_come_are_forgotten() {
    let mut world = World::new();
    let key = object("ghost").key();
    world.deliver(Msg::Seen(key.clone(), Seen::Hpa(None)));
    world.run(601.0);
    assert_eq!(world.core.workloads(), 0);
    assert_eq!(world.core.next_wake(), None);
}

#[test]
fn sights_may_come_before_or_after_the_object() {
    let mut world = World::new();
    world.set("q", 5.0);
    let key = world.apply(object("seed").queue("q"), 1);
    world.run(60.0);
    let held = world.held[&key].clone();
    // All orders in which one object's pieces may arrive at a new process.
    let pieces = |order: [usize; 4]| {
        let mut fresh = World::new();
        fresh.set("q", 5.0);
        fresh.held.insert(key.clone(), held.clone());
        let messages = [
            Msg::Upsert(Box::new(object("seed").queue("q").workload())),
            Msg::Seen(key.clone(), Seen::Record(held.record.clone())),
            Msg::Seen(key.clone(), Seen::Hpa(held.hpa.clone())),
            Msg::Seen(key.clone(), Seen::Target(held.target.clone())),
        ];
        for at in order {
            fresh.deliver(messages[at].clone());
            fresh.run(0.7);
        }
        fresh.run(120.0);
        assert_eq!(fresh.writes, vec![], "{order:?}");
    };
    for a in 0..4 {
        for b in 0..4 {
            for c in 0..4 {
                for d in 0..4 {
                    let mut seen = [a, b, c, d];
                    seen.sort_unstable();
                    if seen == [0, 1, 2, 3] {
                        pieces([a, b, c, d]);
                    }
                }
            }
        }
    }
}

#[test]
fn metrics_that_the_first_reading_tells_make_the_hpa() {
    let mut world = World::new();
    world.set("discovered", 5.0);
    let key = world.apply(object("web").discovered("x"), 1);
    assert!(world.held[&key].hpa.is_none());
    world.run(60.0);
    assert!(world.held[&key].hpa.is_some());
    assert_eq!(world.read(&key, "s0-discovered"), Some(Ok(windlass_core::Milli(5000))));
    assert_eq!(world.held[&key].record.status.external_metrics, vec!["s0-discovered".into()]);
    assert_eq!((world.count(WriteKind::Hpa), world.count(WriteKind::Status)), (1, 1));
}

#[test]
fn local_mode_needs_nothing_but_a_target() {
    let mut world = World::new();
    let key = world.apply(object("worker").queue("jobs").direct().local().cooldown(20).poll(2), 0);
    world.run(10.0);
    assert_eq!(world.replicas(&key), 0);
    world.set("jobs", 23.0);
    world.run(10.0);
    assert_eq!(world.replicas(&key), 5, "23 jobs, 5 each");
    let view = world.core.view(&key).unwrap();
    let told = view.because.unwrap().to_string();
    assert!(told.contains("s0-jobs: 23 for 5 each = 5"), "{told}");
    assert_eq!(view.triggers[0].metrics[0].value, Some(windlass_core::Milli(23_000)));
    world.set("jobs", 0.0);
    world.run(30.0);
    assert_eq!(world.replicas(&key), 0);
    assert!(world.writes.iter().all(|(_, write)| write.kind() == WriteKind::Scale));
}

#[test]
fn the_direct_engine_takes_its_hpa_away_and_holds_on_unknown() {
    let mut world = World::new();
    world.set("q", 30.0);
    let key = world.apply(object("web").queue("q"), 2);
    world.run(60.0);
    world.forget();
    world.change(object("web").queue("q").direct().generation(2));
    world.run(60.0);
    assert!(world.writes.iter().any(|(_, write)| matches!(write, Write::Hpa { op: HpaOp::Delete { .. }, .. })));
    assert_eq!(world.replicas(&key), 6);
    world.fail("q", windlass_core::FailureKind::Unreachable);
    world.run(1200.0);
    assert_eq!(world.replicas(&key), 6);
}

#[test]
fn a_changed_trigger_is_asked_at_once() {
    let mut world = World::new();
    let key = world.apply(object("web").queue("old").poll(600), 0);
    world.run(60.0);
    world.set("new", 5.0);
    world.change(object("web").queue("new").poll(600).generation(2));
    world.run(2.0);
    assert_eq!(world.replicas(&key), 1);
    assert_eq!(world.read(&key, "s0-old"), None);
    assert_eq!(world.core.questions(), 1);
    assert!(world.told(&key).contains(&Reason::KEDAScalersStarted));
}

#[test]
fn an_outcome_for_a_question_that_is_gone_does_nothing() {
    let mut world = World::new();
    world.poll_takes = Duration::from_secs(8);
    world.set("old", 5.0);
    let key = world.apply(object("web").queue("old"), 0);
    world.run(1.0);
    // In flight; now its place is given to another question.
    world.change(object("web").queue("new").generation(2));
    world.run(60.0);
    assert_eq!(world.replicas(&key), 0);
    assert_eq!(world.read(&key, "s0-new"), Some(Ok(windlass_core::Milli(0))));
}

#[test]
fn what_is_seen_of_the_next_object_survives_the_end_of_the_one_before() {
    let mut world = World::new();
    let key = world.apply(object("web").queue("q"), 1);
    world.run(60.0);
    world.deliver(Msg::Deleting(key.clone()));
    world.run(1.0);
    world.held.remove(&key);
    let mut anew = object("web").queue("q");
    anew.declared.uid = "another".into();
    // Record, HPA and target of the new one, then the end of the old one, then the new one.
    world.see_only(anew.clone(), 1);
    world.deliver(Msg::Gone(key.clone()));
    world.forget();
    world.change(anew);
    world.run(60.0);
    assert_eq!((world.count(WriteKind::Meta), world.count(WriteKind::Hpa), world.count(WriteKind::Status)), (1, 1, 1));
    assert_eq!(world.ready(&key).0, Tri::Yes);
}
