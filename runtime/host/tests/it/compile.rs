//! Compiling is done by a child that gives up all it does not need, and whose end is nobody's but its component's.
use crate::limits::{Counted, counted};
use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;
use windlass_host::{CompileLimits, HostError, HostOptions, Limit, Limits};
use windlass_testkit::guest::Guest;
use windlass_testkit::hostile::bombs;

const CHILD: &str = env!("CARGO_BIN_EXE_compile-component");
/// Enough for a good component, and little for a bomb.
const LIMITS: CompileLimits = CompileLimits {
    cpu: Duration::from_secs(3),
    wall: Duration::from_secs(60),
    memory_bytes: 1 << 30,
    output_bytes: 16 << 20,
    jobs: 2,
};

fn by(program: impl Into<PathBuf>) -> impl FnOnce(&mut HostOptions) {
    |options| {
        options.compiler = Some(program.into());
        options.limits.compile = LIMITS;
    }
}

fn good() -> Vec<u8> {
    Guest::polling("good", "(call $ready (i32.const 0) (f64.const 7))").component()
}

/// A compiler that is a script.
fn script(folder: &Path, text: &str) -> PathBuf {
    let program = folder.join("compiler");
    std::fs::write(&program, format!("#!/bin/sh\n{text}\n")).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o700)).unwrap();
    program
}

/// Why a component was not compiled: it passed a limit, which is named with its value and what raises it, and counted.
async fn refused(host: &Counted, wasm: Vec<u8>, limits: &[Limit]) -> String {
    let before = host.hits();
    let error = host.host.load(wasm).await.unwrap_err();
    assert!(matches!(error, HostError::Compile(_)), "{error}");
    let message = error.to_string();
    let all = Limits { compile: LIMITS, ..Limits::default() };
    let named = limits.iter().find(|limit| message.contains(&limit.told(&all)));
    let named = named.unwrap_or_else(|| panic!("{message} names none of {limits:?}")).as_label().to_owned();
    let mut expected: BTreeMap<String, u64> = before;
    *expected.entry(named).or_default() += 1;
    assert_eq!(host.hits(), expected, "{message}");
    message
}

/// Time or memory: which of them is short first depends on the machine.
const DEAR: [Limit; 3] = [Limit::CompileCpu, Limit::CompileMemory, Limit::CompileTime];

#[tokio::test(flavor = "multi_thread")]
async fn bombs_pass_a_limit() {
    let host = counted(by(CHILD));
    for wasm in [
        bombs::one_function(1_000, 10_000),
        bombs::functions(500_000),
        bombs::nesting(100_000),
        bombs::jumps(1_000, 20),
    ] {
        refused(&host, wasm, &DEAR).await;
    }
    refused(&host, bombs::data(20 << 20), &[Limit::CompileBytes]).await;
    host.host.load(good()).await.unwrap();
}

/// Where one of them is plenty, it is the other that counts.
#[tokio::test(flavor = "multi_thread")]
async fn cpu_time_and_memory_are_limited_each_by_itself() {
    let plenty = CompileLimits {
        cpu: Duration::from_secs(600),
        wall: Duration::from_secs(600),
        memory_bytes: 8 << 30,
        ..LIMITS
    };
    let short_of_time = CompileLimits { cpu: Duration::from_secs(1), ..plenty };
    let short_of_memory = CompileLimits { memory_bytes: 600 << 20, ..plenty };
    for (limits, bomb, limit) in [
        (short_of_time, bombs::nesting(60_000), Limit::CompileCpu),
        (short_of_memory, bombs::jumps(1_000, 20), Limit::CompileMemory),
    ] {
        let host = counted(|options| {
            by(CHILD)(options);
            options.limits.compile = limits;
        });
        let error = host.host.load(bomb).await.unwrap_err();
        let told = limit.told(&Limits { compile: limits, ..Limits::default() });
        assert!(error.to_string().contains(&told), "{error} lacks {told}");
        host.assert_hits(&[(limit, 1)]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn structures_that_explode_are_refused_before_they_are_compiled() {
    let host = counted(by("/nonexistent/compiler"));
    let explosive = [
        ("modules", bombs::modules(1_000)),
        ("instances", bombs::instances(20)),
        ("more instances", bombs::instances(64)),
        ("nested components", bombs::components(100)),
        ("exports", bombs::exports(60_000)),
    ];
    for (count, (what, wasm)) in (1..).zip(explosive) {
        let error = host.host.load(wasm).await.expect_err(what);
        assert!(matches!(error, HostError::NotAScaler(_)), "{what}: {error}");
        assert!(error.to_string().contains(&Limit::ComponentStructure.told(&Limits::default())), "{what}: {error}");
        host.assert_hits(&[(Limit::ComponentStructure, count)]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_compiler_or_the_pool_does_not_take_is_refused() {
    let host = counted(by(CHILD));
    for (what, wasm) in
        [("modules", bombs::modules(100)), ("types", bombs::types(30)), ("instances", bombs::instances(7))]
    {
        let error = host.host.load(wasm).await.expect_err(what);
        assert!(matches!(error, HostError::Compile(_)), "{what}: {error}");
        assert_eq!(error.to_string().matches("cannot be compiled").count(), 1, "{what}: {error}");
    }
    // Large, but no more than that.
    for wasm in [bombs::locals(50), bombs::components(20), bombs::exports(10_000)] {
        host.host.load(wasm).await.unwrap();
    }
}

/// As another process, so that nothing else has to do with its memory.
#[test]
fn the_parents_memory_does_not_follow() {
    let folder = tempfile::tempdir().unwrap();
    let all =
        [bombs::one_function(1_000, 10_000), bombs::functions(300_000), bombs::data(20 << 20), bombs::instances(20)];
    for (index, wasm) in all.iter().enumerate() {
        std::fs::write(folder.path().join(format!("{index}.wasm")), wasm).unwrap();
    }
    let mut inner = std::process::Command::new(std::env::current_exe().unwrap());
    inner.args(["--exact", "compile::measured", "--ignored", "--nocapture"]).env("BOMBS", folder.path());
    let output = inner.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(told.contains("4 bombs"), "{told}");
}

/// Megabytes of this process, at most so far, and now.
fn memory_mib(what: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(what)).unwrap();
    line.split_whitespace().next().unwrap().parse::<u64>().unwrap() >> 10
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "run by the_parents_memory_does_not_follow"]
async fn measured() {
    let host = counted(by(CHILD));
    host.host.load(good()).await.unwrap();
    let before = memory_mib("VmRSS:");
    let mut count = 0;
    for file in std::fs::read_dir(std::env::var("BOMBS").unwrap()).unwrap() {
        host.host.load_file(&file.unwrap().path()).await.unwrap_err();
        count += 1;
    }
    // The largest bomb itself, and the result of the largest size, each a few times; the children had 1,024.
    let most = memory_mib("VmHWM:");
    assert!(most < before + 128, "{most} MiB at most, {before} before");
    println!("{count} bombs, {before} MiB before, {most} at most");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_good_component_loads_and_answers_while_a_bomb_is_compiled() {
    let folder = tempfile::tempdir().unwrap();
    let (started, bomb) = (folder.path().join("started"), bombs::nesting(100_000));
    let text = format!("touch {}; exec {CHILD} \"$@\"", started.display());
    let host = counted(by(script(folder.path(), &text)));
    let exploding = host.host.load(bomb);
    tokio::pin!(exploding);
    let other = async {
        while !started.exists() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        host.host.load(good()).await.unwrap();
    };
    tokio::select! {
        biased;
        () = other => {}
        ended = &mut exploding => panic!("{ended:?} before the good one"),
    }
    exploding.await.unwrap_err();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_passed_a_limit_is_not_compiled_again_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let calls = folder.path().join("calls");
    let text = format!("echo >>{}; exec {CHILD} \"$@\"", calls.display());
    let host = counted(by(script(folder.path(), &text)));
    let bomb = bombs::jumps(1_000, 20);
    let first = refused(&host, bomb.clone(), &DEAR).await;
    assert_eq!(host.host.load(bomb).await.unwrap_err().to_string(), first);
    assert_eq!(std::fs::read_to_string(&calls).unwrap().lines().count(), 1);
    host.host.load(good()).await.unwrap();
    assert_eq!(std::fs::read_to_string(&calls).unwrap().lines().count(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn compilations_take_turns() {
    let folder = tempfile::tempdir().unwrap();
    // Fails when another one is under way.
    let text = format!("mkdir {0}/turn || exit 1; {CHILD} \"$@\"; rmdir {0}/turn", folder.path().display());
    let host = counted(|options| {
        by(script(folder.path(), &text))(options);
        options.limits.compile.jobs = 1;
    });
    let loads = (0..4).map(|n| host.host.load(Guest::new(&format!("good-{n}")).component()));
    for loaded in futures::future::join_all(loads).await {
        loaded.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_compiler_that_takes_too_long_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let pid = folder.path().join("pid");
    let wall = |options: &mut HostOptions| options.limits.compile.wall = Duration::from_millis(500);
    let host = counted(|options| {
        by(script(folder.path(), &format!("echo $$ >{}; exec sleep 600", pid.display())))(options);
        wall(options);
    });
    let error = host.host.load(good()).await.unwrap_err();
    assert!(error.to_string().contains("limit compile-time: 500 ms; --compile-time-s raises it"), "{error}");
    host.assert_hits(&[(Limit::CompileTime, 1)]);
    gone(&pid).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_compiler_that_never_stops_writing_is_killed() {
    for stream in ["", ">&2"] {
        let folder = tempfile::tempdir().unwrap();
        let pid = folder.path().join("pid");
        let text = format!("echo $$ >{}; exec cat /dev/zero {stream}", pid.display());
        let host = counted(|options| {
            by(script(folder.path(), &text))(options);
            options.limits.compile.output_bytes = 1 << 20;
        });
        let error = host.host.load(good()).await.unwrap_err();
        if stream.is_empty() {
            assert!(
                error.to_string().contains("limit compile-bytes: 1 MiB; --compile-output-mib raises it"),
                "{error}"
            );
            host.assert_hits(&[(Limit::CompileBytes, 1)]);
        } else {
            assert!(matches!(error, HostError::Compile(_)), "{error}");
            assert!(error.to_string().len() < 400, "{error}");
        }
        gone(&pid).await;
    }
}

/// Waits for a process to be no more.
async fn gone(pid: &Path) {
    let pid = std::fs::read_to_string(pid).unwrap();
    let running = || {
        let status = std::fs::read_to_string(format!("/proc/{}/status", pid.trim())).unwrap_or_default();
        status.contains("State:") && !status.contains("State:\tZ")
    };
    for _ in 0..2_000 {
        if !running() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("{pid} still runs");
}

#[tokio::test(flavor = "multi_thread")]
async fn compiled_code_has_a_size_in_this_process_too() {
    let host = counted(|options| options.limits.compile.output_bytes = 1 << 10);
    let error = host.host.load(good()).await.unwrap_err();
    assert!(error.to_string().contains("limit compile-bytes: 1 KiB"), "{error}");
    host.assert_hits(&[(Limit::CompileBytes, 1)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_compiler_gets_no_descriptor_and_no_environment_of_ours() {
    let folder = tempfile::tempdir().unwrap();
    let ours = std::fs::File::create(folder.path().join("operators-secret-file")).unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let found = folder.path().join("found");
    let text = format!("{{ ls -l /proc/$$/fd/; env; pwd; }} >{}; exit 1", found.display());
    let host = counted(by(script(folder.path(), &text)));
    host.host.load(good()).await.unwrap_err();
    let found = std::fs::read_to_string(found).unwrap();
    // Its three pipes are there, so the list is one.
    assert!(found.matches("pipe:").count() >= 2, "{found}");
    for foreign in ["operators-secret-file", "socket:", "eventpoll", "HOME=", "CARGO"] {
        assert!(!found.contains(foreign), "{foreign} in {found}");
    }
    assert!(found.lines().last().is_some_and(|folder| folder == "/"), "{found}");
    drop((ours, listener));
}

/// What the system knows about the child before it has read a byte of a component.
#[test]
fn the_child_has_given_up_what_it_does_not_need() {
    use std::process::{Command, Stdio};
    let mut command = Command::new(CHILD);
    let command = command.args(["compile-component", "7", "1234567890"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let of = |file: &str| std::fs::read_to_string(format!("/proc/{}/{file}", child.id())).unwrap_or_default();
    let limits = || -> BTreeMap<String, String> {
        let of_line = |line: &str| {
            let (name, rest) = line.split_at_checked(26)?;
            Some((name.trim().to_owned(), rest.split_whitespace().take(2).collect::<Vec<_>>().join(" ")))
        };
        of("limits").lines().filter_map(of_line).collect()
    };
    // The last limit that it sets.
    for round in 0.. {
        if limits().get("Max open files").is_some_and(|files| files == "3 3") {
            break;
        }
        assert!(round < 2_000, "{}", of("limits"));
        std::thread::sleep(Duration::from_millis(5));
    }
    for (name, value) in [
        ("Max cpu time", "7 12"),
        ("Max address space", "1234567890 1234567890"),
        ("Max core file size", "0 0"),
        ("Max file size", "0 0"),
    ] {
        assert_eq!(limits().get(name).map(String::as_str), Some(value), "{name}");
    }
    assert_eq!(of("oom_score_adj").trim(), "1000");
    assert!(of("status").contains("NoNewPrivs:\t1"), "{}", of("status"));
    // The nineteenth field, of which the second, in brackets, is a name.
    let stat = of("stat");
    assert_eq!(stat.rsplit_once(')').unwrap().1.split_whitespace().nth(16), Some("19"), "{stat}");
    // The end of its input is no component.
    drop(child.stdin.take());
    assert!(!child.wait().unwrap().success());
}

#[test]
fn the_child_wants_numbers() {
    for arguments in [["seven", "1"], ["7", "-1"]] {
        let output = std::process::Command::new(CHILD).arg("compile-component").args(arguments).output().unwrap();
        assert!(!output.status.success());
        assert!(String::from_utf8_lossy(&output.stderr).contains("is no number"), "{output:?}");
    }
}

/// Handles to a component's own resources are memory of the host's, without a host call.
#[tokio::test(flavor = "multi_thread")]
async fn handles_to_own_resources_are_limited() {
    let hoard = r#"(component
        (type $r (resource (rep i32)))
        (core func $new (canon resource.new $r))
        (core module $m
          (import "" "new" (func $new (param i32) (result i32)))
          (func $start (local $n i32)
            (loop $more
              (drop (call $new (i32.const 1)))
              (br_if $more (i32.lt_u (local.tee $n (i32.add (local.get $n) (i32.const 1))) (i32.const 200)))))
          (start $start))
        (core instance (instantiate $m (with "" (instance (export "new" (func $new)))))))"#;
    let host = counted(|options| options.limits.resources = 100);
    let error = host.host.load(bombs::containing("hoards", hoard)).await.unwrap_err();
    assert!(error.to_string().contains("limit resources: 100; --guest-resources raises it"), "{error}");
    host.assert_hits(&[(Limit::Resources, 1)]);
    let host = counted(|options| options.limits.resources = 300);
    host.host.load(bombs::containing("hoards", hoard)).await.unwrap();
}

/// Memories that several threads share would grow past the limiter; there are none.
#[tokio::test(flavor = "multi_thread")]
async fn what_the_engine_does_not_offer_is_refused() {
    let host = counted(|_| {});
    for (what, inner) in [
        ("shared memory", "(component (core module (memory 1 2 shared)))"),
        ("asynchronous functions", r#"(component (import "f" (func async)))"#),
        ("garbage collection", "(component (core module (type (struct (field i32)))))"),
    ] {
        let error = host.host.load(bombs::containing("odd", inner)).await.unwrap_err();
        assert!(matches!(error, HostError::Compile(_)), "{what}: {error}");
    }
}
