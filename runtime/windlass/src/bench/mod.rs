//! `windlass bench`: a load test of whatever serves external metrics in a cluster, in a namespace of its own.
//!
//! ```text
//!  preflight ─► namespace ─► ScaledObjects ─► all Ready? ─► reads, while sources count ─► woken ─► report ─► the namespace is deleted
//!                                sources in this process: their value is the time, so that its age is known
//! ```
mod page;
mod report;
mod source;

use crate::args::{Bench, Output};
use crate::signals::interrupted;
use crate::style::FAINT;
use anyhow::{Context, Result, bail, ensure};
use report::{FORM, Report, USUAL, histogram};
use serde_json::{Value, json};
use source::{Manner, Sources};
use std::collections::BTreeMap;
use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use windlass_cluster::load::Field;
use windlass_cluster::{Client, ClientOptions, Metrics};

/// The trigger of the objects: every adapter that takes ScaledObjects has this one.
const TRIGGER: &str = include_str!("trigger.json");
/// Between two looks at the objects.
const LOOK: Duration = Duration::from_millis(500);
/// How long the namespace may take to be empty again.
const CLEANUP: Duration = Duration::from_secs(120);
/// Steps of a histogram.
const STEPS: usize = 40;
/// Exit code of a command that was interrupted.
const INTERRUPTED: u8 = 130;

/// Runs the command.
pub(crate) fn run(options: Bench) -> Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let done = runtime.block_on(bench(options));
    // Reads under way need not end.
    runtime.shutdown_background();
    done
}

async fn bench(options: Bench) -> Result<ExitCode> {
    let other = options.compare.as_deref().map(|file| {
        let text = std::fs::read_to_string(file).with_context(|| format!("--compare {}", file.display()))?;
        let report: Report = serde_json::from_str(&text)
            .with_context(|| format!("--compare {}: no report of this command", file.display()))?;
        ensure!(report.form == FORM, "--compare {}: its form is {}, and {FORM} is read", file.display(), report.form);
        Ok(report)
    });
    let other = other.transpose()?;
    let trigger = match &options.trigger {
        Some(file) => std::fs::read_to_string(file).with_context(|| format!("--trigger {}", file.display()))?,
        None => TRIGGER.to_owned(),
    };
    let namespace = options.namespace.clone().unwrap_or_else(|| format!("windlass-bench-{}", std::process::id()));
    let client =
        ClientOptions { kubeconfig: options.kubeconfig.clone(), qps: 5_000, burst: 10_000, ..ClientOptions::default() };
    let client = Client::connect(&client, Metrics::new(&mut Default::default())).await?;
    let field = Field::new(&client, &namespace);
    preflight(&field, &client, &options).await?;
    let manner = Manner {
        latency: Duration::from_millis(options.latency_ms),
        jitter: Duration::from_millis(options.jitter_ms),
        failures: options.failures,
    };
    let sources = Sources::start(options.sources, options.listen, manner).await;
    let test = Test { sources: sources.context("--listen")?, trigger, field, options };
    let specs = test.specs()?;
    let stop = interrupted()?;
    test.field.make().await.map_err(|error| match error {
        windlass_cluster::Error::Exists => {
            anyhow::anyhow!("the namespace {namespace} exists: name another by --namespace")
        }
        error => error.into(),
    })?;
    let outcome = tokio::select! {
        outcome = test.measure(specs) => Some(outcome),
        () = stop => None,
    };
    test.clean(&namespace).await?;
    let Some(report) = outcome.transpose()? else {
        eprintln!("interrupted");
        return Ok(ExitCode::from(INTERRUPTED));
    };
    if let Some(file) = &test.options.html {
        std::fs::write(file, page::render(&report, other.as_ref()))
            .with_context(|| format!("--html {}", file.display()))?;
    }
    match test.options.output {
        Output::Json => println!("{}", serde_json::to_string(&report)?),
        Output::Text => report.print(other.as_ref()),
    }
    Ok(ExitCode::SUCCESS)
}

/// What would fail later is told now, before anything is made.
async fn preflight(field: &Field, client: &Client, options: &Bench) -> Result<()> {
    let missing = field.missing_rights().await?;
    ensure!(
        missing.is_empty(),
        "not allowed: {}; use a kubeconfig of somebody who may (--kubeconfig)",
        missing.join(", ")
    );
    field.metrics_served().await.context(
        "the external metrics API is not served: install Windlass or another adapter first, and see `kubectl get apiservice \
         v1beta1.external.metrics.k8s.io`",
    )?;
    let host = client.server().map(|(host, _)| host).unwrap_or_default();
    let here = host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    ensure!(
        here || !options.listen.is_loopback() || options.source_host.is_some(),
        "the cluster is not on this machine, and the sources would listen on {}: let them listen where pods reach them \
         (--listen 0.0.0.0), and say by which name (--source-host)",
        options.listen
    );
    Ok(())
}

/// A load test, ready to run.
struct Test {
    options: Bench,
    field: Field,
    sources: Sources,
    trigger: String,
}

/// What readers saw.
#[derive(Default)]
struct Seen {
    /// Milliseconds of reads that had a value.
    times: Vec<f64>,
    /// Ages of values, in seconds.
    ages: Vec<f64>,
    /// Reads that had none, by what was said instead.
    failed: BTreeMap<String, u64>,
}

impl Test {
    /// Names and specs of the objects: asleep whatever their source says, so that no pod is ever started.
    fn specs(&self) -> Result<Vec<(String, Value)>> {
        let host = self.options.source_host.clone().unwrap_or_else(|| match self.options.listen {
            std::net::IpAddr::V6(address) => format!("[{address}]"),
            address => address.to_string(),
        });
        let addresses = &self.sources.addresses;
        let spec = |index: usize| {
            let port = addresses.get(index % addresses.len().max(1)).map_or(0, std::net::SocketAddr::port);
            let trigger = self.trigger.replace("{{url}}", &format!("http://{host}:{port}/{index}"));
            let trigger: Value = serde_json::from_str(&trigger).context("--trigger: no JSON object of a trigger")?;
            let name = format!("bench-{index:05}");
            let spec = json!({
                "scaleTargetRef": { "name": name }, "minReplicaCount": 0, "maxReplicaCount": 1,
                "pollingInterval": self.options.interval_s, "triggers": [trigger],
            });
            Ok((name, spec))
        };
        (0..self.options.objects as usize).map(spec).collect()
    }

    async fn measure(&self, specs: Vec<(String, Value)>) -> Result<Report> {
        let mut report = Report { form: FORM, began: jiff::Timestamp::now().to_string(), ..Report::default() };
        report.work = self.work();
        let metrics = self.creation(specs, &mut report).await?;
        let before = (self.field.stored().await?, self.field.hpa_versions().await?);
        let from = self.sources.now();
        let seen = self.reads(&metrics).await;
        let to = self.sources.now();
        let (stored, hpas) = (self.field.stored().await?, self.field.hpa_versions().await?);
        self.say("");
        reads(&mut report, seen, self.options.duration_s);
        self.requests(&mut report, from, to);
        let objects =
            stored.iter().filter(|(name, now)| before.0.get(*name).is_some_and(|then| then.version != now.version));
        report.figure("ScaledObjects written to meanwhile", objects.count() as f64, "objects");
        let hpas = hpas.iter().filter(|(name, now)| before.1.get(*name).is_some_and(|then| then != *now)).count();
        report.figure("HPAs written to meanwhile, by anybody", hpas as f64, "objects");
        if self.options.wake {
            self.wake(&mut report).await?;
        }
        Ok(report)
    }

    fn work(&self) -> BTreeMap<String, String> {
        let options = &self.options;
        let flag = |name: &str, value: String| (name.to_owned(), value);
        BTreeMap::from([
            flag("objects", options.objects.to_string()),
            flag("sources", options.sources.to_string()),
            flag("latency", format!("{} to {} ms", options.latency_ms, options.latency_ms + options.jitter_ms)),
            flag("failures", format!("{}", options.failures)),
            flag("readers", options.readers.to_string()),
            flag("pollingInterval", format!("{} s", options.interval_s)),
            flag("duration", format!("{} s", options.duration_s)),
        ])
    }

    /// Makes the objects and waits until they are Ready; names and metrics of those that are.
    async fn creation(&self, specs: Vec<(String, Value)>, report: &mut Report) -> Result<Vec<(String, String)>> {
        let (count, started) = (specs.len(), Instant::now());
        let limit = Duration::from_secs(self.options.ready_s);
        let mut curve = vec![[0.0, 0.0]];
        let create = self.field.create(specs);
        tokio::pin!(create);
        let mut created = None;
        loop {
            tokio::select! {
                made = &mut create, if created.is_none() => {
                    made?;
                    created = Some(started.elapsed());
                }
                () = tokio::time::sleep(LOOK) => {}
            }
            let stored = self.field.stored().await?;
            let ready = stored.values().filter(|object| object.ready && object.metric.is_some()).count();
            let elapsed = started.elapsed();
            curve.push([elapsed.as_secs_f64(), ready as f64]);
            self.say(&format!("{ready} of {count} objects are Ready after {:.0} s", elapsed.as_secs_f64()));
            if ready < count && elapsed < limit {
                continue;
            }
            report.figure("creation: until all are made", created.unwrap_or(elapsed).as_secs_f64(), "s");
            report.figure("creation: until all are Ready", elapsed.as_secs_f64(), "s");
            report.figure("objects that are not Ready", (count - ready) as f64, "objects");
            report.series("Objects that are Ready, over time", ["s", "objects"], curve);
            let metrics = stored.iter().filter_map(|(name, object)| Some((name.clone(), object.metric.clone()?)));
            let metrics: Vec<_> = metrics.collect();
            if metrics.is_empty() {
                let why = stored.values().find_map(|object| object.trouble.clone());
                bail!(
                    "no object has a metric: {}",
                    why.unwrap_or_else(|| "no operator takes ScaledObjects here".to_owned())
                );
            }
            return Ok(metrics);
        }
    }

    /// Reads metrics, so many at a time, for the duration.
    async fn reads(&self, metrics: &[(String, String)]) -> Seen {
        let seen = Arc::new(Mutex::new(Seen::default()));
        let end = Instant::now() + Duration::from_secs(self.options.duration_s);
        let reader = |number: usize| {
            let seen = seen.clone();
            async move {
                // Each begins elsewhere, so that all metrics are read.
                let mut all = metrics.iter().cycle().skip(number * metrics.len() / self.options.readers as usize);
                while Instant::now() < end {
                    let Some((object, metric)) = all.next() else { return };
                    let started = Instant::now();
                    let value = self.field.metric(metric, object).await;
                    let took = started.elapsed().as_secs_f64() * 1e3;
                    let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
                    match value {
                        Ok(value) => {
                            seen.times.push(took);
                            seen.ages.push((self.sources.now() - value).max(0.0));
                        }
                        Err(error) => *seen.failed.entry(kind(&error)).or_default() += 1,
                    }
                }
            }
        };
        let progress = async {
            while Instant::now() < end {
                let left = end.saturating_duration_since(Instant::now()).as_secs();
                let reads = seen.lock().unwrap_or_else(PoisonError::into_inner).times.len();
                self.say(&format!("{reads} reads, {left} s left"));
                tokio::time::sleep(LOOK).await;
            }
        };
        tokio::join!(futures::future::join_all((0..self.options.readers as usize).map(reader)), progress);
        std::mem::take(&mut *seen.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// All sources tell of work in the same moment: how long it takes until each object's target is to have a replica.
    async fn wake(&self, report: &mut Report) -> Result<()> {
        let awake = Mutex::new(BTreeMap::<String, f64>::new());
        let (count, limit) = (self.options.objects as usize, Duration::from_secs(self.options.ready_s));
        let lock = || awake.lock().unwrap_or_else(PoisonError::into_inner);
        self.sources.be_busy();
        let started = Instant::now();
        let watch = async {
            loop {
                let told = |name| {
                    lock().entry(name).or_insert(started.elapsed().as_secs_f64());
                };
                self.field.watch_awake(told).await?;
            }
        };
        let all = async {
            while lock().len() < count && started.elapsed() < limit {
                self.say(&format!("{} of {count} objects are awake", lock().len()));
                tokio::time::sleep(LOOK).await;
            }
        };
        tokio::select! {
            ended = watch => return ended,
            () = all => {}
        }
        let mut times: Vec<f64> = std::mem::take(&mut *lock()).into_values().collect();
        times.sort_unstable_by(f64::total_cmp);
        report.quantiles("from work to the first replica", &times, &USUAL, "s");
        report.figure("objects that did not wake", count.saturating_sub(times.len()) as f64, "objects");
        let curve = times.iter().enumerate().map(|(number, time)| [*time, (number + 1) as f64]);
        report.series(
            "Objects that are awake, over time",
            ["s", "objects"],
            std::iter::once([0.0, 0.0]).chain(curve).collect(),
        );
        Ok(())
    }

    /// What sources were asked between two moments.
    fn requests(&self, report: &mut Report, from: f64, to: f64) {
        let all = self.sources.seconds();
        // Whole seconds alone.
        let (first, end) = (from.ceil() as usize, to.floor() as usize);
        let whole = all.iter().skip(first).take(end.saturating_sub(first));
        let steady: Vec<f64> = whole.map(|count| *count as f64).collect();
        let sum: f64 = steady.iter().sum();
        let mean = sum / steady.len().max(1) as f64;
        report.figure("requests to sources", mean, "per second");
        let periods = steady.len() as f64 / f64::from(self.options.interval_s);
        let each = sum / f64::from(self.options.objects) / periods.max(f64::MIN_POSITIVE);
        report.figure("requests per object and pollingInterval", each, "requests");
        let most = steady.iter().copied().fold(0.0, f64::max);
        report.figure("requests to sources, greatest second over mean", most / mean.max(f64::MIN_POSITIVE), "ratio");
        let points = all.iter().enumerate().map(|(second, count)| [second as f64, *count as f64]).collect();
        report.series("Requests to sources, each second", ["s", "requests"], points);
    }

    /// Deletes what was made, unless it is to stay.
    async fn clean(&self, namespace: &str) -> Result<()> {
        if self.options.keep {
            eprintln!("kept: kubectl delete namespace {namespace}");
            return Ok(());
        }
        let by_hand = || format!("what is left: kubectl delete namespace {namespace}");
        let gone = async {
            self.field.delete().await?;
            while !self.field.is_gone().await? {
                self.say("deleting");
                tokio::time::sleep(LOOK).await;
            }
            self.say("");
            anyhow::Ok(())
        };
        let again = interrupted().with_context(by_hand)?;
        tokio::select! {
            done = tokio::time::timeout(CLEANUP, gone) => done.with_context(by_hand)?.with_context(by_hand),
            // A second time: at once.
            () = again => bail!("interrupted while deleting; {}", by_hand()),
        }
    }

    /// Says how far it is, where somebody watches; nothing clears the line.
    fn say(&self, what: &str) {
        let mut err = std::io::stderr();
        if err.is_terminal() {
            let _ = write!(err, "\r\x1b[2K{what}");
            let _ = err.flush();
        } else if what.starts_with("deleting") {
            anstream::eprintln!("{FAINT}{what}{FAINT:#}");
        }
    }
}

/// An error as one of a few words.
fn kind(error: &windlass_cluster::Error) -> String {
    match error {
        windlass_cluster::Error::Status { code, .. } => format!("HTTP {code}"),
        windlass_cluster::Error::NotFound => "HTTP 404".to_owned(),
        windlass_cluster::Error::Timeout(_) => "no answer in time".to_owned(),
        windlass_cluster::Error::Unreadable(_) => "no value".to_owned(),
        _ => "not reached".to_owned(),
    }
}

fn reads(report: &mut Report, seen: Seen, seconds: u64) {
    let Seen { mut times, mut ages, failed } = seen;
    times.sort_unstable_by(f64::total_cmp);
    ages.sort_unstable_by(f64::total_cmp);
    let all = times.len() as u64 + failed.values().sum::<u64>();
    report.figure("reads through the API server", all as f64 / seconds as f64, "per second");
    report.quantiles("reads", &times, &[("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("greatest", 1.0)], "ms");
    report.quantiles("age of values when read", &ages, &USUAL, "s");
    report.figure("reads without a value", failed.values().sum::<u64>() as f64, "reads");
    for (what, count) in &failed {
        report.figure(&format!("reads without a value: {what}"), *count as f64, "reads");
    }
    report.series("Reads by how long they took", ["ms", "reads"], histogram(&times, STEPS));
    report.series("Values by their age when they were read", ["s", "reads"], histogram(&ages, STEPS));
}
