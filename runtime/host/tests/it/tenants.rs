//! Namespaces at one source: none takes another's turn, slots, answers or connections, and nothing is left of a guest that ends.
use crate::raw::Raw;
use crate::world::{BUDGET, Subject, host, number, open, sealed, state, subject_in};
use prometheus_client::registry::Registry;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use windlass_core::failure::FailureKind;
use windlass_core::message::Batch;
use windlass_core::query::Endpoint;
use windlass_core::sample::Outcome;
use windlass_host::{Budget, Host, Metrics};
use windlass_testkit::guest::{Ask, Guest};

fn endpoint(port: u16) -> Endpoint {
    Endpoint { parameter: Some("server".into()), host: "127.0.0.1".into(), port, tls: None }
}

/// A batch of a namespace, of as many equal queries.
fn batch(subject: &Subject, domain: &str, count: usize, port: u16, budget: Duration) -> Batch {
    let trigger = subject.trigger_of(domain, [open("server", "127.0.0.1")]);
    subject.batch(vec![trigger; count], &[endpoint(port)], budget)
}

/// A guest that asks `count` times, each time for another query and another path below its name.
fn asks(name: &str, count: u32) -> Guest {
    let mut guest = Guest::new(name);
    let asks: Vec<_> =
        (0..count).map(|query| Ask { query, target: format!("/{name}/{query}"), ..Ask::default() }).collect();
    let requests = guest.requests(&asks);
    guest.poll = format!("(call $ask {requests})");
    guest
}

/// A host with this budget, and its metrics.
fn measured(budget: Budget) -> (Host, Registry) {
    let mut registry = Registry::default();
    let metrics = Metrics::new(&mut registry);
    let budget = Budget { breaker_failures: 10_000, ..budget };
    (host(|options| (options.budget, options.metrics) = (budget, metrics)), registry)
}

/// The value of a series of a source.
fn series(registry: &Registry, name: &str, port: u16) -> i64 {
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, registry).unwrap();
    let start = format!("{name}{{source=\"127.0.0.1:{port}\"}} ");
    text.lines().find_map(|line| line.strip_prefix(&start)).map_or(0, |value| value.parse().unwrap())
}

/// Waits until nothing is held of a source any more.
async fn nothing_left(registry: &Registry, port: u16) {
    for _ in 0..2_000 {
        if ["windlass_source_in_flight", "windlass_source_waiting"].iter().all(|name| series(registry, name, port) == 0)
        {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("a slot was kept");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_namespaces_take_turns_at_five_requests_a_second() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = seen.clone();
    let source = Raw::start(move |mut stream| {
        let log = log.clone();
        async move {
            let mut heard = [0; 4_096];
            loop {
                let length = stream.read(&mut heard).await?;
                if length == 0 {
                    return Ok(());
                }
                let text = String::from_utf8_lossy(&heard[..length]).into_owned();
                log.lock().unwrap().push(text.starts_with("GET /small/"));
                stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await?;
            }
        }
    })
    .await;
    let port = source.address.port();
    let budget = Budget { rate: 5.0, burst: 1, share_window: Duration::ZERO, ..Budget::default() };
    let (host, registry) = measured(budget);
    let large = host.load(asks("large", 40).component()).await.unwrap();
    let small = host.load(asks("small", 5).component()).await.unwrap();
    let mut subject = Subject { host, scaler: large };
    let many = batch(&subject, "a", 40, port, Duration::from_secs(4));
    subject.scaler = small;
    let few = batch(&subject, "b", 5, port, BUDGET);
    let (many, few) = tokio::join!(subject.poll(many), subject.poll(few));
    for outcome in &few {
        assert_eq!(number(outcome.as_ref()), 200.0);
    }
    let answered = many.iter().filter(|outcome| matches!(outcome, Some(Outcome::Ready(..)))).count();
    for outcome in &many {
        match outcome {
            Some(Outcome::Ready(..)) => {}
            Some(Outcome::Failed(told)) if told.kind == FailureKind::Throttled => {}
            other => panic!("{other:?}"),
        }
    }
    assert!((1..40).contains(&answered), "{answered}");
    let seen = seen.lock().unwrap().clone();
    assert_eq!(seen.len(), answered + few.len());
    let first = seen.iter().position(|small| *small).unwrap();
    let last = seen.iter().rposition(|small| *small).unwrap();
    let between = seen[first..last].iter().filter(|small| !**small).count();
    assert!(between <= 5, "each of the small one's turns comes after one of the large one's: {seen:?}");
    nothing_left(&registry, port).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_that_traps_leaves_nothing_in_flight() {
    // One path is never answered.
    let source = Raw::start(|mut stream| async move {
        let mut heard = [0; 4_096];
        while let length @ 1.. = stream.read(&mut heard).await? {
            if heard[..length].starts_with(b"GET /hangs") {
                std::future::pending::<()>().await;
            }
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await?;
        }
        Ok(())
    })
    .await;
    let port = source.address.port();
    let (host, registry) = measured(Budget::default());
    let mut guest = Guest::new("traps");
    let get = |target: &str| Ask { target: target.into(), ..Ask::default() };
    let requests = guest.requests(&[get("/hangs/1"), get("/hangs/2"), get("/")]);
    // It ends once one of the three is answered.
    guest.poll = format!("(call $exchange_next (call $http_send {requests}) (i32.const 64)) unreachable");
    let subject = subject_in(host, &guest).await;
    let outcomes = subject.poll(batch(&subject, "a", 1, port, BUDGET)).await;
    assert_eq!(outcomes, [None]);
    nothing_left(&registry, port).await;
    assert!(series(&registry, "windlass_source_used_total", port) >= 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_holds_no_more_connections_than_its_namespace_has_slots() {
    let source = Raw::echoing("hello").await;
    let port = source.address.port();
    // Three of the four slots are a namespace's.
    let (host, registry) = measured(Budget { in_flight: 4, ..Budget::default() });
    let mut guest = Guest::new("hoards");
    let (handles, hello) = (guest.room(64), guest.text("hello"));
    let at = format!("(i32.add (i32.const {handles}) (i32.mul (local.get $i) (i32.const 4)))");
    let each = |body: &str| {
        format!(
            "(local.set $i (i32.const 0))
             (loop $each {body}
               (local.set $i (i32.add (local.get $i) (i32.const 1)))
               (br_if $each (i32.lt_u (local.get $i) (i32.const 6))))"
        )
    };
    let opens = each(&format!(
        "(call $tcp_open (i32.const 0) (i32.const 0) (i32.const 192))
         (if (i32.load8_u (i32.const 192)) (then unreachable))
         (i32.store {at} (i32.load (i32.const 200)))
         (call $tcp_write (i32.load {at}) {hello} (i32.const 192))"
    ));
    let reads = each(&format!(
        "(call $tcp_read (i32.load {at}) (i32.const 64) (i32.const 1500) (i32.const 192))
         (if (i32.eqz (i32.load8_u (i32.const 192))) (then (local.set $f (f64.add (local.get $f) (f64.const 1)))))"
    ));
    guest.poll = format!("{opens} {reads} (call $ready (i32.const 0) (local.get $f))");
    let mut friend = Guest::new("talks");
    let word = friend.text("hello");
    friend.poll = format!("(call $talk (i32.const 0) {word})");
    let friend = host.load(friend.component()).await.unwrap();
    let mut subject = subject_in(host, &guest).await;
    let hoard = batch(&subject, "a", 1, port, BUDGET);
    subject.scaler = friend;
    let talk = batch(&subject, "b", 1, port, BUDGET);
    let (hoarded, talked) = tokio::join!(subject.poll(hoard), subject.poll(talk));
    assert_eq!(number(hoarded[0].as_ref()), 3.0, "as many as its namespace has slots");
    number(talked[0].as_ref());
    nothing_left(&registry, port).await;
}

/// A source that answers with the credential that it was given.
async fn telling() -> Raw {
    Raw::start(|mut stream| async move {
        let mut heard = [0; 4_096];
        while let length @ 1.. = stream.read(&mut heard).await? {
            let text = String::from_utf8_lossy(&heard[..length]).into_owned();
            let told = text.lines().find_map(|line| line.strip_prefix("authorization: ")).unwrap_or("nobody");
            let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{told}", told.len());
            stream.write_all(answer.as_bytes()).await?;
        }
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn tenants_with_one_url_and_different_credentials_share_neither_answers_nor_connections() {
    let source = telling().await;
    let port = source.address.port();
    let (host, registry) = measured(Budget { share_window: Duration::from_secs(3_600), ..Budget::default() });
    let mut guest = Guest::new("asks");
    let secrets = vec![("token".to_owned(), "token".to_owned())];
    let credentials = vec![("bearer".to_owned(), secrets, Vec::new())];
    let requests = guest.requests(&[Ask { target: "/".into(), credentials, ..Ask::default() }]);
    guest.poll = format!("(call $ask {requests})");
    let subject = subject_in(host, &guest).await;
    let ask = async |domain: &str, token: &str| {
        let values = [open("server", "http://127.0.0.1"), sealed("token", token)];
        let trigger = subject.trigger_of(domain, values);
        let outcomes = subject.poll(subject.batch(vec![trigger], &[endpoint(port)], BUDGET)).await;
        String::from_utf8(state(outcomes[0].as_ref())).unwrap()
    };
    let tenants = [("a", "token-of-a"), ("b", "token-of-b"), ("a", "second-of-a")];
    for (domain, token) in tenants.into_iter().cycle().take(9) {
        assert_eq!(ask(domain, token).await, format!("Bearer {token}"));
    }
    assert_eq!(source.connections(), 3, "each has its own");
    // The same credential is the same right: its answer is shared.
    assert_eq!(ask("c", "token-of-a").await, "Bearer token-of-a");
    assert_eq!((source.connections(), series(&registry, "windlass_source_used_total", port)), (3, 3));
}
