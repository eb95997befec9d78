//! `windlass scaler configure`: metric names, targets and endpoints that a scaler makes of a trigger, or what is wrong with it.
use super::exit::{Exit, Stop};
use super::problem::{self, ToldProblem};
use super::trigger::{Attempt, MetricType, TriggerFile, attempt};
use super::yes;
use crate::args::{Output, Try};
use crate::table;
use anyhow::Context;
use serde::Serialize;
use windlass_core::MetricName;
use windlass_core::query::{Endpoint, MetricSpec, QueryPlan};

/// What `configure` prints as JSON.
#[derive(Debug, Serialize)]
struct Configured {
    ok: bool,
    metrics: Vec<ToldMetric>,
    endpoints: Vec<ToldEndpoint>,
    problems: Vec<ToldProblem>,
}

#[derive(Debug, Serialize)]
pub(super) struct ToldMetric {
    pub(super) name: String,
    pub(super) target: f64,
    pub(super) target_type: MetricType,
    pub(super) activation: f64,
}

#[derive(Debug, Serialize)]
struct ToldEndpoint {
    host: String,
    port: u16,
    tls: bool,
    parameter: Option<String>,
}

pub(super) async fn run(options: Try) -> Result<Exit, Stop> {
    let Attempt { file, made, .. } = attempt(&options).await?;
    let told = match &made {
        Ok((_, plan)) => Configured {
            ok: true,
            metrics: metrics(&file, plan),
            endpoints: plan.endpoints.iter().map(endpoint).collect(),
            problems: Vec::new(),
        },
        Err(found) => {
            Configured { ok: false, metrics: Vec::new(), endpoints: Vec::new(), problems: problem::told(found) }
        }
    };
    match options.output {
        Output::Json => println!("{}", serde_json::to_string(&told).context("JSON")?),
        Output::Text => {
            problem::print(&told.problems);
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
    Ok(if told.ok { Exit::Fine } else { Exit::Wrong })
}

/// The metrics of a plan; none where the first reading tells them.
pub(super) fn metrics(file: &TriggerFile, plan: &QueryPlan) -> Vec<ToldMetric> {
    told_metrics(file, plan.metrics.as_deref().unwrap_or_default())
}

/// Metrics under the names that the HPA knows them by.
pub(super) fn told_metrics(file: &TriggerFile, metrics: &[MetricSpec]) -> Vec<ToldMetric> {
    metrics
        .iter()
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
