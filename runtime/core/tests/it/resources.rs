//! What pods use, told to the direct engine.
use crate::build::object;
use crate::world::World;
use windlass_core::algorithm::Resource;
use windlass_core::algorithm::resource::{Goal, Group};
use windlass_core::failure::{Failure, FailureKind};
use windlass_core::write::Tri;
use windlass_core::{Msg, Seen, WorkloadKey};

/// So many ready pods that use so much of 1000m each, for a goal of 50 %.
fn using(pods: u32, per_cent: i64) -> Result<Resource, Failure> {
    let ready = Group { pods, used: per_cent * 10 * i64::from(pods), requested: 1_000 * i64::from(pods) };
    let none = Group::default();
    Ok(Resource { goal: Goal::Utilization(50), ready, unready: none, missing: none })
}

fn unknown() -> Result<Resource, Failure> {
    Err(Failure::new(FailureKind::NotFound, "no running pod's use of cpu is known"))
}

/// Reads come every 15 s for a while.
fn read(world: &mut World, key: &WorkloadKey, found: &Result<Resource, Failure>, reads: u32) {
    for _ in 0..reads {
        world.deliver(Msg::Seen(key.clone(), Seen::Use(vec![(0, found.clone())])));
        world.run(15.0);
    }
}

#[test]
fn the_use_of_pods_scales_and_what_is_unknown_holds() {
    let mut world = World::new();
    let key = world.apply(object("web").cpu().direct().bounds(1, 20), 2);
    world.run(5.0);
    assert_eq!(world.replicas(&key), 2, "nothing is known yet");
    read(&mut world, &key, &using(2, 100), 1);
    assert_eq!(world.replicas(&key), 4);
    read(&mut world, &key, &using(4, 54), 1);
    assert_eq!(world.replicas(&key), 4, "within the tolerance");
    world.forget();
    read(&mut world, &key, &unknown(), 3);
    assert_eq!((world.replicas(&key), world.ready(&key).0), (4, Tri::Yes), "a moment is nobody's business");
    assert!(world.writes.is_empty(), "{:?}", world.writes);
    read(&mut world, &key, &unknown(), 60);
    assert_eq!(world.replicas(&key), 4);
    assert_eq!(world.ready(&key), (Tri::No, "TriggerError".into()));
    assert!(world.writes.len() <= 2, "said once: {:?}", world.writes);
    read(&mut world, &key, &using(4, 20), 25);
    assert_eq!(world.ready(&key).0, Tri::Yes);
    assert_eq!(world.replicas(&key), 2);
}

#[test]
fn reads_that_stop_make_the_use_unknown() {
    let mut world = World::new();
    world.set("q", 5.0);
    let key = world.apply(object("web").cpu().queue("q").direct().bounds(1, 20), 8);
    read(&mut world, &key, &using(8, 10), 1);
    world.run(1_000.0);
    assert_eq!(world.replicas(&key), 8, "the queue wants one, but pods may need all");
    world.set("q", 50.0);
    world.run(60.0);
    assert_eq!(world.replicas(&key), 10, "what is known may ask for more");
}

#[test]
fn at_zero_there_are_no_pods_and_nothing_to_complain_about() {
    let mut world = World::new();
    world.set("q", 0.0);
    let key = world.apply(object("web").cpu().queue("q").direct().cooldown(5), 1);
    world.run(60.0);
    assert_eq!(world.replicas(&key), 0);
    world.forget();
    read(&mut world, &key, &unknown(), 20);
    assert_eq!(world.ready(&key).0, Tri::Yes);
    assert!(world.writes.is_empty(), "{:?}", world.writes);
}
