//! Connections outlive instances, and are shared by nobody who may not know of one another.
use crate::raw::Raw;
use crate::world::{BUDGET, Subject, host, number, open, revealed, subject};
use windlass_core::query::Endpoint;
use windlass_testkit::guest::{Ask, Guest};

const HTTP: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// Polls one query of a namespace with a secret; tells what the guest told.
async fn poll(subject: &Subject, port: u16, domain: &str, secret: &str) -> f64 {
    let trigger = subject.trigger_of(domain, [open("host", "127.0.0.1"), revealed("password", secret)]);
    let endpoint = Endpoint { parameter: Some("host".into()), host: "127.0.0.1".into(), port, tls: None };
    let outcomes = subject.poll(subject.batch(vec![trigger], &[endpoint], BUDGET)).await;
    number(outcomes[0].as_ref())
}

fn asks(name: &str) -> Guest {
    let mut guest = Guest::new(name);
    let requests = guest.requests(&[Ask { target: "/".into(), ..Ask::default() }]);
    guest.poll = format!("(call $ask {requests})");
    guest
}

fn talks(name: &str) -> Guest {
    let mut guest = Guest::new(name);
    let hello = guest.text("hello");
    guest.poll = format!("(call $talk (i32.const 0) {hello})");
    guest
}

#[tokio::test(flavor = "multi_thread")]
async fn http_connections_are_kept_for_the_same_namespace_and_secrets() {
    let source = Raw::echoing(HTTP).await;
    let subject = subject(&asks("asks")).await;
    let port = source.address.port();
    for (domain, secret, connections) in
        [("a", "one", 1), ("a", "one", 1), ("b", "one", 2), ("a", "two", 3), ("b", "one", 3), ("a", "one", 3)]
    {
        assert_eq!(poll(&subject, port, domain, secret).await, 200.0);
        assert_eq!(source.connections(), connections, "{domain} {secret}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tcp_connections_are_kept_for_the_same_namespace_and_secrets() {
    let source = Raw::echoing("hello").await;
    let subject = subject(&talks("talks")).await;
    let port = source.address.port();
    // A rotated secret never meets an old login: what is new says so.
    for (domain, secret, fresh) in [
        ("a", "one", 1.0),
        ("a", "one", 0.0),
        ("b", "one", 1.0),
        ("a", "two", 1.0),
        ("b", "one", 0.0),
        ("a", "one", 0.0),
    ] {
        assert_eq!(poll(&subject, port, domain, secret).await, fresh, "{domain} {secret}");
    }
    assert_eq!(source.connections(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn components_share_no_connection() {
    for guest in [asks, talks] {
        let source = Raw::echoing(HTTP).await;
        let host = host(|_| {});
        let scalers =
            [host.load(guest("one").component()).await.unwrap(), host.load(guest("two").component()).await.unwrap()];
        let mut subject = Subject { host, scaler: scalers[0].clone() };
        poll(&subject, source.address.port(), "a", "one").await;
        subject.scaler = scalers[1].clone();
        poll(&subject, source.address.port(), "a", "one").await;
        assert_eq!(source.connections(), 2);
    }
}
