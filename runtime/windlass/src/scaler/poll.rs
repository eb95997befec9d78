//! `windlass scaler poll`: what a source answers right now, and what asking costs.
mod asking;
mod watch;

use super::exit::{Exit, Stop};
use super::problem::{self, ToldProblem};
use super::trigger::{Attempt, attempt};
use crate::args::{Output, Poll};
use crate::style::{BAD, FAINT, GOOD, bytes, count};
use crate::table;
use anyhow::Context;
use asking::Asking;
use serde::Serialize;
use std::time::Duration;
use windlass_host::Spent;

/// What `poll` prints as JSON: one object, or one a line with `--watch`.
#[derive(Debug, Default, Serialize)]
struct Polled {
    ok: bool,
    metrics: Vec<ToldValue>,
    active: Option<bool>,
    failure: Option<ToldFailure>,
    problems: Vec<ToldProblem>,
    /// Wall time of the poll alone: loading the component and `configure` are not in it.
    milliseconds: u64,
    spent: ToldSpent,
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

/// What a poll cost.
#[derive(Debug, Default, Serialize)]
struct ToldSpent {
    requests: u64,
    connections: u64,
    sent_bytes: u64,
    received_bytes: u64,
    guest_cpu_us: u64,
}

impl From<Spent> for ToldSpent {
    fn from(spent: Spent) -> ToldSpent {
        ToldSpent {
            requests: spent.requests,
            connections: spent.connections,
            sent_bytes: spent.sent_bytes,
            received_bytes: spent.received_bytes,
            guest_cpu_us: u64::try_from(spent.guest_cpu.as_micros()).unwrap_or(u64::MAX),
        }
    }
}

/// Runs the command.
pub(super) async fn run(mut options: Poll) -> Result<Exit, Stop> {
    // Every poll asks anew, however soon it follows another.
    options.attempt.components.sources.source_share_ms = 0;
    let output = options.attempt.output;
    let Attempt { host, file, scaler, made } = attempt(&options.attempt).await?;
    let (resolved, plan) = match made {
        Ok(made) => made,
        Err(found) => {
            let told = Polled { problems: problem::told(&found), ..Polled::default() };
            print(&told, output)?;
            return Ok(Exit::Wrong);
        }
    };
    let timeout = Duration::from_secs(options.timeout_s);
    let mut asking = Asking::new(host, &scaler, &file, resolved, plan, timeout)?;
    if options.watch {
        return watch::run(&mut asking, options.every, output).await;
    }
    let told = asking.ask().await;
    print(&told, output)?;
    Ok(if told.ok { Exit::Fine } else { Exit::Wrong })
}

fn print(told: &Polled, output: Output) -> Result<(), Stop> {
    if output == Output::Json {
        println!("{}", serde_json::to_string(told).context("JSON")?);
        return Ok(());
    }
    problem::print(&told.problems);
    if !told.problems.is_empty() {
        return Ok(());
    }
    if let Some(failure) = &told.failure {
        anstream::println!("{BAD}failed{BAD:#}: {}: {}", failure.kind, failure.message);
    }
    let rows = told.metrics.iter().map(|m| vec![m.name.clone(), m.value.to_string(), m.target.to_string()]);
    table::print(&["METRIC", "VALUE", "TARGET"], rows);
    match told.active {
        Some(true) => anstream::println!("active: {GOOD}yes{GOOD:#}"),
        Some(false) => println!("active: no"),
        None => {}
    }
    anstream::println!("{FAINT}{} ms, {}{FAINT:#}", told.milliseconds, cost(&told.spent));
    Ok(())
}

/// What a poll cost, in words.
fn cost(spent: &ToldSpent) -> String {
    let cpu_us = spent.guest_cpu_us;
    format!(
        "{}, {}, {} sent, {} received, {}.{} ms guest CPU",
        count(spent.requests, "request"),
        count(spent.connections, "connection"),
        bytes(spent.sent_bytes),
        bytes(spent.received_bytes),
        cpu_us / 1_000,
        cpu_us % 1_000 / 100
    )
}
