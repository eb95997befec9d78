//! Nothing happens: what that costs the API server, the sources and this machine.
use super::stage::Stage;
use super::{LIMIT, Told};
use crate::usage;
use anyhow::{Result, bail};
use std::time::{Duration, Instant};

/// A window without writes counts as quiet when it is this long.
const QUIET: Duration = Duration::from_secs(10);

/// Waits until nothing has been written for a while, and tells how long that took.
pub(super) async fn quiet(stage: &Stage, told: Told, figure: &str) -> Result<()> {
    let started = Instant::now();
    loop {
        let (mark, began) = (stage.control_plane.audit().mark().await?, started.elapsed());
        tokio::time::sleep(QUIET).await;
        let writes = stage.writes(mark).await?;
        if writes.is_empty() {
            let work = format!("{} ScaledObjects, until {} s without a write begin", told.count, QUIET.as_secs());
            told.figure(&format!("quiet {figure}"), began.as_secs_f64(), "s", &work);
            return Ok(());
        }
        if started.elapsed() > LIMIT {
            bail!("{} writes in {} s, and there is no end: {:?}", writes.len(), QUIET.as_secs(), writes.first());
        }
    }
}

/// Measures for a time.
pub(super) async fn measure(stage: &Stage, time: Duration, told: Told, phase: &str) -> Result<()> {
    told.report.say(&format!("{phase}: {} s in which nothing happens", time.as_secs()));
    let process = stage.operator.id()?;
    let mark = stage.control_plane.audit().mark().await?;
    let (started, cpu, lists) = (Instant::now(), usage::cpu(process)?, stage.counted_lists()?);
    stage.source.count();
    tokio::time::sleep(time).await;
    let log = stage.source.counted();
    let minutes = started.elapsed().as_secs_f64() / 60.0;
    let spent = usage::cpu(process)?.saturating_sub(cpu);
    let lists = stage.counted_lists()? - lists;
    let work = format!("{} ScaledObjects, {:.0} s, {phase}", told.count, minutes * 60.0);
    told.writes(&format!("API writes, {phase}"), &stage.writes(mark).await?, minutes, "per min", &work);

    let periods = minutes * 4.0;
    let each = |requests: usize, distinct: usize| requests as f64 / periods / distinct.max(1) as f64;
    told.figure(&format!("different HTTP questions, {phase}"), log.distinct() as f64, "questions", &work);
    let per_question = each(log.requests(), log.distinct());
    told.figure(&format!("HTTP requests per question and 15 s, {phase}"), per_question, "requests", &work);
    told.figure(&format!("HTTP requests, busiest second over mean, {phase}"), log.peak_to_mean(), "ratio", &work);
    let per_list = each(lists, told.count / 5);
    told.figure(&format!("Redis counts per list and 15 s, {phase}"), per_list, "requests", &work);

    let cpu = spent.as_secs_f64() / (minutes * 60.0) * 1e3;
    told.figure(&format!("operator CPU, {phase}"), cpu, "mCPU", &work);
    let thousands = told.count as f64 / 1e3;
    told.figure(&format!("operator CPU per 1,000 objects, {phase}"), cpu / thousands, "mCPU", &work);
    let memory = usage::memory(process)?;
    told.figure(&format!("operator RSS, {phase}"), memory.all_mib, "MiB", &work);
    told.figure(
        &format!("operator RSS without pages of files, {phase}"),
        memory.all_mib - memory.file_mib,
        "MiB",
        &work,
    );
    Ok(())
}
