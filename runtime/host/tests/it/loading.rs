//! What is taken as a component, what is compiled, and what is remembered of it.
use crate::world::{host, subject_in};
use std::path::{Path, PathBuf};
use windlass_host::{Host, HostError};
use windlass_testkit::guest::{Declared, Guest, component};

/// A host whose compiler is a program that is not there: what it refuses it refuses before it compiles anything.
fn without_compiler() -> Host {
    host(|options| options.compiler = Some("/nonexistent/compiler".into()))
}

fn parsed(text: &str) -> Vec<u8> {
    wat::parse_str(text).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_component_is_refused_before_it_is_compiled() {
    let host = without_compiler();
    let whole = Guest::new("whole").component();
    for (what, bytes) in [
        ("nothing", Vec::new()),
        ("text", b"#!/bin/sh\n".to_vec()),
        ("a core module", parsed("(module)")),
        ("half a component", whole[..whole.len() / 2].to_vec()),
        ("the head of a component", whole[..8].iter().copied().chain([1, 255, 255, 255, 255, 15]).collect()),
    ] {
        let error = host.load(bytes).await.unwrap_err();
        assert!(matches!(error, HostError::NotAScaler(_)), "{what}: {error}");
    }
    // Nothing is wrong with the whole one but that there is no compiler.
    assert!(matches!(host.load(whole).await.unwrap_err(), HostError::Compile(_)));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_that_scalers_do_not_get_is_refused_before_it_is_compiled() {
    let host = without_compiler();
    for (import, text) in [
        ("wasi:cli/environment@0.2.0", r#"(component (import "wasi:cli/environment@0.2.0" (instance)))"#),
        ("wasi:filesystem/types@0.2.0", r#"(component (import "wasi:filesystem/types@0.2.0" (instance)))"#),
        ("exit", r#"(component (import "exit" (func)))"#),
        ("windlass:scaler/kernel@0.1.0", r#"(component (import "windlass:scaler/kernel@0.1.0" (instance)))"#),
        ("windlass:scaler-evil/http@0.1.0", r#"(component (import "windlass:scaler-evil/http@0.1.0" (instance)))"#),
        ("code", r#"(component (import "code" (core module)))"#),
    ] {
        match host.load(parsed(text)).await.unwrap_err() {
            HostError::Import(named) => assert_eq!(&*named, import),
            other => panic!("{import}: {other}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_component_of_another_world_is_refused() {
    let host = host(|_| {});
    for (text, words) in [
        ("(component)", "does not export windlass:scaler/polled@0.1.0"),
        (
            r#"(component (import "windlass:scaler/http@0.1.0" (instance (export "send" (func (param "all" u8))))))"#,
            "does not export windlass:scaler/polled@0.1.0",
        ),
        (
            r#"(component (import "windlass:scaler/http@0.9.0" (instance (export "send" (func)))))"#,
            "made for windlass:scaler@0.9.0, and this is a host of windlass:scaler@0.1.0",
        ),
        ("(module)", "a core module, not a component: build it with `windlass scaler build`"),
    ] {
        let error = host.load(parsed(text)).await.unwrap_err();
        assert!(matches!(error, HostError::NotAScaler(_)), "{text}: {error}");
        assert!(error.to_string().contains(words), "{text}: {error}");
    }
    assert!(component(parsed("(module)")).is_err(), "the contract's exports are missing");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_component_has_a_largest_size() {
    let wasm = Guest::new("large").component();
    let most = wasm.len() - 1;
    let host = host(|options| {
        options.limits.component_bytes = most;
        options.compiler = Some("/nonexistent/compiler".into());
    });
    assert_eq!(host.load(wasm.clone()).await.unwrap_err(), HostError::TooLarge { bytes: wasm.len(), most });
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("large.wasm");
    std::fs::write(&file, &wasm).unwrap();
    assert_eq!(host.load_file(&file).await.unwrap_err(), HostError::TooLarge { bytes: wasm.len(), most });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_description_that_breaks_the_rules_is_refused() {
    let declared = |name: &str| Declared { name: name.to_owned(), ..Declared::default() };
    let plain = || Guest::new("plain");
    let many = (0..257).map(|n| declared(&format!("p{n}"))).collect();
    for (what, guest) in [
        ("no name", Guest { name: String::new(), ..plain() }),
        ("a name with a line break", Guest { name: "a\nb".to_owned(), ..plain() }),
        ("no types", Guest { triggers: Vec::new(), ..plain() }),
        ("a type with a space", Guest { triggers: vec!["a b".to_owned()], ..plain() }),
        ("17 types", Guest { triggers: (0..17).map(|n| format!("t{n}")).collect(), ..plain() }),
        ("257 parameters", Guest { parameters: many, ..plain() }),
        ("a parameter twice", Guest { parameters: vec![declared("a"), declared("a")], ..plain() }),
        ("a parameter with a line break", Guest { parameters: vec![declared("a\nb")], ..plain() }),
    ] {
        let error = host(|_| {}).load(guest.component()).await.unwrap_err();
        assert!(matches!(error, HostError::Description(_)), "{what}: {error}");
        assert!(!error.to_string().chars().any(char::is_control), "{what}: {error}");
    }
    let error = host(|_| {}).load(Guest { needs: vec!["root".to_owned()], ..plain() }.component()).await.unwrap_err();
    assert_eq!(error, HostError::Need("root".into()));
}

/// The cached components of a folder.
fn entries(folder: &Path) -> Vec<PathBuf> {
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut entries: Vec<_> = files.filter(|file| file.extension().is_some_and(|end| end == "cwasm")).collect();
    entries.sort();
    entries
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cached_component_that_was_changed_is_compiled_again_and_never_loaded() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("cache");
    let cached = || host(|options| options.cache = Some(cache.clone()));
    let good = Guest::new("good").component();
    cached().load(good.clone()).await.unwrap();
    assert_eq!(std::fs::metadata(&cache).unwrap().permissions().mode() & 0o777, 0o700);
    let entry = entries(&cache).remove(0);
    let right = std::fs::read(&entry).unwrap();
    let mut flipped = right.clone();
    flipped[right.len() / 2] ^= 1;
    let half = right[..right.len() / 2].to_vec();
    // Another component's code under this one's name: it would describe itself as `evil`.
    let evil = {
        cached().load(Guest::new("evil").component()).await.unwrap();
        let other = entries(&cache).into_iter().find(|file| *file != entry).unwrap();
        std::fs::read(other).unwrap()
    };
    for (what, bytes) in
        [("a bit", flipped), ("half", half), ("empty", Vec::new()), ("short", vec![0; 31]), ("another", evil)]
    {
        std::fs::write(&entry, bytes).unwrap();
        let scaler = cached().load(good.clone()).await.unwrap();
        assert_eq!(&*scaler.name, "good", "{what}");
        assert_eq!(std::fs::read(&entry).unwrap(), right, "{what}");
    }
    // A right entry is not compiled again: there is no compiler.
    let host = host(|options| {
        options.cache = Some(cache.clone());
        options.compiler = Some("/nonexistent/compiler".into());
    });
    host.load(good.clone()).await.unwrap();
    // Under another key nothing of it is ours.
    std::fs::write(cache.join("key"), [1; 32]).unwrap();
    let host = crate::world::host(|options| {
        options.cache = Some(cache.clone());
        options.compiler = Some("/nonexistent/compiler".into());
    });
    assert!(matches!(host.load(good).await.unwrap_err(), HostError::Compile(_)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_component_that_many_ask_for_is_compiled_once() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let good = Guest::new("good").component();
    // Compiled in this process, as the answer of a compiler that counts its calls.
    let cache = folder.path().join("cache");
    host(|options| options.cache = Some(cache.clone())).load(good.clone()).await.unwrap();
    let compiled = std::fs::read(entries(&cache).remove(0)).unwrap();
    std::fs::write(folder.path().join("compiled"), &compiled[..compiled.len() - 32]).unwrap();
    let program = folder.path().join("compiler");
    let script = format!(
        "#!/bin/sh\ncat >/dev/null\necho \"$1\" >>{0}/calls\nsleep 0.3\ncat {0}/compiled\n",
        folder.path().display()
    );
    std::fs::write(&program, script).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o700)).unwrap();
    let host = host(|options| options.compiler = Some(program));
    let loads = (0..8).map(|_| host.load(good.clone()));
    for loaded in futures::future::join_all(loads).await {
        assert_eq!(&*loaded.unwrap().name, "good");
    }
    let calls = std::fs::read_to_string(folder.path().join("calls")).unwrap();
    assert_eq!(calls, "compile-component\n");
    // What was loaded is not compiled again either.
    host.load(good).await.unwrap();
    assert_eq!(std::fs::read_to_string(folder.path().join("calls")).unwrap(), calls);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_component_that_cannot_be_loaded_leaves_the_others() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("bad.wasm"), "no wasm").unwrap();
    std::fs::write(folder.path().join("good.wasm"), Guest::new("good").component()).unwrap();
    std::fs::write(folder.path().join("README.md"), "no component").unwrap();
    let subject = subject_in(host(|_| {}), &Guest::new("first")).await;
    assert_eq!(subject.host.load_directory(folder.path()).await.unwrap(), 1);
    use windlass_core::port::Scalers as _;
    assert_eq!(&*subject.host.find("good").unwrap().name, "good");
    assert_eq!(&*subject.host.find("first").unwrap().name, "first");
    let fault = subject.host.find("bad").unwrap_err();
    assert_eq!(fault.reason, windlass_core::Reason::ComponentUnavailable);
    assert!(fault.message.contains("bad.wasm was not loaded"), "{fault}");
    assert_eq!(subject.host.find("other").unwrap_err().reason, windlass_core::Reason::UnknownTriggerType);
}

fn serving(name: &str, version: &str, triggers: &[&str]) -> Vec<u8> {
    // Another version is another component of the same name: its description differs.
    let parameters = vec![Declared { name: version.to_owned(), ..Declared::default() }];
    let triggers = triggers.iter().map(|kind| (*kind).to_owned()).collect();
    Guest { triggers, parameters, ..Guest::new(name) }.component()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_component_takes_no_trigger_type_from_another() {
    use windlass_core::port::Scalers as _;
    let host = host(|_| {});
    let first = host.load(serving("first", "v1", &["queue", "stack"])).await.unwrap();
    let error = host.load(serving("second", "v1", &["heap", "queue"])).await.unwrap_err();
    let HostError::TypeTaken { kind, holder, component } = &error else { panic!("{error}") };
    assert_eq!(&**kind, "queue");
    assert!(holder.starts_with("first (sha256:") && component.starts_with("second (sha256:"), "{error}");
    assert_eq!(host.find("queue").unwrap().digest, first.digest);
    assert!(host.find("heap").is_err(), "it is not taken in part");
    // A newer version of itself takes its place.
    let newer = host.load(serving("first", "v2", &["queue", "stack"])).await.unwrap();
    assert_eq!(host.find("queue").unwrap().digest, newer.digest);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_folders_components_the_first_by_name_serves_a_type() {
    use windlass_core::port::Scalers as _;
    let folder = tempfile::tempdir().unwrap();
    let write = |file: &str, wasm| std::fs::write(folder.path().join(file), wasm).unwrap();
    write("c.wasm", serving("other", "v1", &["queue"]));
    write("a.wasm", serving("right", "v1", &["queue"]));
    // Not even under its name.
    write("b.wasm", serving("right", "v2", &["queue", "more"]));
    for _ in 0..2 {
        let host = host(|_| {});
        assert_eq!(host.load_directory(folder.path()).await.unwrap(), 1);
        let served = host.find("queue").unwrap();
        assert_eq!((&*served.name, &*served.parameters[0].name), ("right", "v1"));
        assert!(host.find("more").is_err());
    }
}
