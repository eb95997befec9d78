//! `cargo xtask demo`: the product in a minute, without Kubernetes: a real queue, real workers, a ScaledObject.
use crate::{scalers, tool};
use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Jobs that the producer adds, how many in a second, and how long each takes a worker.
const JOBS: u64 = 240;
const RATE: u64 = 12;
const WORK_MS: u64 = 700;
/// The demo ends after so many seconds in any case.
const LIMIT_S: u64 = 110;

/// Arguments of the task.
#[derive(clap::Args)]
pub struct Args {
    /// Form of what is printed; with `json` the last line is the summary
    #[arg(long, value_enum, default_value_t = Output::Text)]
    output: Output,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Output {
    /// For people
    Text,
    /// For scripts
    Json,
}

/// A child that does not outlive us.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The demo as a test: what it prints for scripts is checked.
pub fn check() -> Result<()> {
    run(Args { output: Output::Json })
}

/// Runs the task.
pub fn run(args: Args) -> Result<()> {
    tool::say("building windlass, the example queue and the scalers");
    tool::build(&["windlass", "work-queue"])?;
    scalers::build()?;

    let work_queue = tool::target().join("debug/work-queue");
    let (mut queue, url) = queue(&work_queue)?;
    let objects = objects(&url, &work_queue)?;
    tool::say(&format!("a queue at {url}; its ScaledObject: {}", objects.join("scaled-object.yaml").display()));
    tool::say(&format!("{JOBS} jobs come in, {RATE} a second, {WORK_MS} ms of work each; no worker runs yet"));
    let mut produce = Command::new(&work_queue);
    produce.args(["produce", "--url", &url]).args(["--jobs", &JOBS.to_string(), "--rate", &RATE.to_string()]);
    produce.args(["--work-ms", &WORK_MS.to_string()]).stdout(Stdio::null());
    let producer = Running(produce.spawn().context("cannot start the producer")?);

    let mut local = Command::new(tool::windlass());
    local.args(["local", "--until-idle", "--log-level", "warn", "--for-s", &LIMIT_S.to_string(), "--scalers"]);
    local.arg(scalers::folder()).arg("--cache").arg(tool::target().join("demo/compiled")).arg(&objects);
    let summary = match args.output {
        Output::Text => {
            tool::run(&mut local)?;
            None
        }
        Output::Json => Some(told(&mut local)?),
    };
    drop(producer);
    finish(&mut queue, summary)
}

/// Starts the queue on a free port.
fn queue(program: &Path) -> Result<(Running, String)> {
    let mut command = Command::new(program);
    command.args(["serve", "--listen", "127.0.0.1:0"]).stdout(Stdio::piped());
    let mut queue = Running(command.spawn().context("cannot start the queue")?);
    let mut first = String::new();
    let output = queue.0.stdout.as_mut().context("the queue has no output")?;
    // One byte at a time, since the rest of the output is read at the end.
    BufReader::with_capacity(1, output).read_line(&mut first)?;
    let first: Value = serde_json::from_str(&first).context("the queue did not tell its address")?;
    let address = first["listening"].as_str().context("the queue did not tell its address")?;
    Ok((queue, format!("http://{address}")))
}

/// The example's objects, for this queue.
fn objects(url: &str, work_queue: &Path) -> Result<PathBuf> {
    let (from, to) = (tool::root().join("deploy/examples/local"), tool::target().join("demo/objects"));
    std::fs::create_dir_all(&to)?;
    for entry in std::fs::read_dir(&from)? {
        let path = entry?.path();
        let text = std::fs::read_to_string(&path)?
            .replace("http://127.0.0.1:8089", url)
            .replace("../../../target/debug/work-queue", &work_queue.display().to_string());
        std::fs::write(to.join(path.file_name().unwrap_or_default()), text)?;
    }
    Ok(to)
}

/// Runs `windlass local` with JSON lines, passes them on, and gives its summary.
fn told(local: &mut Command) -> Result<Value> {
    let mut child = local.args(["--output", "json"]).stdout(Stdio::piped()).spawn().context("cannot start windlass")?;
    let mut summary = None;
    for line in BufReader::new(child.stdout.take().context("no output")?).lines() {
        let line = line?;
        let value: Value = serde_json::from_str(&line).with_context(|| format!("not JSON: {line}"))?;
        if value["event"] == "summary" {
            summary = Some(value);
        } else {
            println!("{line}");
        }
    }
    let status = child.wait()?;
    if !status.success() {
        bail!("windlass local failed: {status}");
    }
    summary.context("windlass local gave no summary")
}

/// Stops the queue, and checks with its own count that every job was done.
fn finish(queue: &mut Running, summary: Option<Value>) -> Result<()> {
    let id = queue.0.id().to_string();
    tool::run(Command::new("kill").args(["-TERM", &id]))?;
    let mut last = String::new();
    for line in BufReader::new(queue.0.stdout.take().context("the queue has no output")?).lines() {
        last = line?;
    }
    let stats: Value = serde_json::from_str(&last).with_context(|| format!("the queue's last line: {last}"))?;
    let done = stats["done"].as_u64().unwrap_or_default();
    match summary {
        None => tool::say(&format!("{done} of {JOBS} jobs done, and no worker runs any more")),
        Some(summary) => {
            println!(
                "{}",
                serde_json::json!({
                    "jobs": done,
                    "peak_replicas": summary["peak_replicas"],
                    "final_replicas": summary["final_replicas"],
                    "polls": summary["polls"],
                    "seconds": summary["seconds"],
                })
            );
            let replicas = |which: &str| summary[which].as_u64().unwrap_or_default();
            let (peak, last) = (replicas("peak_replicas"), replicas("final_replicas"));
            if peak < 2 || summary["final_replicas"] != 0 {
                bail!("{peak} replicas at most and {last} at the end: it was to be several, and none");
            }
        }
    }
    if done != JOBS {
        bail!("only {done} of {JOBS} jobs were done");
    }
    Ok(())
}
