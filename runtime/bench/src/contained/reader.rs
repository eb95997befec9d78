//! Reads metrics as the HPA controller does, five at a time, and looks at what is served: how long a read takes, and how old
//! the sample is.
use crate::figure::Times;
use crate::load::Peer;
use anyhow::{Result, bail};
use bytes::Bytes;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde::Deserialize;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The HPA controller has so many workers.
const READERS: usize = 5;
/// Between an answer and the next read: the reader itself is not to fill the machine.
const PAUSE: Duration = Duration::from_millis(5);

/// What a window showed.
#[derive(Debug, Clone, Default)]
pub(super) struct Window {
    pub(super) reads: Vec<Duration>,
    /// Of the samples served. Their times are whole seconds, so each seems up to one second older than it is.
    pub(super) ages: Vec<Duration>,
    /// Reads that were not answered by a value.
    pub(super) failed: usize,
}

impl Window {
    /// Windows together.
    pub(super) fn all<'a>(windows: impl IntoIterator<Item = &'a Window>) -> Window {
        let mut all = Window::default();
        for window in windows {
            all.reads.extend(&window.reads);
            all.ages.extend(&window.ages);
            all.failed += window.failed;
        }
        all
    }

    /// The time that 99 of 100 reads do not exceed, in milliseconds.
    pub(super) fn read_p99(&self) -> f64 {
        self.reads.iter().copied().collect::<Times>().quantile_ms(0.99)
    }

    /// The age that 99 of 100 samples do not exceed, in milliseconds.
    pub(super) fn age_p99(&self) -> f64 {
        self.ages.iter().copied().collect::<Times>().quantile_ms(0.99)
    }
}

#[derive(Deserialize)]
struct List {
    items: Vec<Item>,
}

#[derive(Deserialize)]
struct Item {
    timestamp: Time,
}

/// When a served sample was taken, in seconds since 1970.
pub(super) fn taken(body: &Bytes) -> Result<i64> {
    match serde_json::from_slice::<List>(body)?.items.as_slice() {
        [item] => Ok(item.timestamp.0.as_second()),
        items => bail!("{} items", items.len()),
    }
}

/// The wall clock, in milliseconds since 1970.
pub(super) fn wall_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// Reads all paths in turn for a time.
pub(super) async fn read_for(peer: &Peer, paths: &Arc<Vec<String>>, time: Duration) -> Result<Window> {
    let next = Arc::new(AtomicUsize::new(0));
    let started = Instant::now();
    let readers = (0..READERS).map(|_| {
        let (peer, paths, next) = (peer.clone(), paths.clone(), next.clone());
        tokio::spawn(async move {
            let mut window = Window::default();
            while started.elapsed() < time {
                let turn = next.fetch_add(1, Ordering::Relaxed);
                let Some(path) = paths.get(turn % paths.len().max(1)) else { break };
                window.read(&peer, path).await;
                tokio::time::sleep(PAUSE).await;
            }
            window
        })
    });
    let windows: Vec<Window> = futures::future::try_join_all(readers).await?;
    let window = Window::all(&windows);
    if window.reads.is_empty() {
        bail!("none of {} reads was answered by a value", window.failed);
    }
    Ok(window)
}

impl Window {
    async fn read(&mut self, peer: &Peer, path: &str) {
        let started = Instant::now();
        let answer = peer.get(path).await;
        let took = started.elapsed();
        match answer {
            Ok((200, body)) if let Ok(taken) = taken(&body) => {
                self.reads.push(took);
                self.ages.push(Duration::from_millis(u64::try_from(wall_ms() - taken * 1_000).unwrap_or(0)));
            }
            _ => self.failed += 1,
        }
    }
}
