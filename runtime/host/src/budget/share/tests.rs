use super::*;

fn share(in_flight: usize, per_domain: usize, queue: usize, queue_per_domain: usize) -> Share<(Domain, u64)> {
    Share::new(Bounds { in_flight, in_flight_per_domain: per_domain, queue, queue_per_domain })
}

fn domain(name: &str) -> Domain {
    name.into()
}

/// Queues some of a namespace; returns their numbers.
fn queue(share: &mut Share<(Domain, u64)>, name: &str, count: u64) -> Vec<u64> {
    (0..count).map(|i| share.enter(&domain(name), (domain(name), i)).expect("room").0).collect()
}

fn admitted(share: &mut Share<(Domain, u64)>) -> Vec<String> {
    std::iter::from_fn(|| share.admit()).map(|(name, _)| name.to_string()).collect()
}

#[test]
fn namespaces_that_wait_take_turns() {
    let mut share = share(100, 100, 100, 100);
    queue(&mut share, "greedy", 50);
    queue(&mut share, "a", 2);
    queue(&mut share, "b", 1);
    let order = admitted(&mut share);
    assert_eq!(order[..6], ["greedy", "a", "b", "greedy", "a", "greedy"]);
    assert_eq!((order.len(), share.waiting, share.in_flight()), (53, 0, 53));
}

#[test]
fn within_a_namespace_the_first_comes_first() {
    let mut share = share(100, 100, 100, 100);
    queue(&mut share, "a", 3);
    let order: Vec<u64> = std::iter::from_fn(|| share.admit()).map(|(_, i)| i).collect();
    assert_eq!(order, [0, 1, 2]);
}

#[test]
fn no_namespace_takes_all_slots_and_those_passed_over_keep_their_turn() {
    let mut share = share(4, 3, 100, 100);
    let greedy = queue(&mut share, "greedy", 10);
    assert_eq!(admitted(&mut share), ["greedy"; 3]);
    queue(&mut share, "a", 2);
    assert_eq!(admitted(&mut share), ["a"]);
    assert!(!share.ready(), "all slots are taken");
    assert_eq!(share.leave(&domain("greedy"), greedy[0]), Left::Flight);
    assert_eq!(admitted(&mut share), ["greedy"], "its turn was before the second of a");
    assert_eq!(share.in_flight(), 4);
}

#[test]
fn the_queue_is_bounded_per_namespace_and_in_all() {
    let mut share = share(1, 1, 10, 6);
    queue(&mut share, "greedy", 6);
    assert_eq!(share.enter(&domain("greedy"), (domain("greedy"), 9)), Err(Full::Domain));
    queue(&mut share, "other", 4);
    assert_eq!(share.waiting, 10);
    // A third one has fewer than the longest: the newest of that one goes.
    let (_, gone) = share.enter(&domain("third"), (domain("third"), 0)).expect("its share");
    assert_eq!(gone, Some((domain("greedy"), 5)));
    assert_eq!(share.waiting, 10);
    let mut third = 1;
    while share.enter(&domain("third"), (domain("third"), third)).is_ok() {
        third += 1;
    }
    assert_eq!(third, 3, "nobody is pushed out for the sake of who has as much");
    assert_eq!(share.waiting, 10);
}

#[test]
fn who_leaves_frees_its_place() {
    let mut share = share(1, 1, 3, 3);
    let ids = queue(&mut share, "a", 3);
    assert_eq!(share.leave(&domain("a"), ids[1]), Left::Queue);
    assert_eq!(share.leave(&domain("a"), ids[1]), Left::Nowhere);
    assert_eq!(share.waiting, 2);
    queue(&mut share, "b", 1);
    assert_eq!(admitted(&mut share), ["a"]);
    assert_eq!(share.leave(&domain("a"), ids[0]), Left::Flight);
    assert_eq!(admitted(&mut share), ["b"], "their turns alternate");
    for (name, id) in [("a", ids[2]), ("b", ids[2] + 1)] {
        share.leave(&domain(name), id);
    }
    assert!(share.lanes.is_empty() && share.turns.is_empty(), "nothing is kept of who is gone");
    assert_eq!((share.waiting, share.in_flight()), (0, 0));
}

#[test]
fn those_that_wait_can_be_sent_away() {
    let mut share = share(1, 1, 9, 9);
    queue(&mut share, "a", 3);
    queue(&mut share, "b", 2);
    assert_eq!(admitted(&mut share), ["a"]);
    assert_eq!(share.drain(Some(&domain("a"))).len(), 2);
    assert_eq!((share.waiting, share.in_flight()), (2, 1));
    assert_eq!(share.drain(None).len(), 2);
    assert_eq!((share.waiting, share.in_flight()), (0, 1));
    assert!(share.turns.is_empty());
}
