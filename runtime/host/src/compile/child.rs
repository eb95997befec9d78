//! The child process that compiles: its parent's side, and its own.
use super::{Uncompiled, failed, fits};
use crate::HostError;
use crate::engine::{Allocation, engine};
use crate::limits::{CompileLimits, Limit};
use rustix::process::{Resource, Rlimit, setrlimit};
use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// What of the child's complaints is read.
const MOST_TOLD: u64 = 64 << 10;
/// After the signal that says its CPU time is over, the child has so many seconds more before it is killed.
const GRACE_S: u64 = 5;
/// Standard input, output and error. With no more than these a child opens neither files nor sockets.
const DESCRIPTORS: u64 = 3;
/// Where a container is told how much memory it may have and has: cgroups 2 and 1.
const CGROUPS: [(&str, &str); 2] = [
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
    ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
];
/// Of a container's memory, so much is left to its other processes.
const RESERVE: u64 = 64 << 20;
/// With less address space nothing can be compiled.
const LEAST_MEMORY: u64 = 512 << 20;

/// Compiles in a child under limits.
pub(super) async fn compile(program: &Path, limits: &CompileLimits, wasm: Vec<u8>) -> Result<Vec<u8>, Uncompiled> {
    let told = |error: std::io::Error| Uncompiled::Failed(failed(error));
    let mut child = tokio::process::Command::new(program)
        .arg("compile-component")
        .args(arguments(limits))
        .env_clear()
        // Arenas of the allocator reserve address space, which is limited, and are of little use to a compiler.
        .env("MALLOC_ARENA_MAX", "2")
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(told)?;
    let (input, output, errors) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let feed = async move {
        if let Some(mut input) = input {
            // A child that died of its limits closes the pipe; its exit tells more than this error.
            let _ = input.write_all(&wasm).await;
        }
    };
    let most = (limits.output_bytes as u64).saturating_add(1);
    let run = async {
        // A pipe that was read to its limit is closed: then the child has nowhere to write to, and ends.
        let ((), output, errors) = tokio::join!(feed, read(output, most), read(errors, MOST_TOLD));
        (child.wait().await, output, errors)
    };
    let (status, output, errors) = tokio::time::timeout(limits.wall, run)
        .await
        .map_err(|_| Uncompiled::Limited(Limit::CompileTime, "it took too long".to_owned()))?;
    let output = fits(output, limits)?;
    let status = status.map_err(told)?;
    if status.success() { Ok(output) } else { Err(end(status, &errors)) }
}

/// Reads a pipe to its end, or up to so many bytes.
async fn read(pipe: Option<impl tokio::io::AsyncRead + Unpin>, most: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Some(pipe) = pipe {
        let _ = pipe.take(most).read_to_end(&mut bytes).await;
    }
    bytes
}

/// Why a child ended without a result.
fn end(status: ExitStatus, errors: &[u8]) -> Uncompiled {
    let errors = String::from_utf8_lossy(errors);
    let no_memory = ["memory allocation of", "Cannot allocate memory", "out of memory"];
    let limited = |limit, what: &str| Uncompiled::Limited(limit, what.to_owned());
    match status.signal() {
        Some(libc_signal::XCPU) => limited(Limit::CompileCpu, "it took too much CPU time"),
        Some(libc_signal::KILL) => {
            limited(Limit::CompileMemory, "the compiler was killed, probably for want of memory")
        }
        _ if no_memory.iter().any(|words| errors.contains(words)) => {
            limited(Limit::CompileMemory, "it took too much memory")
        }
        _ => {
            let told = errors.lines().last().unwrap_or_default();
            let told =
                told.trim().trim_start_matches("error: ").trim_start_matches("the component cannot be compiled: ");
            Uncompiled::Failed(failed(if told.is_empty() { status.to_string() } else { format!("{told} ({status})") }))
        }
    }
}

/// Numbers of signals on Linux.
mod libc_signal {
    pub(super) const KILL: i32 = 9;
    pub(super) const XCPU: i32 = 24;
}

/// What the child is told: CPU seconds and bytes of address space.
fn arguments(limits: &CompileLimits) -> [String; 2] {
    let memory = (limits.memory_bytes as u64).min(available().unwrap_or(u64::MAX).max(LEAST_MEMORY));
    [limits.cpu.as_secs().max(1).to_string(), memory.to_string()]
}

/// What is left of the container's memory. Where one process that has none left takes its whole container with it, the child must
/// not be let come so far.
fn available() -> Option<u64> {
    let number = |file: &str| std::fs::read_to_string(file).ok()?.trim().parse::<u64>().ok();
    CGROUPS.iter().find_map(|(most, now)| {
        let most = number(most)?;
        Some(most.saturating_sub(number(now).unwrap_or(0)).saturating_sub(RESERVE))
    })
}

/// The child's side: limits itself, reads a component from standard input and writes its compiled form to standard output.
/// `arguments` are CPU seconds and bytes of address space; what is missing is as in [`CompileLimits::default`].
///
/// # Errors
/// When the limits cannot be set or the component cannot be compiled.
pub fn compile_child(arguments: impl IntoIterator<Item = String>) -> Result<(), HostError> {
    let mut arguments = arguments.into_iter();
    let default = CompileLimits::default();
    let mut number = |default: u64| match arguments.next() {
        Some(text) => text.parse::<u64>().map_err(|_| failed(format!("'{text}' is no number of CPU seconds or bytes"))),
        None => Ok(default),
    };
    let (cpu_s, memory_bytes) = (number(default.cpu.as_secs())?, number(default.memory_bytes as u64)?);
    let engine = engine(Allocation::OnDemand)?;
    confine(cpu_s, memory_bytes)?;
    let mut wasm = Vec::new();
    std::io::stdin().lock().read_to_end(&mut wasm).map_err(failed)?;
    let compiled = engine.precompile_component(&wasm).map_err(|error| failed(format!("{error:#}")))?;
    std::io::stdout().lock().write_all(&compiled).map_err(failed)
}

/// Gives up, for good, whatever compiling does not need.
fn confine(cpu_s: u64, memory_bytes: u64) -> Result<(), HostError> {
    // The first to go when memory is short, and the last to run when time is. Where the system allows neither, the limits hold.
    let _ = std::fs::write("/proc/self/oom_score_adj", "1000");
    let _ = rustix::process::nice(19);
    rustix::thread::set_no_new_privs(true).map_err(failed)?;
    let limit = |current, maximum| Rlimit { current: Some(current), maximum: Some(maximum) };
    for (resource, most, end) in [
        (Resource::Cpu, cpu_s, cpu_s.saturating_add(GRACE_S)),
        (Resource::As, memory_bytes, memory_bytes),
        (Resource::Core, 0, 0),
        (Resource::Fsize, 0, 0),
        (Resource::Nofile, DESCRIPTORS, DESCRIPTORS),
    ] {
        setrlimit(resource, limit(most, end)).map_err(failed)?;
    }
    Ok(())
}
