//! Secrets that are bound to hosts: whatever a guest plans, asks or learns, they go nowhere else.
use crate::raw::Raw;
use crate::world::{BUDGET, Subject, failure, number, open, revealed, sealed, subject};
use std::sync::Arc;
use windlass_core::Binding;
use windlass_core::failure::FailureKind;
use windlass_core::query::{Endpoint, QueryPlan, ResolvedTrigger};
use windlass_testkit::guest::{Ask, Declared, Guest};

const HTTP: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// A trigger with a secret, bound to a list of hosts.
fn bound(subject: &Subject, server: &str, list: Option<&str>) -> ResolvedTrigger {
    let bound = list.map(|list| Arc::new(Binding::parse("login", list).unwrap()));
    let values = [open("server", server), sealed("token", "s3cret-token"), revealed("password", "s3cret-word")];
    ResolvedTrigger { bound, ..subject.trigger(values) }
}

fn plan(host: &str, port: u16) -> QueryPlan {
    let endpoint = Endpoint { parameter: Some("server".into()), host: host.into(), port, tls: None };
    QueryPlan { metrics: None, endpoints: vec![endpoint], group: "".into(), requests: 1 }
}

/// A guest that asks for one query: over HTTP with the secret, or over TCP.
fn asks(query: u32, http: bool) -> Guest {
    let mut guest = Guest { metrics: None, ..Guest::new("asks") };
    if http {
        let secrets = vec![("token".to_owned(), "token".to_owned())];
        let credentials = vec![("bearer".to_owned(), secrets, Vec::new())];
        let requests = guest.requests(&[Ask { query, target: "/".into(), credentials, ..Ask::default() }]);
        guest.poll = format!("(call $ask {requests})");
    } else {
        let word = guest.text("s3cret-word");
        guest.poll = format!("(call $talk (i32.const {query}) {word})");
    }
    guest
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_for_another_host_is_refused_and_says_what_to_do() {
    let guest = Guest {
        parameters: vec![Declared { name: "server".to_owned(), shape: 5, ..Declared::default() }],
        endpoints: vec![(Some("server".to_owned()), "queue.example".to_owned(), 8080)],
        ..Guest::new("plans")
    };
    let subject = subject(&guest).await;
    let url = "http://queue.example:8080/";
    for list in ["queue.example", "*.other.example,Queue.Example.:8080"] {
        subject.plan(bound(&subject, url, Some(list))).await.unwrap();
    }
    subject.plan(bound(&subject, url, None)).await.unwrap();
    // Values are the same: what is remembered of one binding does not count for another.
    for list in ["other.example", "queue.example:443", "*.queue.example"] {
        let problems = subject.plan(bound(&subject, url, Some(list))).await.unwrap_err();
        assert_eq!(problems[0].parameter.as_deref(), Some("server"));
        for part in ["'login'", "queue.example:8080", "windlass.dev/hosts", list] {
            assert!(problems[0].message.contains(part), "{part}: {problems:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bound_secret_leaves_for_its_host_alone() {
    for http in [true, false] {
        let source = Raw::echoing(HTTP).await;
        let port = source.address.port();
        let mut guest = asks(0, http);
        guest.metrics = Some(vec![("value".to_owned(), 1.0, 0.0)]);
        let subject = subject(&guest).await;
        // The plan was never checked.
        let poll = async |list: &str| {
            let trigger = bound(&subject, "127.0.0.1", Some(list));
            let endpoints = plan("127.0.0.1", port).endpoints;
            subject.poll(subject.batch(vec![trigger], &endpoints, BUDGET)).await.remove(0)
        };
        for list in ["elsewhere.example", "127.0.0.1:1", "127.0.0.2"] {
            let told = poll(list).await;
            let message = &failure(told.as_ref(), FailureKind::Denied).message;
            assert!(message.contains("'login'") && message.contains("windlass.dev/hosts"), "{message}");
        }
        assert_eq!(source.connections(), 0);
        number(poll(&format!("127.0.0.1:{port}")).await.as_ref());
        assert_eq!(source.connections(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_cannot_use_a_neighbours_endpoint_for_a_bound_secret() {
    for http in [true, false] {
        let source = Raw::echoing(HTTP).await;
        let subject = subject(&asks(1, http)).await;
        let port = source.address.port();
        // The second query is not bound and may reach the source; the first one's secret is in the guest's hands.
        let queries = vec![
            (bound(&subject, "db.example", Some("db.example")), plan("db.example", 80)),
            (bound(&subject, "127.0.0.1", None), plan("127.0.0.1", port)),
        ];
        let outcomes = subject.poll(subject.batch_of(queries, BUDGET)).await;
        failure(outcomes[1].as_ref(), FailureKind::Denied);
        assert_eq!(source.connections(), 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_is_not_listed_is_not_learned() {
    let mut guest = Guest::new("learns");
    for (peer, query) in [("127.0.0.1", 0), ("127.0.0.2", 1)] {
        let name = guest.text(peer);
        guest.poll.push_str(&format!(
            "(call $learn (i32.const {query}) (i32.const 0) {name} (i32.const 9000) (i32.const 192))
             (if (i32.load8_u (i32.const 192))
               (then (call $failed (i32.const {query}) (i32.load8_u (i32.const 200)) (i32.load (i32.const 204)) (i32.load (i32.const 208))))
               (else (call $ready (i32.const {query}) (f64.const 1))))"
        ));
    }
    let subject = subject(&guest).await;
    let trigger = bound(&subject, "127.0.0.1", Some("127.0.0.1"));
    let endpoints = plan("127.0.0.1", 8000).endpoints;
    let outcomes = subject.poll(subject.batch(vec![trigger; 2], &endpoints, BUDGET)).await;
    number(outcomes[0].as_ref());
    assert!(failure(outcomes[1].as_ref(), FailureKind::Denied).message.contains("windlass.dev/hosts"));
}
