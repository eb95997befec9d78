//! Components that break the contract fail, each by the rule that it breaks; good ones do not.
use std::path::{Path, PathBuf};
use windlass_conformance::{Case, Example, Report, examine, play};
use windlass_testkit::guest::{Declared, Guest, from_c};

/// Answers every query with 1.
const EACH: &str = "(block $all (loop $each
    (br_if $all (i32.eq (local.get $i) (local.get $count)))
    (call $ready (local.get $i) (f64.const 1))
    (local.set $i (i32.add (local.get $i) (i32.const 1)))
    (br $each)))";

fn declared(name: &str, required: bool) -> Declared {
    Declared { name: name.to_owned(), doc: "For people.".to_owned(), required, ..Declared::default() }
}

/// An example that sets the parameter `n`, and a secret.
fn examples() -> Vec<Example> {
    let pair = |name: &str, text: &str| [(name.to_owned(), text.to_owned())].into();
    let (metadata, authentication) = (pair("n", "5"), pair("token", "a-secret-of-the-user"));
    vec![Example { name: "plain".to_owned(), kind: None, metadata, authentication }]
}

async fn examined(guest: &Guest) -> Report {
    examine(&guest.component(), &examples()).await.unwrap()
}

#[track_caller]
fn complains(report: &Report, rule: &str, words: &str) {
    let found = report.complaints.iter().any(|complaint| complaint.rule == rule && complaint.what.contains(words));
    assert!(found, "no complaint about {rule} with `{words}` in: {report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plain_component_conforms() {
    let guest = Guest { parameters: vec![declared("n", false)], ..Guest::polling("plain", EACH) };
    let report = examined(&guest).await;
    assert!(report.conforms(), "{report}");
    assert_eq!((report.examples, report.polls), (1, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_component_that_breaks_a_rule_is_told_which() {
    let plain = || Guest { parameters: vec![declared("n", false)], ..Guest::polling("plain", EACH) };
    let with = |parameter: Declared| Guest { parameters: vec![parameter], ..plain() };
    let metric = |name: &str| Guest { metrics: Some(vec![(name.to_owned(), 1.0, 0.0)]), ..plain() };
    for (rule, words, guest) in [
        ("load", "unreachable", Guest { describe: "unreachable".to_owned(), ..plain() }),
        ("load", "interrupt", Guest { start: Some("(loop $l (br $l))".to_owned()), ..plain() }),
        ("describe", "n has no words", with(Declared { doc: " ".to_owned(), ..declared("n", false) })),
        ("configure", "unreachable", Guest { configure: "unreachable".to_owned(), ..plain() }),
        ("configure", "interrupt", Guest { configure: "(loop $l (br $l))".to_owned(), ..plain() }),
        (
            "configure",
            "1 answers for",
            Guest {
                configure: "(if (i32.gt_u (local.get $count) (i32.const 1)) (then (local.set $count (i32.const 1))))"
                    .to_owned(),
                ..plain()
            },
        ),
        ("configure", "no example gave a plan", Guest { problems: vec![(None, "no".to_owned())], ..plain() }),
        ("parameters", "made a plan without n", with(declared("n", true))),
        ("metrics", "prefix of an index", metric("s0-value")),
        ("secrets", "the secret token", metric("queue-a-secret-of-the-user")),
        ("batch", "0 outcomes", Guest { poll: "(call $ready (i32.const 0) (f64.const 1))".to_owned(), ..plain() }),
        ("batch", "ended by a trap", Guest { poll: format!("{EACH} unreachable"), ..plain() }),
        ("batch", "ended by a trap", Guest { poll: format!("{EACH} (loop $l (br $l))"), ..plain() }),
        (
            "batch",
            "empty batch",
            Guest { poll: format!("(drop (i32.div_u (i32.const 1) (local.get $count))) {EACH}"), ..plain() },
        ),
        (
            "source",
            "failed as auth",
            Guest {
                poll: EACH.replace(
                    "(call $ready (local.get $i) (f64.const 1))",
                    "(call $failed (local.get $i) (i32.const 1) (i32.const 64) (i32.const 4))",
                ),
                ..plain()
            },
        ),
        (
            "source",
            "no example has an address",
            Guest {
                parameters: vec![declared("n", false)],
                endpoints: vec![(Some("n".to_owned()), "5".to_owned(), 5_000)],
                ..plain()
            },
        ),
    ] {
        complains(&examined(&guest).await, rule, words);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_component_of_another_world_is_told_so() {
    let report = examine(b"no component", &examples()).await.unwrap();
    complains(&report, "load", "not a scaler component");
}

fn c_depth() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../runtime/host/tests/guests/c-depth")
}

fn address() -> Vec<Example> {
    let metadata = [("serverAddress".to_owned(), "http://queue.shop:8080/depth?state=ready".to_owned())].into();
    vec![Example { name: "address".to_owned(), metadata, ..Example::default() }]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scaler_in_c_conforms() {
    let report = examine(&from_c(&c_depth()), &address()).await.unwrap();
    assert!(report.conforms(), "{report}");
    assert_eq!((report.examples, report.polls), (1, 13));
}

/// The scaler in C with one thing wrong in it.
fn mutant(from: &str, to: &str) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let source = std::fs::read_to_string(c_depth().join("depth.c")).unwrap();
    assert!(source.contains(from), "{from}");
    std::fs::write(folder.path().join("depth.c"), source.replace(from, to)).unwrap();
    from_c(folder.path())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scaler_that_misunderstands_its_source_is_told_so() {
    let mutants = [
        (
            "*found = strtod(rest, &end);\n    return end != rest;\n  }\n  return false;",
            "*found = strtod(rest, &end);\n    return true;\n  }\n  *found = 0;\n  return true;",
            "source",
            "answers garbage: told a value",
        ),
        (
            "kind = WINDLASS_SCALER_TYPES_FAILURE_KIND_THROTTLED",
            "kind = WINDLASS_SCALER_TYPES_FAILURE_KIND_AUTH",
            "source",
            "answers 429: failed as auth",
        ),
        ("retry_after_ms.is_some = true", "retry_after_ms.is_some = false", "source", "Retry-After was not told on"),
        (
            "failed.message = text(message)",
            "failed.message = text(message + strlen(message))",
            "source",
            "failed without a word",
        ),
        ("uint32_t query = requests.ptr[told.f0].query;", "uint32_t query = 0;", "batch", "0 outcomes"),
        (
            "if (told.f1.is_err) {",
            "if (told.f1.is_err) __builtin_trap(); else if (told.f1.is_err) {",
            "batch",
            "ended by a trap",
        ),
    ];
    let examined = mutants.map(|(from, to, rule, words)| async move {
        complains(&examine(&mutant(from, to), &address()).await.unwrap(), rule, words);
    });
    futures::future::join_all(examined).await;
}

/// What a case says and the component does not do is told: what came, and what should have.
#[tokio::test(flavor = "multi_thread")]
async fn a_case_that_does_not_hold_is_told_with_what_differs() {
    let depth = from_c(&c_depth());
    let good = r#"{
        "about": "The depth is the value.",
        "metadata": { "serverAddress": "http://queue.shop:8080/depth?state=ready" },
        "metrics": [["c-depth-depth", 5, 0]],
        "endpoints": ["queue.shop:8080"],
        "polls": [{ "exchange": [{ "request": "GET /depth?state=ready", "body": "{\"depth\": 7}" }], "expect": { "values": [7] } }]
    }"#;
    for (from, to, differences) in [
        ("", "", vec![]),
        ("[7]", "[8]", vec![("poll 0, values", "[8.0]", "[7.0]")]),
        ("queue.shop:8080\"]", "queue.shop:80\"]", vec![("endpoints", "[\"queue.shop:80\"]", "[\"queue.shop:8080\"]")]),
        (
            "\"request\": \"GET /depth?state=ready\"",
            "\"request\": \"GET /depth\"",
            vec![
                ("poll 0, asked of the source", "GET /depth", "GET /depth?state=ready"),
                ("poll 0, values", "[7.0]", ""),
            ],
        ),
        (
            "\"expect\": { \"values\": [7] }",
            "\"expect\": { \"failed\": \"auth\" }",
            vec![("poll 0, failure", "auth", "values [7.0]")],
        ),
        (
            "\"polls\"",
            "\"problems\": { \"serverAddress\": \"no\" }, \"polls\"",
            vec![("problems", "serverAddress: no", "none")],
        ),
    ] {
        let case: Case = serde_json::from_str(&good.replace(from, to)).unwrap();
        let report = &play(&depth, &[("case".to_owned(), Ok(case))]).await.unwrap()[0];
        let what: Vec<_> = report.differences.iter().map(|difference| &*difference.what).collect();
        if let [(first, expected, got), ..] = differences[..] {
            assert_eq!(what.first(), Some(&first), "{to}: {:?}", report.differences);
            let told = &report.differences[0];
            assert!(told.expected.contains(expected) && told.got.contains(got), "{to}: {told:?}");
        } else {
            assert!(report.passed(), "{:?}", report.differences);
        }
    }
    let broken = play(&depth, &[("broken".to_owned(), Err("case.json: no".to_owned()))]).await.unwrap();
    assert_eq!((broken[0].passed(), &*broken[0].differences[0].got), (false, "case.json: no"));
}
