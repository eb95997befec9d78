//! `work-queue work`.
use crate::client::{Backoff, Client};
use http::{Method, StatusCode, Uri};
use serde::Deserialize;
use serde_json::json;
use std::time::Duration;

/// Between two questions to an empty queue.
const IDLE: Duration = Duration::from_millis(200);

/// Arguments of the command.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Address of the queue
    #[arg(long, default_value = "http://127.0.0.1:8089")]
    url: Uri,
}

#[derive(Deserialize)]
struct Job {
    id: u64,
    work_ms: u64,
}

/// Does jobs until asked to stop, and ends with `{"done":17}`.
pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let client = Client::new(&arguments.url)?;
    let mut stop = crate::stop_requested()?;
    let mut backoff = Backoff::new();
    let mut done: u64 = 0;
    while !*stop.borrow() {
        let wait = match lease(&client).await {
            Ok(Some(job)) => {
                backoff.reset();
                // The work: finished even when asked to stop, as a worker should.
                tokio::time::sleep(Duration::from_millis(job.work_ms)).await;
                match client.send(Method::DELETE, &format!("/jobs/{}", job.id), Vec::new()).await {
                    Ok((StatusCode::NO_CONTENT, _)) => {
                        done += 1;
                        crate::print(&json!({ "done_job": job.id }));
                    }
                    Ok((status, _)) => crate::print(&json!({ "lost_job": job.id, "status": status.as_u16() })),
                    Err(error) => crate::print(&json!({ "lost_job": job.id, "error": format!("{error:#}") })),
                }
                continue;
            }
            Ok(None) => {
                backoff.reset();
                IDLE
            }
            Err(error) => {
                crate::print(&json!({ "error": format!("{error:#}") }));
                backoff.next()
            }
        };
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            _ = stop.changed() => {}
        }
    }
    crate::print(&json!({ "done": done }));
    Ok(())
}

async fn lease(client: &Client) -> anyhow::Result<Option<Job>> {
    let (status, body) = client.send(Method::POST, "/jobs/lease", Vec::new()).await?;
    match status {
        StatusCode::OK => Ok(Some(serde_json::from_slice(&body)?)),
        StatusCode::NO_CONTENT => Ok(None),
        status => anyhow::bail!("the queue answered {status}"),
    }
}
