//! What a guest may reach: the hosts that the user wrote, and none of the addresses that are nobody's business.
use crate::raw::Raw;
use crate::world::{BUDGET, Subject, failure, host, number, open, subject, subject_in};
use windlass_core::failure::FailureKind;
use windlass_core::query::{Endpoint, Problem, QueryPlan};
use windlass_host::Egress;
use windlass_testkit::guest::{Ask, Declared, Guest};

const HTTP: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// What a guest that wants a host and port is told, where the user wrote a value into a parameter of a shape.
async fn wanted(
    shape: u8,
    written: &str,
    parameter: Option<&str>,
    (host, port): (&str, u16),
) -> Result<QueryPlan, Vec<Problem>> {
    let guest = Guest {
        parameters: vec![Declared { name: "server".to_owned(), shape, ..Declared::default() }],
        endpoints: vec![(parameter.map(str::to_owned), host.to_owned(), port)],
        ..Guest::new("wants")
    };
    let subject = subject(&guest).await;
    subject.plan(subject.trigger([open("server", written)])).await
}

const TEXT: u8 = 0;
const URL: u8 = 5;
const ADDRESS: u8 = 6;

#[tokio::test(flavor = "multi_thread")]
async fn the_host_and_port_that_the_user_wrote_are_granted() {
    for (shape, written, host, port) in [
        (URL, "http://good.example:8080/x", "good.example", 8080),
        (URL, "HTTP://GOOD.Example", "good.example", 80),
        (URL, "http://good.example.", "good.example", 80),
        (URL, "http://good.example", "Good.Example.", 80),
        (URL, "http://user:pa:ss@good.example/", "good.example", 80),
        (URL, "http://[2001:DB8::1]:80/", "2001:db8::1", 80),
        (URL, "http://[2001:db8:0::1]/", "[2001:db8::1]", 80),
        (URL, "amqp://good.example/", "good.example", 5672),
        (ADDRESS, "good.example:6379", "good.example", 6379),
        (TEXT, "good.example", "good.example", 5432),
        (TEXT, "::1", "::1", 5432),
        (TEXT, "a.example:1, good.example:2", "good.example", 2),
    ] {
        let plan = wanted(shape, written, Some("server"), (host, port)).await;
        assert!(plan.is_ok(), "{host}:{port} of {written}: {plan:?}");
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
        (URL, "http://gооd.example", "gооd.example"),
        (URL, "http://%31%32%37.0.0.1", "%31%32%37.0.0.1"),
        (URL, "http://%31%32%37.0.0.1", "127.0.0.1"),
        (URL, "http://[fe80::1%25eth0]/", "fe80::1%25eth0"),
        (URL, "http://good.example%2eevil.example", "good.example.evil.example"),
        (URL, "http://good.example..", "good.example.."),
        (URL, "http://[::1]/", "::1]@evil.example"),
        (ADDRESS, "good.example:80,evil.example:80", "evil.example"),
        (URL, "http://good.example", ""),
    ] {
        let told = wanted(shape, written, Some("server"), (host, 80)).await;
        let problems = told.expect_err(&format!("{host} of {written}"));
        assert_eq!(problems[0].parameter.as_deref(), Some("server"), "{problems:?}");
    }
    for parameter in [None, Some("missing"), Some("")] {
        let told = wanted(URL, "http://good.example", parameter, ("good.example", 80)).await;
        assert!(told.is_err(), "{parameter:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_that_the_user_did_not_write_is_refused() {
    for (shape, written, port) in [
        (URL, "https://good.example", 22),
        (URL, "http://good.example", 443),
        (URL, "http://good.example:8080", 80),
        (URL, "http://good.example:8080", 22),
        (URL, "http://u:22@good.example:8080/:22?a=b:22", 22),
        (URL, "amqp://good.example", 22),
        (URL, "amqp://good.example:5672", 5673),
        (ADDRESS, "good.example:6379", 22),
        (TEXT, "good.example:5432, other.example:22", 22),
        (TEXT, "good.example", 22),
        (URL, "http://good.example", 0),
    ] {
        let told = wanted(shape, written, Some("server"), ("good.example", port)).await;
        let problems = told.expect_err(&format!("port {port} of {written}"));
        assert!(problems[0].message.contains(&format!("port {port}")), "{problems:?}");
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

const LOOPBACK: [&str; 16] = [
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
    "2002:7f00:1::",
    "::ffff:0:127.0.0.1",
    "2001:db8::5efe:7f00:1",
];

const FORBIDDEN: [&str; 31] = [
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
    "0xa9fea9fe",
    "0251.0376.0251.0376",
    "169.254.43518",
    "2002:a9fe:a9fe::1",
    "::ffff:0:a9fe:a9fe",
    "fe80::5efe:a9fe:a9fe",
    "64:ff9b:1::a9fe:a9fe",
    "2001:0:a9fe:a9fe::1",
    "fd20:ce::254",
    "192.0.0.192",
    "64:ff9b::a09:101",
    "10.9.1.1\0",
    "fe80::1%lo",
    "%31%36%39.254.169.254",
    "user@169.254.169.254",
    "①⑥⑨.254.169.254",
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
    let peers = [
        ("127.0.3.4", 80),
        ("127.0.0.1", 80),
        ("127.0.0.1", 6_379),
        ("127.0.0.1", 22),
        ("10.0.0.1", 80),
        ("169.254.169.254", 80),
        ("evil.example", 80),
        ("127.0.0.1.evil.example", 80),
        ("", 80),
    ];
    let mut guest = Guest::new("learns");
    for ((peer, port), query) in peers.iter().zip(0..) {
        let name = guest.text(peer);
        guest.poll.push_str(&format!(
            "(call $learn (i32.const {query}) (i32.const 0) {name} (i32.const {port}) (i32.const 192))
             (if (i32.load8_u (i32.const 192))
               (then (call $failed (i32.const {query}) (i32.load8_u (i32.const 200)) (i32.load (i32.const 204)) (i32.load (i32.const 208))))
               (else (call $ready (i32.const {query}) (f64.convert_i32_u (i32.load (i32.const 200))))))"
        ));
    }
    let subject = subject(&guest).await;
    let outcomes = reach(&subject, &["127.0.0.1"; 9], 80).await;
    for learned in &outcomes[..3] {
        assert_eq!(number(learned.as_ref()), 1.0, "the number after that of the plan's endpoint");
    }
    for outcome in &outcomes[3..] {
        failure(outcome.as_ref(), FailureKind::Denied);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_names_so_many_peers_and_no_more() {
    let mut guest = Guest::new("learns");
    let name = guest.text("127.0.0.1");
    // Ports 1024 to 1088; the last is refused.
    guest.poll = format!(
        "(loop $next
           (local.set $n (i32.add (local.get $n) (i32.const 1)))
           (call $learn (i32.const 0) (i32.const 0) {name} (i32.add (local.get $n) (i32.const 1023)) (i32.const 192))
           (br_if $next (i32.eqz (i32.load8_u (i32.const 192)))))
         (call $ready (i32.const 0) (f64.convert_i32_u (local.get $n)))"
    );
    let subject = subject(&guest).await;
    let outcomes = reach(&subject, &["127.0.0.1"], 80).await;
    assert_eq!(number(outcomes[0].as_ref()), 65.0);
}
