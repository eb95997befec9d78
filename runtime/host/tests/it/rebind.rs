//! Names that change their mind: what they resolve to is looked up once and checked when it is dialled.
use crate::raw::Raw;
use crate::world::{BUDGET, Subject, failure, host, number, open, subject_in};
use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use tokio::io::AsyncReadExt as _;
use windlass_core::failure::FailureKind;
use windlass_core::port::BoxFuture;
use windlass_core::query::Endpoint;
use windlass_core::sample::Outcome;
use windlass_host::{Denial, Egress, Resolver, Rule};
use windlass_testkit::guest::{Ask, Guest};

const HTTP: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok";

/// Gives a name's answers one after the other, the last one for ever, and counts.
#[derive(Debug, Default)]
struct Scripted {
    names: Mutex<HashMap<String, VecDeque<Vec<IpAddr>>>>,
    asked: Mutex<Vec<String>>,
}

impl Resolver for Scripted {
    fn resolve(&self, name: &str) -> BoxFuture<'static, std::io::Result<Vec<IpAddr>>> {
        self.asked.lock().unwrap().push(name.to_owned());
        let mut names = self.names.lock().unwrap();
        let answer = names.get_mut(name).and_then(|answers| match answers.len() {
            1 => answers.front().cloned(),
            _ => answers.pop_front(),
        });
        Box::pin(std::future::ready(answer.ok_or_else(|| std::io::Error::other("no such name"))))
    }
}

impl Scripted {
    fn new(names: &[(&str, &[&[&str]])]) -> Arc<Scripted> {
        let addresses = |answer: &&[&str]| answer.iter().map(|address| address.parse().unwrap()).collect();
        let names = names.iter().map(|(name, answers)| ((*name).to_owned(), answers.iter().map(addresses).collect()));
        Arc::new(Scripted { names: Mutex::new(names.collect()), asked: Mutex::default() })
    }

    fn asked(&self) -> usize {
        self.asked.lock().unwrap().len()
    }
}

/// A guest that asks its endpoint once, over HTTP or TCP.
async fn subject(resolver: &Arc<Scripted>, http: bool, egress: Egress) -> Subject {
    let mut guest = Guest::new("asks");
    if http {
        let requests = guest.requests(&[Ask { target: "/".into(), ..Ask::default() }]);
        guest.poll = format!("(call $ask {requests})");
    } else {
        let hello = guest.text("hello");
        guest.poll = format!("(call $talk (i32.const 0) {hello})");
    }
    let resolver: Arc<dyn Resolver> = resolver.clone();
    subject_in(host(|options| options.egress = Egress { resolver, ..egress }), &guest).await
}

async fn poll(subject: &Subject, name: &str, port: u16) -> Option<Outcome> {
    let trigger = subject.trigger([open("server", name)]);
    let endpoint = Endpoint { parameter: Some("server".into()), host: name.into(), port, tls: None };
    subject.poll(subject.batch(vec![trigger], &[endpoint], BUDGET)).await.remove(0)
}

/// Loopback is a source like any other here, at 127.0.0.1 alone.
fn one_address() -> Egress {
    Egress { allowed: vec!["127.0.0.1/32".parse().unwrap()], ..Egress::default() }
}

/// A source that keeps no connection.
async fn hears_and_closes() -> Raw {
    Raw::start(|mut stream| async move { stream.read(&mut [0; 4_096]).await.map(drop) }).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_turns_to_another_address_is_denied_and_looked_up_once_each_time() {
    for http in [true, false] {
        for later in
            ["127.0.0.2", "169.254.169.254", "::ffff:169.254.169.254", "::1", "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::"]
        {
            let source = hears_and_closes().await;
            let resolver = Scripted::new(&[("turns.example", &[&["127.0.0.1"], &[later]])]);
            let subject = subject(&resolver, http, one_address()).await;
            let port = source.address.port();
            // The source closes every connection, so none is kept.
            let told = poll(&subject, "turns.example", port).await;
            if http {
                failure(told.as_ref(), FailureKind::Unreachable);
            } else {
                number(told.as_ref());
            }
            assert_eq!(
                (source.connections(), resolver.asked()),
                (1, 1),
                "the checked address is dialled, without a second look"
            );
            let told = poll(&subject, "turns.example", port).await;
            let message = &failure(told.as_ref(), FailureKind::Denied).message;
            assert!(message.starts_with("turns.example is "), "{message}");
            assert_eq!((source.connections(), resolver.asked()), (1, 2), "{later}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_name_with_several_addresses_only_open_ones_are_dialled() {
    let source = Raw::echoing(HTTP).await;
    let port = source.address.port();
    let resolver = Scripted::new(&[
        ("mixed.example", &[&["169.254.169.254", "::1", "127.0.0.1"]]),
        ("closed.example", &[&["169.254.169.254", "::1", "10.0.0.1"]]),
        // Open, but nobody is there; the closed one is not tried in its place.
        ("dead.example", &[&["127.0.0.3", "127.0.0.1"]]),
        ("empty.example", &[&[]]),
    ]);
    let denied = vec!["10.0.0.0/8".parse().unwrap(), "127.0.0.1".parse().unwrap()];
    let open = |addresses: &[&str]| addresses.iter().map(|address| address.parse().unwrap()).collect();
    let egress = || Egress { denied: denied.clone(), allowed: open(&["127.0.0.1"]), ..Egress::default() };
    let subject_open = subject(&resolver, true, egress()).await;
    assert_eq!(number(poll(&subject_open, "mixed.example", port).await.as_ref()), 200.0);
    failure(poll(&subject_open, "closed.example", port).await.as_ref(), FailureKind::Denied);
    failure(poll(&subject_open, "empty.example", port).await.as_ref(), FailureKind::Unreachable);
    failure(poll(&subject_open, "unknown.example", port).await.as_ref(), FailureKind::Unreachable);
    let connections = source.connections();
    let subject_dead = subject(&resolver, true, Egress { allowed: open(&["127.0.0.3"]), ..egress() }).await;
    failure(poll(&subject_dead, "dead.example", port).await.as_ref(), FailureKind::Unreachable);
    assert_eq!(source.connections(), connections);
}

#[tokio::test(flavor = "multi_thread")]
async fn addresses_are_never_looked_up() {
    let source = Raw::echoing(HTTP).await;
    let resolver = Scripted::new(&[]);
    let subject = subject(&resolver, true, one_address()).await;
    for host in ["127.0.0.1", "[::ffff:127.0.0.1]"] {
        assert_eq!(number(poll(&subject, host, source.address.port()).await.as_ref()), 200.0);
    }
    for host in ["127.0.0.2", "[::1]", "no host", "%31%32%37.0.0.1", "a@b", "bücher.example", "fe80::1%lo", ""] {
        failure(poll(&subject, host, source.address.port()).await.as_ref(), FailureKind::Denied);
    }
    assert_eq!(resolver.asked(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_names_of_one_address_share_no_connection() {
    for http in [true, false] {
        let source = Raw::echoing("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await;
        let resolver = Scripted::new(&[("one.example", &[&["127.0.0.1"]]), ("two.example", &[&["127.0.0.1"]])]);
        let subject = subject(&resolver, http, one_address()).await;
        for (name, connections) in [("one.example", 1), ("two.example", 2), ("one.example", 2), ("two.example", 2)] {
            number(poll(&subject, name, source.address.port()).await.as_ref());
            assert_eq!(source.connections(), connections, "{name}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_closed_at_one_port_is_open_at_another_and_what_is_opened_wins() {
    let (api, source) = (Raw::echoing(HTTP).await, Raw::echoing(HTTP).await);
    let rule = Rule::address("127.0.0.1".parse().unwrap(), Some(api.address.port()));
    let denied = vec![Denial { rule, why: "the API server's address" }];
    let resolver = Scripted::new(&[("kubernetes.example", &[&["127.0.0.1"]])]);
    let closed = Egress { allow_loopback: true, denied, ..Egress::default() };
    let subject_closed = subject(&resolver, true, closed.clone()).await;
    for host in ["127.0.0.1", "kubernetes.example", "::ffff:127.0.0.1"] {
        let told = poll(&subject_closed, host, api.address.port()).await;
        let message = &failure(told.as_ref(), FailureKind::Denied).message;
        assert!(message.contains("the API server's address"), "{message}");
        assert_eq!(number(poll(&subject_closed, host, source.address.port()).await.as_ref()), 200.0);
    }
    assert_eq!(api.connections(), 0);
    let opened = Egress { allowed: vec![rule], ..closed };
    let subject_opened = subject(&resolver, true, opened).await;
    assert_eq!(number(poll(&subject_opened, "kubernetes.example", api.address.port()).await.as_ref()), 200.0);
}
