//! HTTP: what goes out, what of an answer comes in, and when waiting for it ends.
use crate::raw::Raw;
use crate::world::{BUDGET, Subject, failure, number, open, sealed, state, subject};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use windlass_core::failure::FailureKind;
use windlass_core::query::{Endpoint, ResolvedTrigger};
use windlass_core::sample::Outcome;
use windlass_testkit::ScriptedHttp;
use windlass_testkit::guest::{Ask, Guest};

fn endpoint(port: u16) -> Endpoint {
    Endpoint { parameter: Some("url".into()), host: "127.0.0.1".into(), port, tls: None }
}

fn triggered(subject: &Subject, token: &str) -> ResolvedTrigger {
    subject.trigger([open("url", "http://127.0.0.1"), sealed("token", token)])
}

/// One poll of a guest that sends requests, the n-th for the n-th query.
async fn sent(port: u16, token: &str, asks: &[Ask], budget: Duration) -> Vec<Option<Outcome>> {
    let mut guest = Guest::new("sends");
    let asks: Vec<_> = (0..).zip(asks).map(|(query, ask)| Ask { query, ..ask.clone() }).collect();
    let requests = guest.requests(&asks);
    guest.poll = format!("(call $ask {requests})");
    let subject = subject(&guest).await;
    let triggers = asks.iter().map(|_| triggered(&subject, token)).collect();
    subject.poll(subject.batch(triggers, &[endpoint(port)], budget)).await
}

fn get(target: &str) -> Ask {
    Ask { target: target.to_owned(), ..Ask::default() }
}

fn pair(name: &str, text: &str) -> (String, String) {
    (name.to_owned(), text.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_is_an_answer_and_not_followed() {
    let (source, other) = (ScriptedHttp::start().await.unwrap(), ScriptedHttp::start().await.unwrap());
    source.change(|answer| {
        answer.status = http::StatusCode::FOUND;
        answer.headers.insert("location", other.url().parse().unwrap());
    });
    let outcomes = sent(source.address().port(), "x", &[get("/")], BUDGET).await;
    assert_eq!(number(outcomes[0].as_ref()), 302.0);
    assert_eq!((source.count(), other.count()), (1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_redirect_leads_to_a_clouds_metadata() {
    for status in [301, 302, 303, 307, 308] {
        let source = ScriptedHttp::start().await.unwrap();
        source.change(|answer| {
            answer.status = http::StatusCode::from_u16(status).unwrap();
            answer.headers.insert("location", "http://169.254.169.254/latest/meta-data/".parse().unwrap());
        });
        let outcomes = sent(source.address().port(), "x", &[get("/")], BUDGET).await;
        assert_eq!(number(outcomes[0].as_ref()), f64::from(status));
        assert_eq!(source.count(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_cannot_be_split_nor_sent_elsewhere() {
    let source = Raw::echoing("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
    let header = |name: &str, text: &str| Ask { headers: vec![pair(name, text)], ..get("/") };
    let credential = |scheme: &str, secrets: &[(&str, &str)], settings: &[(&str, &str)]| Ask {
        credentials: vec![(
            scheme.to_owned(),
            secrets.iter().map(|(role, name)| pair(role, name)).collect(),
            settings.iter().map(|(role, text)| pair(role, text)).collect(),
        )],
        ..get("/")
    };
    let asks = [
        header("x", "a\r\nEvil: 1"),
        header("x", "a\nEvil: 1"),
        header("x", "a\0"),
        header("x\r\nEvil", "1"),
        header("x: 1\r\nEvil", "1"),
        header("", "1"),
        header("Host", "evil.example"),
        header("host ", "evil.example"),
        header("Transfer-Encoding", "chunked"),
        header("Content-Length", "5"),
        header("Connection", "upgrade"),
        header("Upgrade", "h2c"),
        header("Proxy-Authorization", "Basic eDp5"),
        Ask { method: "GET / HTTP/1.1\r\nEvil: 1\r\n\r\nGET".to_owned(), ..get("/") },
        Ask { method: "CONNECT".to_owned(), ..get("/") },
        get("/ HTTP/1.1\r\nEvil: 1"),
        get("/a b"),
        get("/\n"),
        get("http://evil.example/"),
        get("evil.example:80"),
        get("@evil.example/"),
        get(""),
        // The token has a line break in it.
        credential("bearer", &[("token", "token")], &[]),
        credential("header", &[("value", "token")], &[("name", "x-token")]),
        credential("header", &[("value", "token")], &[("name", "host")]),
        credential("bearer", &[("token", "of-another")], &[]),
        credential("bearer", &[], &[("token", "literal")]),
        credential("telepathy", &[("token", "token")], &[]),
        Ask { body: "x".repeat((1 << 20) + 1), ..get("/") },
    ];
    let outcomes = sent(source.address.port(), "line\r\nbreak: 1", &asks, BUDGET).await;
    for (ask, outcome) in asks.iter().zip(&outcomes) {
        let Some(Outcome::Failed(told)) = outcome else { panic!("{:?}: {outcome:?}", &ask.headers) };
        assert_eq!(told.kind, FailureKind::Invalid, "{:?} {:?} {:?}: {told}", ask.method, ask.target, ask.headers);
        assert!(!told.message.contains("break"), "{told}");
    }
    assert_eq!(source.connections(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_credential_is_filled_in_by_the_host() {
    let source = ScriptedHttp::start().await.unwrap();
    source.set_body("seen");
    let with = |scheme: &str, secrets: Vec<(String, String)>, settings| Ask {
        credentials: vec![(scheme.to_owned(), secrets, settings)],
        ..get("//host.example/x?a=1")
    };
    let asks = [
        with("bearer", vec![pair("token", "token")], Vec::new()),
        with("query", vec![pair("value", "token")], vec![pair("name", "key")]),
    ];
    let outcomes = sent(source.address().port(), "t0k&en", &asks, BUDGET).await;
    for outcome in &outcomes {
        assert_eq!(number(outcome.as_ref()), 200.0);
        assert_eq!(state(outcome.as_ref()), b"seen");
    }
    let seen = source.requests();
    let of = |target: &str| seen.iter().find(|request| request.target == target).unwrap_or_else(|| panic!("{seen:?}"));
    assert_eq!(of("//host.example/x?a=1").headers["authorization"], "Bearer t0k&en");
    assert_eq!(of("//host.example/x?a=1&key=t0k%26en").headers.get("authorization"), None);
    let local = format!("127.0.0.1:{}", source.address().port());
    assert!(seen.iter().all(|request| request.headers["host"] == local.as_str()), "{seen:?}");
}

/// A source whose paths are each slow in their own way.
async fn slow() -> Raw {
    Raw::start(|mut stream| async move {
        let mut heard = vec![0; 4_096];
        let length = stream.read(&mut heard).await?;
        let path = String::from_utf8_lossy(&heard[..length]).split(' ').nth(1).unwrap_or_default().to_owned();
        let path = path.split('?').next().unwrap_or_default();
        let pause = || tokio::time::sleep(Duration::from_millis(20));
        match path {
            "/silent" => std::future::pending().await,
            "/head" => {
                for byte in b"HTTP/1.1 200 OK\r\nX-Long: ".iter().chain(std::iter::repeat(&b'x')) {
                    stream.write_all(&[*byte]).await?;
                    pause().await;
                }
            }
            "/drip" => {
                stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n").await?;
                loop {
                    stream.write_all(b"x").await?;
                    pause().await;
                }
            }
            "/endless" => {
                stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").await?;
                let chunk = format!("10000\r\n{}\r\n", "x".repeat(1 << 16));
                loop {
                    stream.write_all(chunk.as_bytes()).await?;
                }
            }
            "/cut" => stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf").await?,
            "/rude" => {}
            "/garbage" => stream.write_all(b"\0\x01\x02 what?\r\n\r\n").await?,
            _ => stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await?,
        }
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn waiting_ends_before_the_batch_does_and_is_the_querys_timeout() {
    let source = slow().await;
    let wait = Ask { timeout_ms: Some(u32::MAX), ..get("/silent?long") };
    let asks = [get("/good"), get("/silent"), get("/head"), get("/drip"), wait, get("/good?again")];
    let outcomes = sent(source.address.port(), "x", &asks, Duration::from_secs(4)).await;
    for late in [1, 2, 3, 4] {
        failure(outcomes[late].as_ref(), FailureKind::Timeout);
    }
    for good in [0, 5] {
        assert_eq!(number(outcomes[good].as_ref()), 200.0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn waiting_costs_a_guest_no_cpu_time() {
    // The n-th answer comes after n pauses, each longer than a tick: the guest wakes as often.
    let source = Raw::start(|mut stream| async move {
        let mut heard = vec![0; 4_096];
        let length = stream.read(&mut heard).await?;
        let target = String::from_utf8_lossy(&heard[..length]).split(' ').nth(1).unwrap_or_default().to_owned();
        let pauses: u64 = target.trim_start_matches('/').parse().unwrap_or(0);
        tokio::time::sleep(Duration::from_millis(25 * pauses)).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok").await
    })
    .await;
    let asks: Vec<_> = (0..30).map(|n| get(&format!("/{n}"))).collect();
    for outcome in sent(source.address.port(), "x", &asks, BUDGET).await {
        assert_eq!(number(outcome.as_ref()), 200.0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_may_wait_for_less_than_the_batch_has() {
    let source = slow().await;
    let wait = Ask { timeout_ms: Some(100), ..get("/silent") };
    let outcomes = sent(source.address.port(), "x", &[wait, get("/good")], BUDGET).await;
    failure(outcomes[0].as_ref(), FailureKind::Timeout);
    assert_eq!(number(outcomes[1].as_ref()), 200.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_without_end_is_cut_off() {
    let source = slow().await;
    let outcomes = sent(source.address.port(), "x", &[get("/endless"), get("/good")], BUDGET).await;
    failure(outcomes[0].as_ref(), FailureKind::BadResponse);
    assert_eq!(number(outcomes[1].as_ref()), 200.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_answer_is_the_sources() {
    let source = slow().await;
    let outcomes =
        sent(source.address.port(), "x", &[get("/cut"), get("/rude"), get("/garbage"), get("/good")], BUDGET).await;
    for broken in &outcomes[..3] {
        failure(broken.as_ref(), FailureKind::Unreachable);
    }
    assert_eq!(number(outcomes[3].as_ref()), 200.0);
}
