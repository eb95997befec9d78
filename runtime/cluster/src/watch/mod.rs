//! Watches: streams of changes, each object read and trimmed as it comes. Nothing is polled.
mod row;

pub(crate) use row::{
    AuthenticationKey, AuthenticationRow, BlobKey, BlobKind, HpaRow, MetadataRow, ObjectRow, RawObject, Replicated,
    Slim,
};

use crate::error::Error;
use crate::metrics::Metrics;
use futures::StreamExt;
use kube::Api;
use kube::runtime::watcher::{self, Config, Event};
use serde::de::DeserializeOwned;
use std::future::Future;
use std::hash::{BuildHasher, RandomState};
use std::time::Duration;
use windlass_core::Text;

/// First and longest pause after a failure.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(30));

/// A change as the watch tells it.
#[derive(Clone, Debug)]
pub(crate) enum Change<T> {
    /// All objects follow, as `Listed`.
    Began,
    /// One of them.
    Listed(T),
    /// That was all: what was not listed is gone.
    Done,
    /// New or changed.
    Put(T),
    /// Deleted, as it was last.
    Gone(T),
    /// The watch fails, and starts again.
    Failing(Text),
}

/// Follows the objects of a resource for as long as `emit` wants more. `read` trims them; what it does not give is left out.
pub(crate) async fn follow<K, T, F>(
    api: Api<K>,
    config: Config,
    resource: &str,
    metrics: &Metrics,
    read: impl Fn(K) -> Option<T>,
    mut emit: impl FnMut(Change<T>) -> F,
) where
    K: kube::Resource + Clone + DeserializeOwned + std::fmt::Debug + Send + 'static,
    F: Future<Output = bool>,
{
    let listed = config.clone();
    let mut config = config.streaming_lists();
    let mut failures: u32 = 0;
    loop {
        let mut stream = std::pin::pin!(watcher::watcher(api.clone(), config.clone()));
        let mut again = false;
        while !again {
            let Some(event) = stream.next().await else { break };
            let change = match event {
                Ok(Event::Init) => Some(Change::Began),
                Ok(Event::InitApply(object)) => read(object).map(Change::Listed),
                Ok(Event::InitDone) => {
                    failures = 0;
                    Some(Change::Done)
                }
                Ok(Event::Apply(object)) => {
                    failures = 0;
                    read(object).map(Change::Put)
                }
                Ok(Event::Delete(object)) => read(object).map(Change::Gone),
                Err(error) if lacks_streaming_lists(&error) && config != listed => {
                    // Older API servers, and those that have it switched off.
                    config = listed.clone();
                    again = true;
                    None
                }
                Err(error) => {
                    failures = failures.saturating_add(1);
                    metrics.restarted(resource);
                    let why = reason(resource, error);
                    tracing::warn!(resource, failures, error = &*why, "watch failed");
                    if !emit(Change::Failing(why)).await {
                        return;
                    }
                    tokio::time::sleep(pause(failures)).await;
                    None
                }
            };
            if let Some(change) = change
                && !emit(change).await
            {
                return;
            }
        }
    }
}

/// What to tell people.
fn reason(resource: &str, error: watcher::Error) -> Text {
    let why = match error {
        watcher::Error::InitialListFailed(error)
        | watcher::Error::WatchStartFailed(error)
        | watcher::Error::WatchFailed(error) => Error::from(error).to_string(),
        watcher::Error::WatchError(status) => status.message,
        watcher::Error::NoResourceVersion => "no resource version in an answer".to_owned(),
    };
    format!("{resource} cannot be watched: {}", crate::error::cut(&why, 256)).into()
}

fn lacks_streaming_lists(error: &watcher::Error) -> bool {
    match error {
        watcher::Error::WatchStartFailed(kube::Error::Api(status)) => matches!(status.code, 400 | 422),
        watcher::Error::WatchError(status) => matches!(status.code, 400 | 422),
        _ => false,
    }
}

/// Exponential, with a random half.
pub(crate) fn pause(failures: u32) -> Duration {
    let (first, longest) = BACKOFF;
    let whole =
        first.saturating_mul(1_u32.checked_shl(failures.saturating_sub(1).min(16)).unwrap_or(u32::MAX)).min(longest);
    let half = whole / 2;
    // A fresh RandomState is seeded at random: enough for jitter.
    let random = RandomState::new().hash_one(failures) % 1024;
    half + half.mul_f64(random as f64 / 1024.0)
}
