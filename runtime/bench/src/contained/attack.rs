//! Hostile components beside good objects: undisturbed windows and attacked ones in turns.
use super::Scale;
use super::hostile::Attack;
use super::object::{self, Object};
use super::page::Page;
use super::reader::{Window, read_for};
use super::stage::Stage;
use crate::figure::Report;
use crate::usage;
use anyhow::{Result, bail};
use serde_json::json;
use std::collections::BTreeSet;
use std::time::Duration;

/// Where hostile objects live.
const NAMESPACE: &str = "hostile";
/// Between a change and the window that is to show it.
const SETTLE: Duration = Duration::from_secs(1);

/// Measures each group.
pub(super) async fn measure(stage: &Stage, scale: Scale, only: &[String], report: Report) -> Result<()> {
    let objects: Vec<Object> = stage.attacks.iter().map(object).collect();
    object::create_targets(&stage.client, &objects).await?;
    let groups: BTreeSet<&str> = stage.attacks.iter().map(|attack| attack.group).collect();
    if let Some(unknown) = only.iter().find(|name| !groups.contains(name.as_str())) {
        bail!("--groups: no group {unknown}; there are {groups:?}");
    }
    for group in groups.into_iter().filter(|group| only.is_empty() || only.iter().any(|name| name == group)) {
        let hostile: Vec<Object> = stage.attacks.iter().filter(|attack| attack.group == group).map(object).collect();
        measure_group(stage, scale, group, &hostile, report).await?;
    }
    Ok(())
}

fn object(attack: &Attack) -> Object {
    Object {
        namespace: NAMESPACE.to_owned(),
        name: attack.kind.clone(),
        period: Duration::from_secs(1),
        triggers: vec![json!({ "type": attack.kind, "metadata": { "url": attack.url } })],
    }
}

/// What an attack did, to be sure that there was one.
#[derive(Default)]
struct Done {
    failed: f64,
    limits: f64,
}

async fn measure_group(stage: &Stage, scale: Scale, group: &str, hostile: &[Object], report: Report) -> Result<()> {
    report.say(&format!("attacks on {group}"));
    let process = stage.operator.id()?;
    let (memory, descriptors) = (usage::memory(process)?, usage::descriptors(process)?);
    let (mut quiet, mut attacked, mut done) = (Vec::new(), Vec::new(), Done::default());
    quiet.push(read_for(&stage.peer, &stage.paths, scale.window).await?);
    for _ in 0..scale.rounds {
        let before = Page::of(&stage.operator).await?;
        object::create(&stage.client, hostile).await?;
        tokio::time::sleep(SETTLE).await;
        attacked.push(read_for(&stage.peer, &stage.paths, scale.window).await?);
        let after = Page::of(&stage.operator).await?;
        done.failed += after.since(&before, "windlass_guest_calls_total", &["result=\"failed\""]);
        done.limits += after.since(&before, "windlass_guest_limit_hits_total", &[]);
        object::clear(&stage.client, NAMESPACE).await?;
        tokio::time::sleep(SETTLE).await;
        quiet.push(read_for(&stage.peer, &stage.paths, scale.window).await?);
    }
    let work = format!(
        "{} good objects each {} s, {} hostile components each second for {} windows of {} s, {} undisturbed in turns",
        stage.paths.len(),
        scale.period.as_secs(),
        hostile.len(),
        attacked.len(),
        scale.window.as_secs(),
        quiet.len()
    );
    report.figure(&format!("{group}: calls that failed, all components"), done.failed, "calls", &work);
    report.figure(&format!("{group}: limits hit"), done.limits, "hits", &work);
    compared(group, &quiet, &attacked, &work, report);
    let (memory_now, descriptors_now) = (usage::memory(process)?, usage::descriptors(process)?);
    for (what, before, after, unit) in [
        ("RSS", memory.all_mib, memory_now.all_mib, "MiB"),
        ("descriptors", descriptors as f64, descriptors_now as f64, "files"),
    ] {
        report.figure(&format!("{group}: {what} before"), before, unit, &work);
        report.figure(&format!("{group}: {what} after"), after, unit, &work);
    }
    Ok(())
}

/// The 99th percentiles of attacked windows over those of undisturbed ones, and what two sets of undisturbed windows differ by: what is
/// below that is the machine's.
pub(super) fn compared(what: &str, quiet: &[Window], attacked: &[Window], work: &str, report: Report) {
    let (calm, stormy) = (Window::all(quiet), Window::all(attacked));
    let (even, odd): (Vec<_>, Vec<_>) = quiet.iter().enumerate().partition(|(index, _)| index % 2 == 0);
    let half = |windows: Vec<(usize, &Window)>| Window::all(windows.into_iter().map(|(_, window)| window));
    let (even, odd) = (half(even), half(odd));
    for (of, p99) in [("reads", Window::read_p99 as fn(&Window) -> f64), ("ages", Window::age_p99)] {
        report.figure(&format!("{what}: p99 of {of}, undisturbed"), p99(&calm), "ms", work);
        report.figure(&format!("{what}: p99 of {of}, attacked"), p99(&stormy), "ms", work);
        report.figure(
            &format!("{what}: p99 of {of}, attacked over undisturbed"),
            p99(&stormy) / p99(&calm),
            "ratio",
            work,
        );
        let (a, b) = (p99(&even), p99(&odd));
        report.figure(&format!("{what}: the same between undisturbed windows"), a.max(b) / a.min(b), "ratio", work);
    }
    report.figure(&format!("{what}: reads without a value, undisturbed"), calm.failed as f64, "reads", work);
    report.figure(&format!("{what}: reads without a value, attacked"), stormy.failed as f64, "reads", work);
}
