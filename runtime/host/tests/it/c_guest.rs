//! The contract is not Rust's: a scaler in C, compiled here from its sources, is polled like any other.
use crate::world::{BUDGET, Subject, failure, host, number, open};
use std::path::Path;
use tokio::sync::OnceCell;
use windlass_core::failure::FailureKind;
use windlass_core::query::ResolvedTrigger;
use windlass_testkit::{Mood, ScriptedHttp, guest};

/// The guest, compiled once for all tests.
async fn subject() -> Subject {
    static COMPONENT: OnceCell<Vec<u8>> = OnceCell::const_new();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/guests/c-depth");
    let wasm = COMPONENT
        .get_or_init(|| async { tokio::task::spawn_blocking(move || guest::from_c(&folder)).await.unwrap() })
        .await;
    let host = host(|_| {});
    let scaler = host.load(wasm.clone()).await.unwrap();
    Subject { host, scaler }
}

fn trigger(guest: &Subject, address: &str) -> ResolvedTrigger {
    guest.trigger([open("serverAddress", address), open("field", "depth"), open("target", "5")])
}

#[tokio::test(flavor = "multi_thread")]
async fn it_describes_itself_and_plans() {
    let guest = subject().await;
    assert_eq!((&*guest.scaler.name, &*guest.scaler.triggers[0]), ("c-depth", "c-depth"));
    let names: Vec<&str> = guest.scaler.parameters.iter().map(|parameter| &*parameter.name).collect();
    assert_eq!(names, ["serverAddress", "field", "target"]);
    let plan = guest.plan(trigger(&guest, "http://queue.shop:8080/depth")).await.unwrap();
    assert_eq!((&*plan.endpoints[0].host, plan.endpoints[0].port), ("queue.shop", 8080));
    let metric = &plan.metrics.unwrap()[0];
    assert_eq!((&*metric.name, metric.target), ("c-depth-depth", 5.0));
    let problems = guest.plan(trigger(&guest, "ftp://queue.shop")).await.unwrap_err();
    assert_eq!(problems[0].parameter.as_deref(), Some("serverAddress"));
}

#[tokio::test(flavor = "multi_thread")]
async fn it_reads_a_number_over_http() {
    let guest = subject().await;
    let source = ScriptedHttp::start().await.unwrap();
    let url = format!("{}/queues/orders?state=ready", source.url());
    for (body, depth) in
        [(r#"{"depth": 42}"#, 42.0), (r#"{"name":"x","depth" : 1.5e3 }"#, 1_500.0), (r#"{"depth":-1}"#, 0.0)]
    {
        source.set_body(body);
        assert_eq!(number(guest.ask(trigger(&guest, &url), BUDGET).await.as_ref()), depth, "{body}");
    }
    // Longer than one read.
    source.set_body(format!("{{\"padding\": \"{}\", \"depth\": 7}}", "x".repeat(200_000)));
    assert_eq!(number(guest.ask(trigger(&guest, &url), BUDGET).await.as_ref()), 7.0);
    assert!(source.requests().iter().all(|request| request.target == "/queues/orders?state=ready"));
}

#[tokio::test(flavor = "multi_thread")]
async fn it_answers_a_batch_and_tells_each_failure_by_its_kind() {
    let guest = subject().await;
    let sources: Vec<ScriptedHttp> =
        futures::future::try_join_all((0..5).map(|_| ScriptedHttp::start())).await.unwrap();
    sources[0].set_body(r#"{"depth": 3}"#);
    sources[1].set_status(http::StatusCode::UNAUTHORIZED);
    sources[2].set_body("what?");
    sources[3].set_mood(Mood::Hanging);
    sources[4].set_status(http::StatusCode::NOT_FOUND);
    let mut planned = Vec::new();
    for source in &sources {
        let trigger = trigger(&guest, &source.url());
        planned.push((trigger.clone(), guest.plan(trigger).await.unwrap()));
    }
    let outcomes = guest.poll(guest.batch_of(planned, std::time::Duration::from_secs(2))).await;
    assert_eq!(number(outcomes[0].as_ref()), 3.0);
    failure(outcomes[1].as_ref(), FailureKind::Auth);
    failure(outcomes[2].as_ref(), FailureKind::BadResponse);
    failure(outcomes[3].as_ref(), FailureKind::Timeout);
    failure(outcomes[4].as_ref(), FailureKind::NotFound);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_batch_is_no_trouble() {
    let guest = subject().await;
    assert!(guest.poll(guest.batch(Vec::new(), &[], BUDGET)).await.is_empty());
}
