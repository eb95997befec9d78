//! Cron windows that open in the same second, and close in the same second.
use super::stage::Stage;
use super::{LIMIT, Told, object, rest};
use crate::figure::Times;
use anyhow::Result;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use windlass_e2e::counted;

const GENERATION: &str = "edge";
const MINUTE: u64 = 60;

/// Measures both edges.
pub(super) async fn measure(stage: &Stage, count: usize, told: Told) -> Result<()> {
    told.report.say(&format!("{count} cron objects that switch in the same second"));
    stage.add_targets(GENERATION, 0, count, 0).await?;
    // A write budget of 300 a second makes a hundred objects a second; both edges are to find all of them at rest.
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let opens = (now + 25 + count as u64 / 50).div_ceil(MINUTE);
    let closes = opens + 1;
    let at = |minute: u64| format!("{} {} * * *", minute % 60, minute / 60 % 24);
    stage.add_objects(GENERATION, 0, count, |index| object::edge(index, &at(opens), &at(closes))).await?;
    stage.wait_ready(GENERATION, count, LIMIT).await?;

    let work = format!("{count} cron objects among {}, from the edge to the last change of spec.replicas", told.count);
    let ours = |name: &str| object::index_of(GENERATION, name).is_some();
    for (edge, minute, wanted) in [("opening", opens, 1), ("closing", closes, 0)] {
        let edge_at = instant_of(minute * MINUTE)?;
        let mark = stage.control_plane.audit().mark().await?;
        tokio::time::sleep_until(edge_at.into()).await;
        stage
            .wait("all have switched", LIMIT, |census| {
                let switched = census.replicas(ours).iter().filter(|(replicas, _)| *replicas == wanted).count();
                count.saturating_sub(switched)
            })
            .await?;
        let changes = stage.census.replicas(ours);
        let early = changes.iter().filter(|(_, at)| *at < edge_at).count();
        let times: Times = changes.iter().map(|(_, at)| at.saturating_duration_since(edge_at)).collect();
        for (name, share) in [("p50", 0.5), ("p99", 0.99), ("last", 1.0)] {
            told.figure(&format!("{edge} edge, {name}"), times.quantile_ms(share) / 1e3, "s", &work);
        }
        told.figure(&format!("{edge} edge, too early"), early as f64, "objects", &work);
        tokio::time::sleep(Duration::from_secs(10)).await;
        for (what, times) in counted(&stage.writes(mark).await?) {
            told.figure(
                &format!("{edge} edge, writes per object: {what}"),
                times as f64 / count as f64,
                "writes",
                &work,
            );
        }
    }
    stage.delete(GENERATION, count).await?;
    stage
        .wait("those are gone", LIMIT, |census| census.number(|name, _| object::index_of(GENERATION, name).is_some()))
        .await?;
    rest::quiet(stage, told, "after the edges").await
}

/// The moment of a second since 1970.
fn instant_of(second: u64) -> Result<Instant> {
    let until = Duration::from_secs(second).saturating_sub(SystemTime::now().duration_since(UNIX_EPOCH)?);
    Ok(Instant::now() + until)
}
