//! Waiting with a deadline.
use anyhow::{Result, bail};
use std::future::Future;
use std::time::{Duration, Instant};

/// How often a condition is looked at.
const STEP: Duration = Duration::from_millis(100);

/// Looks until `probe` gives a value, and gives up after `limit`. An error of the probe means "not yet"; the one of
/// the last look is told when time is up.
///
/// # Errors
/// When the deadline passes; the text names `what`.
pub async fn until<T, F, P>(what: &str, limit: Duration, mut probe: P) -> Result<T>
where
    P: FnMut() -> F,
    F: Future<Output = Result<Option<T>>>,
{
    let end = Instant::now() + limit;
    loop {
        let left = end.saturating_duration_since(Instant::now());
        let last = match tokio::time::timeout(left.max(STEP), probe()).await {
            Ok(Ok(Some(value))) => return Ok(value),
            Ok(Ok(None)) => None,
            Ok(Err(error)) => Some(format!("{error:#}")),
            Err(_) => Some("no answer".to_owned()),
        };
        if Instant::now() >= end {
            match last {
                Some(last) => bail!("not within {limit:?}: {what}: {last}"),
                None => bail!("not within {limit:?}: {what}"),
            }
        }
        tokio::time::sleep(STEP).await;
    }
}
