//! What a sandboxed scaler costs over the same code run natively: a batch of 50 queries of the `cron` scaler, which asks
//! nobody, so that nothing but the guest is timed.
use crate::figure::{Report, Times};
use crate::guest::{NOW_MS, Parts, ask, host, queries};
use anyhow::{Context, Result, bail};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use windlass_core::Text;
use windlass_scaler_cron::Cron;
use windlass_sdk::testing::{poll_local, trigger};

/// Queries of the batch, and how often it is polled.
const QUERIES: usize = 50;
const ROUNDS: usize = 200;

fn parameters(index: usize) -> [(&'static str, String); 4] {
    [
        ("start", format!("{} 8 * * 1-5", index % 60)),
        ("end", format!("{} 18 * * 1-5", index % 60)),
        ("timezone", "Europe/Berlin".to_owned()),
        ("desiredReplicas", "10".to_owned()),
    ]
}

/// Measures both, in turns.
pub(super) async fn measure(report: Report) -> Result<()> {
    report.say("a batch in the sandbox and natively");
    let host = host(Parts { instances: 8, ..Parts::default() })?;
    let component = windlass_e2e::target().join("scalers/components/cron.wasm");
    let scaler = host.load_file(&component).await.with_context(|| component.display().to_string())?;
    let metadata = |index| -> BTreeMap<Text, Text> {
        parameters(index).iter().map(|(name, value)| (Text::from(*name), Text::from(value.as_str()))).collect()
    };
    let asked = queries(&host, &scaler, (0..QUERIES).map(metadata)).await?;
    let natively: Vec<_> = (0..QUERIES)
        .map(|index| {
            let given = parameters(index);
            let given: Vec<(&str, &str)> = given.iter().map(|(name, value)| (*name, value.as_str())).collect();
            trigger::<Cron>(&given, &[]).map_err(|problems| anyhow::anyhow!("{problems:?}"))
        })
        .collect::<Result<_>>()?;
    let natively = Arc::new(natively);

    let (mut inside, mut outside) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let started = Instant::now();
        let answered = ask(&host, &scaler, &asked, Duration::from_secs(5)).await;
        inside.push(started.elapsed());
        if answered != QUERIES {
            bail!("{answered} of {QUERIES} queries were answered");
        }
        outside.push(natively_once(natively.clone())?);
    }
    let work =
        format!("a batch of {QUERIES} cron queries, fresh instance per batch, {ROUNDS} rounds in turns, medians");
    let each = |times: Vec<Duration>| times.into_iter().collect::<Times>().quantile_ms(0.5) * 1e3 / QUERIES as f64;
    let (inside, outside) = (each(inside), each(outside));
    report.figure("guest, per query", inside, "us", &work);
    report.figure("native, per query", outside, "us", &work);
    report.figure("guest over native", inside / outside, "ratio", &work);
    Ok(())
}

/// One batch natively, on a thread of its own: what a thread keeps of time zones is to be as fresh as the instance's.
fn natively_once(triggers: Arc<Vec<windlass_sdk::Trigger>>) -> Result<Duration> {
    let batch = move || {
        let started = Instant::now();
        (poll_local::<Cron>(&triggers, NOW_MS).len(), started.elapsed())
    };
    let (answers, took) = std::thread::spawn(batch).join().map_err(|_| anyhow::anyhow!("the native batch panicked"))?;
    if answers != QUERIES { bail!("natively {answers} of {QUERIES}") } else { Ok(took) }
}
