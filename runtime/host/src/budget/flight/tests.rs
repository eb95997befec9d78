use super::super::tests::{budgets, endpoint, generous, question, settle};
use super::super::{Budget, Budgets};
use super::*;
use std::sync::atomic::{AtomicUsize, Ordering};
use windlass_core::failure::FailureKind;

struct World {
    budgets: Arc<Budgets>,
    source: Arc<Source>,
    sent: Arc<AtomicUsize>,
}

type Asking = tokio::task::JoinHandle<Result<Got<usize>, Failure>>;

fn world(budget: Budget) -> World {
    let budgets = Arc::new(budgets(budget));
    let source = budgets.source(&question("a", 0), &endpoint("queue", 80)).expect("one");
    World { budgets, source, sent: Arc::default() }
}

fn answer(status: u16, body: impl Into<Bytes>) -> Answer {
    Answer { status, headers: Arc::from([]), body: body.into() }
}

impl World {
    /// Asks; the request takes a second, and comes to what `how` makes of its number.
    fn ask(&self, key: u8, domain: &str, how: fn(usize) -> Sent<usize>) -> Asking {
        self.ask_for(Duration::from_secs(1), key, domain, how)
    }

    /// The same with a request that takes so long.
    fn ask_for(&self, takes: Duration, key: u8, domain: &str, how: fn(usize) -> Sent<usize>) -> Asking {
        let (budgets, source, sent) = (self.budgets.clone(), self.source.clone(), self.sent.clone());
        let domain: Domain = domain.into();
        tokio::spawn(async move {
            let deadline = Instant::now() + Duration::from_secs(10);
            let call = Call { key: [key; 32], source: &source, domain: &domain, deadline };
            let send = |permit| async move {
                let number = sent.fetch_add(1, Ordering::SeqCst);
                tokio::time::sleep(takes).await;
                drop(permit);
                how(number)
            };
            budgets.flights.run(call, send).await
        })
    }

    fn sent(&self) -> usize {
        self.sent.load(Ordering::SeqCst)
    }

    fn kept(&self) -> usize {
        self.budgets.flights.lock().flights.len()
    }
}

fn fine(number: usize) -> Sent<usize> {
    Sent::Whole(Ok(answer(200, number.to_string())))
}

async fn number(asking: Asking) -> String {
    match asking.await.expect("no panic") {
        Ok(Got::Whole(answer)) => String::from_utf8_lossy(&answer.body).into_owned(),
        Ok(Got::Own(number)) => format!("own {number}"),
        Err(failure) => failure.kind.as_label().to_owned(),
    }
}

async fn numbers(all: Vec<Asking>) -> Vec<String> {
    let mut numbers = Vec::new();
    for asking in all {
        numbers.push(number(asking).await);
    }
    numbers
}

#[tokio::test(start_paused = true)]
async fn equal_requests_are_asked_once_and_others_are_not_mixed_up() {
    let world = world(Budget { share_window: Duration::from_secs(2), ..generous() });
    let all = (0..60).map(|i| world.ask(1, ["a", "b", "c"][i % 3], fine)).collect();
    assert_eq!(numbers(all).await, vec!["0"; 60]);
    assert_eq!(number(world.ask(2, "a", fine)).await, "1", "another request");
    assert_eq!(world.sent(), 2);
    assert_eq!((world.source.series.shared.get(), world.source.series.used.get()), (59, 2));
}

#[tokio::test(start_paused = true)]
async fn an_answer_serves_for_the_window_and_no_longer() {
    let world = world(Budget { share_window: Duration::from_secs(2), ..generous() });
    assert_eq!(number(world.ask(1, "a", fine)).await, "0");
    tokio::time::advance(Duration::from_millis(900)).await;
    assert_eq!(number(world.ask(1, "b", fine)).await, "0");
    tokio::time::advance(Duration::from_millis(200)).await;
    assert_eq!(number(world.ask(1, "b", fine)).await, "1", "counted from when it was asked for");
    tokio::time::advance(Duration::from_secs(2)).await;
    world.budgets.sweep();
    assert_eq!((world.kept(), world.budgets.flights.lock().bytes), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn without_a_window_only_those_that_wait_share() {
    let world = world(Budget { share_window: Duration::ZERO, ..generous() });
    let all = (0..5).map(|_| world.ask(1, "a", fine)).collect();
    assert_eq!(numbers(all).await, vec!["0"; 5]);
    assert_eq!(world.kept(), 0);
    assert_eq!(number(world.ask(1, "a", fine)).await, "1");
}

#[tokio::test(start_paused = true)]
async fn failures_are_told_to_those_that_wait_and_to_nobody_later() {
    let world = world(Budget { share_window: Duration::from_secs(60), ..generous() });
    let broken = |_| Sent::Whole(Err(Failure::new(FailureKind::Unreachable, "broken")));
    let all = (0..5).map(|_| world.ask(1, "a", broken)).collect();
    assert_eq!(numbers(all).await, vec!["unreachable"; 5]);
    let unavailable = |number: usize| Sent::Whole(Ok(answer(503, number.to_string())));
    let all = (0..5).map(|_| world.ask(1, "b", unavailable)).collect();
    assert_eq!(numbers(all).await, vec!["1"; 5]);
    assert_eq!(number(world.ask(1, "a", fine)).await, "2");
    assert_eq!(world.sent(), 3);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_no_success_is_told_to_those_of_the_same_moment() {
    let world = world(generous());
    let broken = |number: usize| Sent::Whole(Ok(answer(500, number.to_string())));
    let quick = Duration::from_millis(5);
    assert_eq!(number(world.ask_for(quick, 1, "a", broken)).await, "0");
    assert_eq!(number(world.ask_for(quick, 1, "b", broken)).await, "0", "one request for all namespaces");
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(number(world.ask_for(quick, 1, "b", broken)).await, "1");
}

#[tokio::test(start_paused = true)]
async fn when_the_one_that_asks_goes_away_the_next_one_asks() {
    let world = world(Budget { share_window: Duration::from_secs(60), ..generous() });
    let first = world.ask(1, "a", fine);
    settle().await;
    let others: Vec<_> = ["a", "a", "b"].into_iter().map(|name| world.ask(1, name, fine)).collect();
    settle().await;
    assert_eq!(world.sent(), 1);
    first.abort();
    assert_eq!(numbers(others).await, vec!["1"; 3]);
    assert_eq!(world.sent(), 2);
    assert_eq!((world.source.series.waiting.get(), world.source.series.in_flight.get()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn when_all_go_away_nothing_is_kept() {
    let world = world(Budget { in_flight: 1, ..generous() });
    let all: Vec<_> = (0..10).map(|i| world.ask(i % 2, ["a", "b"][usize::from(i) % 2], fine)).collect();
    settle().await;
    all.iter().for_each(Asking::abort);
    settle().await;
    assert_eq!(world.kept(), 0);
    assert_eq!((world.source.series.waiting.get(), world.source.series.in_flight.get()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_time_that_was_over_is_ones_own() {
    let world = world(generous());
    let hasty = |number| match number {
        0 => Sent::Mine(Failure::new(FailureKind::Timeout, "hasty")),
        _ => fine(number),
    };
    let all = ["hasty", "b", "b", "c"].into_iter().map(|name| world.ask(1, name, hasty)).collect();
    assert_eq!(numbers(all).await, ["timeout", "1", "1", "1"]);
}

#[tokio::test(start_paused = true)]
async fn whose_time_is_over_after_a_request_without_answer_is_not_told_of_the_budget() {
    let world = world(generous());
    let domain: Domain = "a".into();
    let call = Call { key: [1; 32], source: &world.source, domain: &domain, deadline: Instant::now() };
    let flight = Flight::default();
    let never_sent = flight.late(&call);
    assert_eq!(never_sent.kind, FailureKind::Throttled, "{never_sent}");
    drop(flight.begin().expect("the first"));
    // The next one of the namespace waits for its turn at this moment.
    let Role::Queue(_queued) = flight.role(&domain) else { panic!("nobody waits") };
    let unanswered = flight.late(&call);
    assert_eq!(unanswered.kind, FailureKind::Timeout, "{unanswered}");
}

#[tokio::test(start_paused = true)]
async fn large_answers_are_not_shared() {
    let world = world(generous());
    let all = (0..3).map(|_| world.ask(1, "a", Sent::TooLarge)).collect();
    let mut told = numbers(all).await;
    told.sort();
    assert_eq!(told, ["own 0", "own 1", "own 2"]);
}

#[tokio::test(start_paused = true)]
async fn what_is_kept_is_bounded() {
    let world = world(Budget { share_window: Duration::from_secs(60), ..generous() });
    let large = |_| Sent::Whole(Ok(answer(200, vec![0; 1 << 20])));
    for key in 0..100 {
        world.ask(key, "a", large).await.expect("no panic").expect("an answer");
    }
    // The first have expired meanwhile: a request takes a second.
    let kept = world.budgets.flights.lock();
    assert!(kept.bytes <= MOST_KEPT && kept.flights.len() <= 32, "{} bytes", kept.bytes);
}

#[tokio::test(start_paused = true)]
async fn waiting_for_an_equal_request_is_never_longer_than_ones_own_turn() {
    // One token now, then one a second.
    let world = world(Budget { rate: 1.0, burst: 1, ..Budget::default() });
    let mut queued: Vec<_> = (10..15).map(|key| world.ask(key, "greedy", fine)).collect();
    settle().await;
    queued.push(world.ask(1, "greedy", fine));
    settle().await;
    let polite = world.ask(1, "polite", fine);
    settle().await;
    assert_eq!(world.sent(), 1);
    assert_eq!(number(polite).await, "2", "after one of the greedy one's, not after five");
    let told = numbers(queued).await;
    assert_eq!(told.last().map(String::as_str), Some("2"), "who waited longer has the answer too");
    assert_eq!(world.sent(), 6);
}
