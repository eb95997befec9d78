//! Hostile components: for each group of limits some that pass them, and one that stays just below and answers, which nothing ever puts
//! aside.
use std::net::SocketAddr;
use windlass_testkit::guest::{Ask, Declared, Guest};

/// The number of a URL's shape in the contract.
const URL: u8 = 5;
const SPIN: &str = "(loop $spin (br $spin))";
const ANSWER: &str = "(call $ready (i32.const 0) (f64.const 1))";

/// A component that attacks.
#[derive(Debug, Clone)]
pub(super) struct Attack {
    /// What it goes for.
    pub(super) group: &'static str,
    /// Its trigger type.
    pub(super) kind: String,
    pub(super) component: Vec<u8>,
    /// The URL that its trigger names.
    pub(super) url: String,
}

/// All of them. `good` is the source of the good objects, `flooded` one that only attacks ask, `silent` one that never answers.
pub(super) fn attacks(good: SocketAddr, flooded: SocketAddr, silent: SocketAddr) -> Vec<Attack> {
    let mut attacks = Vec::new();
    let mut add = |group, source, guests: Vec<Guest>| {
        attacks.extend(guests.into_iter().map(|guest| attack(group, source, guest)));
    };
    add("cpu", flooded, cpu());
    add("memory", flooded, memory());
    add("calls", flooded, calls());
    add("network", flooded, network());
    add("network", silent, vec![waits("network-waits")]);
    add("shared-source", good, vec![floods("shared-source-floods"), uploads("shared-source-uploads")]);
    add("logs", flooded, logs());
    attacks
}

/// One that works as long as its source does, and breaks down when that answers 500.
pub(super) fn turncoat(source: SocketAddr) -> Attack {
    let mut guest = Guest::new("turncoat");
    let requests = guest.requests(&[Ask { method: "POST".to_owned(), target: "/".to_owned(), ..Ask::default() }]);
    let poll = format!(
        "(local.set $p (call $http_send {requests}))
         (call $exchange_next (local.get $p) (i32.const 64))
         (if (i32.eq (i32.load16_u (i32.const 88)) (i32.const 500)) (then unreachable))
         {ANSWER}"
    );
    attack("turncoat", source, Guest { poll, ..guest })
}

/// A guest that reaches a source by its one parameter.
fn attack(group: &'static str, source: SocketAddr, mut guest: Guest) -> Attack {
    guest.parameters = vec![Declared { name: "url".to_owned(), shape: URL, ..Declared::default() }];
    guest.endpoints = vec![(Some("url".to_owned()), source.ip().to_string(), source.port())];
    Attack { group, kind: guest.name.clone(), component: guest.component(), url: format!("http://{source}") }
}

fn cpu() -> Vec<Guest> {
    // 80 ms by the clock, of the 100 ms of CPU time that a call has.
    let busy = format!(
        "(local.set $l (call $clock))
         (loop $busy
           (local.set $i (i32.const 0))
           (loop $work (br_if $work (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 100000))))
           (br_if $busy (i64.lt_u (i64.sub (call $clock) (local.get $l)) (i64.const 80))))
         {ANSWER}"
    );
    let deep = "(func $deep (param $n i32) (result i32) (i32.add (i32.const 1) (call $deep (local.get $n))))";
    vec![
        Guest::polling("cpu-spins", SPIN),
        Guest::polling("cpu-answers-and-spins", format!("{ANSWER} {SPIN}")),
        Guest::polling("cpu-almost-spins", busy),
        Guest { configure: SPIN.to_owned(), ..Guest::new("cpu-spins-planning") },
        Guest { fields: deep.to_owned(), ..Guest::polling("cpu-recurses", "(drop (call $deep (i32.const 0)))") },
    ]
}

fn memory() -> Vec<Guest> {
    let grow = "(loop $grow (br_if $grow (i32.ne (memory.grow $memory (i32.const 1)) (i32.const -1))))";
    // Every page is touched, so that it is really there.
    let touch = "(memory.fill (global.get $heap) (i32.const 1)
        (i32.sub (i32.mul (memory.size $memory) (i32.const 65536)) (global.get $heap)))";
    let tables = "(loop $grow (br_if $grow (i32.ne (i32.const -1) (table.grow $t (ref.null func) (i32.const 100)))))";
    vec![
        Guest::polling("memory-grows", format!("{grow} {touch} unreachable")),
        Guest::polling("memory-fills", format!("{grow} {touch} {ANSWER}")),
        Guest {
            fields: "(table $t 1 funcref)".to_owned(),
            ..Guest::polling("memory-tables", format!("{tables} unreachable"))
        },
    ]
}

fn calls() -> Vec<Guest> {
    let hoard = {
        let mut guest = Guest::new("calls-hoards");
        let none = guest.requests(&[]);
        Guest { poll: format!("(loop $more (drop (call $http_send {none})) (br $more))"), ..guest }
    };
    vec![
        Guest::polling("calls-random", "(loop $more (call $random (i32.const 60000) (i32.const 192)) (br $more))"),
        Guest::polling("calls-clock", "(loop $more (drop (call $clock)) (br $more))"),
        Guest::polling("calls-twice", format!("(loop $more {ANSWER} (br $more))")),
        Guest::polling("calls-shouts", "(call $failed (i32.const 0) (i32.const 8) (i32.const 0) (i32.const 60000))"),
        Guest::polling("calls-stranger", "(call $ready (i32.const 99) (f64.const 1))"),
        Guest::polling("calls-nan", "(call $ready (i32.const 0) (f64.const nan))"),
        Guest::polling("calls-silent", ""),
        hoard,
    ]
}

/// Asks a thousand times, each time differently, so that no answer is shared.
fn floods(name: &str) -> Guest {
    let mut guest = Guest::new(name);
    let asks: Vec<Ask> = (0..999).map(|n| Ask { target: format!("/flood?{n}"), ..Ask::default() }).collect();
    let requests = guest.requests(&asks);
    Guest { poll: format!("(call $exchange_drop (call $http_send {requests})) {ANSWER}"), ..guest }
}

/// Sends as much as a call may.
fn uploads(name: &str) -> Guest {
    let mut guest = Guest::new(name);
    let body = "x".repeat(900_000);
    let requests =
        guest.requests(&[Ask { method: "POST".to_owned(), target: "/upload".to_owned(), body, ..Ask::default() }]);
    let send = format!(
        "(local.set $n (i32.const 17))
         (loop $again
           (call $exchange_drop (call $http_send {requests}))
           (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))"
    );
    Guest { poll: format!("{send} {ANSWER}"), ..guest }
}

/// Asks and waits for the answer.
fn waits(name: &str) -> Guest {
    let mut guest = Guest::new(name);
    let asks: Vec<Ask> = (0..32).map(|n| Ask { target: format!("/wait?{n}"), ..Ask::default() }).collect();
    let requests = guest.requests(&asks);
    Guest { poll: format!("(call $ask {requests})"), ..guest }
}

fn network() -> Vec<Guest> {
    let connects = "(loop $more
        (call $tcp_open (i32.const 0) (i32.const 0) (i32.const 192))
        (br_if $more (i32.lt_u (local.tee $n (i32.add (local.get $n) (i32.const 1))) (i32.const 1000))))";
    vec![floods("network-floods"), uploads("network-uploads"), Guest::polling("network-connects", connects)]
}

fn logs() -> Vec<Guest> {
    let mut guest = Guest::new("logs-long");
    let long = guest.text(&"x".repeat(8_000));
    vec![
        Guest::polling(
            "logs-floods",
            "(loop $more (call $log (i32.const 3) (i32.const 0) (i32.const 0) (i32.const 1024) (i32.const 16)) (br $more))",
        ),
        Guest {
            poll: format!(
                "(loop $more (call $log (i32.const 3) (i32.const 0) (i32.const 0) {long})
                   (br_if $more (i32.lt_u (local.tee $n (i32.add (local.get $n) (i32.const 1))) (i32.const 1000)))) {ANSWER}"
            ),
            ..guest
        },
    ]
}
