//! Reads of metrics.
use crate::client::{AGGREGATOR, Connection, HPA, Http};
use crate::server::{TestServer, path, path_of};
use http::Method;
use std::time::Duration;
use windlass_core::{Milli, Reason};

#[tokio::test]
async fn a_value() {
    let server = TestServer::start().await;
    server.show("orders", "queue", Ok(Milli(1500)));
    for http in [Http::One, Http::Two] {
        let mut connection = Connection::open(&server, Some(&server.front_proxy()), http).await;
        let reply = connection.read(&path_of("s0-queue", "orders")).await;
        assert_eq!((reply.code.as_u16(), &reply.headers["content-type"]), (200, &"application/json".parse().unwrap()));
        let body = reply.json();
        let time = body["items"][0]["timestamp"].as_str().unwrap();
        let seconds = server.clock.now().wall.0.div_euclid(1000);
        assert_eq!(time.parse::<jiff::Timestamp>().unwrap().as_second(), seconds);
        assert_eq!(time.len(), "2026-01-01T00:00:00Z".len());
        let expected = format!(
            r#"{{"kind":"ExternalMetricValueList","apiVersion":"external.metrics.k8s.io/v1beta1","metadata":{{}},"items":[{{"metricName":"s0-queue","metricLabels":null,"timestamp":"{time}","value":"1500m"}}]}}"#
        );
        assert_eq!(std::str::from_utf8(&reply.body).unwrap(), expected);
    }
}

#[tokio::test]
async fn names_are_decoded() {
    let server = TestServer::start().await;
    server.show("orders", r#"a"b c+é"#, Ok(Milli(0)));
    let mut connection = Connection::open(&server, Some(&server.front_proxy()), Http::Two).await;
    let reply = connection.read(&path_of("s0-a%22b%20c+%C3%A9", "orders")).await;
    assert_eq!(reply.json()["items"][0]["metricName"], r#"s0-a"b c+é"#);
    assert_eq!(reply.json()["items"][0]["value"], "0");
}

/// 404: not ours. Each part of the key counts.
#[tokio::test]
async fn not_ours() {
    let server = TestServer::start().await;
    server.show("orders", "queue", Ok(Milli(1500)));
    let mut connection = Connection::open(&server, Some(&server.front_proxy()), Http::Two).await;
    let elsewhere = path_of("s0-queue", "orders").replace("/shop/", "/other/");
    for path in [
        path_of("s0-queue", "payments"),
        path_of("s1-queue", "orders"),
        path_of("s0-queues", "orders"),
        path_of("s00-queue", "orders"),
        path_of("s+0-queue", "orders"),
        path_of("s65536-queue", "orders"),
        path_of("queue", "orders"),
        path_of("s0-%2F", "orders"),
        elsewhere,
    ] {
        let reply = connection.read(&path).await;
        assert_eq!((reply.code.as_u16(), &reply.status()["reason"]), (404, &"NotFound".into()), "{path}");
        assert!(reply.message().starts_with("no matching metrics found for "), "{path}");
    }
    assert_eq!(server.metric(r#"windlass_external_metrics_reads_total{result="not-ours",reason=""}"#), Some(9.0));
}

/// 503: ours, but there is no value that may be used. The reason is told.
#[tokio::test]
async fn no_fresh_value() {
    let server = TestServer::start().await;
    server.show("orders", "queue", Err(Reason::TriggerError));
    server.show("payments", "queue", Ok(Milli(7000)));
    let mut connection = Connection::open(&server, Some(&server.front_proxy()), Http::Two).await;

    let failed = connection.read(&path_of("s0-queue", "orders")).await;
    assert_eq!((failed.code.as_u16(), &failed.status()["reason"]), (503, &"ServiceUnavailable".into()));
    assert_eq!(failed.message(), "no fresh value of metric s0-queue for ScaledObject shop/orders: TriggerError");
    assert_eq!(failed.status()["details"]["causes"][0]["reason"], "TriggerError");

    server.clock.advance(Duration::from_secs(60));
    assert_eq!(connection.read(&path_of("s0-queue", "payments")).await.code, 200, "valid up to and including the end");
    server.clock.advance(Duration::from_millis(1));
    let expired = connection.read(&path_of("s0-queue", "payments")).await;
    assert_eq!(expired.code, 503);
    assert_eq!(expired.status()["details"]["causes"][0]["reason"], "UnknownState");
}

/// Before the first full sync, nobody can say that a metric is not ours.
#[tokio::test]
async fn not_known_yet() {
    let server = TestServer::start().await;
    server.synced.close();
    server.show("orders", "queue", Ok(Milli(1)));
    let mut connection = Connection::open(&server, Some(&server.front_proxy()), Http::Two).await;
    assert_eq!(connection.read(&path_of("s0-queue", "other")).await.status()["reason"], "ServiceUnavailable");
    assert_eq!(connection.read(&path_of("s0-queue", "orders")).await.code, 200);
    let ready = connection.get("/readyz", &[]).await;
    assert_eq!((ready.code.as_u16(), &ready.body[..]), (503, &b"[-]synced\nreadyz check failed\n"[..]));
    server.synced.open();
    assert_eq!(connection.read(&path_of("s0-queue", "other")).await.code, 404);
    assert_eq!(&connection.get("/readyz", &[]).await.body[..], b"ok");
}

#[tokio::test]
async fn selectors_that_choose_nothing() {
    let server = TestServer::start().await;
    server.show("orders", "queue", Ok(Milli(1500)));
    let mut connection = Connection::open(&server, Some(&server.front_proxy()), Http::Two).await;
    let remedy = "scaledobject.keda.sh/name";
    for selector in ["", "scaledobject.keda.sh/name in (orders,payments)", "app=orders", "=,", "name=orders"] {
        let reply = connection.read(&path("s0-queue", selector)).await;
        assert_eq!((reply.code.as_u16(), &reply.status()["reason"]), (400, &"BadRequest".into()), "{selector}");
        assert!(reply.message().contains(remedy), "{selector}: {}", reply.message());
    }
    let none = connection.read("/apis/external.metrics.k8s.io/v1beta1/namespaces/shop/s0-queue").await;
    assert_eq!(none.code, 400);
    let malformed =
        connection.read("/apis/external.metrics.k8s.io/v1beta1/namespaces/shop/s0-%zz?labelSelector=a").await;
    assert_eq!(malformed.code, 400);
    assert_eq!(connection.read(&path("s0-queue", "scaledobject.keda.sh/name in (orders)")).await.code, 200);
}

#[tokio::test]
async fn methods() {
    let server = TestServer::start().await;
    server.show("orders", "queue", Ok(Milli(1500)));
    let mut connection = Connection::open(&server, Some(&server.front_proxy()), Http::Two).await;
    let path = path_of("s0-queue", "orders");
    for method in [Method::POST, Method::PUT, Method::DELETE, Method::PATCH] {
        let reply = connection.send(method, &path, HPA).await;
        assert_eq!((reply.code.as_u16(), &reply.status()["reason"]), (405, &"MethodNotAllowed".into()));
        assert_eq!(reply.headers["allow"], "GET");
    }
    let watch = connection.read(&format!("{path}&watch=true")).await;
    assert_eq!(watch.code, 405);
}

/// Ten thousand metrics, read by many at once over one connection, as the aggregation layer does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_metrics() {
    let server = std::sync::Arc::new(TestServer::start().await);
    for at in 0..10_000 {
        server.show(&format!("object-{at}"), "queue", Ok(Milli(at * 1000 + 1)));
    }
    let mut readers = Vec::new();
    for part in 0..4 {
        let server = server.clone();
        readers.push(tokio::spawn(async move {
            let mut connection = Connection::open(&server, Some(&server.front_proxy()), Http::Two).await;
            for at in (part..10_000).step_by(4) {
                let reply = connection.read(&path_of("s0-queue", &format!("object-{at}"))).await;
                assert_eq!(reply.json()["items"][0]["value"], format!("{}m", at * 1000 + 1));
            }
        }));
    }
    for reader in readers {
        reader.await.unwrap();
    }
    assert_eq!(server.reviews.count(), 1, "one user, one review, whatever was read");
    let count = "windlass_external_metrics_read_duration_seconds_count";
    assert_eq!(server.metric(count), Some(10_000.0));
    assert_eq!(server.metric(r#"windlass_external_metrics_requests_total{kind="metric",code="200"}"#), Some(10_000.0));
    assert_eq!(server.metric("windlass_external_metrics_read_gap_seconds_count"), Some(0.0), "each was read once");
}

#[tokio::test]
async fn the_gap_between_reads_is_told() {
    let server = TestServer::start().await;
    server.show("orders", "queue", Ok(Milli(1500)));
    let mut connection = Connection::open(&server, Some(&server.front_proxy()), Http::Two).await;
    for _ in 0..3 {
        connection.read(&path_of("s0-queue", "orders")).await;
        server.clock.advance(Duration::from_secs(15));
    }
    assert_eq!(server.metric("windlass_external_metrics_read_gap_seconds_sum"), Some(30.0));
    assert_eq!(server.metric("windlass_external_metrics_age_seconds_sum"), Some(45.0));
    assert_eq!(connection.get("/apis", AGGREGATOR).await.code, 200);
    assert_eq!(server.metric(r#"windlass_external_metrics_requests_total{kind="discovery",code="200"}"#), Some(1.0));
}
