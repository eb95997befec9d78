//! Many objects with few questions: how often their source is asked, over how many connections, and how long requests wait for
//! its budget.
use super::object::{self, Object};
use super::page::Page;
use super::stage::Stage;
use crate::figure::Report;
use crate::usage;
use anyhow::Result;
use std::time::{Duration, Instant};

/// Distinct questions.
const QUESTIONS: usize = 50;
const PER_NAMESPACE: usize = 100;
/// Between two looks at the gauges.
const LOOK: Duration = Duration::from_millis(250);

fn object(index: usize, url: &str, period: Duration) -> Object {
    Object {
        namespace: format!("shared-{}", index / PER_NAMESPACE),
        name: format!("reader-{index}"),
        period,
        triggers: vec![object::prometheus(url, &format!("sum(queue{{name=\"q-{}\"}})", index % QUESTIONS))],
    }
}

/// Measures at growing numbers of objects.
pub(super) async fn measure(stage: &Stage, quick: bool, report: Report) -> Result<()> {
    let period = Duration::from_secs(if quick { 10 } else { 15 });
    let counts: &[usize] = if quick { &[300] } else { &[300, 3_000, 10_000] };
    let mut known = 0;
    for &count in counts {
        report.say(&format!("{count} objects with {QUESTIONS} questions"));
        let url = stage.sources.shared.url();
        let objects: Vec<Object> = (known..count).map(|index| object(index, &url, period)).collect();
        let paths: Vec<String> = objects.iter().map(|object| object.path(0, "prometheus")).collect();
        stage.add(&objects, &paths).await?;
        known = count;
        // A period, until the first round is over.
        tokio::time::sleep(period).await;
        steady(stage, count, period, report).await?;
    }
    Ok(())
}

async fn steady(stage: &Stage, count: usize, period: Duration, report: Report) -> Result<()> {
    let periods = 3;
    let source = format!("source=\"{}\"", stage.sources.shared.address());
    let process = stage.operator.id()?;
    let before = Page::of(&stage.operator).await?;
    stage.sources.shared.forget();
    let (started, cpu) = (Instant::now(), usage::cpu(process)?);
    let (mut connections, mut waiting, mut looks) = (0f64, 0f64, 0f64);
    while started.elapsed() < period * periods {
        let page = Page::of(&stage.operator).await?;
        connections = connections.max(page.sum("windlass_source_connections", &[&source]));
        waiting += page.sum("windlass_source_waiting", &[&source]);
        looks += 1.0;
        tokio::time::sleep(LOOK).await;
    }
    let took = started.elapsed().as_secs_f64();
    let (requests, spent) = (stage.sources.shared.count() as f64, usage::cpu(process)?.saturating_sub(cpu));
    let after = Page::of(&stage.operator).await?;
    let work = format!(
        "{count} objects in {} namespaces over {QUESTIONS} questions, pollingInterval {}, {periods} periods",
        count.div_ceil(PER_NAMESPACE),
        period.as_secs()
    );
    let per_period = |total: f64| total / took * period.as_secs_f64();
    report.figure(&format!("shared ({count}): requests to the source"), per_period(requests), "a period", &work);
    let shared = after.since(&before, "windlass_source_shared_total", &[&source]);
    report.figure(&format!("shared ({count}): answered by another's request"), per_period(shared), "a period", &work);
    report.figure(&format!("shared ({count}): connections, most"), connections, "at once", &work);
    let waited = after.since(&before, "windlass_source_waited_total", &[&source]);
    report.figure(&format!("shared ({count}): requests that waited"), per_period(waited), "a period", &work);
    // Little's law: those that wait, over those that arrive.
    let wait = if requests > 0.0 { waiting / looks / (requests / took) * 1e3 } else { 0.0 };
    report.figure(&format!("shared ({count}): mean wait of a request for the budget"), wait, "ms", &work);
    report.figure(&format!("shared ({count}): operator CPU"), spent.as_secs_f64() / took * 1e3, "mCPU", &work);
    Ok(())
}
