//! Names, and that a project is whole.
use super::{check_name, embedded, filled, project, shell_word, suggestion};
use std::collections::BTreeMap;
use std::path::Path;
use windlass_build::{Language, versions};

#[test]
fn names() {
    for good in ["a", "my-queue", "queue2"] {
        assert!(check_name(good).is_ok(), "{good}");
    }
    for (bad, instead) in [
        ("MyQueue", "my-queue"),
        ("my_queue", "my-queue"),
        ("-x", "x"),
        ("2fast", "fast"),
        ("", "my-queue"),
        ("ü", "my-queue"),
    ] {
        let told = check_name(bad).unwrap_err().to_string();
        assert!(told.contains(&format!("for instance `{instead}`")), "{told}");
    }
    assert_eq!(suggestion("My Own Queue!"), "my-own-queue");
    assert!(check_name("cpu").unwrap_err().to_string().contains("resource metric"));
    assert_eq!(filled("{{name}} {{snake}} {{pascal}}", "my-2-queue"), "my-2-queue my_2_queue My2Queue");
    assert_eq!(shell_word(Path::new("it's here")), "'it'\\''s here'");
}

#[test]
fn a_project_in_rust_is_whole_and_takes_nothing_from_our_workspace() {
    let files = project("my-queue", Language::Rust).unwrap();
    for path in
        ["scaler.toml", "Cargo.toml", "src/lib.rs", "trigger.yaml", "windlass/LICENSE", "windlass/wit/v0.1/scaler.wit"]
    {
        assert!(files.contains_key(path), "{path} of {:?}", files.keys());
    }
    for (path, bytes) in &files {
        let text = String::from_utf8_lossy(bytes);
        assert!(!text.contains("{{name}}") && !path.contains("{{"), "{path}");
        if path.ends_with("Cargo.toml") {
            assert!(!text.contains("workspace = true"), "{path}: {text}");
        }
    }
    let sdk: toml::Table = String::from_utf8_lossy(&files["windlass/Cargo.toml"]).parse().unwrap();
    assert_eq!(sdk["dependencies"]["windlass-sdk-derive"]["path"].as_str(), Some("derive"));
    let features = sdk["dependencies"]["wit-bindgen"]["features"].as_array().unwrap();
    assert!(features.iter().any(|feature| feature.as_str() == Some("bitflags")) && features.len() > 1, "{features:?}");
}

/// What a project asks npm and pip for is what builds are made for.
#[test]
fn the_tools_of_a_project_are_of_the_versions_that_build_it() {
    let text = |language, file: &str| String::from_utf8(project("my-queue", language).unwrap()[file].clone()).unwrap();
    let package: serde_json::Value = serde_json::from_str(&text(Language::JavaScript, "package.json")).unwrap();
    assert_eq!(package["devDependencies"]["componentize-qjs"], versions::COMPONENTIZE_QJS);
    let wanted = format!("componentize-py=={}\n", versions::COMPONENTIZE_PY);
    assert!(text(Language::Python, "requirements-dev.txt").ends_with(&wanted));
}

/// The templates are the same scaler: what holds of one holds of all.
#[test]
fn the_templates_have_the_same_cases() {
    let cases = |language: Language| {
        let folder = format!("{language}/template/");
        embedded::under(&folder).filter(|(path, _)| path.starts_with("cases/")).collect::<BTreeMap<_, _>>()
    };
    let own = cases(Language::Rust);
    assert!(own.len() > 10, "{:?}", own.keys());
    for language in Language::ALL {
        let others = cases(language);
        let differs = |path: &&String| own.get(*path) != others.get(*path);
        let different: Vec<_> = own.keys().chain(others.keys()).filter(differs).collect();
        assert!(different.is_empty(), "{language}: {different:?}");
    }
}
