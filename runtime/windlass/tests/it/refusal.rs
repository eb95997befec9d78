//! Whatever is wrong is said once, clearly, with what to do about it, and with its own exit code.
use crate::program::{said, told, windlass};
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use windlass_testkit::guest::{Declared, Guest};

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn file(folder: &TempDir, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

#[track_caller]
fn refuses(folder: &Path, arguments: &[&str], exit: i32, words: &[&str]) {
    let (found, text) = said(folder, arguments);
    assert_eq!(found, exit, "{arguments:?}: {text}");
    for words in words {
        assert!(text.contains(words), "{arguments:?}: `{words}` is not in: {text}");
    }
    // The same for scripts.
    let (found, told) = told(folder, arguments);
    assert_eq!((found, told["ok"].as_bool()), (exit, Some(false)), "{arguments:?}: {told}");
}

#[test]
fn a_project_that_cannot_be_made() {
    let folder = folder();
    refuses(folder.path(), &["scaler", "new", "MyQueue", "--lang", "rust"], 2, &["NAME: `MyQueue`", "`my-queue`"]);
    refuses(folder.path(), &["scaler", "new", "cpu", "--lang", "rust"], 2, &["`cpu` is a resource metric"]);
    let (exit, text) = said(folder.path(), &["scaler", "new", "a", "--lang", "cobol"]);
    assert!(exit == 2 && text.contains("rust, go, js, python, c"), "{text}");
    std::fs::create_dir(folder.path().join("mine")).unwrap();
    let precious = file(&folder, "mine/precious.txt", "mine");
    refuses(folder.path(), &["scaler", "new", "mine", "--lang", "rust"], 2, &["mine is not empty", "--dir"]);
    refuses(folder.path(), &["scaler", "new", "a", "--lang", "rust", "--dir", "mine/precious.txt"], 2, &["--dir"]);
    assert_eq!(std::fs::read_dir(folder.path().join("mine")).unwrap().count(), 1);
    assert_eq!(std::fs::read_to_string(precious).unwrap(), "mine");
}

#[test]
fn a_project_that_cannot_be_built() {
    let folder = folder();
    refuses(folder.path(), &["scaler", "build"], 2, &["scaler.toml: is not there", "windlass scaler new"]);
    file(&folder, "scaler.toml", "name = \"my-queue\"\nlanguage = \"cobol\"\n");
    refuses(folder.path(), &["scaler", "build"], 2, &["scaler.toml: language: `cobol`", "rust, go, js, python, c"]);
    file(&folder, "scaler.toml", "name = \"my-queue\"\nlanguage = \"go\"\n");
    let mut command = windlass(folder.path(), &["scaler", "build", "--output", "json"]);
    let output = command.env("PATH", folder.path()).output().unwrap();
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(3), "{told}");
    let error = told["error"].as_str().unwrap();
    assert!(error.contains("is missing") && error.contains("install"), "{error}");
    file(&folder, "scaler.toml", "name = \"my-queue\"\nlanguage = \"rust\"\n");
    std::fs::create_dir_all(folder.path().join("cases/a")).unwrap();
    refuses(folder.path(), &["scaler", "test", "--no-build"], 2, &["cannot read build/my-queue.wasm"]);
}

#[test]
fn a_component_that_is_no_scaler_of_this_version() {
    let folder = folder();
    let polled = |version: &str| {
        format!(r#"(component (instance $i) (export "windlass:scaler/polled@{version}" (instance $i)))"#)
    };
    let wasi = r#"(component (import "wasi:cli/environment@0.2.0" (instance)))"#;
    for (name, text, words) in [
        ("module", "(module)", ["a core module, not a component", "windlass scaler build"]),
        ("version", &*polled("0.9.0"), ["made for windlass:scaler@0.9.0", "with the SDK of this version"]),
        ("export", "(component)", ["does not export windlass:scaler/polled@0.1.0", "world `scaler`"]),
        ("wasi", wasi, ["imports wasi:cli/environment@0.2.0", "windlass:scaler@0.1.0"]),
        ("functions", &*polled("0.1.0"), ["not a scaler component", "describe"]),
    ] {
        let path = file(&folder, &format!("{name}.wasm"), wat::parse_str(text).unwrap());
        refuses(folder.path(), &["scaler", "inspect", path.to_str().unwrap()], 1, &words);
        let trigger = file(&folder, "trigger.yaml", "type: a\nmetadata: {}\n");
        let arguments = ["scaler", "configure", "--component", path.to_str().unwrap(), "--trigger"];
        refuses(folder.path(), &[&arguments[..], &[trigger.to_str().unwrap()]].concat(), 1, &words);
    }
    file(&folder, "text.wasm", "#!/bin/sh");
    refuses(folder.path(), &["scaler", "inspect", "text.wasm"], 1, &["text.wasm", "not WebAssembly"]);
    refuses(folder.path(), &["scaler", "inspect", "none.wasm"], 2, &["cannot read none.wasm"]);
    let need = Guest { needs: vec!["teleport".to_owned()], ..Guest::new("needy") };
    file(&folder, "needy.wasm", need.component());
    refuses(folder.path(), &["scaler", "inspect", "needy.wasm"], 1, &["needs teleport"]);
}

#[test]
fn a_trigger_that_is_none() {
    let folder = folder();
    let parameter =
        Declared { name: "url".to_owned(), doc: "An address.".to_owned(), required: true, ..Declared::default() };
    file(&folder, "a.wasm", Guest { parameters: vec![parameter], ..Guest::new("a") }.component());
    for (text, exit, words) in [
        ("type: a", 1, "missing field `metadata`"),
        ("type: [", 1, "trigger.yaml: not a trigger"),
        ("type: a\nmetadta: {}", 1, "unknown field `metadta`"),
        ("type: a\nmetadata: {url: {x: y}}", 1, "metadata.url"),
        ("type: a\nmetadata: {}\nindex: -1", 1, "index"),
        ("kind: ScaledObject\nspec: {}", 1, "one of its triggers"),
        ("type: b\nmetadata: {}", 1, "no scaler serves 'b'; known types: a"),
        ("type: a\nmetadata: {}", 1, "url: is required"),
    ] {
        file(&folder, "trigger.yaml", text);
        for command in ["configure", "poll"] {
            let arguments = ["scaler", command, "--component", "a.wasm", "--trigger", "trigger.yaml"];
            refuses(folder.path(), &arguments, exit, &[words]);
        }
    }
    let arguments = ["scaler", "configure", "--component", "a.wasm", "--trigger", "none.yaml"];
    refuses(folder.path(), &arguments, 2, &["cannot read the trigger none.yaml"]);
    let arguments = ["scaler", "configure", "--component", "none.wasm", "--trigger", "trigger.yaml"];
    refuses(folder.path(), &arguments, 2, &["none.wasm"]);
}

#[test]
fn times_between_polls() {
    let folder = folder();
    for every in ["0s", "soon", "25h", "5 s"] {
        let arguments = ["scaler", "poll", "--trigger", "t.yaml", "--watch", "--every", every];
        let (exit, text) = said(folder.path(), &arguments);
        assert!(exit == 2 && text.contains("--every"), "{text}");
    }
}
