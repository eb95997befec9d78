use super::*;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use std::collections::BTreeMap;
use windlass_core::query::{Domain, QueryIdentity, QueryPlan, ResolvedTrigger, SourceKey};
use windlass_core::{Digest, FailureKind};

/// A question of a namespace, with the fingerprint of its secrets.
pub(crate) fn question(domain: &str, secrets: u8) -> Question {
    Question {
        identity: QueryIdentity(Fingerprint([0; 32])),
        alike: Fingerprint([0; 32]),
        component: Digest([0; 32]),
        trigger: ResolvedTrigger {
            kind: "test".into(),
            domain: domain.into(),
            values: BTreeMap::new(),
            extras: BTreeMap::new(),
            identity: None,
            owner: None,
            bound: None,
            granted: None,
        },
        plan: QueryPlan { metrics: None, endpoints: Vec::new(), group: "".into(), requests: 1 },
        source: SourceKey(Fingerprint([0; 32])),
        secrets: Fingerprint([secrets; 32]),
    }
}

pub(crate) fn endpoint(host: &str, port: u16) -> Endpoint {
    Endpoint { parameter: None, host: host.into(), port, tls: None }
}

pub(crate) fn budgets(budget: Budget) -> Budgets {
    Budgets::new(budget, SourceMetrics::new(&mut Default::default()))
}

fn source(budget: Budget) -> Arc<Source> {
    budgets(budget).source(&question("a", 0), &endpoint("queue", 80)).expect("a source")
}

/// Admits at once, however many.
pub(super) fn generous() -> Budget {
    Budget { rate: 1e6, burst: 1_000_000, ..Budget::default() }
}

fn domain(name: &str) -> Domain {
    name.into()
}

fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

async fn permit(source: &Arc<Source>, name: &str) -> Permit {
    let ticket = source.enter(&domain(name)).expect("a place in the queue");
    ticket.granted(Instant::now() + secs(1)).await.expect("a slot")
}

fn refused<T>(result: Result<T, Failure>) -> Failure {
    result.err().expect("a refusal")
}

/// Lets tasks run that are ready.
pub(crate) async fn settle() {
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_source_is_host_port_scheme_and_credentials_whoever_asks() {
    let budgets = budgets(Budget::default());
    let of =
        |domain, secrets, host, port| budgets.source(&question(domain, secrets), &endpoint(host, port)).expect("one");
    let first = of("a", 1, "Queue.example.", 80);
    assert!(Arc::ptr_eq(&first, &of("b", 1, "queue.EXAMPLE", 80)));
    for other in [of("a", 2, "queue.example", 80), of("a", 1, "queue.example", 81), of("a", 1, "queue", 80)] {
        assert!(!Arc::ptr_eq(&first, &other));
    }
    let name = of("a", 1, "[::1]", 80);
    assert_eq!(name.name(), "[::1]:80");
    assert!(Arc::ptr_eq(&name, &of("a", 1, "::1", 80)));
}

#[tokio::test(start_paused = true)]
async fn sources_that_nobody_asks_are_forgotten() {
    let budgets = budgets(Budget::default());
    let used = budgets.source(&question("a", 1), &endpoint("used", 80)).expect("one");
    drop(budgets.source(&question("a", 1), &endpoint("unused", 80)));
    tokio::time::advance(FORGET + secs(1)).await;
    budgets.sweep();
    assert_eq!(budgets.sources.lock().expect("whole").len(), 1, "one is held");
    drop(used);
    budgets.sweep();
    assert_eq!(budgets.sources.lock().expect("whole").len(), 0);
}

/// Queues and tells in which order namespaces were admitted; each gives its slot back at once.
fn asks(source: &Arc<Source>, name: &'static str, order: &Arc<Mutex<Vec<&'static str>>>, deadline: Instant) {
    let ticket = source.enter(&domain(name)).expect("a place");
    let order = order.clone();
    tokio::spawn(async move {
        if let Ok(_permit) = ticket.granted(deadline).await {
            order.lock().expect("whole").push(name);
        }
    });
}

#[tokio::test(start_paused = true)]
async fn a_greedy_namespace_does_not_make_others_wait_behind_it() {
    let source = source(Budget { rate: 10.0, burst: 1, ..Budget::default() });
    let order = Arc::new(Mutex::new(Vec::new()));
    let deadline = Instant::now() + secs(60);
    for _ in 0..100 {
        asks(&source, "greedy", &order, deadline);
    }
    for _ in 0..5 {
        asks(&source, "polite", &order, deadline);
    }
    tokio::time::sleep(secs(30)).await;
    let order = order.lock().expect("whole");
    assert_eq!(order.len(), 105);
    let polite = order.iter().take(11).filter(|name| **name == "polite").count();
    assert_eq!(polite, 5, "every second turn: {order:?}");
}

#[tokio::test(start_paused = true)]
async fn the_rate_bounds_what_is_sent() {
    let source = source(Budget { rate: 5.0, burst: 3, ..Budget::default() });
    let order = Arc::new(Mutex::new(Vec::new()));
    let begun = Instant::now();
    for _ in 0..200 {
        asks(&source, "a", &order, begun + secs(10));
    }
    tokio::time::sleep(Duration::from_millis(9_990)).await;
    assert_eq!(order.lock().expect("whole").len(), 3 + 49);
    tokio::time::sleep(secs(60)).await;
    let admitted = order.lock().expect("whole").len();
    assert!((52..=53).contains(&admitted), "{admitted}: the others' time is over");
    assert_eq!((source.series.waiting.get(), source.series.in_flight.get()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn slots_are_bounded_and_some_are_out_of_one_namespaces_reach() {
    let source = source(Budget { in_flight: 4, ..generous() });
    let held = [permit(&source, "greedy").await, permit(&source, "greedy").await, permit(&source, "greedy").await];
    let more = source.enter(&domain("greedy")).expect("a place");
    let failure = refused(more.granted(Instant::now() + secs(1)).await);
    assert_eq!(failure.kind, FailureKind::Throttled);
    assert!(failure.message.contains("the namespace has all 3 requests"), "{failure}");
    let polite = permit(&source, "polite").await;
    let failure = refused(source.enter(&domain("third")).expect("a place").granted(Instant::now() + secs(1)).await);
    assert!(failure.message.contains("--source-in-flight"), "{failure}");
    assert_eq!(source.series.in_flight.get(), 4);
    drop(polite);
    permit(&source, "third").await;
    drop(held);
    assert_eq!((source.series.waiting.get(), source.series.in_flight.get()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn what_does_not_fit_is_throttled_in_words_that_help() {
    let source = source(Budget { rate: 1.0, burst: 1, queue: 2, queue_per_namespace: 1, ..Budget::default() });
    drop(permit(&source, "a").await);
    let waiting = source.enter(&domain("a")).expect("a place");
    let full = refused(source.enter(&domain("a")));
    assert!(full.kind == FailureKind::Throttled && full.message.contains("--source-namespace-queue"), "{full}");
    let _other = source.enter(&domain("b")).expect("a place");
    let full = refused(source.enter(&domain("c")));
    assert!(full.kind == FailureKind::Throttled && full.message.contains("--source-queue"), "{full}");
    let spent = refused(waiting.granted(Instant::now() + Duration::from_millis(10)).await);
    assert_eq!(spent.kind, FailureKind::Throttled);
    assert_eq!(
        &*spent.message,
        "the budget of 1 requests a second for queue:80 is spent: raise --source-rate, or poll less often"
    );
    // Its place is free again.
    drop(source.enter(&domain("a")).expect("a place"));
}

#[tokio::test(start_paused = true)]
async fn whoever_stops_waiting_frees_its_place_and_a_turn_that_came_meanwhile() {
    let source = source(Budget { in_flight: 1, queue: 1, queue_per_namespace: 1, ..generous() });
    let held = permit(&source, "a").await;
    let waiting = source.enter(&domain("b")).expect("a place");
    assert!(source.enter(&domain("c")).is_err());
    drop(waiting);
    let waiting = source.enter(&domain("c")).expect("the place is free");
    // Its turn comes, and it goes without having noticed.
    drop(held);
    assert_eq!(source.series.in_flight.get(), 1);
    drop(waiting);
    assert_eq!((source.series.waiting.get(), source.series.in_flight.get()), (0, 0));
    permit(&source, "d").await;
}

fn throttled(retry_after: &'static str) -> HeaderMap {
    HeaderMap::from_iter([(header::RETRY_AFTER, HeaderValue::from_static(retry_after))])
}

#[tokio::test(start_paused = true)]
async fn a_source_that_asks_to_wait_is_left_alone_by_all() {
    let source = source(Budget { in_flight: 2, ..generous() });
    let mut first = permit(&source, "a").await;
    let _second = permit(&source, "b").await;
    let waiting = source.enter(&domain("c")).expect("a place");
    first.tell_answer(StatusCode::TOO_MANY_REQUESTS, &throttled("7"));
    drop(first);
    for failure in [
        refused(waiting.granted(Instant::now() + secs(1)).await),
        refused(source.enter(&domain("a"))),
        refused(source.enter(&domain("d"))),
    ] {
        assert_eq!((failure.kind, failure.retry_after), (FailureKind::Throttled, Some(secs(7))));
    }
    tokio::time::advance(secs(5)).await;
    assert_eq!(refused(source.enter(&domain("d"))).retry_after, Some(secs(2)));
    tokio::time::advance(secs(2)).await;
    let mut after = permit(&source, "d").await;
    // Never longer than the cap, and no failure of the breaker's kind.
    for _ in 0..10 {
        after.tell_answer(StatusCode::SERVICE_UNAVAILABLE, &throttled("86400"));
    }
    assert_eq!(refused(source.enter(&domain("d"))).retry_after, Some(secs(300)));
    assert_eq!(source.series.breakers.get(), 0);
}

#[tokio::test(start_paused = true)]
async fn without_connections_the_breaker_opens_for_all_probes_and_recovers() {
    let budgets = budgets(generous());
    let source = budgets.source(&question("a", 0), &endpoint("dead", 80)).expect("one");
    let neighbour = budgets.source(&question("a", 0), &endpoint("alive", 80)).expect("one");
    for _ in 0..5 {
        permit(&source, "a").await.tell(Verdict::Unconnected);
    }
    assert_eq!(source.series.breakers.get(), 1);
    for name in ["a", "b"] {
        let failure = refused(source.enter(&domain(name)));
        assert_eq!((failure.kind, failure.retry_after), (FailureKind::Unreachable, None));
        assert!(failure.message.contains("dead:80 cannot be connected; it is tried again in"), "{failure}");
    }
    permit(&neighbour, "a").await;
    tokio::time::advance(secs(5)).await;
    // One at a time finds out.
    let mut probe = permit(&source, "b").await;
    assert!(refused(source.enter(&domain("a"))).message.contains("right now"));
    probe.tell(Verdict::Unconnected);
    assert!(source.enter(&domain("a")).is_err());
    tokio::time::advance(secs(10)).await;
    permit(&source, "a").await.tell(Verdict::Answered);
    permit(&source, "b").await;
    assert_eq!(source.series.breakers.get(), 0);
}

#[tokio::test(start_paused = true)]
async fn requests_that_fail_open_the_breaker_of_their_own_namespace_only() {
    let source = source(generous());
    for verdict in [Verdict::Failed, Verdict::Late, Verdict::Failed, Verdict::Late, Verdict::Failed] {
        permit(&source, "bad").await.tell(verdict);
    }
    let failure = refused(source.enter(&domain("bad")));
    assert!(failure.kind == FailureKind::Unreachable && failure.message.contains("the namespace's last requests"));
    permit(&source, "good").await.tell(Verdict::Answered);
    tokio::time::advance(secs(5)).await;
    permit(&source, "bad").await.tell_answer(StatusCode::OK, &HeaderMap::new());
    permit(&source, "bad").await;
    assert_eq!(source.series.breakers.get(), 0);
}

#[tokio::test(start_paused = true)]
async fn server_errors_count_and_answers_that_blame_the_query_do_not() {
    let source = source(generous());
    for status in [400, 401, 403, 404, 422, 400, 401] {
        let status = StatusCode::from_u16(status).expect("a status");
        permit(&source, "a").await.tell_answer(status, &HeaderMap::new());
    }
    tokio::time::advance(secs(61)).await;
    for _ in 0..4 {
        permit(&source, "a").await.tell_answer(StatusCode::BAD_GATEWAY, &HeaderMap::new());
    }
    permit(&source, "a").await.tell_answer(StatusCode::INTERNAL_SERVER_ERROR, &HeaderMap::new());
    assert!(source.enter(&domain("a")).is_err());
}

#[tokio::test(start_paused = true)]
async fn a_guest_that_goes_away_tells_nothing_and_a_probe_of_its_is_the_next_ones() {
    let source = source(generous());
    for _ in 0..50 {
        drop(permit(&source, "a").await);
    }
    assert_eq!(source.series.breakers.get(), 0);
    for _ in 0..5 {
        permit(&source, "a").await.tell(Verdict::Unconnected);
    }
    tokio::time::advance(secs(5)).await;
    let probe = permit(&source, "a").await;
    assert!(source.enter(&domain("b")).is_err());
    drop(probe);
    permit(&source, "b").await.tell(Verdict::Answered);
    assert_eq!(source.series.breakers.get(), 0);
}

#[tokio::test(start_paused = true)]
async fn connections_are_bounded_and_those_that_rest_make_room() {
    let source = source(Budget { in_flight: 1, connections: 2, ..generous() });
    let resting = Arc::new(Mutex::new(vec![source.slot(|| {}).await]));
    let _used = source.slot(|| unreachable!("there is room")).await;
    let of = resting.clone();
    let _third = source.slot(move || drop(of.lock().expect("whole").pop())).await;
    assert!(resting.lock().expect("whole").is_empty());
    assert_eq!(source.series.connections.get(), 2);
    let fourth = tokio::time::timeout(secs(5), source.slot(|| {})).await;
    assert!(fourth.is_err(), "nobody gave one up");
    assert_eq!(source.series.connections.get(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_unused_token_is_the_next_ones() {
    let source = source(Budget { rate: 0.001, burst: 1, ..Budget::default() });
    permit(&source, "a").await.unused();
    drop(permit(&source, "b").await);
    assert!(source.enter(&domain("c")).expect("a place").granted(Instant::now() + secs(1)).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_source_may_have_a_budget_of_its_own() {
    let overrides = vec!["small:80,rate=0.5,burst=1".parse().expect("well-formed")];
    let budgets = budgets(Budget { overrides, ..generous() });
    let of = |host| budgets.source(&question("a", 0), &endpoint(host, 80)).expect("one");
    let (small, other) = (of("small"), of("other"));
    drop(permit(&small, "a").await);
    let failure = refused(small.enter(&domain("a")).expect("a place").granted(Instant::now() + secs(1)).await);
    assert!(failure.message.starts_with("the budget of 0.5 requests a second for small:80 is spent"), "{failure}");
    for _ in 0..10 {
        permit(&other, "a").await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_budget_that_changes_counts_for_those_that_wait_already() {
    let one = "small,rate=0.001,burst=1".parse().expect("well-formed");
    let budgets = budgets(Budget { rate: 0.001, burst: 1, overrides: vec![one], ..Budget::default() });
    let source = budgets.source(&question("a", 0), &endpoint("queue", 80)).expect("a source");
    let small = budgets.source(&question("a", 0), &endpoint("small", 80)).expect("a source");
    drop((permit(&source, "a").await, permit(&small, "a").await));
    let (waits, still) = (source.enter(&domain("a")).expect("a place"), small.enter(&domain("a")).expect("a place"));
    let overrides = vec!["small,rate=0.001,burst=1".parse().expect("well-formed")];
    budgets.replace(Budget { rate: 1_000.0, burst: 10, in_flight: 2, overrides, ..Budget::default() });
    let held = waits.granted(Instant::now()).await.expect("a slot at once");
    refused(still.granted(Instant::now() + secs(1)).await);
    // Two slots, of which a namespace has one.
    let second = source.enter(&domain("a")).expect("a place");
    let failure = refused(second.granted(Instant::now() + secs(1)).await);
    assert!(failure.message.contains("all 1 requests"), "{failure}");
    drop(held);
    permit(&source, "a").await;
    // A source that comes later has the same.
    let later = budgets.source(&question("a", 1), &endpoint("queue", 80)).expect("a source");
    let _one = permit(&later, "a").await;
    refused(later.enter(&domain("a")).expect("a place").granted(Instant::now() + secs(1)).await);
}

#[tokio::test(start_paused = true)]
async fn connections_beyond_a_smaller_budget_are_not_replaced() {
    let budget = |connections| Budget { in_flight: 1, connections, ..generous() };
    let budgets = budgets(budget(4));
    let source = budgets.source(&question("a", 0), &endpoint("queue", 80)).expect("a source");
    let mut open = Vec::new();
    for _ in 0..4 {
        open.push(source.slot(|| {}).await);
    }
    budgets.replace(budget(2));
    let room = async || tokio::time::timeout(secs(1), source.slot(|| {})).await;
    open.truncate(2);
    assert!(room().await.is_err(), "two are open, as many as may be");
    open.truncate(1);
    open.push(room().await.expect("one more"));
    budgets.replace(budget(3));
    open.push(room().await.expect("one more"));
    assert!(room().await.is_err());
    open.clear();
    for _ in 0..3 {
        open.push(room().await.expect("all three"));
    }
    assert!(room().await.is_err());
}
