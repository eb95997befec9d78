//! What a guest may reach: the hosts that the user wrote, and none of the addresses that are nobody's business.
use crate::raw::Raw;
use crate::world::{BUDGET, Subject, failure, host, number, open, subject, subject_in};
use windlass_core::failure::FailureKind;
use windlass_core::query::{Endpoint, Problem, QueryPlan};
use windlass_host::Egress;
use windlass_testkit::guest::{Ask, Declared, Guest};

const HTTP: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// What a guest that wants a host is told, where the user wrote a value into a parameter of a shape.
async fn wanted(shape: u8, written: &str, parameter: Option<&str>, host: &str) -> Result<QueryPlan, Vec<Problem>> {
    let guest = Guest {
        parameters: vec![Declared { name: "server".to_owned(), shape, ..Declared::default() }],
        endpoints: vec![(parameter.map(str::to_owned), host.to_owned(), 80)],
        ..Guest::new("wants")
    };
    let subject = subject(&guest).await;
    subject.plan(subject.trigger([open("server", written)])).await
}

const TEXT: u8 = 0;
const URL: u8 = 5;
const ADDRESS: u8 = 6;

#[tokio::test(flavor = "multi_thread")]
async fn the_host_that_the_user_wrote_is_granted() {
    for (shape, written, host) in [
        (URL, "http://good.example:8080/x", "good.example"),
        (URL, "HTTP://GOOD.Example", "good.example"),
        (URL, "http://good.example.", "good.example"),
        (URL, "http://good.example", "Good.Example."),
        (URL, "http://user:pa:ss@good.example/", "good.example"),
        (URL, "http://[2001:DB8::1]:80/", "2001:db8::1"),
        (URL, "http://[2001:db8::1]/", "[2001:db8::1]"),
        (ADDRESS, "good.example:6379", "good.example"),
        (TEXT, "good.example", "good.example"),
        (TEXT, "::1", "::1"),
        (TEXT, "a.example:1, good.example:2", "good.example"),
    ] {
        let plan = wanted(shape, written, Some("server"), host).await;
        assert!(plan.is_ok(), "{host} of {written}: {plan:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_the_user_did_not_write_is_refused() {
    for (shape, written, host) in [
        (URL, "http://good.example@evil.example/", "good.example"),
        (URL, "http://good.example:80@evil.example/", "good.example"),
        (URL, "http://other.example/good.example", "good.example"),
        (URL, "http://other.example?good.example", "good.example"),
        (URL, "http://other.example#@good.example", "good.example"),
        (URL, "http://other.example/@good.example", "good.example"),
        (URL, "http://good.example/?next=a,evil.example", "evil.example"),
        (URL, "http://good.example/;evil.example", "evil.example"),
        (URL, "http://good.example", "evil.example"),
        (URL, "http://good.example", "good.example.evil.example"),
        (URL, "http://good.example", "x.good.example"),
        (URL, "http://good.example", "example"),
        (URL, "http://good.example", "good.example@evil.example"),
        (URL, "http://good.example", "good.example/"),
        (URL, "http://good.example", "good.example\n"),
        (URL, "http://good.example", "169.254.169.254"),
        (URL, "http://good.example", "gооd.example"),
        (URL, "http://[::1]/", "::1]@evil.example"),
        (ADDRESS, "good.example:80,evil.example:80", "evil.example"),
        (URL, "http://good.example", ""),
    ] {
        let problems = wanted(shape, written, Some("server"), host).await.expect_err(&format!("{host} of {written}"));
        assert_eq!(problems[0].parameter.as_deref(), Some("server"), "{problems:?}");
    }
    for parameter in [None, Some("missing"), Some("")] {
        assert!(wanted(URL, "http://good.example", parameter, "good.example").await.is_err(), "{parameter:?}");
    }
}

/// A guest that asks for as many queries over HTTP, or over TCP.
fn asking(count: u32, http: bool) -> Guest {
    let mut guest = Guest::new("asks");
    if http {
        let asks: Vec<_> = (0..count).map(|query| Ask { query, target: "/".into(), ..Ask::default() }).collect();
        let requests = guest.requests(&asks);
        guest.poll = format!("(call $ask {requests})");
    } else {
        let hello = guest.text("hello");
        guest.poll = (0..count).map(|query| format!("(call $talk (i32.const {query}) {hello})")).collect();
    }
    guest
}

/// Polls one query for each host, all at one port.
async fn reach(subject: &Subject, hosts: &[&str], port: u16) -> Vec<Option<windlass_core::sample::Outcome>> {
    let planned = hosts.iter().map(|host| {
        let trigger = subject.trigger([open("server", host)]);
        let endpoint = Endpoint { parameter: Some("server".into()), host: (*host).into(), port, tls: None };
        let batch = subject.batch(vec![trigger], &[endpoint], BUDGET);
        (batch.queries[0].question.trigger.clone(), batch.queries[0].question.plan.clone())
    });
    subject.poll(subject.batch_of(planned.collect(), BUDGET)).await
}

const LOOPBACK: [&str; 13] = [
    "127.0.0.1",
    "127.255.0.9",
    "127.1",
    "2130706433",
    "0x7f000001",
    "0177.0.0.1",
    "localhost",
    "::1",
    "[::1]",
    "::ffff:127.0.0.1",
    "[::ffff:7f00:1]",
    "64:ff9b::7f00:1",
    "::127.0.0.1",
];

const FORBIDDEN: [&str; 15] = [
    "169.254.169.254",
    "169.254.0.1",
    "2852039166",
    "::ffff:169.254.169.254",
    "64:ff9b::a9fe:a9fe",
    "0.0.0.0",
    "0",
    "::",
    "fe80::1",
    "fd00:ec2::254",
    "100.100.100.200",
    "168.63.129.16",
    "224.0.0.1",
    "255.255.255.255",
    "10.9.1.1",
];

#[tokio::test(flavor = "multi_thread")]
async fn addresses_that_are_nobodys_business_are_denied_at_the_connection() {
    let source = Raw::echoing(HTTP).await;
    for http in [true, false] {
        let hosts: Vec<&str> = LOOPBACK.into_iter().chain(FORBIDDEN).collect();
        let guest = asking(u32::try_from(hosts.len()).unwrap(), http);
        let denied = vec!["10.9.0.0/16".parse().unwrap()];
        let closed = host(|options| options.egress = Egress { denied, ..Egress::default() });
        let subject = subject_in(closed, &guest).await;
        let outcomes = reach(&subject, &hosts, source.address.port()).await;
        for (name, outcome) in hosts.iter().zip(&outcomes) {
            let Some(windlass_core::sample::Outcome::Failed(told)) = outcome else { panic!("{name}: {outcome:?}") };
            assert_eq!(told.kind, FailureKind::Denied, "{name}: {told}");
        }
    }
    assert_eq!(source.connections(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn loopback_can_be_opened_and_nothing_else_with_it() {
    let source = Raw::echoing(HTTP).await;
    let hosts = ["127.0.0.1", "127.1", "::ffff:127.0.0.1", "169.254.169.254", "0.0.0.0", "::"];
    let subject = subject(&asking(6, true)).await;
    let outcomes = reach(&subject, &hosts, source.address.port()).await;
    for outcome in &outcomes[..3] {
        assert_eq!(number(outcome.as_ref()), 200.0);
    }
    for outcome in &outcomes[3..] {
        failure(outcome.as_ref(), FailureKind::Denied);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_is_played_stands_for_every_name_and_what_it_cost_is_counted() {
    for http in [true, false] {
        let source = Raw::echoing(HTTP).await;
        let via = Egress { allow_loopback: true, via: Some(source.address), ..Egress::default() };
        let subject = subject_in(host(|options| options.egress = via), &asking(1, http)).await;
        let before = subject.host.spent();
        let outcomes = reach(&subject, &["no.such.name.invalid"], 1).await;
        assert!(matches!(outcomes[0], Some(windlass_core::sample::Outcome::Ready(..))), "{outcomes:?}");
        let spent = subject.host.spent().since(before);
        assert_eq!((spent.connections, spent.requests, spent.failed_calls), (1, u64::from(http), 0));
        assert!(spent.sent_bytes > 0 && spent.received_bytes > 0 && !spent.guest_cpu.is_zero(), "{spent:?}");
    }
    let source = Raw::echoing(HTTP).await;
    let closed = Egress { via: Some(source.address), ..Egress::default() };
    let subject = subject_in(host(|options| options.egress = closed), &asking(1, true)).await;
    failure(reach(&subject, &["no.such.name.invalid"], 1).await[0].as_ref(), FailureKind::Denied);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_a_source_names_is_granted_only_near_the_source() {
    let peers = ["127.0.3.4", "127.0.0.1", "10.0.0.1", "169.254.169.254", "evil.example", "127.0.0.1.evil.example", ""];
    let mut guest = Guest::new("learns");
    for (peer, query) in peers.iter().zip(0..) {
        let name = guest.text(peer);
        guest.poll.push_str(&format!(
            "(call $learn (i32.const {query}) (i32.const 0) {name} (i32.const 80) (i32.const 192))
             (if (i32.load8_u (i32.const 192))
               (then (call $failed (i32.const {query}) (i32.load8_u (i32.const 200)) (i32.load (i32.const 204)) (i32.load (i32.const 208))))
               (else (call $ready (i32.const {query}) (f64.convert_i32_u (i32.load (i32.const 200))))))"
        ));
    }
    let subject = subject(&guest).await;
    let outcomes = reach(&subject, &["127.0.0.1"; 7], 80).await;
    for learned in &outcomes[..2] {
        assert_eq!(number(learned.as_ref()), 1.0, "the number after that of the plan's endpoint");
    }
    for outcome in &outcomes[2..] {
        failure(outcome.as_ref(), FailureKind::Denied);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_names_so_many_peers_and_no_more() {
    let mut guest = Guest::new("learns");
    let name = guest.text("127.0.0.1");
    // Ports 1 to 65; the last is refused.
    guest.poll = format!(
        "(loop $next
           (local.set $n (i32.add (local.get $n) (i32.const 1)))
           (call $learn (i32.const 0) (i32.const 0) {name} (local.get $n) (i32.const 192))
           (br_if $next (i32.eqz (i32.load8_u (i32.const 192)))))
         (call $ready (i32.const 0) (f64.convert_i32_u (local.get $n)))"
    );
    let subject = subject(&guest).await;
    let outcomes = reach(&subject, &["127.0.0.1"], 80).await;
    assert_eq!(number(outcomes[0].as_ref()), 65.0);
}
