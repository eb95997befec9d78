//! Polls: an empty batch, sources that misbehave, and batches in which each query has its own trouble.
use crate::redirect::redirect;
use crate::source::{BEHAVIOURS, Behaviour, RETRY_S, Source};
use crate::trial::{Laboratory, Planned, Trial, secrets};
use crate::{Example, Report};
use futures::future::join_all;
use std::time::Duration;
use windlass_core::failure::{Failure, FailureKind};
use windlass_core::sample::Outcome;

/// How long a batch may take. A source that hangs costs as much.
const BUDGET: Duration = Duration::from_millis(2_500);
/// Examples whose sources misbehave; the others' differ in nothing that a source would notice.
const MOST: usize = 4;
/// Queries of a full batch.
const FULL: usize = 64;
/// Queries of the largest batch: a guest that allocates for the host in bad order is only found out by many.
const CROWD: usize = 1_000;
/// How long the largest batch may take.
const CROWD_BUDGET: Duration = Duration::from_secs(10);

pub(crate) async fn examine(
    report: &mut Report,
    laboratory: &Laboratory,
    planned: &[(Example, Planned)],
) -> anyhow::Result<()> {
    let trial = laboratory.trial().await??;
    trial.poll(Vec::new(), BUDGET).await;
    report.polls += 1;
    ended_well(report, &trial, "an empty batch");
    let (remote, local): (Vec<_>, Vec<_>) = planned.iter().partition(|(_, (_, plan))| !plan.endpoints.is_empty());
    for (example, planned) in local {
        alone(report, laboratory, example, planned).await?;
    }
    if remote.is_empty() {
        return Ok(());
    }
    // Spread over all: neighbours by name are often alike.
    let spread: Vec<_> = remote.iter().step_by((remote.len() / MOST).max(1)).collect();
    let mut redirected = 0;
    for some in spread.chunks(MOST) {
        let examined = some.iter().map(|(example, planned)| misbehaving(laboratory, example, planned));
        for own in join_all(examined).await {
            let Some(own) = own? else { continue };
            redirected += 1;
            report.polls += own.polls;
            own.complaints.into_iter().for_each(|complaint| report.complain(complaint.rule, complaint.what));
        }
        if redirected > 0 {
            break;
        }
    }
    if let (Some((example, planned)), true) = (remote.first(), redirected > 0) {
        crowd(report, laboratory, example, planned).await?;
    }
    if redirected == 0 {
        report.complain("source", "no example has an address that could be that of a server on loopback");
    }
    Ok(())
}

fn ended_well(report: &mut Report, trial: &Trial, what: &str) {
    if trial.failed_calls() > 0 {
        report.complain("batch", format!("{what}: the call ended by a trap, by a limit or late"));
    }
}

/// A component that asks nobody: every query of a full batch has its outcome.
async fn alone(
    report: &mut Report,
    laboratory: &Laboratory,
    example: &Example,
    planned: &Planned,
) -> anyhow::Result<()> {
    let trial = laboratory.trial().await??;
    let outcomes = trial.poll(vec![planned.clone(); FULL], BUDGET).await;
    report.polls += 1;
    ended_well(report, &trial, &example.name);
    for own in &outcomes {
        if let Some(Outcome::Failed(failure)) = the_only(report, example, "without a source", own) {
            let expected = [FailureKind::Invalid, FailureKind::NotFound, FailureKind::BadResponse];
            judge(report, example, "without a source", failure, &expected);
        }
    }
    Ok(())
}

/// Every behaviour at once, each in a batch of its own and in a host that knows nothing of the others; then a batch that mixes
/// them. `None`: the example's text could not be rewritten.
async fn misbehaving(laboratory: &Laboratory, example: &Example, planned: &Planned) -> anyhow::Result<Option<Report>> {
    let report = &mut Report::default();
    let mut scenes = Vec::new();
    for behaviour in BEHAVIOURS {
        let source = Source::start(behaviour).await?;
        let trial = laboratory.trial().await??;
        let Some(moved) = redirect(&trial, example, planned, source.address).await else { return Ok(None) };
        scenes.push((behaviour, source, trial, moved));
    }
    let polls = scenes.iter().map(|(_, _, trial, moved)| trial.poll(vec![moved.clone(); 3], BUDGET));
    let told = join_all(polls).await;
    let http = scenes.iter().any(|(_, source, _, _)| source.heard_http());
    for ((behaviour, _, trial, _), outcomes) in scenes.iter().zip(&told) {
        report.polls += 1;
        let what = format!("a source that {}", words(*behaviour));
        ended_well(report, trial, &format!("{}, {what}", example.name));
        for own in outcomes {
            failed(report, example, &what, *behaviour, http, own);
        }
    }
    let trial = laboratory.trial().await??;
    let mixed: Vec<Planned> = scenes.iter().map(|(_, _, _, moved)| moved.clone()).collect();
    let outcomes = trial.poll(mixed, BUDGET).await;
    report.polls += 1;
    ended_well(report, &trial, &format!("{}, a batch that mixes all sources", example.name));
    for ((behaviour, ..), own) in scenes.iter().zip(&outcomes) {
        let what = format!("among others a source that {}", words(*behaviour));
        failed(report, example, &what, *behaviour, http, own);
    }
    Ok(Some(std::mem::take(report)))
}

/// A batch of very many: all are told of, however each ends.
async fn crowd(
    report: &mut Report,
    laboratory: &Laboratory,
    example: &Example,
    planned: &Planned,
) -> anyhow::Result<()> {
    let source = Source::start(Behaviour::Garbage).await?;
    let trial = laboratory.trial().await??;
    let Some(moved) = redirect(&trial, example, planned, source.address).await else { return Ok(()) };
    // One first: a call may send more requests than it may open connections.
    trial.poll(vec![moved.clone()], BUDGET).await;
    let count = if source.heard_http() { CROWD } else { FULL };
    let what = format!("in a batch of {count}");
    let outcomes = trial.poll(vec![moved; count], CROWD_BUDGET).await;
    report.polls += 2;
    ended_well(report, &trial, &format!("{}, {what}", example.name));
    for own in &outcomes {
        the_only(report, example, &what, own);
    }
    Ok(())
}

fn words(behaviour: Behaviour) -> &'static str {
    match behaviour {
        Behaviour::Refuses => "refuses connections",
        Behaviour::Hangs => "never answers",
        Behaviour::Babbles => "says bytes of no protocol",
        Behaviour::HangsUp => "closes instead of answering",
        Behaviour::Garbage => "answers garbage",
        Behaviour::Oversized => "answers too much",
        Behaviour::Throttles => "answers 429",
        Behaviour::Unauthorized => "answers 401",
        Behaviour::Broken => "answers 500",
    }
}

/// The outcome of a query, of which there has to be one.
fn the_only<'a>(report: &mut Report, example: &Example, what: &str, own: &'a [Outcome]) -> Option<&'a Outcome> {
    if own.len() != 1 {
        report.complain("batch", format!("{}, {what}: {} outcomes for a query", example.name, own.len()));
    }
    own.first()
}

fn failed(report: &mut Report, example: &Example, what: &str, behaviour: Behaviour, http: bool, own: &[Outcome]) {
    match the_only(report, example, what, own) {
        None => {}
        Some(Outcome::Failed(failure)) => {
            judge(report, example, what, failure, behaviour.failures(http));
            // Of several queries the later ones are told what is left of it.
            let told =
                |after: Duration| (1..=RETRY_S).contains(&after.as_millis().div_ceil(1_000).try_into().unwrap_or(0));
            if behaviour == Behaviour::Throttles && http && !failure.retry_after.is_some_and(told) {
                let what = format!("{}, {what}: Retry-After was not told on: {:?}", example.name, failure.retry_after);
                report.complain("source", what);
            }
        }
        Some(Outcome::Ready(sample, _)) => {
            report.complain("source", format!("{}, {what}: told a value, {:?}", example.name, sample.values));
        }
        Some(Outcome::Pending { .. }) => report.complain("source", format!("{}, {what}: told to wait", example.name)),
    }
}

fn judge(report: &mut Report, example: &Example, what: &str, failure: &Failure, expected: &[FailureKind]) {
    if !expected.contains(&failure.kind) {
        let kinds: Vec<&str> = expected.iter().map(|kind| kind.as_label()).collect();
        report.complain(
            "source",
            format!("{}, {what}: failed as {failure} instead of {}", example.name, kinds.join(" or ")),
        );
    }
    if failure.message.trim().is_empty() {
        report.complain("source", format!("{}, {what}: failed without a word", example.name));
    }
    for (name, secret) in secrets(example) {
        if failure.message.contains(secret) {
            report.complain("secrets", format!("{}, {what}: the failure repeats the secret {name}", example.name));
        }
    }
}
