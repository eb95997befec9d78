//! A tenant that asks a source far more than the source may be asked, and ten small ones beside it.
use super::object::{self, Object};
use super::page::Page;
use super::reader::{Window, read_for};
use super::stage::{SCARCE, Stage};
use crate::figure::Report;
use anyhow::Result;
use std::sync::Arc;
use std::time::{Duration, Instant};

const GREEDY: &str = "greedy";
/// The greedy tenant's objects, and triggers of each.
const OBJECTS: usize = 100;
const TRIGGERS: usize = 10;
/// Small tenants, and objects of each.
const SMALL: usize = 10;
const OBJECTS_OF_SMALL: usize = 10;
/// Times are whole seconds, and a request takes its time.
const SLACK: Duration = Duration::from_secs(2);

/// Objects with so many triggers each, all with questions of their own.
fn tenant(namespace: &str, objects: usize, triggers: usize, url: &str, period: Duration) -> Vec<Object> {
    let object = |index: usize| Object {
        namespace: namespace.to_owned(),
        name: format!("job-{index}"),
        period,
        triggers: (0..triggers)
            .map(|trigger| object::prometheus(url, &format!("sum(jobs{{of=\"{namespace}-{index}-{trigger}\"}})")))
            .collect(),
    };
    (0..objects).map(object).collect()
}

fn paths(objects: &[Object]) -> Arc<Vec<String>> {
    let of = |object: &Object| {
        let object = object.clone();
        (0..object.triggers.len()).map(move |trigger| object.path(trigger, "prometheus"))
    };
    Arc::new(objects.iter().flat_map(of).collect())
}

/// Measures.
pub(super) async fn measure(stage: &Stage, quick: bool, report: Report) -> Result<()> {
    report.say("a greedy tenant");
    let period = Duration::from_secs(if quick { 10 } else { 15 });
    let window = period * if quick { 2 } else { 4 };
    let url = stage.sources.scarce.url();
    let names: Vec<String> = (0..SMALL).map(|index| format!("small-{index}")).collect();
    let small: Vec<Object> = names.iter().flat_map(|name| tenant(name, OBJECTS_OF_SMALL, 1, &url, period)).collect();
    stage.add(&small, &paths(&small)).await?;
    let alone = read_for(&stage.peer, &paths(&small), window).await?;
    let greedy = tenant(GREEDY, OBJECTS, TRIGGERS, &url, period);
    object::create_targets(&stage.client, &greedy).await?;
    object::create(&stage.client, &greedy).await?;
    // Its first round is the worst; it is part of the window.
    let (page, asked, started) = (Page::of(&stage.operator).await?, stage.sources.scarce.count(), Instant::now());
    let (small_reads, greedy_reads) = (paths(&small), paths(&greedy));
    let (beside, of_greedy) =
        tokio::join!(read_for(&stage.peer, &small_reads, window), read_for(&stage.peer, &greedy_reads, window));
    let (beside, of_greedy) = (beside?, of_greedy?);
    let seconds = started.elapsed().as_secs_f64();
    let now = Page::of(&stage.operator).await?;
    let work = format!(
        "a source with a budget of {SCARCE} a second; one namespace with {} triggers, {SMALL} with {OBJECTS_OF_SMALL} each, each {} s; {} s",
        OBJECTS * TRIGGERS,
        period.as_secs(),
        window.as_secs()
    );
    let late = |window: &Window| window.ages.iter().filter(|age| **age > period + SLACK).count() as f64;
    for (who, window) in [("small tenants alone", &alone), ("small tenants", &beside), ("greedy tenant", &of_greedy)] {
        let figure = |what: &str| format!("greedy: {who}, {what}");
        report.figure(&figure("reads"), (window.reads.len() + window.failed) as f64, "reads", &work);
        report.figure(&figure("late samples"), late(window), "reads", &work);
        report.figure(&figure("reads without a value"), window.failed as f64, "reads", &work);
        report.figure(
            &figure("p99 of ages over the period"),
            window.age_p99() / 1e3 / period.as_secs_f64(),
            "ratio",
            &work,
        );
    }
    let rate = (stage.sources.scarce.count() - asked) as f64 / seconds;
    report.figure("greedy: requests to the source", rate, "per s", &work);
    let source = format!("source=\"{}\"", stage.sources.scarce.address());
    for (what, metric) in [("waited", "windlass_source_waited_total"), ("refused", "windlass_source_refused_total")] {
        report.figure(
            &format!("greedy: requests {what}"),
            now.since(&page, metric, &[&source]) / seconds,
            "per s",
            &work,
        );
    }
    for namespace in names.iter().map(String::as_str).chain([GREEDY]) {
        object::clear(&stage.client, namespace).await?;
    }
    Ok(())
}
