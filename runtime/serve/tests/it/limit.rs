//! What clients may use up, and how the server ends.
use crate::client::{AGGREGATOR, Connection, DEADLINE, Http, tls};
use crate::server::{TestServer, path_of};
use http::Method;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use windlass_core::Milli;
use windlass_serve::{AccessOptions, Limits};

async fn with(limits: Limits) -> TestServer {
    TestServer::with(limits, AccessOptions::default()).await
}

/// Reads until the server ends the connection, whether in order or not.
async fn until_closed(stream: &mut (impl AsyncReadExt + Unpin)) -> Vec<u8> {
    let mut read = Vec::new();
    let _ = timeout(DEADLINE, stream.read_to_end(&mut read)).await.expect("the server ends the connection");
    read
}

#[tokio::test]
async fn paths_and_heads_are_bounded() {
    let server = TestServer::start().await;
    for http in [Http::One, Http::Two] {
        let mut connection = Connection::open(&server, Some(&server.front_proxy()), http).await;
        let long = connection.get(&format!("/{}", "a".repeat(5000)), AGGREGATOR).await;
        assert_eq!((long.code.as_u16(), &long.status()["reason"]), (414, &"RequestURITooLong".into()));
        let huge = "a".repeat(100_000);
        let refused = connection.try_send(Method::GET, "/apis", &[("x-remote-group", &huge)]).await;
        let refused = refused.map(|reply| reply.code.as_u16());
        assert!(matches!(refused, Ok(431) | Err(_)), "{refused:?} {}", http == Http::One);
    }
    let mut connection = Connection::open(&server, Some(&server.front_proxy()), Http::One).await;
    let groups: Vec<String> = (0..300).map(|at| format!("group-{at}")).collect();
    let mut headers = AGGREGATOR.to_vec();
    headers.extend(groups.iter().map(|group| ("x-remote-group", group.as_str())));
    assert_eq!(connection.get("/apis", &headers).await.code, 200, "users may have many groups");
}

#[tokio::test]
async fn connections_are_bounded() {
    let server = with(Limits { connections: 2, ..Limits::default() }).await;
    let mut one = Connection::open(&server, Some(&server.front_proxy()), Http::Two).await;
    let mut two = Connection::open(&server, Some(&server.front_proxy()), Http::Two).await;
    let third = timeout(DEADLINE, tls(&server, &server.bundle.ca_pem, None, Http::Two)).await.unwrap();
    assert!(third.is_err());
    assert_eq!(one.get("/apis", AGGREGATOR).await.code, 200);
    assert_eq!(two.get("/apis", AGGREGATOR).await.code, 200);
    let refused = r#"windlass_external_metrics_connections_accepted_total{result="refused"}"#;
    assert_eq!(server.metric(refused), Some(1.0));
    drop(one);
    let reopened = timeout(DEADLINE, async {
        while tls(&server, &server.bundle.ca_pem, None, Http::Two).await.is_err() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    assert!(reopened.await.is_ok(), "a place that is free again is given again");
}

#[tokio::test]
async fn who_does_nothing_is_closed() {
    let soon = Duration::from_millis(50);
    let server = with(Limits { handshake: soon, ..Limits::default() }).await;
    let mut silent = TcpStream::connect(server.address).await.unwrap();
    assert!(until_closed(&mut silent).await.is_empty(), "no handshake");

    let server = with(Limits { first_request: soon, drain: soon, ..Limits::default() }).await;
    let mut idle = tls(&server, &server.bundle.ca_pem, None, Http::One).await.unwrap();
    assert!(until_closed(&mut idle).await.is_empty(), "no request");
    let mut slow = tls(&server, &server.bundle.ca_pem, None, Http::One).await.unwrap();
    let _ = slow.write_all(b"GET /healthz HTTP/1.1\r\nhost: a\r\n").await;
    until_closed(&mut slow).await;
    let mut two = tls(&server, &server.bundle.ca_pem, None, Http::Two).await.unwrap();
    let _ = two.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await;
    until_closed(&mut two).await;

    let server = with(Limits { idle: soon, drain: soon, ..Limits::default() }).await;
    let mut one = tls(&server, &server.bundle.ca_pem, None, Http::One).await.unwrap();
    one.write_all(b"GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    let answered = String::from_utf8(until_closed(&mut one).await).unwrap();
    assert!(answered.starts_with("HTTP/1.1 200 OK\r\n") && answered.ends_with("\r\n\r\nok"), "{answered}");
}

#[tokio::test]
async fn what_is_not_http_is_closed() {
    let server = TestServer::start().await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    until_closed(&mut stream).await;
    let mut stream = tls(&server, &server.bundle.ca_pem, None, Http::One).await.unwrap();
    stream.write_all(b"nonsense\r\n\r\n").await.unwrap();
    until_closed(&mut stream).await;
    let failed = r#"windlass_external_metrics_connections_accepted_total{result="handshake-failed"}"#;
    assert_eq!(server.metric(failed), Some(1.0));
}

/// A request has a deadline even when a review hangs.
#[tokio::test]
async fn requests_have_a_deadline() {
    let server = with(Limits { request: Duration::from_millis(50), ..Limits::default() }).await;
    server.reviews.permits.forget_permits(usize::MAX);
    let mut connection = Connection::open(&server, Some(&server.front_proxy()), Http::Two).await;
    let reply = connection.read(&path_of("s0-queue", "orders")).await;
    assert_eq!((reply.code.as_u16(), &reply.status()["reason"]), (504, &"Timeout".into()));
}

/// At shutdown, requests under way end well; nothing new is taken.
#[tokio::test]
async fn shutdown_lets_requests_end() {
    let mut server = TestServer::start().await;
    server.show("orders", "queue", Ok(Milli(1500)));
    server.reviews.permits.forget_permits(usize::MAX);
    let mut idle = Connection::open(&server, Some(&server.front_proxy()), Http::Two).await;
    assert_eq!(idle.get("/apis", AGGREGATOR).await.code, 200);
    let mut connection = Connection::open(&server, Some(&server.front_proxy()), Http::Two).await;
    let waiting = tokio::spawn(async move { connection.read(&path_of("s0-queue", "orders")).await.code });
    timeout(DEADLINE, async {
        while server.reviews.count() == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await
    .unwrap();

    server.shutdown.cancel();
    server.reviews.permits.add_permits(1);
    assert_eq!(waiting.await.unwrap(), 200);
    timeout(DEADLINE, &mut server.served).await.expect("the server ends").unwrap();
    assert!(idle.try_send(Method::GET, "/apis", AGGREGATOR).await.is_err());
    assert!(TcpStream::connect(server.address).await.is_err());
    assert_eq!(server.metric("windlass_external_metrics_connections"), Some(0.0));
}
