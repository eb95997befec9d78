//! `windlass scaler poll --watch`: a line per poll, with what changed, until Ctrl-C.
use super::asking::Asking;
use super::{Polled, cost};
use crate::args::Output;
use crate::scaler::exit::{Ends, Exit, Stop};
use crate::style::{BAD, FAINT, GOOD, ODD, count};
use anyhow::Context;
use std::time::{Duration, Instant};
use tokio::time::MissedTickBehavior;

/// Polls until it is told to stop; fine when the last poll was.
pub(super) async fn run(asking: &mut Asking<'_>, every: Duration, output: Output) -> Result<Exit, Stop> {
    let mut due = tokio::time::interval(every);
    // A poll that takes longer than its period is followed by the next one, and not by all that were missed.
    due.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut stop = std::pin::pin!(tokio::signal::ctrl_c());
    let (started, mut last) = (Instant::now(), None::<Polled>);
    let (mut polls, mut failures) = (0, 0);
    loop {
        tokio::select! {
            stopped = &mut stop => {
                stopped.context("cannot wait for Ctrl-C").ends(Exit::Outside)?;
                break;
            }
            _ = due.tick() => {}
        }
        let told = tokio::select! {
            _ = &mut stop => break,
            told = asking.ask() => told,
        };
        polls += 1;
        failures += u64::from(!told.ok);
        match output {
            Output::Json => println!("{}", serde_json::to_string(&told).context("JSON")?),
            Output::Text => anstream::println!("{}", line(started.elapsed(), &told, last.as_ref())),
        }
        last = Some(told);
    }
    if output == Output::Text {
        anstream::println!("{FAINT}{}, {failures} failed{FAINT:#}", count(polls, "poll"));
    }
    Ok(if last.is_none_or(|last| last.ok) { Exit::Fine } else { Exit::Wrong })
}

/// A poll as a line.
fn line(since: Duration, told: &Polled, last: Option<&Polled>) -> String {
    let seconds = since.as_secs();
    let mut line = format!("{FAINT}{:>3}:{:02}{FAINT:#}", seconds / 60, seconds % 60);
    if let Some(failure) = &told.failure {
        line.push_str(&format!("  {BAD}failed{BAD:#}: {}: {}", failure.kind, failure.message));
    }
    for metric in &told.metrics {
        let before = last.and_then(|last| last.metrics.iter().find(|known| known.name == metric.name));
        let change = before.map_or(String::new(), |before| change(metric.value - before.value));
        line.push_str(&format!("  {} {}{change}", metric.name, metric.value));
    }
    if let Some(active) = told.active {
        let word = if active { "active" } else { "inactive" };
        let turned = last.is_some_and(|last| last.active.is_some_and(|before| before != active));
        line.push_str(&if turned { format!("  {ODD}now {word}{ODD:#}") } else { format!("  {word}") });
    }
    line.push_str(&format!("  {FAINT}{} ms, {}{FAINT:#}", told.milliseconds, cost(&told.spent)));
    line
}

fn change(by: f64) -> String {
    // Values are thousandths; what is left of a difference beyond that is the representation's.
    let by = (by * 1_000.0).round() / 1_000.0;
    if by > 0.0 {
        format!(" {GOOD}▲ +{by}{GOOD:#}")
    } else if by < 0.0 {
        format!(" {ODD}▼ {by}{ODD:#}")
    } else {
        " =".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::super::ToldValue;
    use super::{Polled, line};
    use std::time::Duration;

    fn polled(value: f64, active: bool) -> Polled {
        let metrics = vec![ToldValue { name: "s0-queue".to_owned(), value, target: 5.0 }];
        Polled { ok: true, metrics, active: Some(active), ..Polled::default() }
    }

    #[test]
    fn a_line_says_what_changed() {
        let told = |now: &Polled, last: Option<&Polled>| {
            anstream::adapter::strip_str(&line(Duration::from_secs(61), now, last)).to_string()
        };
        let (low, high) = (polled(0.0, false), polled(7.3, true));
        assert!(told(&low, None).starts_with("  1:01  s0-queue 0  inactive"), "{}", told(&low, None));
        assert!(told(&high, Some(&low)).contains("s0-queue 7.3 ▲ +7.3  now active"));
        assert!(told(&low, Some(&high)).contains("s0-queue 0 ▼ -7.3  now inactive"));
        assert!(told(&high, Some(&high)).contains("s0-queue 7.3 =  active"));
    }
}
