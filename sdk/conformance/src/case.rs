//! Cases, played against the component: in the real host, with a source on loopback that says what the case says.
//!
//! The trigger stays as the case writes it. Every connection goes to the source that is played, whatever host it names; TLS from
//! the first byte is left out, since nobody holds the keys of the names that cases use.
mod credential;
mod source;

use crate::Example;
use crate::trial::{Asking, Laboratory, Planned};
use source::{Heard, Source};
use std::time::Duration;
use windlass_core::query::QueryPlan;
use windlass_core::sample::Outcome;
use windlass_core::{Milli, Wall};
use windlass_sdk::testing::{Case, Difference, Expected, Poll, Told, format_ms};

/// How long a poll may take. A source that is played answers at once; a scaler that waits for more is told so by then.
const BUDGET: Duration = Duration::from_secs(3);

/// How one case went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaseReport {
    /// The name of its folder.
    pub name: String,
    /// What it shows.
    pub about: String,
    /// What is not as it says; empty: it passed.
    pub differences: Vec<Difference>,
}

impl CaseReport {
    /// Whether all is as the case says.
    pub fn passed(&self) -> bool {
        self.differences.is_empty()
    }
}

/// Plays cases, in their order. One that could not be read has failed. Must be called on a tokio runtime of several threads.
///
/// # Errors
/// When this machine cannot play them, or the host does not take the component.
pub async fn play(wasm: &[u8], cases: &[(String, Result<Case, String>)]) -> anyhow::Result<Vec<CaseReport>> {
    let laboratory = Laboratory::new(wasm)?;
    let mut reports = Vec::with_capacity(cases.len());
    for (name, case) in cases {
        let (about, differences) = match case {
            Ok(case) => (case.about.clone(), one(&laboratory, name, case).await?),
            Err(wrong) => (String::new(), vec![difference("the file", "a case", wrong)]),
        };
        reports.push(CaseReport { name: name.clone(), about, differences });
    }
    Ok(reports)
}

fn difference(what: &str, expected: &str, got: &str) -> Difference {
    Difference { what: what.to_owned(), expected: expected.to_owned(), got: got.to_owned() }
}

async fn one(laboratory: &Laboratory, name: &str, case: &Case) -> anyhow::Result<Vec<Difference>> {
    let source = Source::start().await?;
    let trial = laboratory.trial().await??;
    let planned = match trial.plan(&Example::of_case(name, case)).await {
        Err(fault) => return Ok(vec![difference("configure", "an answer", &fault.to_string())]),
        Ok(Err(found)) => {
            let found: Vec<_> = found
                .iter()
                .map(|found| (found.parameter.as_deref().unwrap_or_default().to_owned(), found.message.to_string()))
                .collect();
            return Ok(case.same_problems(&found).into_iter().collect());
        }
        Ok(Ok(_)) if !case.problems.is_empty() => return Ok(case.same_problems(&[]).into_iter().collect()),
        Ok(Ok(planned)) => planned,
    };
    let (metrics, endpoints) = in_words(&planned.1);
    let mut differences = case.same_plan(&metrics, &endpoints);
    differences.extend(polls(laboratory, &source, case, plain(planned)).await?);
    Ok(differences)
}

/// Polls until one is not as the case says: the next ones would be asked with another state. Each has a host of its own, which has
/// no connections yet and waits for no source that asked it to.
async fn polls(
    laboratory: &Laboratory,
    source: &Source,
    case: &Case,
    planned: Planned,
) -> anyhow::Result<Vec<Difference>> {
    let mut state = Vec::new();
    for (number, poll) in case.polls.iter().enumerate() {
        let now = match poll.now_ms() {
            Ok(now) => Wall(i64::try_from(now).unwrap_or(i64::MAX)),
            Err(wrong) => return Ok(vec![difference(&poll.title(number), "a time", &wrong)]),
        };
        source.play(&poll.exchange, &planned.0);
        let asking = Asking { planned: planned.clone(), now, state: state.clone(), budget: BUDGET };
        let outcome = laboratory.trial_with(source.address).await??.ask(asking).await;
        let heard = source.heard().await;
        let (differences, kept) = judged(poll, outcome, heard);
        if !differences.is_empty() {
            let title = poll.title(number);
            return Ok(differences.into_iter().map(|difference| difference.within(&title)).collect());
        }
        state = kept.unwrap_or(state);
    }
    Ok(Vec::new())
}

/// What is not as it should be of a poll, and the state that it leaves.
fn judged(poll: &Poll, outcome: Option<Outcome>, heard: Heard) -> (Vec<Difference>, Option<Vec<u8>>) {
    let mut differences = Vec::new();
    if !heard.unexpected.is_empty() || !heard.missed.is_empty() {
        let lines = |lines: &[String]| if lines.is_empty() { "nothing".to_owned() } else { lines.join("\n") };
        differences.push(difference("asked of the source", &lines(&heard.missed), &lines(&heard.unexpected)));
    }
    let Some(outcome) = outcome else {
        differences.push(difference("outcome", "one", "none: the component trapped, or spent its time or memory"));
        return (differences, None);
    };
    let (told, state) = match outcome {
        Outcome::Ready(sample, state) => {
            let next = sample.next.and_then(|next| u64::try_from(next.0).ok()).map(format_ms);
            let values = Some(sample.values.iter().map(|value| value.as_f64()).collect());
            (Told { values, active: sample.active, next, failed: None }, state)
        }
        Outcome::Failed(failure) => {
            let failed = Some((failure.kind.as_label().to_owned(), failure.message.to_string()));
            (Told { failed, ..Told::default() }, None)
        }
        Outcome::Pending { retry, .. } => {
            differences.push(difference("outcome", "a value or a failure", &format!("pending for {retry:?}")));
            return (differences, None);
        }
    };
    differences.extend(served(&poll.expect).differences(&told));
    (differences, state.map(|state| state.to_vec()))
}

/// What the host makes of values: thousandths, nothing below zero, and a failure of what nobody could scale on.
fn served(expected: &Expected) -> Expected {
    let Some(values) = &expected.values else { return expected.clone() };
    let served = values.iter().map(|value| Milli::from_f64(value.max(0.0)).map(Milli::as_f64));
    match served.collect() {
        Some(values) => Expected { values: Some(values), ..expected.clone() },
        None => Expected { failed: Some("bad-response".to_owned()), ..Expected::default() },
    }
}

/// Metrics and endpoints in the words of a case.
fn in_words(plan: &QueryPlan) -> (Vec<(String, f64, f64)>, Vec<String>) {
    let metrics = plan.metrics.iter().flatten();
    let metrics = metrics.map(|metric| (metric.name.to_string(), metric.target, metric.activation)).collect();
    let endpoints = plan.endpoints.iter().map(|endpoint| {
        let tls = if endpoint.tls.is_some() { " tls" } else { "" };
        format!("{}:{}{tls}", endpoint.host, endpoint.port)
    });
    (metrics, endpoints.collect())
}

/// The same without TLS from the first byte.
fn plain((trigger, mut plan): Planned) -> Planned {
    for endpoint in &mut plan.endpoints {
        endpoint.tls.take_if(|tls| !tls.upgrade);
    }
    (trigger, plan)
}
