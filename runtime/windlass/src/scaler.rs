//! `windlass scaler`: what a scaler makes of a trigger, and what it reads, outside of any cluster.
use crate::args::{Components, Inspect, Output, Scaler as Command, Try};
use crate::{components, table};
use anyhow::Context;
use prometheus_client::registry::Registry;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use windlass_core::failure::Failure;
use windlass_core::message::{Asked, Batch, BatchId, QueryId};
use windlass_core::port::{Poller, Report, Scalers};
use windlass_core::query::{Endpoint, Problem, QueryPlan, ResolvedTrigger};
use windlass_core::resolve;
use windlass_core::sample::Outcome;
use windlass_core::scaler::{Parameter, Scaler, Secrecy};
use windlass_core::workload::{Aim, Ask, DeclaredTrigger};
use windlass_core::{Material, MetricName, Secret, Text, WorkloadKey};
use windlass_host::Host;
use windlass_pipeline::Clock;

/// A trigger as in a ScaledObject, and beside it what a cluster would add.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct TriggerFile {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    name: Option<String>,
    metadata: BTreeMap<String, String>,
    #[serde(default)]
    metric_type: Option<MetricType>,
    #[serde(default)]
    use_cached_metrics: bool,
    /// What a TriggerAuthentication would give.
    #[serde(default)]
    auth_params: BTreeMap<String, String>,
    /// The target container's environment.
    #[serde(default)]
    env: BTreeMap<String, String>,
    /// The trigger's index in its object: the number in the metric's name.
    #[serde(default)]
    index: u16,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
enum MetricType {
    #[default]
    AverageValue,
    Value,
}

/// What `configure` prints as JSON.
#[derive(Debug, Serialize)]
struct Configured {
    ok: bool,
    metrics: Vec<ToldMetric>,
    endpoints: Vec<ToldEndpoint>,
    problems: Vec<ToldProblem>,
}

#[derive(Debug, Serialize)]
struct ToldMetric {
    name: String,
    target: f64,
    target_type: MetricType,
    activation: f64,
}

#[derive(Debug, Serialize)]
struct ToldEndpoint {
    host: String,
    port: u16,
    tls: bool,
    parameter: Option<String>,
}

#[derive(Debug, Serialize)]
struct ToldProblem {
    parameter: Option<String>,
    message: String,
}

/// What `poll` prints as JSON.
#[derive(Debug, Serialize)]
struct Polled {
    ok: bool,
    metrics: Vec<ToldValue>,
    active: Option<bool>,
    failure: Option<ToldFailure>,
    problems: Vec<ToldProblem>,
    milliseconds: u64,
}

#[derive(Debug, Serialize)]
struct ToldValue {
    name: String,
    value: f64,
    target: f64,
}

#[derive(Debug, Serialize)]
struct ToldFailure {
    kind: &'static str,
    message: String,
}

/// Runs the command.
pub(crate) fn run(command: Command) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        match command {
            Command::Inspect(inspect) => inspect_component(inspect).await,
            Command::Configure(attempt) => configure(attempt).await,
            Command::Poll(attempt) => poll(attempt).await,
        }
    })
}

/// A host with the component that serves the trigger's type.
async fn host_for(components: &Components, file: Option<&Path>) -> anyhow::Result<Arc<Host>> {
    let clock = Clock::start();
    let host = Arc::new(components::host(components, components::Reach::Local, clock, &mut Registry::default())?);
    match file {
        Some(file) => {
            host.load_file(file).await.with_context(|| file.display().to_string())?;
        }
        None => components::load(&host, components).await?,
    }
    Ok(host)
}

/// A trigger, read and made into a question; or the problems that stand in its way.
struct Attempt {
    host: Arc<Host>,
    file: TriggerFile,
    scaler: Arc<Scaler>,
    made: Result<(ResolvedTrigger, QueryPlan), Vec<Problem>>,
}

async fn attempt(options: &Try) -> anyhow::Result<Attempt> {
    let path = &options.trigger;
    let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
    let file: TriggerFile =
        serde_saphyr::from_str(&text).with_context(|| format!("{}: not a trigger", path.display()))?;
    let host = host_for(&options.components, options.component.as_deref()).await?;
    let scaler = host.find(&file.kind)?;
    let domain: Text = "default".into();
    let declared = DeclaredTrigger {
        index: file.index,
        kind: file.kind.as_str().into(),
        name: file.name.as_deref().map(Text::from),
        ask: Ask::External {
            metadata: texts(&file.metadata, |text| Text::from(text)),
            aim: match file.metric_type.unwrap_or_default() {
                MetricType::AverageValue => Aim::Average,
                MetricType::Value => Aim::Value,
            },
            cached: file.use_cached_metrics,
        },
        authentication: None,
    };
    let material = Material {
        environment: Arc::new(texts(&file.env, |text| Secret::new(text))),
        authentication: texts(&file.auth_params, |text| Secret::new(text)),
        identity: None,
        fault: None,
    };
    let owner = WorkloadKey::scaled_object("default", "trigger");
    let made = match resolve::resolve(&scaler, &declared, &domain, &material, &owner) {
        Err(problems) => Err(problems),
        Ok(resolved) => {
            let answers = host.configure(scaler.digest, vec![resolved.clone()]).await?;
            let plan = answers.into_iter().next().context("the component gave no answer")?;
            plan.map(|plan| (resolved, plan))
        }
    };
    Ok(Attempt { host, file, scaler, made })
}

async fn configure(options: Try) -> anyhow::Result<ExitCode> {
    let attempt = attempt(&options).await?;
    let told = match &attempt.made {
        Ok((_, plan)) => Configured {
            ok: true,
            metrics: metrics(&attempt.file, plan),
            endpoints: plan.endpoints.iter().map(endpoint).collect(),
            problems: Vec::new(),
        },
        Err(found) => Configured { ok: false, metrics: Vec::new(), endpoints: Vec::new(), problems: problems(found) },
    };
    match options.output {
        Output::Json => println!("{}", serde_json::to_string(&told)?),
        Output::Text => {
            print_problems(&told.problems);
            let rows = told.metrics.iter().map(|m| {
                vec![m.name.clone(), m.target.to_string(), format!("{:?}", m.target_type), m.activation.to_string()]
            });
            table::print(&["METRIC", "TARGET", "TYPE", "ACTIVATION"], rows);
            let rows = told
                .endpoints
                .iter()
                .map(|e| vec![format!("{}:{}", e.host, e.port), yes(e.tls), e.parameter.clone().unwrap_or_default()]);
            table::print(&["ENDPOINT", "TLS", "FROM"], rows);
        }
    }
    Ok(exit(told.ok))
}

async fn poll(options: Try) -> anyhow::Result<ExitCode> {
    let Attempt { host, file, scaler, made } = attempt(&options).await?;
    let started = Instant::now();
    let told = match made {
        Err(found) => Polled {
            ok: false,
            metrics: Vec::new(),
            active: None,
            failure: None,
            problems: problems(&found),
            milliseconds: 0,
        },
        Ok((resolved, plan)) => {
            let planned = metrics(&file, &plan);
            let outcome = ask(&host, &scaler, resolved, plan, Duration::from_secs(options.timeout_s)).await?;
            told_outcome(outcome, planned, u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX))
        }
    };
    match options.output {
        Output::Json => println!("{}", serde_json::to_string(&told)?),
        Output::Text => {
            print_problems(&told.problems);
            if let Some(failure) = &told.failure {
                println!("failed: {}: {}", failure.kind, failure.message);
            }
            let rows = told.metrics.iter().map(|m| vec![m.name.clone(), m.value.to_string(), m.target.to_string()]);
            table::print(&["METRIC", "VALUE", "TARGET"], rows);
            if let Some(active) = told.active {
                println!("active: {}, {} ms", yes(active), told.milliseconds);
            }
        }
    }
    Ok(exit(told.ok))
}

/// Keeps the one outcome of a one-query batch.
#[derive(Default)]
struct Kept(Mutex<Option<Outcome>>);

impl Report for Kept {
    fn outcome(&self, _: BatchId, _: QueryId, outcome: Outcome) {
        if let Ok(mut kept) = self.0.lock() {
            kept.get_or_insert(outcome);
        }
    }

    /// Nothing comes after it: without an outcome this is the one.
    fn broke(&self, batch: BatchId, why: Failure) {
        self.outcome(batch, QueryId { index: 0, generation: 0 }, Outcome::Failed(why));
    }
}

async fn ask(
    host: &Host,
    scaler: &Scaler,
    resolved: ResolvedTrigger,
    plan: QueryPlan,
    budget: Duration,
) -> anyhow::Result<Outcome> {
    let key = components::process_key()?;
    let question = Arc::new(resolve::question(&key, scaler, resolved, plan));
    let batch = Batch {
        id: BatchId(1),
        component: scaler.digest,
        domain: question.trigger.domain.clone(),
        queries: vec![Asked { id: QueryId { index: 0, generation: 0 }, question, state: Arc::from([]) }],
        now: Clock::start().now().wall,
        budget,
    };
    let kept = Arc::new(Kept::default());
    tokio::time::timeout(budget + Duration::from_secs(1), host.poll(batch, kept.clone()))
        .await
        .context("the component overran its time")?;
    let outcome = kept.0.lock().ok().and_then(|mut kept| kept.take());
    outcome.context("the component ended without an outcome; see the log lines above")
}

fn told_outcome(outcome: Outcome, planned: Vec<ToldMetric>, milliseconds: u64) -> Polled {
    let mut told =
        Polled { ok: false, metrics: Vec::new(), active: None, failure: None, problems: Vec::new(), milliseconds };
    match outcome {
        Outcome::Ready(sample, _) => {
            told.ok = true;
            told.active = Some(sample.active.unwrap_or_else(|| {
                sample.values.iter().zip(&planned).any(|(value, metric)| value.as_f64() > metric.activation)
            }));
            told.metrics = sample
                .values
                .iter()
                .zip(planned)
                .map(|(value, metric)| ToldValue { name: metric.name, value: value.as_f64(), target: metric.target })
                .collect();
        }
        Outcome::Failed(failure) => {
            told.failure = Some(ToldFailure { kind: failure.kind.as_label(), message: failure.message.to_string() });
        }
        Outcome::Pending { retry, .. } => {
            told.failure = Some(ToldFailure {
                kind: "pending",
                message: format!("the source has begun; ask again in {} ms", retry.as_millis()),
            });
        }
    }
    told
}

async fn inspect_component(options: Inspect) -> anyhow::Result<ExitCode> {
    let file = Path::new(&options.component);
    let host = host_for(&options.components, file.is_file().then_some(file)).await?;
    let scaler = if file.is_file() {
        host.scalers().into_iter().next().context("no component was loaded")?
    } else {
        host.find(&options.component)?
    };
    match options.output {
        Output::Json => println!("{}", serde_json::to_string(&description(&scaler))?),
        Output::Text => {
            println!("{} {}  {}", scaler.name, scaler.version, scaler.digest);
            println!("trigger types: {}", scaler.triggers.join(", "));
            let rows = scaler.parameters.iter().map(|p| {
                vec![
                    p.name.to_string(),
                    format!("{:?}", p.shape).to_lowercase(),
                    yes(p.required),
                    p.initial.as_deref().unwrap_or_default().to_owned(),
                    origin(p).join(", "),
                    p.doc.lines().next().unwrap_or_default().to_owned(),
                ]
            });
            table::print(&["PARAMETER", "SHAPE", "REQUIRED", "DEFAULT", "FROM", ""], rows);
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// A component's description as JSON: what documentation and schemas are generated from.
fn description(scaler: &Scaler) -> serde_json::Value {
    let parameters: Vec<_> = scaler
        .parameters
        .iter()
        .map(|p| {
            serde_json::json!({
                "name": &*p.name,
                "aliases": p.aliases.iter().map(|a| &**a).collect::<Vec<_>>(),
                "shape": format!("{:?}", p.shape).to_lowercase(),
                "required": p.required,
                "default": p.initial.as_deref(),
                "choices": p.choices.iter().map(|c| &**c).collect::<Vec<_>>(),
                "secrecy": match p.secrecy {
                    Secrecy::Open => "open",
                    Secrecy::Sealed => "sealed",
                    Secrecy::Revealed => "revealed",
                },
                "from": origin(p),
                "deprecated": p.deprecated.as_deref(),
                "doc": &*p.doc,
            })
        })
        .collect();
    serde_json::json!({
        "name": &*scaler.name,
        "version": &*scaler.version,
        "digest": scaler.digest.to_string(),
        "triggers": scaler.triggers.iter().map(|t| &**t).collect::<Vec<_>>(),
        "openEnded": scaler.open_ended,
        "needs": scaler.needs.iter().map(|n| &**n).collect::<Vec<_>>(),
        "parameters": parameters,
    })
}

fn origin(parameter: &Parameter) -> Vec<&'static str> {
    let origin = parameter.origin;
    [(origin.metadata, "metadata"), (origin.environment, "environment"), (origin.authentication, "authentication")]
        .into_iter()
        .filter_map(|(may, word)| may.then_some(word))
        .collect()
}

fn metrics(file: &TriggerFile, plan: &QueryPlan) -> Vec<ToldMetric> {
    plan.metrics
        .iter()
        .flatten()
        .map(|metric| ToldMetric {
            name: MetricName::new(file.index, &metric.name).to_string(),
            target: metric.target,
            target_type: file.metric_type.unwrap_or_default(),
            activation: metric.activation,
        })
        .collect()
}

fn endpoint(endpoint: &Endpoint) -> ToldEndpoint {
    ToldEndpoint {
        host: endpoint.host.to_string(),
        port: endpoint.port,
        tls: endpoint.tls.as_ref().is_some_and(|tls| !tls.upgrade),
        parameter: endpoint.parameter.as_deref().map(str::to_owned),
    }
}

fn problems(found: &[Problem]) -> Vec<ToldProblem> {
    found
        .iter()
        .map(|problem| ToldProblem {
            parameter: problem.parameter.as_deref().map(str::to_owned),
            message: problem.message.to_string(),
        })
        .collect()
}

fn print_problems(problems: &[ToldProblem]) {
    for problem in problems {
        match &problem.parameter {
            Some(parameter) => println!("problem: {parameter}: {}", problem.message),
            None => println!("problem: {}", problem.message),
        }
    }
}

fn texts<T>(map: &BTreeMap<String, String>, make: impl Fn(&str) -> T) -> BTreeMap<Text, T> {
    map.iter().map(|(name, value)| (Text::from(name.as_str()), make(value))).collect()
}

fn yes(value: bool) -> String {
    if value { "yes" } else { "no" }.to_owned()
}

/// 0: fine; 1: the trigger or its source is not.
fn exit(ok: bool) -> ExitCode {
    if ok { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
