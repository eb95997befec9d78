//! A long time in which everything happens that may leave something behind: objects come and go, triggers fail and recover, the
//! source dies and comes back. What the operator holds must not grow.
use super::stage::Stage;
use super::{LIMIT, Told, object};
use crate::usage;
use anyhow::Result;
use std::time::{Duration, Instant};

const GENERATION: &str = "soak";
/// Long enough that what a round brought about has come to an end.
const REST: Duration = Duration::from_secs(20);
/// The first rounds fill caches and pools; they are not part of the slope.
const WARM: usize = 2;

/// What the operator holds at the end of a round.
struct Sample {
    hours: f64,
    held: [f64; 3],
}

const HELD: [(&str, &str); 3] =
    [("RSS without pages of files", "MiB"), ("descriptors", "descriptors"), ("threads", "threads")];

pub(super) async fn measure(stage: &mut Stage, time: Duration, told: Told) -> Result<()> {
    let churn = (stage.count / 10).max(1);
    told.report.say(&format!(
        "soak: {} s of {churn} objects that come and go, failing triggers, a dying source",
        time.as_secs()
    ));
    let started = Instant::now();
    let mut samples = Vec::new();
    while started.elapsed() < time {
        round(stage, churn, samples.len()).await?;
        let process = stage.operator.id()?;
        let memory = usage::memory(process)?;
        let held =
            [memory.all_mib - memory.file_mib, usage::descriptors(process)? as f64, usage::threads(process)? as f64];
        samples.push(Sample { hours: started.elapsed().as_secs_f64() / 3600.0, held });
    }
    let counted = samples.get(WARM..).unwrap_or_default();
    let work =
        format!("{} ScaledObjects, {} rounds in {:.0} s", told.count, samples.len(), started.elapsed().as_secs_f64());
    for (at, (name, unit)) in HELD.into_iter().enumerate() {
        let value = |sample: &Sample| sample.held.get(at).copied().unwrap_or_default();
        let (first, last) = (counted.first().map(value), counted.last().map(value));
        told.figure(&format!("soak: {name}, after {WARM} rounds"), first.unwrap_or_default(), unit, &work);
        told.figure(&format!("soak: {name}, at the end"), last.unwrap_or_default(), unit, &work);
        let points: Vec<(f64, f64)> = counted.iter().map(|sample| (sample.hours, value(sample))).collect();
        told.figure(&format!("soak: {name}, slope"), slope(&points), &format!("{unit} per hour"), &work);
    }
    Ok(())
}

/// Everything once, and back to how it was.
async fn round(stage: &mut Stage, churn: usize, number: usize) -> Result<()> {
    stage.add_targets_again(GENERATION, churn).await?;
    stage.add_copies(GENERATION, churn).await?;
    stage.source.set_failing(true);
    stage.set_lists(stage.count, true)?;
    tokio::time::sleep(REST).await;
    if number % 3 == 2 {
        stage.source.kill().await;
        tokio::time::sleep(REST / 2).await;
        stage.source.revive().await?;
    }
    stage.source.set_failing(false);
    stage.set_lists(stage.count, false)?;
    stage.delete(GENERATION, churn).await?;
    let ours = |name: &str| object::index_of(GENERATION, name).is_some();
    stage.wait("those are gone", LIMIT, |census| census.number(|name, _| ours(name))).await?;
    stage.wait_ready("web", stage.count, LIMIT).await?;
    tokio::time::sleep(REST).await;
    Ok(())
}

/// Of the straight line that is nearest to the points (least squares); 0 for fewer than two moments.
fn slope(points: &[(f64, f64)]) -> f64 {
    let count = points.len().max(1) as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / count;
    let (x, y) = (mean(|point| point.0), mean(|point| point.1));
    let spread: f64 = points.iter().map(|point| (point.0 - x).powi(2)).sum();
    let together: f64 = points.iter().map(|point| (point.0 - x) * (point.1 - y)).sum();
    if spread > 0.0 { together / spread } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::slope;

    #[test]
    fn the_slope_is_that_of_the_line() {
        assert_eq!(slope(&[(0.0, 1.0), (1.0, 3.0), (2.0, 5.0)]), 2.0);
        assert_eq!(slope(&[(0.0, 4.0), (1.0, 4.0)]), 0.0);
        assert_eq!(slope(&[(1.0, 4.0)]), 0.0);
        assert_eq!(slope(&[]), 0.0);
    }
}
