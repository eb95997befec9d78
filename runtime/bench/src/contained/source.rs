//! Sources that are slow, hang, close connections or say "later": what the objects of a good source beside them notice, whether
//! what they gave before is served as older and older, and how soon it is fresh once they are well.
use super::Scale;
use super::attack::compared;
use super::reader::{read_for, taken, wall_ms};
use super::stage::{MOODY, Stage};
use crate::figure::{Report, Times};
use crate::load::Peer;
use anyhow::{Result, bail};
use http::{HeaderValue, StatusCode, header};
use std::sync::Arc;
use std::time::{Duration, Instant};
use windlass_testkit::{Answer, Mood, ScriptedHttp};

/// What the moody sources do when they are not well, in their order.
const MOODS: [&str; MOODY] = ["answers after 10 s", "hangs", "closes connections", "429, Retry-After 2 s"];
/// A sample that was under way when its source turned bad may still arrive, and times are whole seconds.
const UNDER_WAY_MS: i64 = 1_000;
/// How long a source that is well again may go without a fresh sample.
const RECOVERED: Duration = Duration::from_secs(90);
const PAUSE: Duration = Duration::from_millis(20);

fn spoil(mood: usize, answer: &mut Answer) {
    match mood {
        0 => answer.latency = Duration::from_secs(10),
        1 => answer.mood = Mood::Hanging,
        2 => answer.mood = Mood::Rude,
        _ => {
            answer.status = StatusCode::TOO_MANY_REQUESTS;
            answer.headers.insert(header::RETRY_AFTER, HeaderValue::from_static("2"));
        }
    }
}

fn mend(source: &ScriptedHttp) {
    source.change(|answer| *answer = Answer { body: answer.body.clone(), ..Answer::default() });
}

/// What was served of a source that is not well.
#[derive(Debug, Default)]
struct Told {
    /// Samples that claim to be newer than their source's last answer.
    too_fresh: usize,
    /// Samples that are as old as they say.
    aged: usize,
    /// Reads that were answered by no value.
    unknown: usize,
    /// Requests that it got.
    requests: usize,
}

/// Measures.
pub(super) async fn measure(stage: &Stage, scale: Scale, report: Report) -> Result<()> {
    report.say("slow and dead sources");
    let innocents = stage.paths_of(None);
    let (mut quiet, mut attacked) = (Vec::new(), Vec::new());
    let mut told: [Told; MOODY] = Default::default();
    let mut recoveries: [Vec<Duration>; MOODY] = Default::default();
    quiet.push(read_for(&stage.peer, &innocents, scale.window).await?);
    for _ in 0..scale.rounds.min(3) {
        for (mood, source) in stage.sources.moody.iter().enumerate() {
            source.change(|answer| spoil(mood, answer));
            source.forget();
        }
        let since = wall_ms();
        tokio::time::sleep(scale.period).await;
        let watched = (0..MOODY).map(|mood| watch(stage, mood, since, scale.window));
        let (window, watched) =
            tokio::join!(read_for(&stage.peer, &innocents, scale.window), futures::future::try_join_all(watched));
        attacked.push(window?);
        for (all, new) in told.iter_mut().zip(watched?) {
            all.too_fresh += new.too_fresh;
            all.aged += new.aged;
            all.unknown += new.unknown;
            all.requests += new.requests;
        }
        stage.sources.moody.iter().for_each(mend);
        let well = (0..MOODY).map(|mood| recovered(&stage.peer, stage.paths_of(Some(mood))));
        for (all, new) in recoveries.iter_mut().zip(futures::future::try_join_all(well).await?) {
            all.extend(new);
        }
        quiet.push(read_for(&stage.peer, &innocents, scale.window).await?);
    }
    let work = format!(
        "{} objects each {} s, a tenth of them on each of four sources that are not well for {} s, {} times",
        stage.paths.len(),
        scale.period.as_secs(),
        (scale.period + scale.window).as_secs(),
        attacked.len()
    );
    compared("beside bad sources", &quiet, &attacked, &work, report);
    for ((mood, told), recoveries) in MOODS.iter().zip(told).zip(recoveries) {
        let what = |what: &str| format!("source that {mood}: {what}");
        report.figure(&what("samples newer than its last answer"), told.too_fresh as f64, "reads", &work);
        report.figure(&what("samples as old as they say"), told.aged as f64, "reads", &work);
        report.figure(&what("reads without a value"), told.unknown as f64, "reads", &work);
        report.figure(&what("requests while it is not well"), told.requests as f64, "requests", &work);
        let times: Times = recoveries.into_iter().collect();
        let periods = |share| times.quantile_ms(share) / 1e3 / scale.period.as_secs_f64();
        report.figure(&what("well again until fresh, p50"), periods(0.5), "periods", &work);
        report.figure(&what("well again until fresh, max"), periods(1.0), "periods", &work);
    }
    Ok(())
}

/// Reads the metrics of a source that has not been well since a moment.
async fn watch(stage: &Stage, mood: usize, since_ms: i64, time: Duration) -> Result<Told> {
    let (paths, started) = (stage.paths_of(Some(mood)), Instant::now());
    let mut told = Told::default();
    for path in paths.iter().cycle() {
        if started.elapsed() > time {
            break;
        }
        match stage.peer.get(path).await? {
            (200, body) if taken(&body)? * 1_000 > since_ms + UNDER_WAY_MS => told.too_fresh += 1,
            (200, _) => told.aged += 1,
            (503, _) => told.unknown += 1,
            (status, body) => bail!("{path}: {status} {}", String::from_utf8_lossy(&body)),
        }
        tokio::time::sleep(PAUSE).await;
    }
    told.requests = stage.sources.moody.get(mood).map_or(0, ScriptedHttp::count);
    Ok(told)
}

/// From now, until each metric has a sample that is taken after now.
async fn recovered(peer: &Peer, paths: Arc<Vec<String>>) -> Result<Vec<Duration>> {
    let (started, since) = (Instant::now(), wall_ms());
    let mut left: Vec<&String> = paths.iter().collect();
    let mut times = Vec::new();
    while !left.is_empty() {
        let mut still = Vec::new();
        for path in left {
            match peer.get(path).await? {
                // Whole seconds: the one in which the source became well does not count.
                (200, body) if taken(&body)? * 1_000 > since => times.push(started.elapsed()),
                _ => still.push(path),
            }
        }
        if started.elapsed() > RECOVERED {
            bail!(
                "{} of {} metrics have no fresh sample {RECOVERED:?} after their source was well",
                still.len(),
                paths.len()
            );
        }
        left = still;
        tokio::time::sleep(PAUSE).await;
    }
    Ok(times)
}
