//! Our own certificates.
use crate::client::{AGGREGATOR, Connection, DEADLINE, Http, tls};
use crate::server::{HOST, TestServer};
use std::time::Duration;
use windlass_core::Wall;
use windlass_serve::{Bundle, CertificateError, Validity};

const NOW: Wall = Wall(1_790_000_000_000);
const DAY: Duration = Duration::from_secs(86_400);

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| name.to_string()).collect()
}

fn count(pem: &str) -> usize {
    pem.matches("-----BEGIN CERTIFICATE-----").count()
}

#[test]
fn rotation() {
    let (validity, hosts) = (Validity::default(), names(&["a.b.svc", "127.0.0.1", "::1"]));
    let first = Bundle::generate(&hosts, validity, NOW).unwrap();
    let due = |bundle: &Bundle, hosts: &[String], now| bundle.needs_rotation(hosts, validity, now).unwrap();
    assert!(!due(&first, &hosts, NOW));
    assert!(!due(&first, &hosts, NOW + 274 * DAY));
    assert!(due(&first, &hosts, NOW + 275 * DAY), "90 of 365 days are left");
    assert!(!due(&first, &names(&["A.b.svc"]), NOW), "fewer names are covered");
    assert!(due(&first, &names(&["other.b.svc"]), NOW));
    assert!(due(&first, &names(&["127.0.0.2"]), NOW));

    // The authority stays while it can.
    let second = first.rotate(&hosts, validity, NOW + 275 * DAY).unwrap();
    assert_eq!((&second.ca_pem, &second.ca_key), (&first.ca_pem, &first.ca_key));
    assert_ne!((&second.cert_pem, &second.key), (&first.cert_pem, &first.key));
    assert_eq!(second.ends().unwrap().0 / 1000, (NOW + 640 * DAY).0 / 1000);

    // Near its end a new one comes first, and the old one is trusted on.
    let late = NOW + 3300 * DAY;
    assert!(due(&second, &hosts, late));
    let third = second.rotate(&hosts, validity, late).unwrap();
    assert_eq!((count(&second.ca_pem), count(&third.ca_pem)), (1, 2));
    assert!(third.ca_pem.ends_with(&first.ca_pem));
    assert_ne!(third.ca_key, second.ca_key);
    assert!(!due(&third, &hosts, late));

    // Once it has ended it is dropped.
    let fourth = third.rotate(&hosts, validity, late + 3300 * DAY).unwrap();
    assert_eq!(count(&fourth.ca_pem), 2);
    assert!(!fourth.ca_pem.contains(&first.ca_pem));
}

#[test]
fn secrets() {
    let bundle = Bundle::generate(&names(&[HOST]), Validity::default(), NOW).unwrap();
    let data = bundle.to_secret();
    assert_eq!(data.keys().collect::<Vec<_>>(), ["ca.crt", "ca.key", "tls.crt", "tls.key"]);
    assert_eq!(Bundle::from_secret(&data).unwrap(), bundle);
    assert!(!format!("{bundle:?}").contains("PRIVATE"));

    for (key, error) in [
        ("ca.crt", CertificateError::Missing("ca.crt")),
        ("ca.key", CertificateError::Missing("ca.key")),
        ("tls.crt", CertificateError::Missing("tls.crt")),
        ("tls.key", CertificateError::Missing("tls.key")),
    ] {
        let mut lacking = data.clone();
        lacking.insert(key.into(), Vec::new());
        assert_eq!(Bundle::from_secret(&lacking).unwrap_err(), error, "empty {key}");
        lacking.remove(key);
        assert_eq!(Bundle::from_secret(&lacking).unwrap_err(), error, "no {key}");
        lacking.insert(key.into(), b"nonsense".to_vec());
        assert!(Bundle::from_secret(&lacking).is_err(), "malformed {key}");
    }
    let other = Bundle::generate(&names(&[HOST]), Validity::default(), NOW).unwrap();
    let mut mixed = data;
    mixed.insert("tls.key".into(), other.key.expose().into());
    assert_eq!(Bundle::from_secret(&mixed).unwrap_err(), CertificateError::Mismatch);
    assert!(Bundle::generate(&names(&["é"]), Validity::default(), NOW).is_err());
}

/// A rotation, even of the authority, drops no connection, and at no moment does a client fail that trusts what the
/// APIService is given first.
#[tokio::test]
async fn rotation_drops_no_connection() {
    let server = TestServer::start().await;
    let client = server.front_proxy();
    let mut before = Connection::open(&server, Some(&client), Http::Two).await;
    let mut before_one = Connection::open(&server, Some(&client), Http::One).await;
    assert_eq!(before.get("/apis", AGGREGATOR).await.code, 200);
    assert_eq!(before_one.get("/apis", AGGREGATOR).await.code, 200);

    // As if the authority were near its end.
    let validity = Validity { look_ahead: 3600 * DAY, ..Validity::default() };
    let renewed = server.bundle.rotate(&names(&[HOST]), validity, server.clock.now().wall).unwrap();
    assert_eq!(count(&renewed.ca_pem), 2);
    let early = Connection::trusting(&server, &renewed.ca_pem, Some(&client), Http::Two).await;
    assert_eq!(early.shown, before.shown, "trusted before it is shown");

    server.certificate.replace(&renewed).unwrap();
    let mut after = Connection::trusting(&server, &renewed.ca_pem, Some(&client), Http::Two).await;
    assert_ne!(after.shown, before.shown);
    for connection in [&mut before, &mut before_one, &mut after] {
        assert_eq!(connection.get("/apis", AGGREGATOR).await.code, 200);
    }
    let distrusted =
        tokio::time::timeout(DEADLINE, tls(&server, &server.bundle.ca_pem, None, Http::Two)).await.unwrap();
    assert!(distrusted.is_err());
    assert_eq!(server.metric("windlass_external_metrics_connections"), Some(4.0));

    // What cannot be shown is not.
    let broken = Bundle { cert_pem: server.bundle.cert_pem.clone(), ..renewed.clone() };
    assert_eq!(server.certificate.replace(&broken), Err(CertificateError::Mismatch));
    assert_eq!(Connection::trusting(&server, &renewed.ca_pem, None, Http::Two).await.shown, after.shown);
}
