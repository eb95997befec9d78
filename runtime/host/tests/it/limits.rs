//! Every limit: who hits it is told which one it was, its value and what raises it; it counts under its own label, once per
//! call; and what was answered before, the next call and another component's are as ever.
use crate::raw::Raw;
use crate::world::{BUDGET, Subject, failure, number, open, options};
use prometheus_client::registry::Registry;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use windlass_core::failure::{Failure, FailureKind};
use windlass_core::message::{Batch, BatchId, QueryId};
use windlass_core::port::{Poller as _, Report};
use windlass_core::query::Endpoint;
use windlass_core::sample::Outcome;
use windlass_host::{Host, HostError, HostOptions, Limit, Limits, Metrics};
use windlass_testkit::guest::{Ask, Guest};

pub(crate) const SPIN: &str = "(loop $spin (br $spin))";

/// A host whose metrics can be read.
pub(crate) struct Counted {
    pub(crate) host: Host,
    registry: Registry,
}

/// A host with some options changed.
pub(crate) fn counted(change: impl FnOnce(&mut HostOptions)) -> Counted {
    let mut registry = Registry::default();
    let mut options = HostOptions { metrics: Metrics::new(&mut registry), ..options() };
    change(&mut options);
    Counted { host: Host::new(options).unwrap(), registry }
}

impl Counted {
    /// The limits that were hit, and how often.
    pub(crate) fn hits(&self) -> BTreeMap<String, u64> {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry).unwrap();
        let mut hits = BTreeMap::new();
        for line in text.lines() {
            let Some(rest) = line.strip_prefix("windlass_guest_limit_hits_total{limit=\"") else { continue };
            let (label, count) = rest.split_once("\"} ").unwrap();
            hits.insert(label.to_owned(), count.parse().unwrap());
        }
        assert_eq!(hits.len(), Limit::ALL.len(), "every limit has its line from the start");
        hits.retain(|_, count| *count > 0);
        hits
    }

    #[track_caller]
    pub(crate) fn assert_hits(&self, expected: &[(Limit, u64)]) {
        let expected = expected.iter().map(|(limit, count)| (limit.as_label().to_owned(), *count)).collect();
        assert_eq!(self.hits(), expected);
    }
}

/// Outcomes, and why the batch did not end well.
#[derive(Default)]
struct Heard {
    outcomes: Mutex<BTreeMap<u32, Outcome>>,
    why: Mutex<Option<Failure>>,
}

impl Report for Heard {
    fn outcome(&self, _: BatchId, query: QueryId, outcome: Outcome) {
        assert!(self.outcomes.lock().unwrap().insert(query.index, outcome).is_none());
    }

    fn broke(&self, _: BatchId, why: Failure) {
        assert!(self.why.lock().unwrap().replace(why).is_none());
    }
}

/// How a batch ended.
struct End {
    outcomes: Vec<Option<Outcome>>,
    why: Option<Failure>,
}

async fn run(host: &Host, batch: Batch) -> End {
    let (count, heard) = (batch.queries.len(), Arc::new(Heard::default()));
    host.poll(batch, heard.clone()).await;
    let mut outcomes = heard.outcomes.lock().unwrap().clone();
    let outcomes = (0..count).map(|index| outcomes.remove(&u32::try_from(index).unwrap())).collect();
    let why = heard.why.lock().unwrap().clone();
    End { outcomes, why }
}

/// A loaded guest, a source for it, and its host's counters.
struct Trial {
    subject: Subject,
    registry: Registry,
    endpoint: Option<Endpoint>,
}

impl Trial {
    async fn new(guest: &Guest, change: impl FnOnce(&mut HostOptions)) -> Trial {
        let Counted { host, registry } = counted(|options| {
            // The next call gets the place of the one before it.
            options.instances = 1;
            change(options);
        });
        let scaler = host.load(guest.component()).await.unwrap();
        Trial { subject: Subject { host, scaler }, registry, endpoint: None }
    }

    fn with(mut self, source: &Raw) -> Trial {
        let port = source.address.port();
        self.endpoint = Some(Endpoint { parameter: Some("host".into()), host: "127.0.0.1".into(), port, tls: None });
        self
    }

    fn batch(&self, queries: usize, budget: Duration) -> Batch {
        let triggers = (0..queries).map(|_| self.subject.trigger([open("host", "127.0.0.1")])).collect();
        self.subject.batch(triggers, self.endpoint.as_slice(), budget)
    }

    async fn poll(&self, queries: usize) -> End {
        run(&self.subject.host, self.batch(queries, BUDGET)).await
    }

    /// That the limits, and no others, were hit so often, and that another component answers in the same host.
    async fn assert_hits(self, expected: &[(Limit, u64)]) {
        let good = Guest::polling("good", "(call $ready (i32.const 0) (f64.const 7))").component();
        let Trial { mut subject, registry, .. } = self;
        subject.scaler = subject.host.load(good).await.unwrap();
        assert_eq!(number(subject.poll_bare(1).await[0].as_ref()), 7.0);
        Counted { host: subject.host, registry }.assert_hits(expected);
    }
}

/// A guest that answers query 0, does something that ends its call, and would then answer query 1.
fn ending(name: &str, what: &str) -> Guest {
    let what = format!("(call $ready (i32.const 0) (f64.const 1)) {what} (call $ready (i32.const 1) (f64.const 1))");
    Guest::polling(name, what)
}

/// That a call ends by a limit: query 0 is answered, query 1 is not, and the message says why.
async fn ends(guest: &Guest, limit: Limit, set: impl Fn(&mut Limits)) {
    let mut limits = Limits::default();
    set(&mut limits);
    let trial = Trial::new(guest, |options| set(&mut options.limits)).await;
    ends_in(trial, &limits, limit).await;
}

async fn ends_in(trial: Trial, limits: &Limits, limit: Limit) {
    // Twice: each call has a limit of its own, and counts by itself.
    for _ in 0..2 {
        let end = trial.poll(2).await;
        assert_eq!(number(end.outcomes[0].as_ref()), 1.0);
        assert_eq!(end.outcomes[1], None);
        let why = end.why.unwrap();
        assert_eq!(why.kind, FailureKind::Internal);
        assert!(why.message.contains(&limit.told(limits)), "{why} lacks {}", limit.told(limits));
        assert!(why.message.contains(&*trial.subject.scaler.name), "{why}");
    }
    trial.assert_hits(&[(limit, 2)]).await;
}

/// The word and the remedy of a limit in a failure.
#[track_caller]
fn names(failure: &Failure, limit: Limit, change: impl Fn(&mut Limits)) {
    let mut limits = Limits::default();
    change(&mut limits);
    assert!(failure.message.contains(&limit.told(&limits)), "{failure} lacks {}", limit.told(&limits));
}

#[tokio::test(flavor = "multi_thread")]
async fn cpu() {
    ends(&ending("spin", SPIN), Limit::Cpu, |limits| limits.cpu_ticks = 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cpu_grows_with_the_batch() {
    // 50 ms of work, which 40 queries may and 2 may not use.
    let work = "(local.set $l (i64.const 0))
        (loop $work
          (local.set $l (i64.add (local.get $l) (i64.const 1)))
          (br_if $work (i64.lt_u (local.get $l) (i64.const 40000000))))";
    let set = |options: &mut HostOptions| (options.limits.cpu_ticks, options.limits.cpu_ticks_per_20) = (1, 10_000);
    let trial = Trial::new(&ending("work", work), set).await;
    assert!(trial.poll(40).await.outcomes[1].is_some());
    assert!(trial.poll(2).await.outcomes[1].is_none());
    trial.assert_hits(&[(Limit::Cpu, 1)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wall_time_of_a_poll_is_its_batchs() {
    let trial = Trial::new(&ending("spin", SPIN), |options| options.limits.cpu_ticks = 1_000_000).await;
    let end = run(&trial.subject.host, trial.batch(2, Duration::from_millis(300))).await;
    assert_eq!(number(end.outcomes[0].as_ref()), 1.0);
    let why = end.why.unwrap();
    assert!(why.message.contains("300 ms (limit wall-time: it is the time of its batch)"), "{why}");
    trial.assert_hits(&[(Limit::WallTime, 1)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wall_time_of_a_description() {
    let counted = counted(|options| {
        options.limits.cpu_ticks = 1_000_000;
        options.limits.pure_call = Duration::from_millis(200);
    });
    let guest = Guest { describe: SPIN.to_owned(), ..Guest::new("describe") };
    let error = counted.host.load(guest.component()).await.unwrap_err();
    assert!(
        matches!(&error, HostError::Description(why) if why.contains("limit wall-time: --guest-pure-call-ms")),
        "{error}"
    );
    counted.assert_hits(&[(Limit::WallTime, 1)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn instances() {
    let trial = Trial::new(&ending("spin", SPIN), |options| options.limits.cpu_ticks = 1_000_000).await;
    let first = Arc::new(Heard::default());
    let spinning = tokio::spawn(trial.subject.host.poll(trial.batch(1, Duration::from_secs(2)), first.clone()));
    while first.outcomes.lock().unwrap().is_empty() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let end = run(&trial.subject.host, trial.batch(1, Duration::from_millis(100))).await;
    assert_eq!(end.outcomes, [None]);
    let why = end.why.unwrap();
    assert!(why.message.contains("limit instances") && why.message.contains("--guest-instances"), "{why}");
    // What is pure does not wait for polls: objects are taken up while sources are slow.
    let host = &trial.subject.host;
    windlass_core::port::Scalers::configure(host, trial.subject.scaler.digest, vec![trial.subject.trigger([])])
        .await
        .unwrap();
    host.load(Guest::new("another").component()).await.unwrap();
    assert!(!spinning.is_finished());
    spinning.await.unwrap();
    trial.assert_hits(&[(Limit::Instances, 1), (Limit::WallTime, 1)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn memory() {
    let bomb = "(loop $grow (br_if $grow (i32.ne (memory.grow $memory (i32.const 1)) (i32.const -1)))) unreachable";
    ends(&ending("bomb", bomb), Limit::Memory, |limits| limits.memory_bytes = 2 << 20).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_of_a_module_that_starts_above_it() {
    let counted = counted(|_| {});
    let guest = Guest { fields: "(memory $a 600) (memory $b 600)".to_owned(), ..Guest::new("large") };
    let error = counted.host.load(guest.component()).await.unwrap_err();
    assert!(error.to_string().contains(&Limit::Memory.told(&Limits::default())), "{error}");
    counted.assert_hits(&[(Limit::Memory, 1)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_that_does_with_the_memory_it_gets_goes_on() {
    let full = "(loop $grow (br_if $grow (i32.ne (memory.grow $memory (i32.const 1)) (i32.const -1))))";
    let trial = Trial::new(&ending("full", full), |options| options.limits.memory_bytes = 2 << 20).await;
    let end = trial.poll(2).await;
    assert_eq!((number(end.outcomes[1].as_ref()), end.why), (1.0, None));
    trial.assert_hits(&[(Limit::Memory, 1)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn table_elements() {
    let bomb = "(loop $grow
        (br_if $grow (i32.ne (i32.const -1) (table.grow $a (ref.null func) (i32.const 100))))
        (br_if $grow (i32.ne (i32.const -1) (table.grow $b (ref.null func) (i32.const 100))))) unreachable";
    let guest = Guest { fields: "(table $a 1 funcref) (table $b 1 funcref)".to_owned(), ..ending("tables", bomb) };
    ends(&guest, Limit::TableElements, |limits| limits.table_elements = 1_000).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stack() {
    let guest = Guest {
        fields: "(func $deep (param $n i32) (result i32) (i32.add (i32.const 1) (call $deep (local.get $n))))"
            .to_owned(),
        ..ending("deep", "(drop (call $deep (i32.const 0)))")
    };
    ends(&guest, Limit::Stack, |_| {}).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hostcall_fuel() {
    let told = "(call $failed (i32.const 1) (i32.const 8) (i32.const 0) (i32.const 60000))";
    ends(&ending("tells", told), Limit::HostcallFuel, |limits| limits.hostcall_fuel = 50_000).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn resources() {
    let mut guest = Guest::new("hoard");
    let none = guest.requests(&[]);
    let guest = Guest {
        arena: guest.arena,
        ..ending("hoard", &format!("(loop $more (drop (call $http_send {none})) (br $more))"))
    };
    ends(&guest, Limit::Resources, |limits| limits.resources = 100).await;
}

/// A guest that sends requests, so many times, after it has answered query 0.
fn sending(name: &str, asks: &[Ask], times: u32) -> Guest {
    let mut guest = Guest::new(name);
    let requests = guest.requests(asks);
    let send = format!(
        "(local.set $n (i32.const {times}))
         (loop $again
           (call $exchange_drop (call $http_send {requests}))
           (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))"
    );
    Guest { arena: guest.arena, ..ending(name, &send) }
}

#[tokio::test(flavor = "multi_thread")]
async fn requests() {
    let asks = vec![Ask { target: "/".into(), ..Ask::default() }; 3];
    // Nine requests of three sends, whatever became of them.
    ends(&sending("flood", &asks, 3), Limit::Requests, |limits| limits.requests = 8).await;
    let trial = Trial::new(&sending("flood", &asks, 3), |options| options.limits.requests = 9).await;
    assert!(trial.poll(2).await.outcomes[1].is_some());
    trial.assert_hits(&[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sent_bytes_over_http() {
    let ask = Ask { method: "POST".into(), target: "/".into(), body: "x".repeat(40_000), ..Ask::default() };
    let set = |limits: &mut Limits| limits.sent_bytes = 100_000;
    ends(&sending("flood", std::slice::from_ref(&ask), 3), Limit::SentBytes, set).await;
    let trial = Trial::new(&sending("flood", &[ask], 2), |options| set(&mut options.limits)).await;
    assert!(trial.poll(2).await.outcomes[1].is_some());
    trial.assert_hits(&[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sent_bytes_over_tcp() {
    let source = Raw::echoing("hello").await;
    let write = "(call $tcp_open (i32.const 0) (i32.const 0) (i32.const 192))
        (local.set $p (i32.load (i32.const 200)))
        (loop $again (call $tcp_write (local.get $p) (i32.const 0) (i32.const 60000) (i32.const 192)) (br $again))";
    let limits = Limits { sent_bytes: 100_000, ..Limits::default() };
    let trial = Trial::new(&ending("writes", write), |options| options.limits = limits.clone()).await.with(&source);
    ends_in(trial, &limits, Limit::SentBytes).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn request_bytes() {
    let mut guest = Guest::new("large");
    let large = Ask { method: "POST".into(), target: "/".into(), body: "x".repeat(2_000), ..Ask::default() };
    let small = Ask { query: 1, body: String::new(), ..large.clone() };
    let requests = guest.requests(&[large, small]);
    guest.poll = format!("(call $ask {requests})");
    let source = Raw::echoing("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
    let set = |limits: &mut Limits| limits.request_bytes = 1_000;
    let trial = Trial::new(&guest, |options| set(&mut options.limits)).await.with(&source);
    let end = trial.poll(2).await;
    names(failure(end.outcomes[0].as_ref(), FailureKind::Invalid), Limit::RequestBytes, set);
    assert_eq!((number(end.outcomes[1].as_ref()), end.why), (200.0, None));
    trial.assert_hits(&[(Limit::RequestBytes, 1)]).await;
}

/// An answer of so many bytes, with or without its length at its head.
fn answer(bytes: usize, announced: bool) -> &'static str {
    let length =
        if announced { format!("Content-Length: {bytes}\r\n") } else { "Transfer-Encoding: chunked\r\n".into() };
    let body = "x".repeat(bytes);
    let body = if announced { body } else { format!("{bytes:x}\r\n{body}\r\n0\r\n\r\n") };
    format!("HTTP/1.1 200 OK\r\n{length}\r\n{body}").leak()
}

#[tokio::test(flavor = "multi_thread")]
async fn body_bytes() {
    for (announced, method) in [(true, "GET"), (true, "POST"), (false, "GET"), (false, "POST")] {
        let source = Raw::echoing(answer(50_000, announced)).await;
        let mut guest = Guest::new("reads");
        let ask = Ask { method: method.into(), target: "/".into(), ..Ask::default() };
        let requests = guest.requests(&[ask]);
        guest.poll = format!("(call $ask {requests}) (call $ready (i32.const 1) (f64.const 1))");
        for (most, fits) in [(50_000, true), (49_999, false)] {
            let set = |limits: &mut Limits| limits.body_bytes = most;
            let trial = Trial::new(&guest, |options| set(&mut options.limits)).await.with(&source);
            let end = trial.poll(2).await;
            assert_eq!(number(end.outcomes[1].as_ref()), 1.0);
            if fits {
                assert_eq!(number(end.outcomes[0].as_ref()), 200.0);
                trial.assert_hits(&[]).await;
            } else {
                names(failure(end.outcomes[0].as_ref(), FailureKind::BadResponse), Limit::BodyBytes, set);
                trial.assert_hits(&[(Limit::BodyBytes, 1)]).await;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn received_bytes_over_http() {
    let source = Raw::echoing(answer(50_000, true)).await;
    let mut guest = Guest::new("reads");
    let ask = |query| Ask { query, target: "/".into(), ..Ask::default() };
    let (one, other) = (guest.requests(&[ask(0)]), guest.requests(&[ask(1)]));
    guest.poll = format!("(call $ask {one}) (call $ask {other})");
    let limits = Limits { received_bytes: 99_999, ..Limits::default() };
    let trial = Trial::new(&guest, |options| options.limits = limits.clone()).await.with(&source);
    let end = trial.poll(2).await;
    assert_eq!(number(end.outcomes[0].as_ref()), 200.0);
    assert_eq!(end.outcomes[1], None);
    names(&end.why.unwrap(), Limit::ReceivedBytes, |told| *told = limits.clone());
    trial.assert_hits(&[(Limit::ReceivedBytes, 1)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn received_bytes_over_tcp() {
    let source = Raw::echoing("x".repeat(1_000).leak()).await;
    let read = "(call $tcp_open (i32.const 0) (i32.const 0) (i32.const 192))
        (local.set $p (i32.load (i32.const 200)))
        (loop $again
          (call $tcp_write (local.get $p) (i32.const 0) (i32.const 8) (i32.const 192))
          (call $tcp_read (local.get $p) (i32.const 4096) (i32.const 60000) (i32.const 192))
          (br $again))";
    let limits = Limits { received_bytes: 5_000, ..Limits::default() };
    let trial = Trial::new(&ending("reads", read), |options| options.limits = limits.clone()).await.with(&source);
    ends_in(trial, &limits, Limit::ReceivedBytes).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections() {
    let source = Raw::echoing("hello").await;
    let open = "(loop $again
        (call $tcp_open (i32.const 0) (i32.const 0) (i32.const 192))
        (call $tcp_drop (i32.load (i32.const 200)))
        (br_if $again (i32.lt_u (local.tee $n (i32.add (local.get $n) (i32.const 1))) (i32.const 5))))";
    let limits = Limits { connections: 4, ..Limits::default() };
    let trial = Trial::new(&ending("opens", open), |options| options.limits = limits.clone()).await.with(&source);
    ends_in(trial, &limits, Limit::Connections).await;
    let trial = Trial::new(&ending("opens", open), |options| options.limits.connections = 5).await.with(&source);
    assert!(trial.poll(2).await.outcomes[1].is_some());
    trial.assert_hits(&[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn peers() {
    let source = Raw::echoing("hello").await;
    let mut guest = Guest::new("learns");
    let host = guest.text("127.0.0.1");
    // Ports 1025, 1026 and 1027, then 1025 again; of each whether it was learned.
    let learn = |query: u32| {
        let port = 1_024 + query;
        format!(
            "(call $learn (i32.const 0) (i32.const 0) {host} (i32.const {port}) (i32.const 192))
             (if (i32.load8_u (i32.const 192)) (then
               (call $failed (i32.const {query}) (i32.load8_u (i32.const 200)) (i32.load (i32.const 204)) (i32.load (i32.const 208)))))
             (call $ready (i32.const {query}) (f64.const 1))"
        )
    };
    guest.poll = format!("{}{}{}{}", learn(1), learn(2), learn(3), learn(1));
    let set = |limits: &mut Limits| limits.peers = 2;
    let trial = Trial::new(&guest, |options| set(&mut options.limits)).await.with(&source);
    let end = trial.poll(4).await;
    assert_eq!((number(end.outcomes[1].as_ref()), number(end.outcomes[2].as_ref())), (1.0, 1.0));
    names(failure(end.outcomes[3].as_ref(), FailureKind::Denied), Limit::Peers, set);
    trial.assert_hits(&[(Limit::Peers, 1)]).await;
}

/// A guest that logs a line of so many bytes, so many times.
fn logging(bytes: usize, times: u32) -> Guest {
    let mut guest = Guest::new("logs");
    let line = guest.text(&"x".repeat(bytes));
    let log = format!(
        "(local.set $n (i32.const {times}))
         (loop $again
           (call $log (i32.const 1) (i32.const 0) (i32.const 0) {line})
           (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))"
    );
    Guest { arena: guest.arena, ..ending("logs", &log) }
}

/// The lines that a guest's call leaves in the log, and the rest.
async fn lines(
    guest: &Guest,
    namespace: &str,
    limit: Option<Limit>,
    set: impl Fn(&mut Limits),
) -> (usize, Vec<String>) {
    let trial = Trial::new(guest, |options| set(&mut options.limits)).await;
    let triggers = (0..2).map(|_| trial.subject.trigger_of(namespace, [])).collect();
    let batch = trial.subject.batch(triggers, &[], BUDGET);
    let lines = crate::logs::of(namespace, async {
        let end = run(&trial.subject.host, batch).await;
        assert_eq!((number(end.outcomes[1].as_ref()), end.why), (1.0, None));
    })
    .await;
    trial.assert_hits(&limit.map(|limit| (limit, 1)).into_iter().collect::<Vec<_>>()).await;
    let (guests, others): (Vec<_>, Vec<_>) = lines.into_iter().partition(|line| line.contains("xxx"));
    (guests.len(), others)
}

#[tokio::test(flavor = "multi_thread")]
async fn log_lines() {
    let (guests, others) =
        lines(&logging(8, 20), "log-lines", Some(Limit::LogLines), |limits| limits.log_lines = 5).await;
    assert_eq!((guests, others.len()), (5, 1), "{others:?}");
    assert!(others[0].contains("limit log-lines: 5; --guest-log-lines raises it"), "{others:?}");
    assert_eq!(lines(&logging(8, 5), "log-few-lines", None, |limits| limits.log_lines = 5).await, (5, Vec::new()));
}

#[tokio::test(flavor = "multi_thread")]
async fn log_bytes() {
    // Short lines count as 64 bytes, long ones as what they are.
    for (bytes, namespace) in [(8, "log-short"), (64, "log-even")] {
        let set = |limits: &mut Limits| limits.log_bytes = 640;
        let (guests, others) = lines(&logging(bytes, 11), namespace, Some(Limit::LogBytes), set).await;
        assert_eq!((guests, others.len()), (10, 1), "{others:?}");
        assert!(others[0].contains("limit log-bytes: 640 bytes; --guest-log-kib raises it"), "{others:?}");
    }
    let set = |limits: &mut Limits| limits.log_bytes = 640;
    assert_eq!(lines(&logging(200, 4), "log-long", Some(Limit::LogBytes), set).await.0, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn message_bytes() {
    let mut guest = Guest::new("tells");
    let (long, short) = (guest.text(&"x".repeat(257)), guest.text(&"x".repeat(256)));
    guest.poll = format!(
        "(call $failed (i32.const 0) (i32.const 2) {long}) (call $failed (i32.const 1) (i32.const 2) {long})
         (call $failed (i32.const 2) (i32.const 2) {short})"
    );
    let trial = Trial::new(&guest, |_| {}).await;
    let end = trial.poll(3).await;
    for outcome in &end.outcomes {
        assert_eq!(failure(outcome.as_ref(), FailureKind::Unreachable).message.len(), 256);
    }
    trial.assert_hits(&[(Limit::MessageBytes, 1)]).await;
}

/// A message of megabytes costs no more than its beginning, and shows no secret.
#[tokio::test(flavor = "multi_thread")]
async fn only_the_beginning_of_a_message_is_looked_at() {
    let mut guest = Guest::new("tells");
    let text = format!("the password is s3cret-word {}", "s3cret-word ".repeat(100_000));
    let long = guest.text(&text);
    guest.poll = format!("(call $failed (i32.const 0) (i32.const 1) {long})");
    let trial = Trial::new(&guest, |_| {}).await;
    let trigger = trial.subject.trigger([crate::world::revealed("password", "s3cret-word")]);
    let end = run(&trial.subject.host, trial.subject.batch(vec![trigger], &[], BUDGET)).await;
    let failure = failure(end.outcomes[0].as_ref(), FailureKind::Auth);
    assert!(failure.message.starts_with("the password is … … "), "{failure}");
    assert!(!failure.message.contains("s3c"), "{failure}");
    trial.assert_hits(&[(Limit::MessageBytes, 1)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn state_bytes() {
    let left = "(call $reading (i32.const 0) (i32.const 128) (i32.const 1) (i32.const 0) (i32.const 1001))
        (call $reading (i32.const 1) (i32.const 128) (i32.const 1) (i32.const 0) (i32.const 1000))";
    let set = |limits: &mut Limits| limits.state_bytes = 1_000;
    let trial = Trial::new(&Guest::polling("state", left), |options| set(&mut options.limits)).await;
    let end = trial.poll(2).await;
    names(failure(end.outcomes[0].as_ref(), FailureKind::Internal), Limit::StateBytes, set);
    assert_eq!(number(end.outcomes[1].as_ref()), 0.0);
    trial.assert_hits(&[(Limit::StateBytes, 1)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn values() {
    for (values, kind) in [
        (&[f64::NAN][..], FailureKind::BadResponse),
        (&[f64::INFINITY], FailureKind::BadResponse),
        (&[f64::NEG_INFINITY], FailureKind::BadResponse),
        (&[1e308], FailureKind::BadResponse),
        (&[1.0, 2.0], FailureKind::Internal),
        (&[], FailureKind::Internal),
    ] {
        let mut guest = Guest::new("values");
        let list = guest.numbers(values);
        guest.poll = format!(
            "(call $reading (i32.const 0) {list} (i32.const 0) (i32.const 0)) (call $ready (i32.const 1) (f64.const -5))"
        );
        let trial = Trial::new(&guest, |_| {}).await;
        let end = trial.poll(2).await;
        failure(end.outcomes[0].as_ref(), kind);
        assert_eq!(number(end.outcomes[1].as_ref()), 0.0, "below zero counts as zero");
        trial.assert_hits(&[(Limit::Values, 1)]).await;
    }
}

/// What the guest's plan comes to.
async fn plan(guest: &Guest, change: impl FnOnce(&mut HostOptions)) -> (Trial, Result<usize, String>) {
    let trial = Trial::new(guest, change).await;
    let plan = trial.subject.plan(trial.subject.trigger([open("host", "127.0.0.1")])).await;
    (trial, plan.map(|plan| plan.endpoints.len()).map_err(|problems| problems[0].message.to_string()))
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics() {
    let metric = |name: &str| (name.to_owned(), 1.0, 0.0);
    let set = |options: &mut HostOptions| options.limits.metrics = 2;
    for (metrics, fits) in [
        (vec![metric("a"), metric("b")], true),
        (vec![metric("a"), metric("b"), metric("c")], false),
        (vec![metric(&"m".repeat(254))], false),
    ] {
        let guest = Guest { metrics: Some(metrics), ..Guest::new("plans") };
        let (trial, plan) = plan(&guest, set).await;
        assert_eq!(plan.is_ok(), fits, "{plan:?}");
        trial.assert_hits(if fits { &[] } else { &[(Limit::Metrics, 1)] }).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn endpoints() {
    let endpoint = || (Some("host".to_owned()), "127.0.0.1".to_owned(), 8080);
    let set = |options: &mut HostOptions| options.limits.endpoints = 2;
    let (trial, two) = plan(&Guest { endpoints: vec![endpoint(); 2], ..Guest::new("plans") }, set).await;
    assert_eq!(two, Ok(2));
    trial.assert_hits(&[]).await;
    let (trial, three) = plan(&Guest { endpoints: vec![endpoint(); 3], ..Guest::new("plans") }, set).await;
    assert!(three.unwrap_err().contains("limit endpoints: 2; it is fixed"));
    trial.assert_hits(&[(Limit::Endpoints, 1)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn names_in_a_plan() {
    for (bytes, fits) in [(1_024, true), (1_025, false)] {
        let guest = Guest { group: "g".repeat(bytes), ..Guest::new("plans") };
        let (trial, plan) = plan(&guest, |_| {}).await;
        assert_eq!(plan.is_ok(), fits, "{plan:?}");
        trial.assert_hits(if fits { &[] } else { &[(Limit::Endpoints, 1)] }).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn component_bytes() {
    let wasm = Guest::new("large").component();
    let counted = counted(|options| options.limits.component_bytes = wasm.len() - 1);
    let error = counted.host.load(wasm.clone()).await.unwrap_err();
    assert!(error.to_string().contains("limit component-bytes"), "{error}");
    assert!(error.to_string().contains("--component-max-mib"), "{error}");
    counted.assert_hits(&[(Limit::ComponentBytes, 1)]);
}
