//! `work-queue produce`.
use crate::client::{Backoff, Client};
use anyhow::bail;
use http::{Method, StatusCode, Uri};
use serde_json::json;
use std::time::{Duration, Instant};
use tokio::sync::watch::Receiver;

/// Jobs are sent in portions, one per tick.
const TICK: Duration = Duration::from_millis(100);

/// Arguments of the command.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Address of the queue
    #[arg(long, default_value = "http://127.0.0.1:8089")]
    url: Uri,
    /// How many jobs to add
    #[arg(long, default_value_t = 200)]
    jobs: u64,
    /// Jobs per second
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u64).range(1..=100_000))]
    rate: u64,
    /// Milliseconds that each job takes
    #[arg(long, default_value_t = 250)]
    work_ms: u64,
    /// Give up when the queue took no job for so many seconds
    #[arg(long, default_value_t = 30)]
    patience_seconds: u64,
}

/// Adds jobs and ends with `{"produced":200,"seconds":4.0}`.
pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let client = Client::new(&arguments.url)?;
    let patience = Duration::from_secs(arguments.patience_seconds);
    let began = Instant::now();
    let mut last_success = began;
    let mut backoff = Backoff::new();
    let mut produced = 0;
    let mut stop = crate::stop_requested()?;
    while produced < arguments.jobs {
        // What should have been sent by the end of this tick.
        let elapsed = u64::try_from((began.elapsed() + TICK).as_millis()).unwrap_or(u64::MAX);
        let due = (elapsed.saturating_mul(arguments.rate) / 1000).clamp(1, arguments.jobs).saturating_sub(produced);
        if due == 0 {
            if stopped(TICK, &mut stop).await {
                break;
            }
            continue;
        }
        let body = serde_json::to_vec(&json!({ "count": due, "work_ms": arguments.work_ms }))?;
        let why = match client.send(Method::POST, "/jobs", body).await {
            Ok((StatusCode::CREATED, _)) => None,
            Ok((status, body)) if status == StatusCode::BAD_REQUEST => {
                bail!("the queue refused the jobs: {}", String::from_utf8_lossy(&body))
            }
            Ok((status, _)) => Some(format!("the queue answered {status}")),
            Err(error) => Some(format!("{error:#}")),
        };
        let wait = match why {
            None => {
                produced += due;
                last_success = Instant::now();
                backoff.reset();
                TICK
            }
            Some(why) if last_success.elapsed() >= patience => {
                bail!("no job was taken for {} s: {why}", patience.as_secs())
            }
            Some(_) => backoff.next(),
        };
        if produced < arguments.jobs && stopped(wait, &mut stop).await {
            break;
        }
    }
    crate::print(&json!({ "produced": produced, "seconds": began.elapsed().as_secs_f64() }));
    Ok(())
}

/// Waits; `true`: asked to stop meanwhile.
async fn stopped(wait: Duration, stop: &mut Receiver<bool>) -> bool {
    tokio::time::timeout(wait, stop.wait_for(|asked| *asked)).await.is_ok()
}
