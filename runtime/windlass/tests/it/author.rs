//! Ten minutes of somebody who writes a scaler: what the guide says, and what else the commands tell on the way.
use crate::page;
use crate::program::{said, told, windlass};
use crate::source::Source;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

/// One project for all of it: building is what takes long.
#[test]
fn the_guide_from_nothing_to_a_value() {
    let folder = tempfile::tempdir().unwrap();
    let source = Source::start(r#"{"queues": [{"length": 12}]}"#);
    let guide = std::fs::read_to_string(page::root().join("sdk/README.md")).unwrap();
    let text = page::run(&guide, folder.path(), &source.address.to_string());
    for words in ["made my-queue", "built build/my-queue.wasm", " passed, 0 failed", "s0-my-queue-queues-0-length"] {
        assert!(text.contains(words), "`{words}` is not in: {text}");
    }
    let project = &folder.path().join("my-queue");
    configures(project, &source);
    polls(project, &source);
    watches(project, &source);
    inspects(project);
    a_wrong_case_is_told(project);
    its_own_tests_pass(project);
}

fn configures(project: &Path, source: &Source) {
    let (exit, told) = told(project, &["scaler", "configure", "--trigger", "trigger.yaml"]);
    let endpoint = serde_json::json!({
        "host": "127.0.0.1", "port": source.address.port(), "tls": false, "parameter": "url",
    });
    let metric = serde_json::json!({
        "name": "s0-my-queue-queues-0-length", "target": 5.0, "target_type": "AverageValue", "activation": 0.0,
    });
    let expected = serde_json::json!({ "ok": true, "metrics": [metric], "endpoints": [endpoint], "problems": [] });
    assert_eq!((exit, told), (0, expected));
}

fn polls(project: &Path, source: &Source) {
    let before = source.requests();
    let (exit, told) = told(project, &["scaler", "poll", "--trigger", "trigger.yaml"]);
    assert_eq!((exit, told["ok"].as_bool(), told["active"].as_bool()), (0, Some(true), Some(true)), "{told}");
    assert_eq!(told["metrics"][0]["value"], 12.0, "{told}");
    assert_eq!(source.requests(), before + 1);
    let spent = |what: &str| told["spent"][what].as_u64().unwrap();
    assert_eq!((spent("requests"), spent("connections")), (1, 1), "{told}");
    let document = r#"{"queues": [{"length": 12}]}"#.len() as u64;
    assert!(spent("received_bytes") > document && spent("sent_bytes") > 0 && spent("guest_cpu_us") > 0, "{told}");
    source.says("<html>");
    let (exit, text) = said(project, &["scaler", "poll", "--trigger", "trigger.yaml"]);
    assert_eq!(exit, 1, "{text}");
    assert!(text.contains("failed: bad-response: the answer is not JSON"), "{text}");
    source.says(r#"{"queues": [{"length": 12}]}"#);
}

/// Each poll asks anew over the connection that is there; Ctrl-C ends it well.
fn watches(project: &Path, source: &Source) {
    let arguments = ["scaler", "poll", "--trigger", "trigger.yaml", "--watch", "--every", "100ms", "--output", "json"];
    let mut child = windlass(project, &arguments).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut next = || serde_json::from_str::<serde_json::Value>(&lines.next().unwrap().unwrap()).unwrap();
    assert_eq!((&next()["spent"]["connections"], &next()["spent"]["connections"]), (&1.into(), &0.into()));
    source.says(r#"{"queues": [{"length": 0}]}"#);
    let quiet = (0..100).map(|_| next()).find(|told| told["metrics"][0]["value"] == 0.0).unwrap();
    assert_eq!((&quiet["active"], &quiet["spent"]["requests"]), (&false.into(), &1.into()));
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

fn inspects(project: &Path) {
    let (exit, told) = told(project, &["scaler", "inspect"]);
    assert_eq!((exit, &told["contract"], &told["warnings"]), (0, &"0.1.0".into(), &serde_json::json!([])), "{told}");
    let metadata = &told["schema"]["properties"]["metadata"];
    assert_eq!(metadata["properties"]["targetValue"]["default"], "5");
    assert!(told["imports"].as_array().unwrap().iter().all(|import| import.as_str().unwrap().starts_with("windlass:")));
    let (exit, text) = said(project, &["scaler", "inspect", "build/my-queue.wasm"]);
    assert!(exit == 0 && text.contains("contract: windlass:scaler@0.1.0") && text.contains("valueLocation"), "{text}");
}

fn a_wrong_case_is_told(project: &Path) {
    let case = project.join("cases/number/case.json");
    let good = std::fs::read_to_string(&case).unwrap();
    std::fs::write(&case, good.replace(r#""{\"value\": 7}""#, r#""{\"value\": 8}""#)).unwrap();
    let (exit, text) = said(project, &["scaler", "test", "--no-build"]);
    assert_eq!(exit, 1, "{text}");
    for words in ["✗ number", "poll 0, values", "- [7.0]", "+ [8.0]", " passed, 1 failed"] {
        assert!(text.contains(words), "`{words}` is not in: {text}");
    }
    std::fs::write(&case, "{").unwrap();
    let (exit, told) = told(project, &["scaler", "test", "--no-build"]);
    let number = told["cases"].as_array().unwrap().iter().find(|case| case["name"] == "number").unwrap();
    assert_eq!((exit, &told["failed"], &number["passed"]), (1, &1.into(), &false.into()), "{told}");
    std::fs::write(&case, good).unwrap();
}

fn its_own_tests_pass(project: &Path) {
    let mut cargo = Command::new("cargo");
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("CARGO_") && name != "CARGO_HOME") {
        cargo.env_remove(name);
    }
    let output = cargo.args(["test", "--quiet"]).current_dir(project).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&[output.stdout, output.stderr].concat()));
}
