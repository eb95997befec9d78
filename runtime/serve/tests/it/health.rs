//! The plain port.
use crate::client::DEADLINE;
use prometheus_client::registry::Registry;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use windlass_serve::{Health, Limits, Metrics, Readiness, serve_health};

async fn ask(address: SocketAddr, request: &str) -> String {
    let asked = async {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = format!("{request} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        text
    };
    tokio::time::timeout(DEADLINE, asked).await.unwrap()
}

#[tokio::test]
async fn health_and_metrics() {
    let mut registry = Registry::default();
    let _metrics = Metrics::new(&mut registry);
    let readiness = Arc::new(Readiness::default());
    let (synced, certificate) = (readiness.gate("synced"), readiness.gate("certificate"));
    let alive = Arc::new(AtomicBool::new(true));
    let told = alive.clone();
    let health = Health { readiness, alive: Box::new(move || told.load(Ordering::SeqCst)), registry };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let shutdown = CancellationToken::new();
    let served = tokio::spawn(serve_health(listener, Arc::new(health), Limits::default(), shutdown.clone()));

    certificate.open();
    let closed = ask(address, "GET /readyz").await;
    assert!(closed.starts_with("HTTP/1.1 503 ") && closed.contains("[-]synced\n[+]certificate\n"), "{closed}");
    synced.open();
    assert!(ask(address, "GET /readyz").await.ends_with("\r\n\r\nok"));
    assert!(ask(address, "GET /readyz?verbose").await.contains("[+]synced\n[+]certificate\nreadyz check passed"));
    synced.close();
    assert!(ask(address, "GET /readyz").await.starts_with("HTTP/1.1 503 "));

    assert!(ask(address, "GET /healthz").await.ends_with("\r\n\r\nok"));
    alive.store(false, Ordering::SeqCst);
    assert!(ask(address, "GET /livez").await.starts_with("HTTP/1.1 500 "));

    let metrics = ask(address, "GET /metrics").await;
    assert!(metrics.contains("content-type: application/openmetrics-text; version=1.0.0; charset=utf-8\r\n"));
    assert!(metrics.contains("# TYPE windlass_external_metrics_read_duration_seconds histogram\n"));
    assert!(metrics.ends_with("# EOF\n"));

    assert!(ask(address, "POST /metrics").await.starts_with("HTTP/1.1 405 "));
    assert!(ask(address, "GET /").await.starts_with("HTTP/1.1 404 "));
    shutdown.cancel();
    tokio::time::timeout(DEADLINE, served).await.unwrap().unwrap();
}
