//! What a guest may say: the first word on a query counts, and what cannot be scaled on is a failure.
use crate::world::{BUDGET, failure, number, state, subject};
use windlass_core::failure::FailureKind;
use windlass_core::query::QueryPlan;
use windlass_core::sample::Outcome;
use windlass_testkit::guest::Guest;

async fn told(values: &[f64]) -> Option<Outcome> {
    let mut guest = Guest::new("values");
    let values = guest.numbers(values);
    guest.poll = format!("(call $reading (i32.const 0) {values} (i32.const 0) (i32.const 0))");
    subject(&guest).await.poll_bare(1).await.remove(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn values_that_cannot_be_scaled_on() {
    for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e308, 9.3e15] {
        let outcome = told(&[value]).await;
        failure(outcome.as_ref(), FailureKind::BadResponse);
    }
    for (value, counts) in [(-1.0, 0.0), (-1e308, 0.0), (-0.0, 0.0), (9.2e15, 9.2e15), (5e-324, 0.0), (0.0015, 0.001)] {
        assert_eq!(number(told(&[value]).await.as_ref()), counts, "{value}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn as_many_values_as_metrics() {
    for values in [&[][..], &[1.0, 2.0]] {
        let outcome = told(values).await;
        let failure = failure(outcome.as_ref(), FailureKind::Internal);
        assert!(failure.message.contains("values for 1 metrics"), "{failure}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_outcome_counts() {
    let guest = Guest::polling(
        "twice",
        "(call $ready (i32.const 0) (f64.const 1))
         (call $ready (i32.const 0) (f64.const 2))
         (call $failed (i32.const 0) (i32.const 1) (i32.const 0) (i32.const 0))
         (call $failed (i32.const 1) (i32.const 1) (i32.const 0) (i32.const 0))
         (call $ready (i32.const 1) (f64.const 3))",
    );
    let outcomes = subject(&guest).await.poll_bare(2).await;
    assert_eq!(number(outcomes[0].as_ref()), 1.0);
    failure(outcomes[1].as_ref(), FailureKind::Auth);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outcome_for_a_query_that_was_not_asked_is_nobodys() {
    let guest = Guest::polling(
        "elsewhere",
        "(call $ready (i32.const 2) (f64.const 9))
         (call $ready (i32.const -1) (f64.const 9))
         (call $ready (i32.const 1) (f64.const 1))",
    );
    let outcomes = subject(&guest).await.poll_bare(2).await;
    assert_eq!(outcomes[0], None);
    assert_eq!(number(outcomes[1].as_ref()), 1.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_has_a_limit() {
    let guest = Guest::polling(
        "state",
        "(call $reading (i32.const 0) (i32.const 128) (i32.const 1) (i32.const 0) (i32.const 16384))
         (call $reading (i32.const 1) (i32.const 128) (i32.const 1) (i32.const 0) (i32.const 16385))",
    );
    let outcomes = subject(&guest).await.poll_bare(2).await;
    assert_eq!(state(outcomes[0].as_ref()).len(), 16_384);
    failure(outcomes[1].as_ref(), FailureKind::Internal);
}

/// Name, target and activation.
type Metric<'a> = (&'a str, f64, f64);

/// What a plan with these metrics comes to, and a reading that discovers them.
async fn metrics(metrics: &[Metric<'_>]) -> (Result<QueryPlan, String>, Option<Outcome>) {
    let metrics: Vec<_> = metrics.iter().map(|(name, target, on)| ((*name).to_owned(), *target, *on)).collect();
    let guest = Guest { metrics: Some(metrics.clone()), ..Guest::new("planned") };
    let planned = subject(&guest).await;
    let plan = planned.plan(planned.trigger([])).await.map_err(|problems| problems[0].message.to_string());
    let mut guest = Guest { metrics: None, ..Guest::new("discovered") };
    let (values, found) = (guest.numbers(&vec![1.0; metrics.len()]), guest.metrics_list(&metrics));
    guest.poll = format!(
        "(call $put (i32.const 0) (i32.const 0) {values} (i64.const 0) (i32.const 0) (i64.const 0) (i64.const 0)
           (i32.const 0) (i64.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 1) {found})"
    );
    let discovered = subject(&guest).await;
    let outcome = discovered.ask(discovered.trigger([]), BUDGET).await;
    (plan, outcome)
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_that_no_hpa_should_see_are_refused_planned_or_discovered() {
    let long = "m".repeat(254);
    let many: Vec<_> = (0..17).map(|n| format!("m{n}")).collect();
    let many: Vec<_> = many.iter().map(|name| (&**name, 1.0, 0.0)).collect();
    let forged: [(&str, &[Metric<'_>]); 9] = [
        ("no metrics", &[]),
        ("empty name", &[("", 1.0, 0.0)]),
        ("long name", &[(&long, 1.0, 0.0)]),
        ("line break", &[("a\nb", 1.0, 0.0)]),
        ("escape", &[("\u{1b}[31mred", 1.0, 0.0)]),
        ("too many", &many),
        ("target", &[("a", f64::NAN, 0.0)]),
        ("activation", &[("a", 1.0, f64::INFINITY)]),
        ("one name for two", &[("a.b", 1.0, 0.0), ("a-b", 1.0, 0.0)]),
    ];
    for (what, forged) in forged {
        let (plan, outcome) = metrics(forged).await;
        let message = plan.expect_err(what);
        assert!(!message.chars().any(char::is_control), "{what}: {message}");
        let failure = failure(outcome.as_ref(), FailureKind::Internal);
        assert!(!failure.message.chars().any(char::is_control), "{what}: {failure}");
    }
    let (plan, outcome) = metrics(&[("a", 1.0, 0.0), ("b", 2.0, 1.0)]).await;
    assert_eq!(plan.unwrap().metrics.unwrap().len(), 2);
    let Some(Outcome::Ready(sample, _)) = outcome else { panic!("{outcome:?}") };
    assert_eq!(sample.metrics.unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_answer_for_each_trigger() {
    let mut guest = Guest::new("fewer");
    guest.configure = "(local.set $count (i32.const 1))".to_owned();
    let subject = subject(&guest).await;
    let two = ["a", "b"].map(|text| subject.trigger([crate::world::open("n", text)]));
    let fault = subject.configure(two.to_vec()).await.unwrap_err();
    assert!(fault.message.contains("1 answers for 2 triggers"), "{fault}");
}
