//! What a scaler costs in each language: the templates of `windlass scaler new`, which are the same scaler.
mod native;

use crate::figure::{Report, Times};
use crate::guest::{Parts, ask, host, queries};
use crate::usage;
use anyhow::{Context, Result, ensure};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};
use windlass_core::Text;
use windlass_core::scaler::Scaler;
use windlass_e2e::{Folder, Registry, RegistryAccess, scaler, target};
use windlass_host::{Budget, Host};
use windlass_testkit::{Mood, ScriptedHttp};

const LANGUAGES: [&str; 5] = ["rust", "c", "js", "go", "python"];
/// Queries of a batch, and how often one is asked.
const BATCHES: [(usize, usize); 3] = [(1, 100), (50, 30), (1_000, 5)];
/// Loads of a component.
const LOADS: usize = 3;
/// Instances that wait for a source at the same time.
const INSTANCES: u32 = 16;
/// The document that each query reads, of about 1 KB.
const DOCUMENT: &str = include_str!("document.json");
/// Where the number is.
const LOCATION: &str = "queues.11.length";

/// Options of the benchmark.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// Only these languages, separated by commas
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
}

/// Measures each language.
///
/// # Errors
/// When a component is missing, or one does not answer.
pub async fn run(options: &Options, report: Report) -> Result<()> {
    let source = ScriptedHttp::start().await?;
    source.set_body(DOCUMENT);
    let natively = native::per_query_us(DOCUMENT, LOCATION)?;
    report.figure("native, per query", natively, "us", "the Rust template's own reading of the same answers, 1 KB");
    for language in LANGUAGES {
        if options.only.is_empty() || options.only.iter().any(|only| only == language) {
            one(language, &source, natively, report).await.with_context(|| language.to_owned())?;
        }
    }
    Ok(())
}

async fn one(language: &str, source: &ScriptedHttp, natively: f64, report: Report) -> Result<()> {
    report.say(language);
    let file = target().join(format!("languages/{language}-1.wasm"));
    ensure!(file.is_file(), "{} is missing: run `cargo xtask test --only languages`", file.display());
    let figure = |name: &str, value: f64, unit: &str, work: &str| {
        report.figure(&format!("{language}: {name}"), value, unit, work);
    };
    figure("component", std::fs::metadata(&file)?.len() as f64 / 1e6, "MB", "as its template builds it");
    let built = build(language)?;
    figure("build", built.as_secs_f64(), "s", "`windlass scaler build` after a change");
    let pulled = pull(language, &file).await?;
    figure("pull", pulled, "ms", "`windlass scaler pull --key` from a registry on this machine, its signature checked");
    let [cold, cached] = loads(&file).await?;
    figure("load, cold", pulled + cold, "ms", "pulled, verified, checked, compiled in a child under limits, described");
    figure("load, compiled", cold, "ms", "checked, compiled in a child under limits, described");
    figure("load, cached", cached, "ms", "the same from the cache");

    // Without a limit of its own, the source's budget would be what is measured.
    let budget = Budget { rate: 1e6, burst: 1_000_000, in_flight: 64, ..Budget::default() };
    let host = host(Parts { instances: INSTANCES, budget: Some(budget), ..Parts::default() })?;
    let scaler = host.load_file(&file).await?;
    for (size, rounds) in BATCHES {
        let (cpu, wall) = batch(&host, &scaler, source, size, rounds).await?;
        let work = format!("a batch of {size}, fresh instance, {rounds} rounds");
        figure(&format!("guest CPU per query, batch of {size}"), cpu, "us", &work);
        figure(&format!("guest CPU over native, batch of {size}"), cpu / natively, "ratio", &work);
        figure(&format!("time per query, batch of {size}"), wall, "us", &work);
    }
    let memory = memory(&host, &scaler, source).await?;
    figure("memory per instance", memory, "MiB", "resident, of 16 that wait for their source");
    Ok(())
}

/// A query each of its own place, so that none is answered by another's answer.
fn metadata(source: &ScriptedHttp, number: usize) -> BTreeMap<Text, Text> {
    let url = format!("{}/{number}", source.url());
    BTreeMap::from([(Text::from("url"), url.into()), (Text::from("valueLocation"), LOCATION.into())])
}

/// Guest CPU and time per query, in microseconds.
async fn batch(host: &Host, scaler: &Scaler, source: &ScriptedHttp, size: usize, rounds: usize) -> Result<(f64, f64)> {
    let (mut cpu, mut wall) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        // Other queries each time: answers are shared for a second.
        let asked = queries(host, scaler, (0..size).map(|number| metadata(source, round * size + number))).await?;
        let (before, started) = (host.spent(), Instant::now());
        let answered = ask(host, scaler, &asked, Duration::from_secs(20)).await;
        wall.push(started.elapsed());
        cpu.push(host.spent().since(before).guest_cpu);
        ensure!(answered == size, "{answered} of {size} queries were answered");
    }
    let each = |times: Vec<Duration>| times.into_iter().collect::<Times>().quantile_ms(0.5) * 1e3 / size as f64;
    Ok((each(cpu), each(wall)))
}

/// Milliseconds of a pull that checks a signature, the command's own start included.
async fn pull(language: &str, file: &Path) -> Result<f64> {
    let registry = Registry::start(RegistryAccess::Open).await?;
    let (folder, reference) = (registry.folder(), registry.reference(&format!("bench/{language}:1")));
    let run = |arguments: &[&str]| {
        let started = Instant::now();
        let ran = scaler(folder, None, arguments)?;
        ensure!(ran.ok, "{}", ran.text);
        anyhow::Ok(started.elapsed())
    };
    run(&["push", &file.display().to_string(), &reference, "--output=json"])?;
    run(&["keygen", "bench"])?;
    run(&["sign", &reference, "--key", "bench.key", "--output=json"])?;
    let pulls = (0..LOADS).map(|_| run(&["pull", &reference, "--key", "bench.pub", "--output=json"]));
    Ok(pulls.collect::<Result<Times>>()?.quantile_ms(0.5))
}

/// Milliseconds of a load that compiles, and of one that does not.
async fn loads(file: &Path) -> Result<[f64; 2]> {
    let folder = Folder::for_run("bench-languages")?;
    let program = || Some(target().join("debug/windlass"));
    let load = async |cache: Option<&Path>| -> Result<Duration> {
        let host = host(Parts { compiler: program(), cache, ..Parts::default() })?;
        let started = Instant::now();
        host.load_file(file).await?;
        Ok(started.elapsed())
    };
    load(Some(folder.path())).await?;
    let (mut cold, mut cached) = (Vec::new(), Vec::new());
    for _ in 0..LOADS {
        cold.push(load(None).await?);
        cached.push(load(Some(folder.path())).await?);
    }
    Ok([cold, cached].map(|times| Times::from_iter(times).quantile_ms(0.5)))
}

/// MiB that an instance holds while it waits.
async fn memory(host: &Host, scaler: &Scaler, source: &ScriptedHttp) -> Result<f64> {
    let process = std::process::id();
    let mut asked = Vec::new();
    for number in 0..INSTANCES as usize {
        asked.push(queries(host, scaler, [metadata(source, 1_000_000 + number)]).await?);
    }
    let before = usage::memory(process)?.all_mib;
    source.set_mood(Mood::Hanging);
    let waiting = asked.iter().map(|queries| ask(host, scaler, queries, Duration::from_secs(4)));
    let look = async {
        tokio::time::sleep(Duration::from_secs(3)).await;
        usage::memory(process)
    };
    let (_, during) = tokio::join!(futures::future::join_all(waiting), look);
    source.set_mood(Mood::Willing);
    Ok((during?.all_mib - before) / f64::from(INSTANCES))
}

/// How long a project's build takes after a change.
fn build(language: &str) -> Result<Duration> {
    let folder = target().join("languages");
    let project = folder.join(format!("{language}-queue"));
    let name = format!("{}_queue", language.replace('-', "_"));
    let source = ["src/lib.rs", "main.go", "src/scaler.js", "scaler.py", &format!("src/{name}.c")]
        .map(|file| project.join(file))
        .into_iter()
        .find(|file| file.is_file())
        .context("its project is missing: run `cargo xtask test --only languages`")?;
    let text = std::fs::read_to_string(&source)?;
    // Another text, so that no cache knows it.
    let comment = if language == "python" { "#" } else { "//" };
    std::fs::write(&source, format!("{text}{comment} {}\n", std::process::id()))?;
    let mut path: Vec<PathBuf> = Vec::new();
    for entry in std::fs::read_dir(&folder)? {
        let entry = entry?.path();
        path.extend([entry.join("node_modules/.bin"), entry.join("bin")].into_iter().filter(|folder| folder.is_dir()));
    }
    path.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()));
    let mut command = Command::new(target().join("debug/windlass"));
    command.args(["scaler", "build"]).arg(&project).env("PATH", std::env::join_paths(path)?);
    command.env("CARGO_TARGET_DIR", folder.join("rust-target"));
    let started = Instant::now();
    let output = command.output()?;
    let took = started.elapsed();
    std::fs::write(&source, text)?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(took)
}
