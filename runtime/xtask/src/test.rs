//! `cargo xtask test`: the whole suite, in the order in which it fails fastest. Its time by part is printed at the end.
use crate::{chart, codegen, demo, languages, scalers, tool};
use anyhow::{Result, bail};
use std::process::Stdio;
use std::time::{Duration, Instant};

/// Arguments of the task.
#[derive(clap::Args)]
pub struct Args {
    /// Only the parts whose name contains this
    #[arg(long)]
    only: Option<String>,
}

/// What the parts counted: read from the closing lines of the test binaries.
#[derive(Default)]
struct Tally {
    passed: u64,
    failed: u64,
}

/// A part's name, what it is for, and how it runs.
type Part = (&'static str, &'static str, fn(&mut Tally) -> Result<()>);

const PARTS: &[Part] = &[
    ("format", "rustfmt finds nothing to change", format),
    ("install", "what tests need beyond Rust", install),
    ("scalers", "components for tests", components),
    ("unit", "rules, stages, the host, the contract: everything that needs no cluster", unit),
    (
        "languages",
        "SDKs of other languages: their own tests, and their templates against the contract",
        other_languages,
    ),
    ("generated", "generated files are current", generated),
    ("chart", "the Helm chart renders to the plain manifests", rendering),
    ("demo", "0 → N → 0 without Kubernetes", without_kubernetes),
    ("e2e", "a real control plane, real sources, the real operator", e2e),
];

/// Runs the task.
pub fn run(args: Args) -> Result<()> {
    let mut tally = Tally::default();
    let mut times: Vec<(&str, Duration)> = Vec::new();
    let mut failed = Vec::new();
    for (name, what, part) in PARTS {
        if args.only.as_ref().is_some_and(|only| !name.contains(only.as_str())) {
            continue;
        }
        tool::say(&format!("{name}: {what}"));
        let started = Instant::now();
        if let Err(error) = part(&mut tally) {
            eprintln!("{name} failed: {error:#}");
            failed.push(*name);
        }
        times.push((name, started.elapsed()));
        // Without its tools or components nothing after it means anything.
        if !failed.is_empty() && matches!(*name, "install" | "scalers") {
            break;
        }
    }
    eprintln!();
    for (name, time) in &times {
        eprintln!("{:>6} s  {name}", time.as_secs());
    }
    eprintln!("{:>6} s  in all", times.iter().map(|(_, time)| time.as_secs()).sum::<u64>());
    println!("{} passed, {} failed", tally.passed, tally.failed);
    if !failed.is_empty() {
        bail!("failed: {}", failed.join(", "));
    }
    if let (Some(only), true) = (&args.only, times.is_empty()) {
        bail!("no part's name contains {only}");
    }
    // Parts that prepare or check have no tests of their own; the whole suite has.
    if args.only.is_none() && tally.passed == 0 {
        bail!("no test ran");
    }
    Ok(())
}

fn format(_: &mut Tally) -> Result<()> {
    if tool::cargo().args(["fmt", "--version"]).stdout(Stdio::null()).stderr(Stdio::null()).status()?.success() {
        return tool::run(tool::cargo().args(["fmt", "--all", "--check"]));
    }
    bail!("rustfmt is missing: install it (rustup component add rustfmt, or your distribution's package)")
}

fn install(_: &mut Tally) -> Result<()> {
    tool::install_test_tools()
}

fn components(_: &mut Tally) -> Result<()> {
    scalers::build()
}

fn unit(tally: &mut Tally) -> Result<()> {
    cargo_test(tally, &["--workspace", "--exclude", "windlass-e2e"], &[])
}

fn other_languages(tally: &mut Tally) -> Result<()> {
    tally.passed += languages::check()?;
    // The commands of their pages, as they stand there.
    cargo_test(tally, &["--package", "windlass", "--test", "it"], &["--ignored"])
}

fn generated(_: &mut Tally) -> Result<()> {
    codegen::check()
}

fn rendering(_: &mut Tally) -> Result<()> {
    chart::check()
}

fn without_kubernetes(_: &mut Tally) -> Result<()> {
    demo::check()
}

fn e2e(tally: &mut Tally) -> Result<()> {
    tool::build(&["windlass", "work-queue"])?;
    // They wait more than they work.
    cargo_test(tally, &["--package", "windlass-e2e"], &["--test-threads=4"])
}

/// `cargo test`, its output passed on and its closing lines counted.
fn cargo_test(tally: &mut Tally, arguments: &[&str], of_tests: &[&str]) -> Result<()> {
    use std::io::{BufRead, BufReader};
    let mut command = tool::cargo();
    command.arg("test").args(arguments).arg("--no-fail-fast").stdout(Stdio::piped());
    command.arg("--").args(of_tests).env("WINDLASS_COMPONENTS", scalers::folder());
    // Built before the tests that start it, which would else build it again.
    command.env("WINDLASS_BIN", tool::windlass());
    let mut child = command.spawn()?;
    for line in child.stdout.take().into_iter().flat_map(|out| BufReader::new(out).lines()) {
        let line = line?;
        println!("{line}");
        // "test result: ok. 12 passed; 0 failed; …"
        if let Some(result) = line.strip_prefix("test result: ") {
            let count = |what: &str| -> u64 {
                let words: Vec<&str> = result.split([' ', ';', '.']).filter(|w| !w.is_empty()).collect();
                words.windows(2).find(|pair| pair[1] == what).and_then(|pair| pair[0].parse().ok()).unwrap_or(0)
            };
            tally.passed += count("passed");
            tally.failed += count("failed");
        }
    }
    let status = child.wait()?;
    if !status.success() {
        bail!("{command:?} failed: {status}");
    }
    Ok(())
}
