//! `windlass why`: the last decision on an object with its inputs, and the limit that bites.
//!
//! ```text
//!  operator: the core's view and who reads the board ─► explanation (JSON, behind the external metrics API) ─┐
//!  API server: the object's HPA ────────────────────────────────────────────────────────────────────────────┼─► limits ─► text, JSON
//! ```
mod explanation;
mod limit;

use crate::args::{Output, Why};
use crate::style::{BAD, FAINT, GOOD, ODD, STRONG};
use crate::table;
use anyhow::{Context, bail};
use bytes::Bytes;
use explanation::{Explanation, Metric, Scaling, Trigger};
use limit::{Limit, limits, seconds};
use serde::Serialize;
use std::process::ExitCode;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use windlass_cluster::survey::{Autoscaler, autoscaler, connect, explanation};
use windlass_core::port::BoxFuture;
use windlass_core::{Board, WorkloadKey};
use windlass_pipeline::{Clock, Watcher};
use windlass_serve::Explain;

/// How long the core may take to tell.
const PATIENCE: Duration = Duration::from_secs(2);

/// The operator's end: asks the core.
pub(crate) struct Explainer {
    board: Arc<Board>,
    clock: Clock,
    core: OnceLock<Watcher>,
}

impl Explainer {
    pub(crate) fn new(board: Arc<Board>, clock: Clock) -> Explainer {
        Explainer { board, clock, core: OnceLock::new() }
    }

    /// From now on this core is asked.
    pub(crate) fn ask(&self, core: Watcher) {
        let _ = self.core.set(core);
    }
}

impl Explain for Explainer {
    fn explain(&self, namespace: &str, object: &str) -> BoxFuture<'static, Result<Option<Bytes>, &'static str>> {
        let (core, board, clock) = (self.core.get().cloned(), self.board.clone(), self.clock);
        let key = WorkloadKey::scaled_object(namespace, object);
        Box::pin(async move {
            let core = core.ok_or("the operator has only just begun")?;
            let view = tokio::time::timeout(PATIENCE, core.view(key)).await;
            let Some(view) = view.map_err(|_| "the operator is too busy to say")? else { return Ok(None) };
            let told = serde_json::to_vec(&Explanation::of(&view, &board, clock.now()));
            Ok(Some(told.map_err(|_| "its explanation cannot be written")?.into()))
        })
    }
}

/// What is printed as JSON.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer<'a> {
    #[serde(flatten)]
    explanation: &'a Explanation,
    hpa: Option<&'a Autoscaler>,
    limits: &'a [Limit],
}

pub(crate) fn run(options: Why) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("the runtime")?;
    runtime.block_on(tell(options))
}

async fn tell(options: Why) -> anyhow::Result<ExitCode> {
    let (namespace, name) = match options.object.split_once('/') {
        Some((namespace, name)) => (namespace, name),
        None => (options.namespace.as_deref().unwrap_or("default"), &*options.object),
    };
    if namespace.is_empty() || name.is_empty() || name.contains('/') {
        bail!("{}: write NAMESPACE/NAME of a ScaledObject", options.object);
    }
    let client = connect(options.kubeconfig.clone()).await?;
    let text = explanation(&client, namespace, name).await.with_context(|| {
        format!("ScaledObject {namespace}/{name}: the operator behind the external metrics API did not explain it")
    })?;
    let Some(text) = text else {
        bail!(
            "no ScaledObject {namespace}/{name} is served here: is it the name of one (`kubectl get scaledobjects`), and Windlass \
             what is behind the external metrics API (`kubectl get apiservice v1beta1.external.metrics.k8s.io`)?"
        );
    };
    let explanation: Explanation = serde_json::from_str(&text)
        .context("the answer is none of a Windlass operator: another adapter serves the external metrics API")?;
    let hpa = match explanation.engine {
        Scaling::Hpa => autoscaler(&client, namespace, name).await.context("its HorizontalPodAutoscaler")?,
        Scaling::Direct => None,
    };
    let limits = limits(&explanation, hpa.as_ref());
    match options.output {
        Output::Json => {
            println!(
                "{}",
                serde_json::to_string(&Answer { explanation: &explanation, hpa: hpa.as_ref(), limits: &limits })?
            );
        }
        Output::Text => print(&explanation, hpa.as_ref(), &limits),
    }
    Ok(ExitCode::SUCCESS)
}

fn print(object: &Explanation, hpa: Option<&Autoscaler>, limits: &[Limit]) {
    let told = |number: Option<u32>| number.map_or_else(|| "?".to_owned(), |number| number.to_string());
    let bounds = match object.idle {
        Some(idle) => format!("{} to {}, {idle} when idle", object.min, object.max),
        None => format!("{} to {}", object.min, object.max),
    };
    anstream::println!(
        "{STRONG}{}/{}{STRONG:#} → {}: {} replicas, {} ready ({bounds})",
        object.namespace,
        object.name,
        object.target,
        told(object.replicas),
        told(object.ready_replicas)
    );
    let [ready, reason, _] = &object.ready;
    let style = if ready == "True" { GOOD } else { BAD };
    anstream::println!("Ready {style}{ready}{style:#} {reason}");
    let activity = object.activity.as_deref().unwrap_or("nothing was decided yet");
    let because = object.because.as_deref().filter(|because| *because != activity);
    anstream::println!("Decision: {activity}{}", because.map(|because| format!(", {because}")).unwrap_or_default());
    match (object.engine, hpa) {
        (Scaling::Direct, _) => println!("Engine: direct, by Windlass itself"),
        (Scaling::Hpa, Some(hpa)) => {
            let desired = hpa.desired.map_or_else(|| "none yet".to_owned(), |desired| desired.to_string());
            println!("Engine: HPA {}, which wants {desired}", hpa.name);
        }
        (Scaling::Hpa, None) => println!("Engine: HPA, which is not there"),
    }
    println!();
    let head = ["TRIGGER", "METRIC", "VALUE", "TARGET", "STATE", "AGE", "NEXT POLL", "READ BY THE HPA"];
    let rows = object.triggers.iter().flat_map(|trigger| match trigger.metrics.as_slice() {
        [] => vec![row(trigger, &Metric { name: "-".to_owned(), target: "-".to_owned(), ..Metric::default() })],
        metrics => metrics.iter().map(|metric| row(trigger, metric)).collect(),
    });
    table::print(&head, rows);
    println!();
    if limits.is_empty() {
        anstream::println!("{GOOD}Nothing holds its replicas back.{GOOD:#}");
    }
    for limit in limits {
        anstream::println!("{ODD}{}{ODD:#}: {}", limit.limit, limit.says);
        if let Some(remedy) = &limit.remedy {
            anstream::println!("  {FAINT}→ {remedy}{FAINT:#}");
        }
    }
}

fn row(trigger: &Trigger, metric: &Metric) -> Vec<String> {
    let time = |ms: Option<u64>| ms.map_or_else(|| "-".to_owned(), seconds);
    let state = match (trigger.trouble.is_some(), metric.active) {
        (true, _) => "failing",
        (false, Some(true)) => "active",
        (false, Some(false)) => "inactive",
        (false, None) => "-",
    };
    let read = match (metric.read_ms, metric.read_gap_ms) {
        (Some(ago), Some(gap)) => format!("{} ago, {} before", seconds(ago), seconds(gap)),
        (ago, _) => ago.map_or_else(|| "-".to_owned(), |ago| format!("{} ago", seconds(ago))),
    };
    vec![
        format!("{} {}", trigger.index, trigger.kind),
        metric.name.clone(),
        metric.value.clone().unwrap_or_else(|| "-".to_owned()),
        format!("{}{}", metric.target, if metric.average { " a replica" } else { "" }),
        state.to_owned(),
        time(trigger.age_ms),
        time(trigger.next_poll_ms),
        read,
    ]
}
