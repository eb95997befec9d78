//! The attacks themselves.
use super::{Attack, End, Group, SERVER, TOKEN, bombs};
use crate::guest::{Ask, Declared, Guest};
use End::{Answers, BadPlan, Ended, Fails, NoPlan, Refused};

const SPIN: &str = "(loop $spin (br $spin))";
/// Fills the 48 MiB that a guest then points at.
const VAST: &str = "(drop (memory.grow $memory (i32.const 768)))";

/// A guest that its user points at a source, and that is handed a secret.
fn guest(name: &str, port: u16) -> Guest {
    Guest {
        parameters: vec![
            Declared { name: SERVER.to_owned(), shape: 5, required: true, ..Declared::default() },
            Declared { name: TOKEN.to_owned(), secrecy: 2, ..Declared::default() },
        ],
        endpoints: vec![(Some(SERVER.to_owned()), "127.0.0.1".to_owned(), port)],
        ..Guest::new(name)
    }
}

fn polling(name: &str, port: u16, poll: &str) -> Vec<u8> {
    Guest { poll: poll.to_owned(), ..guest(name, port) }.component()
}

/// One that answers 1 unless something keeps it from that.
fn before_answer(name: &str, port: u16, what: &str) -> Vec<u8> {
    polling(name, port, &format!("{what} (call $ready (i32.const 0) (f64.const 1))"))
}

/// One that sends a request and tells what came of it.
fn asking(name: &str, port: u16, ask: Ask) -> Vec<u8> {
    let mut guest = guest(name, port);
    let requests = guest.requests(&[ask]);
    guest.poll = format!("(call $ask {requests})");
    guest.component()
}

fn get(target: &str) -> Ask {
    Ask { target: target.to_owned(), ..Ask::default() }
}

/// One that wants to reach a place.
fn planning(name: &str, host: &str, port: u16) -> Vec<u8> {
    let endpoints = vec![(Some(SERVER.to_owned()), host.to_owned(), port)];
    Guest { endpoints, ..guest(name, port) }.component()
}

/// One that plans a metric of this name.
fn metric(name: &str, port: u16, metric: &str) -> Vec<u8> {
    Guest { metrics: Some(vec![(metric.to_owned(), 1.0, 0.0)]), ..guest(name, port) }.component()
}

/// One that tells these values.
fn values(name: &str, port: u16, numbers: &[f64]) -> Vec<u8> {
    let mut guest = guest(name, port);
    let list = guest.numbers(numbers);
    guest.poll = format!("(call $reading (i32.const 0) {list} (i32.const 0) (i32.const 0))");
    guest.component()
}

/// One that learns a peer and tells whether it may.
fn learning(name: &str, port: u16, peer: &str) -> Vec<u8> {
    let mut guest = guest(name, port);
    let peer = guest.text(peer);
    guest.poll = format!(
        "(call $learn (i32.const 0) (i32.const 0) {peer} (i32.const 8080) (i32.const 192))
         (if (i32.load8_u (i32.const 192))
           (then (call $failed (i32.const 0) (i32.load8_u (i32.const 200)) (i32.load (i32.const 204)) (i32.load (i32.const 208))))
           (else (call $ready (i32.const 0) (f64.const 1))))"
    );
    guest.component()
}

/// One that does something while the host hands it the queries.
fn realloc(name: &str, port: u16, realloc: &str) -> Vec<u8> {
    Guest { realloc: realloc.to_owned(), ..guest(name, port) }.component()
}

const fn attack(
    name: &'static str,
    group: Group,
    does: &'static str,
    made: fn(u16) -> Vec<u8>,
    end: End,
    limit: Option<&'static str>,
) -> Attack {
    Attack { name, group, does, made, end, limit, polls: 1 }
}

pub(super) fn attacks() -> Vec<Attack> {
    [cpu(), memory(), answers(), network(), logs(), loading(), compiler()].concat()
}

fn cpu() -> Vec<Attack> {
    let cpu = |name, does, made, end| attack(name, Group::Cpu, does, made, end, Some("cpu"));
    vec![
        cpu(
            "spin-in-poll",
            "never comes back from a poll",
            |port| polling("spin-in-poll", port, SPIN),
            Ended("limit cpu"),
        ),
        cpu(
            "spin-in-describe",
            "never says what it is",
            |port| Guest { describe: SPIN.to_owned(), ..guest("spin-in-describe", port) }.component(),
            Refused("limit cpu"),
        ),
        cpu(
            "spin-in-start",
            "never comes back from its start function",
            |port| Guest { start: Some(SPIN.to_owned()), ..guest("spin-in-start", port) }.component(),
            Refused("limit cpu"),
        ),
        cpu(
            "spin-in-configure",
            "never makes a plan",
            |port| Guest { configure: SPIN.to_owned(), ..guest("spin-in-configure", port) }.component(),
            NoPlan("limit cpu"),
        ),
        cpu(
            "spin-in-realloc",
            "never takes what it is handed",
            |port| realloc("spin-in-realloc", port, SPIN),
            NoPlan("limit cpu"),
        ),
        attack(
            "recursion",
            Group::Cpu,
            "calls itself for ever",
            |port| {
                let deep =
                    "(func $deep (param $n i32) (result i32) (i32.add (i32.const 1) (call $deep (local.get $n))))";
                let poll = "(drop (call $deep (i32.const 0)))".to_owned();
                Guest { fields: deep.to_owned(), poll, ..guest("recursion", port) }.component()
            },
            Ended("limit stack"),
            Some("stack"),
        ),
        attack(
            "recursion-by-realloc",
            Group::Cpu,
            "calls the host from within the host's own call for memory",
            |port| {
                let log = "(call $log (i32.const 1) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))";
                realloc("recursion-by-realloc", port, log)
            },
            NoPlan(""),
            None,
        ),
        attack(
            "realloc-out-of-bounds",
            Group::Cpu,
            "has the host write outside of its memory",
            |port| realloc("realloc-out-of-bounds", port, "(return (i32.const -8))"),
            NoPlan(""),
            None,
        ),
    ]
}

fn memory() -> Vec<Attack> {
    let of = |name, does, made, end, limit| attack(name, Group::Memory, does, made, end, limit);
    vec![
        of(
            "memory",
            "grows its memory as far as it goes",
            |port| {
                let grow = "(loop $grow (br_if $grow (i32.ne (memory.grow $memory (i32.const 16)) (i32.const -1))))";
                before_answer("memory", port, grow)
            },
            Answers(1.0),
            Some("memory"),
        ),
        of(
            "memories",
            "grows four memories in turns",
            |port| {
                let grow = "(loop $grow
                    (br_if $grow (i32.ne (i32.const -1) (memory.grow $a (i32.const 16))))
                    (br_if $grow (i32.ne (i32.const -1) (memory.grow $b (i32.const 16))))
                    (br_if $grow (i32.ne (i32.const -1) (memory.grow $c (i32.const 16)))))
                    (call $ready (i32.const 0) (f64.const 1))";
                let fields = "(memory $a 1) (memory $b 1) (memory $c 1)".to_owned();
                Guest { fields, poll: grow.to_owned(), ..guest("memories", port) }.component()
            },
            Answers(1.0),
            Some("memory"),
        ),
        of(
            "tables",
            "grows three tables in turns",
            |port| {
                let grow = "(loop $grow
                    (br_if $grow (i32.ne (i32.const -1) (table.grow $a (ref.null func) (i32.const 500))))
                    (br_if $grow (i32.ne (i32.const -1) (table.grow $b (ref.null func) (i32.const 500))))
                    (br_if $grow (i32.ne (i32.const -1) (table.grow $c (ref.null func) (i32.const 500)))))
                    (call $ready (i32.const 0) (f64.const 1))";
                let fields = "(table $a 1 funcref) (table $b 1 funcref) (table $c 1 funcref)".to_owned();
                Guest { fields, poll: grow.to_owned(), ..guest("tables", port) }.component()
            },
            Answers(1.0),
            Some("table-elements"),
        ),
        of(
            "large-from-the-start",
            "begins with more memory than there is",
            |port| {
                Guest { fields: "(memory $more 2000)".to_owned(), ..guest("large-from-the-start", port) }.component()
            },
            Refused(""),
            None,
        ),
        of(
            "hoard",
            "keeps every exchange that it opens",
            |port| {
                let mut hoard = guest("hoard", port);
                let none = hoard.requests(&[]);
                hoard.poll = format!("(loop $more (drop (call $http_send {none})) (br $more))");
                hoard.component()
            },
            Ended("limit resources"),
            Some("resources"),
        ),
        of(
            "vast-name",
            "has a name of 40 MiB",
            |port| {
                let mut vast = guest("vast-name", port);
                let info = vast.room(48);
                vast.describe = format!(
                    "{VAST} (i32.store (i32.const {}) (i32.const 41943040)) (return (i32.const {info}))",
                    info + 4
                );
                vast.component()
            },
            Refused("limit hostcall-fuel"),
            Some("hostcall-fuel"),
        ),
        of(
            "vast-plan",
            "answers a trigger with a million plans",
            |port| {
                let mut vast = guest("vast-plan", port);
                let list = vast.room(8);
                vast.configure = format!(
                    "{VAST} (i32.store offset=4 (i32.const {list}) (i32.const 1000000)) (return (i32.const {list}))"
                );
                vast.component()
            },
            NoPlan("limit hostcall-fuel"),
            Some("hostcall-fuel"),
        ),
        of(
            "vast-message",
            "fails with 40 MiB of words",
            |port| {
                let fail = "(call $failed (i32.const 0) (i32.const 8) (i32.const 0) (i32.const 41943040))";
                polling("vast-message", port, &format!("{VAST} {fail}"))
            },
            Ended("limit hostcall-fuel"),
            Some("hostcall-fuel"),
        ),
        of(
            "vast-values",
            "tells five million values",
            |port| {
                let tell =
                    "(call $reading (i32.const 0) (i32.const 0) (i32.const 5000000) (i32.const 0) (i32.const 0))";
                polling("vast-values", port, &format!("{VAST} {tell}"))
            },
            Ended("limit hostcall-fuel"),
            Some("hostcall-fuel"),
        ),
        of(
            "vast-request",
            "sends a request of 40 MiB",
            |port| {
                let mut vast = guest("vast-request", port);
                let requests = vast.requests(&[get("/")]);
                // The body's length, in the record of the request.
                vast.poll = format!(
                    "{VAST} (i32.store (i32.const {}) (i32.const 41943040)) (call $ask {requests})",
                    requests.at + 36
                );
                vast.component()
            },
            Ended("limit hostcall-fuel"),
            Some("hostcall-fuel"),
        ),
        of(
            "state",
            "leaves a state of a mebibyte",
            |port| {
                let tell =
                    "(call $reading (i32.const 0) (i32.const 128) (i32.const 1) (i32.const 0) (i32.const 1048576))";
                polling("state", port, &format!("{VAST} {tell}"))
            },
            Fails("internal", "limit state-bytes"),
            Some("state-bytes"),
        ),
    ]
}

fn answers() -> Vec<Attack> {
    let of = |name, does, made, end, limit| attack(name, Group::Answers, does, made, end, limit);
    vec![
        of("nan", "tells NaN", |port| values("nan", port, &[f64::NAN]), Fails("bad-response", ""), None),
        of(
            "infinite",
            "tells infinity",
            |port| values("infinite", port, &[f64::INFINITY]),
            Fails("bad-response", ""),
            None,
        ),
        of("negative", "tells less than nothing", |port| values("negative", port, &[-5.0]), Answers(0.0), None),
        of("huge-value", "tells 1e308", |port| values("huge-value", port, &[1e308]), Fails("bad-response", ""), None),
        of(
            "more-values",
            "tells three values of one metric",
            |port| values("more-values", port, &[1.0, 2.0, 3.0]),
            Fails("internal", ""),
            Some("values"),
        ),
        of(
            "twice",
            "tells two outcomes of one query",
            |port| before_answer("twice", port, "(call $ready (i32.const 0) (f64.const 3))"),
            Answers(3.0),
            None,
        ),
        of(
            "of-another",
            "tells outcomes of queries that are not in its batch",
            |port| {
                let others = "(call $ready (i32.const 1) (f64.const 9)) (call $ready (i32.const -1) (f64.const 9))";
                before_answer("of-another", port, others)
            },
            Answers(1.0),
            None,
        ),
        of("silent", "says nothing at all", |port| polling("silent", port, ""), Ended(""), None),
        of(
            "trap-after-answer",
            "breaks down after it has answered",
            |port| polling("trap-after-answer", port, "(call $ready (i32.const 0) (f64.const 4)) unreachable"),
            Answers(4.0),
            None,
        ),
        of("trap", "breaks down", |port| polling("trap", port, "unreachable"), Ended("unreachable"), None),
        Attack {
            polls: super::source::WELL + 1,
            ..of(
                "turncoat",
                "answers well twenty times, and then breaks down",
                |port| {
                    let mut turncoat = guest("turncoat", port);
                    let requests = turncoat.requests(&[Ask { method: "POST".to_owned(), ..get("/turn") }]);
                    turncoat.poll = format!(
                        "(local.set $p (call $http_send {requests}))
                         (call $exchange_next (local.get $p) (i32.const 64))
                         (if (i32.eq (i32.load16_u (i32.const 88)) (i32.const 500)) (then unreachable))
                         (call $ready (i32.const 0) (f64.const 1))"
                    );
                    turncoat.component()
                },
                Ended("unreachable"),
                None,
            )
        },
        of(
            "terminal",
            "plans a metric whose name paints terminals",
            |port| metric("terminal", port, "\u{1b}[31mred"),
            BadPlan(""),
            None,
        ),
        of(
            "line-break",
            "plans a metric of two lines",
            |port| metric("line-break", port, "a\nb: 7"),
            BadPlan(""),
            None,
        ),
        of(
            "many-metrics",
            "plans a thousand metrics",
            |port| {
                let metrics = (0..1_000).map(|n| (format!("m{n}"), 1.0, 0.0)).collect();
                Guest { metrics: Some(metrics), ..guest("many-metrics", port) }.component()
            },
            BadPlan(""),
            Some("metrics"),
        ),
        of(
            "unstable",
            "says something else about itself each time",
            |port| {
                let chance = "(call $random (i32.const 8) (i32.const 192))".to_owned();
                Guest { describe: chance, ..guest("unstable", port) }.component()
            },
            Refused(""),
            None,
        ),
        of(
            "curious",
            "asks the network when it has to make a plan",
            |port| {
                let mut curious = guest("curious", port);
                let requests = curious.requests(&[get("/")]);
                curious.configure = format!("(drop (call $http_send {requests}))");
                curious.component()
            },
            NoPlan(""),
            None,
        ),
        of(
            "telltale",
            "fails with a message that tells a secret and paints terminals",
            |port| {
                let mut telltale = guest("telltale", port);
                let words = telltale.text(&format!("\u{1b}[2Jlogged in with {}", super::SECRET));
                telltale.poll = format!("(call $failed (i32.const 0) (i32.const 1) {words})");
                telltale.component()
            },
            Fails("auth", "logged in with …"),
            None,
        ),
    ]
}

fn network() -> Vec<Attack> {
    let of = |name, does, made, end, limit| attack(name, Group::Network, does, made, end, limit);
    vec![
        of(
            "metadata",
            "plans to reach a cloud's metadata",
            |port| planning("metadata", "169.254.169.254", port),
            BadPlan(""),
            None,
        ),
        of(
            "elsewhere",
            "plans to reach a host that nobody named",
            |port| planning("elsewhere", "evil.example", port),
            BadPlan(""),
            None,
        ),
        of(
            "userinfo",
            "plans a host that looks like the user's and is another",
            |port| planning("userinfo", "127.0.0.1@evil.example", port),
            BadPlan(""),
            None,
        ),
        of(
            "other-port",
            "plans another port of the user's host",
            |port| planning("other-port", "127.0.0.1", port ^ 1),
            BadPlan(""),
            None,
        ),
        of(
            "foreign-peer",
            "says that the source named a peer elsewhere",
            |port| learning("foreign-peer", port, "10.0.0.1"),
            Fails("denied", ""),
            None,
        ),
        of(
            "metadata-peer",
            "says that the source named a cloud's metadata as a peer",
            |port| learning("metadata-peer", port, "169.254.169.254"),
            Fails("denied", ""),
            None,
        ),
        of(
            "redirected",
            "is redirected to a cloud's metadata",
            |port| asking("redirected", port, get("/redirect")),
            Answers(302.0),
            None,
        ),
        of(
            "not-granted",
            "asks an endpoint that it has not planned",
            |port| asking("not-granted", port, Ask { endpoint: 7, ..get("/") }),
            Fails("denied", ""),
            None,
        ),
        of(
            "absolute",
            "asks its endpoint for a URL of another host",
            |port| asking("absolute", port, get("http://evil.example/")),
            Fails("invalid", ""),
            None,
        ),
        of(
            "split-header",
            "hides a second request in a header",
            |port| {
                let value = "x\r\n\r\nGET /evil HTTP/1.1\r\nHost: evil.example".to_owned();
                asking("split-header", port, Ask { headers: vec![("X-A".to_owned(), value)], ..get("/") })
            },
            Fails("invalid", ""),
            None,
        ),
        of(
            "other-host",
            "asks the source in another host's name",
            |port| {
                let headers = vec![("Host".to_owned(), "evil.example".to_owned())];
                asking("other-host", port, Ask { headers, ..get("/") })
            },
            Fails("invalid", ""),
            None,
        ),
        of(
            "endless-body",
            "reads a body that never ends",
            |port| asking("endless-body", port, get("/endless")),
            Fails("bad-response", ""),
            Some("body-bytes"),
        ),
        of(
            "endless-head",
            "reads headers that never end",
            |port| asking("endless-head", port, get("/head")),
            Fails("unreachable", ""),
            None,
        ),
        of(
            "drip",
            "reads a body that comes byte by byte",
            |port| asking("drip", port, get("/drip")),
            Fails("timeout", ""),
            None,
        ),
        of(
            "unanswered",
            "waits for a source that never answers",
            |port| asking("unanswered", port, get("/silent")),
            Fails("timeout", ""),
            None,
        ),
        of(
            "garbage",
            "asks a source that speaks no protocol",
            |port| asking("garbage", port, get("/garbage")),
            Fails("unreachable", ""),
            None,
        ),
        of(
            "requests",
            "sends requests for ever",
            |port| {
                let mut flood = guest("requests", port);
                let requests = flood.requests(&vec![get("/"); 16]);
                flood.poll = format!("(loop $again (call $exchange_drop (call $http_send {requests})) (br $again))");
                flood.component()
            },
            Ended("limit requests"),
            Some("requests"),
        ),
        of(
            "connections",
            "opens connections for ever",
            |port| {
                let open = "(loop $again
                    (call $tcp_open (i32.const 0) (i32.const 0) (i32.const 192))
                    (call $tcp_drop (i32.load (i32.const 200)))
                    (br $again))";
                polling("connections", port, open)
            },
            Ended("limit connections"),
            Some("connections"),
        ),
        of(
            "writes",
            "writes to one connection for ever",
            |port| {
                let write = "(call $tcp_open (i32.const 0) (i32.const 0) (i32.const 192))
                    (local.set $p (i32.load (i32.const 200)))
                    (loop $again (call $tcp_write (local.get $p) (i32.const 0) (i32.const 60000) (i32.const 192)) (br $again))";
                polling("writes", port, write)
            },
            Ended("limit sent-bytes"),
            Some("sent-bytes"),
        ),
    ]
}

fn logs() -> Vec<Attack> {
    vec![
        attack(
            "log-lines",
            Group::Logs,
            "logs a hundred thousand lines, with a secret and control characters in them",
            |port| {
                let mut lines = guest("log-lines", port);
                let words = lines.text(&format!("\u{1b}[2J\r\n{} is the password", super::SECRET));
                lines.poll = format!(
                    "(local.set $n (i32.const 100000))
                     (loop $again
                       (call $log (i32.const 3) (i32.const 0) (i32.const 0) {words})
                       (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
                     (call $ready (i32.const 0) (f64.const 1))"
                );
                lines.component()
            },
            Answers(1.0),
            Some("log-lines"),
        ),
        attack(
            "log-bytes",
            Group::Logs,
            "logs lines of a mebibyte",
            |port| {
                let mut lines = guest("log-bytes", port);
                let words = lines.text(&"x".repeat(1 << 20));
                let line = format!("(call $log (i32.const 3) (i32.const 0) (i32.const 0) {words})");
                lines.poll = format!("{} (call $ready (i32.const 0) (f64.const 1))", line.repeat(3));
                lines.component()
            },
            Answers(1.0),
            Some("log-bytes"),
        ),
    ]
}

fn loading() -> Vec<Attack> {
    let of = |name, does, made, words| attack(name, Group::Loading, does, made, Refused(words), None);
    vec![
        of("no-wasm", "is no WebAssembly", |_| b"#!/bin/sh\nrm -rf /\n".to_vec(), ""),
        of(
            "truncated",
            "ends in the middle",
            |port| {
                let mut whole = guest("truncated", port).component();
                whole.truncate(whole.len() / 2);
                whole
            },
            "",
        ),
        of(
            "foreign-import",
            "wants files and an environment",
            |_| {
                let text = r#"(component (import "wasi:cli/environment@0.2.0" (instance)))"#;
                wat::parse_str(text).unwrap_or_default()
            },
            "wasi:cli/environment",
        ),
        of("module", "is a module and no component", |_| wat::parse_str("(module (func))").unwrap_or_default(), ""),
    ]
}

fn compiler() -> Vec<Attack> {
    let structure = |name, does, made| {
        let end = Refused("limit component-structure");
        attack(name, Group::Compiler, does, made, end, Some("component-structure"))
    };
    let dear =
        |name, does, made| attack(name, Group::Compiler, does, made, Refused("limit compile-"), Some("compile-"));
    vec![
        dear("one-function", "has one function that is dear to compile", |_| bombs::one_function(1_000, 10_000)),
        dear("many-functions", "has half a million functions", |_| bombs::functions(500_000)),
        dear("nesting", "has a hundred thousand blocks in blocks", |_| bombs::nesting(100_000)),
        dear("jumps", "has tables of a million jumps", |_| bombs::jumps(1_000, 20)),
        dear("data", "is 20 MiB of data, and so is its compiled form", |_| bombs::data(20 << 20)),
        structure("modules", "is a thousand modules", |_| bombs::modules(1_000)),
        structure("doublings", "is instances of instances, two to the twentieth", |_| bombs::instances(20)),
        structure("nested", "is a hundred components in components", |_| bombs::components(100)),
        structure("exports", "exports sixty thousand types", |_| bombs::exports(60_000)),
    ]
}
