//! Against a server on loopback that counts what it is asked.
use super::client::Clients;
use super::exchange::{Prepared, Told};
use super::request::request;
use super::wit;
use crate::Egress;
use crate::budget::Budget;
use crate::budget::Budgets;
use crate::budget::tests::{budgets, endpoint, question};
use crate::source::Dialer;
use crate::tls::Roots;
use http::{HeaderValue, StatusCode, header};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use windlass_core::Secret;
use windlass_core::failure::{Failure, FailureKind};
use windlass_core::query::{Endpoint, Tls, Value};
use windlass_core::scaler::Secrecy;
use windlass_testkit::{Mood, ScriptedHttp};

struct World {
    server: ScriptedHttp,
    budgets: Arc<Budgets>,
    clients: Arc<Clients>,
}

pub(crate) fn dialer() -> Arc<Dialer> {
    Arc::new(Dialer {
        egress: Egress { allow_loopback: true, ..Egress::default() },
        roots: Roots::load(&[]),
        traffic: Default::default(),
    })
}

async fn world(budget: Budget) -> World {
    let server = ScriptedHttp::start().await.expect("a port");
    server.set_body("fine");
    World { server, budgets: Arc::new(budgets(budget)), clients: Clients::new(dialer()) }
}

impl World {
    fn prepare(&self, method: &str, target: &str, domain: &str, secrets: u8, port: u16) -> Prepared {
        let (question, endpoint) = (question(domain, secrets), endpoint("127.0.0.1", port));
        let asked = wit::Request {
            query: 0,
            endpoint: 0,
            method: method.to_owned(),
            target: target.to_owned(),
            headers: Vec::new(),
            body: Vec::new(),
            credentials: Vec::new(),
            timeout_ms: None,
        };
        let source = self.budgets.source(&question, &endpoint).expect("a source");
        let (request, key) = request(asked, &question, &endpoint).expect("a request");
        Prepared {
            client: self.clients.client(&question, &endpoint, &source).expect("a client"),
            request,
            deadline: Instant::now() + Duration::from_secs(20),
            source,
            domain: question.trigger.domain.clone(),
            key,
            body_bytes: 1 << 20,
        }
    }

    async fn ask(&self, method: &str, target: &str, domain: &str, secrets: u8) -> Result<String, Failure> {
        let port = self.server.address().port();
        let prepared = self.prepare(method, target, domain, secrets, port);
        text(prepared.run(Arc::new(Semaphore::new(1)), &self.budgets).await?).await
    }

    async fn get(&self, domain: &str) -> Result<String, Failure> {
        self.ask("GET", "/", domain, 0).await
    }

    fn gauges(&self) -> (i64, i64) {
        let source = self.prepare("GET", "/", "a", 0, self.server.address().port()).source;
        (source.in_flight(), source.connections())
    }
}

async fn text(mut told: Told) -> Result<String, Failure> {
    let mut text = format!("{} ", told.status);
    loop {
        let piece = told.body.read(3).await?;
        if piece.is_empty() {
            return Ok(text);
        }
        text.push_str(&String::from_utf8_lossy(&piece));
    }
}

#[tokio::test]
async fn equal_requests_are_asked_once() {
    let world = world(Budget { share_window: Duration::from_secs(3_600), ..Budget::default() }).await;
    world.server.set_latency(Duration::from_millis(20));
    let all = (0..50).map(|i| world.get(["a", "b", "c"][i % 3]));
    for told in futures::future::join_all(all).await {
        assert_eq!(told.expect("an answer"), "200 fine");
    }
    assert_eq!(world.server.count(), 1);
    assert_eq!(world.get("d").await.expect("an answer"), "200 fine");
    assert_eq!(world.server.count(), 1, "within the window");
    world.ask("GET", "/other", "a", 0).await.expect("an answer");
    assert_eq!(world.server.count(), 2);
}

#[tokio::test]
async fn other_credentials_and_writes_are_never_shared() {
    let world = world(Budget { share_window: Duration::from_secs(3_600), ..Budget::default() }).await;
    for secrets in 0..5 {
        world.ask("GET", "/", "a", secrets).await.expect("an answer");
    }
    assert_eq!(world.server.count(), 5);
    for _ in 0..3 {
        world.ask("POST", "/", "a", 0).await.expect("an answer");
    }
    assert_eq!(world.server.count(), 8);
}

#[tokio::test]
async fn a_client_goes_by_what_its_tls_material_is_and_not_by_its_name() {
    let clients = Clients::new(dialer());
    let budgets = budgets(Budget::default());
    let tls = Tls {
        upgrade: false,
        server_name: None,
        verify: true,
        ca: Some("ca".into()),
        certificate: None,
        key: None,
        key_password: None,
    };
    let endpoint = Endpoint { tls: Some(tls), ..endpoint("127.0.0.1", 443) };
    let client = |pem: &str| {
        let mut question = question("a", 0);
        let value = Value { text: Secret::new(pem), secrecy: Secrecy::Open, from_authentication: false };
        question.trigger.values.insert("ca".into(), value);
        let source = budgets.source(&question, &endpoint).expect("a source");
        clients.client(&question, &endpoint, &source).map(drop)
    };
    let authority = rcgen::generate_simple_self_signed(["a".to_owned()]).expect("a certificate").cert.pem();
    client(&authority).expect("a client");
    // What is no certificate is not taken for the one before.
    assert_eq!(client("no certificate").expect_err("no authority").kind, FailureKind::Invalid);
}

#[tokio::test]
async fn large_answers_come_whole_to_everybody() {
    let world = world(Budget::default()).await;
    let large = "x".repeat(600 << 10);
    world.server.set_body(large.clone());
    let all = (0..3).map(|_| world.get("a"));
    for told in futures::future::join_all(all).await {
        assert_eq!(told.expect("an answer").len(), "200 ".len() + large.len());
    }
    assert_eq!(world.server.count(), 3);
}

#[tokio::test]
async fn a_source_that_asks_to_wait_is_sent_nothing_more() {
    let world = world(Budget { share_window: Duration::ZERO, ..Budget::default() }).await;
    world.server.change(|answer| {
        answer.status = StatusCode::TOO_MANY_REQUESTS;
        answer.headers.insert(header::RETRY_AFTER, HeaderValue::from_static("120"));
    });
    assert_eq!(world.get("a").await.expect("the source's own answer"), "429 fine");
    for domain in ["a", "b", "a", "b"] {
        let failure = world.get(domain).await.expect_err("left alone");
        assert_eq!(failure.kind, FailureKind::Throttled);
        assert!(failure.retry_after.is_some_and(|after| after > Duration::from_secs(60)), "{failure:?}");
    }
    assert_eq!(world.server.count(), 1);
    // Other credentials are another source.
    world.ask("GET", "/", "a", 7).await.expect("an answer");
    assert_eq!(world.server.count(), 2);
}

#[tokio::test]
async fn server_errors_open_the_breaker_and_it_closes_again() {
    let budget = Budget { share_window: Duration::ZERO, breaker_pause: Duration::from_millis(50), ..Budget::default() };
    let world = world(budget).await;
    world.server.set_status(StatusCode::BAD_GATEWAY);
    for _ in 0..5 {
        assert_eq!(world.get("a").await.expect("the source's own answer"), "502 fine");
    }
    let failure = world.get("a").await.expect_err("open");
    assert_eq!((failure.kind, world.server.count()), (FailureKind::Unreachable, 5));
    world.server.set_body("back");
    let mut tries = 0;
    while world.get("a").await.is_err() {
        tries += 1;
        assert!(tries < 1_000, "it never closed");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(world.server.count(), 6, "one probe");
    world.get("a").await.expect("closed");
}

#[tokio::test]
async fn a_port_that_nobody_listens_on_is_left_alone() {
    let world = world(Budget { share_window: Duration::ZERO, ..Budget::default() }).await;
    let closed = {
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        listener.local_addr().expect("an address").port()
    };
    let ask = |domain| {
        let prepared = world.prepare("GET", "/", domain, 0, closed);
        prepared.run(Arc::new(Semaphore::new(1)), &world.budgets)
    };
    let mut messages = Vec::new();
    for domain in ["a", "b", "c", "a", "b", "c", "d"] {
        let failure = ask(domain).await.err().expect("no answer");
        assert_eq!(failure.kind, FailureKind::Unreachable);
        messages.push(failure.message.to_string());
    }
    let fast = messages.iter().filter(|message| message.contains("tried again in")).count();
    assert_eq!(fast, 2, "{messages:?}");
    world.get("a").await.expect("the neighbour is not concerned");
}

#[tokio::test]
async fn a_guest_that_goes_away_leaves_nothing_behind() {
    let world = world(Budget { share_window: Duration::ZERO, ..Budget::default() }).await;
    world.server.set_mood(Mood::Hanging);
    let mut tasks = JoinSet::new();
    for i in 0..10 {
        let prepared = world.prepare("GET", &format!("/{i}"), "a", 0, world.server.address().port());
        let budgets = world.budgets.clone();
        tasks.spawn(async move { prepared.run(Arc::new(Semaphore::new(1)), &budgets).await.map(drop) });
    }
    while world.server.count() < 10 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(world.gauges(), (10, 10));
    drop(tasks);
    while world.gauges() != (0, 0) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn connections_are_reused_and_bounded_across_namespaces() {
    let budget = Budget { share_window: Duration::ZERO, in_flight: 2, connections: 3, ..Budget::default() };
    let world = world(budget).await;
    for _ in 0..5 {
        world.get("a").await.expect("an answer");
    }
    assert_eq!(world.gauges(), (0, 1), "one connection for all");
    for i in 0..12 {
        world.get(&format!("namespace-{i}")).await.expect("an answer");
        assert!(world.gauges().1 <= 3);
    }
    assert_eq!(world.server.count(), 17);
}

/// A server that answers so many requests on each connection and closes it at the next. Its port, and how many requests it has
/// read.
async fn forgetful(answers: usize) -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let (port, heard) = (listener.local_addr().expect("an address").port(), Arc::new(AtomicUsize::new(0)));
    let counted = heard.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let counted = counted.clone();
            tokio::spawn(async move {
                let mut buffer = [0; 4_096];
                for place in 0.. {
                    if !matches!(stream.read(&mut buffer).await, Ok(1..)) {
                        return;
                    }
                    counted.fetch_add(1, Ordering::Relaxed);
                    let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine";
                    if place == answers || stream.write_all(answer).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    (port, heard)
}

#[tokio::test]
async fn what_meets_a_connection_that_rested_too_long_is_asked_again_once() {
    let world = world(Budget { share_window: Duration::ZERO, ..Budget::default() }).await;
    let ask = async |method: &str, port| {
        let prepared = world.prepare(method, "/", "a", 0, port);
        text(prepared.run(Arc::new(Semaphore::new(1)), &world.budgets).await?).await
    };
    let (port, heard) = forgetful(1).await;
    for count in [1, 3, 5] {
        assert_eq!(ask("GET", port).await.expect("an answer"), "200 fine");
        assert_eq!(heard.load(Ordering::Relaxed), count);
    }
    // It may have done what it was asked to do.
    assert_eq!(ask("POST", port).await.expect_err("closed").kind, FailureKind::Unreachable);
    assert_eq!(heard.load(Ordering::Relaxed), 6);
    // A new connection that is closed is no news about an old one.
    let (port, heard) = forgetful(0).await;
    assert_eq!(ask("GET", port).await.expect_err("closed").kind, FailureKind::Unreachable);
    assert_eq!(heard.load(Ordering::Relaxed), 1);
}
