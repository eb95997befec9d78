//! The lanes: writes wait here, one place per object and kind, until their lane has a token of the budget.
//!
//! `scale` > `hpa` (with finalizer and label) > `status` > `event`. Each lane has workers, a bound and a share of the
//! budget of its own, so that a flood in one never delays another; a write that comes while an older one of the same place
//! waits takes that one's turn.
use crate::budget::{Budget, Class};
use crate::metrics::Metrics;
use futures::future::BoxFuture;
use std::collections::{HashMap, HashSet, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, Semaphore, mpsc};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use windlass_core::port::Writer;
use windlass_core::write::{Write, WriteKind, WriteResult};
use windlass_core::{Msg, Text, WorkloadKey};

/// Sends one write. What it gives back is told to the core.
pub(crate) trait Sender: Send + Sync + 'static {
    /// Sends it; the budget has been paid.
    fn send(&self, write: Write) -> BoxFuture<'_, WriteResult>;
}

/// Limits of the lanes.
#[derive(Clone, Debug)]
pub struct LaneOptions {
    /// A scale write that waited longer is dropped: what it was decided on is too old.
    pub scale_age: Duration,
    /// Places per lane; a write beyond is refused (an event: dropped).
    pub places: usize,
}

impl Default for LaneOptions {
    fn default() -> LaneOptions {
        LaneOptions { scale_age: Duration::from_secs(15), places: 50_000 }
    }
}

/// The lanes and how many writes of each may be under way.
const LANES: [(Class, usize); 4] = [(Class::Scale, 32), (Class::Hpa, 16), (Class::Status, 16), (Class::Event, 4)];

fn lane_of(kind: WriteKind) -> usize {
    match kind {
        WriteKind::Scale => 0,
        WriteKind::Hpa | WriteKind::Meta => 1,
        WriteKind::Status => 2,
        WriteKind::Event => 3,
    }
}

/// The unit of coalescing. Events of one object are told apart by what they say; of anything else, the newest counts.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Place {
    key: WorkloadKey,
    kind: WriteKind,
    said: u64,
}

impl Place {
    fn of(write: &Write) -> Place {
        let mut said = 0;
        if let Write::Event { reason, text, .. } = write {
            let mut hasher = DefaultHasher::new();
            (reason, text).hash(&mut hasher);
            said = hasher.finish();
        }
        Place { key: write.key().clone(), kind: write.kind(), said }
    }
}

struct Waiting {
    write: Write,
    since: Instant,
}

#[derive(Default)]
struct Lane {
    order: VecDeque<Place>,
    waiting: HashMap<Place, Waiting>,
    under_way: HashSet<Place>,
}

impl Lane {
    /// The next write whose place has none under way.
    fn next(&mut self) -> Option<(Place, Waiting)> {
        let at = self.order.iter().position(|place| !self.under_way.contains(place))?;
        let place = self.order.remove(at)?;
        let waiting = self.waiting.remove(&place)?;
        self.under_way.insert(place.clone());
        Some((place, waiting))
    }

    fn has_next(&self) -> bool {
        // Few places are under way at a time, so this looks at few.
        self.order.iter().any(|place| !self.under_way.contains(place))
    }

    fn is_empty(&self) -> bool {
        self.order.is_empty() && self.under_way.is_empty()
    }
}

struct Shared {
    lanes: [Mutex<Lane>; 4],
    /// Something may be startable in a lane.
    wake: [Notify; 4],
    /// Something has ended.
    ended: Notify,
    closed: AtomicBool,
    options: LaneOptions,
    metrics: Metrics,
    /// Ends of writes on their way to the core. `submit` may not wait, and its caller is who reads these; there is at most
    /// one for each write that was submitted.
    acks: mpsc::UnboundedSender<Msg>,
}

impl Shared {
    fn lane(&self, lane: usize) -> MutexGuard<'_, Lane> {
        self.lanes[lane].lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ack(&self, key: WorkloadKey, kind: WriteKind, result: WriteResult) {
        self.metrics.write_ended(kind, &result);
        // The core is gone only when the process ends.
        let _ = self.acks.send(Msg::Ack(key, kind, result));
    }
}

/// The lanes' front door.
#[derive(Clone)]
pub struct Lanes {
    shared: Arc<Shared>,
}

impl std::fmt::Debug for Lanes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lanes").field("options", &self.shared.options).finish_non_exhaustive()
    }
}

impl Lanes {
    /// Starts the lanes' tasks. They end with `stop`.
    pub(crate) fn start(
        sender: Arc<dyn Sender>,
        budget: Arc<Budget>,
        options: LaneOptions,
        inbox: mpsc::Sender<Msg>,
        metrics: Metrics,
        stop: CancellationToken,
    ) -> Lanes {
        let (acks, mut ended) = mpsc::unbounded_channel();
        let shared = Arc::new(Shared {
            lanes: Default::default(),
            wake: Default::default(),
            ended: Notify::new(),
            closed: AtomicBool::new(false),
            options,
            metrics,
            acks,
        });
        for lane in 0..LANES.len() {
            let run = run(shared.clone(), lane, sender.clone(), budget.clone());
            let stop = stop.clone();
            tokio::spawn(async move { stop.run_until_cancelled(run).await });
        }
        tokio::spawn(async move {
            let forward = async {
                while let Some(message) = ended.recv().await {
                    if inbox.send(message).await.is_err() {
                        return;
                    }
                }
            };
            stop.run_until_cancelled(forward).await
        });
        Lanes { shared }
    }

    /// Takes no more writes, and waits until those that wait have been sent, or until `deadline` has passed. Gives the
    /// number of writes that were left.
    pub(crate) async fn flush(&self, deadline: Duration) -> usize {
        self.shared.closed.store(true, Ordering::Release);
        let empty = async {
            loop {
                let ended = self.shared.ended.notified();
                if (0..LANES.len()).all(|lane| self.shared.lane(lane).is_empty()) {
                    return;
                }
                ended.await;
            }
        };
        let _ = tokio::time::timeout(deadline, empty).await;
        (0..LANES.len()).map(|lane| self.shared.lane(lane)).map(|lane| lane.order.len() + lane.under_way.len()).sum()
    }
}

impl Writer for Lanes {
    fn submit(&self, write: Write) {
        let (key, kind) = (write.key().clone(), write.kind());
        if self.shared.closed.load(Ordering::Acquire) {
            return self.shared.ack(key, kind, WriteResult::Dropped);
        }
        let place = Place::of(&write);
        let index = lane_of(kind);
        let waiting = Waiting { write, since: Instant::now() };
        let refused = {
            let mut lane = self.shared.lane(index);
            if let Some(older) = lane.waiting.get_mut(&place) {
                *older = waiting;
                Some(WriteResult::Dropped)
            } else if lane.order.len() >= self.shared.options.places {
                let full: Text = "too many writes wait".into();
                Some(if kind == WriteKind::Event { WriteResult::Dropped } else { WriteResult::Failed(full) })
            } else {
                lane.order.push_back(place.clone());
                lane.waiting.insert(place, waiting);
                self.shared.metrics.queue_length(LANES[index].0, lane.order.len());
                None
            }
        };
        match refused {
            Some(result) => self.shared.ack(key, kind, result),
            None => self.shared.wake[index].notify_one(),
        }
    }
}

/// Works off one lane.
async fn run(shared: Arc<Shared>, index: usize, sender: Arc<dyn Sender>, budget: Arc<Budget>) {
    let (class, width) = LANES[index];
    let permits = Arc::new(Semaphore::new(width));
    loop {
        let Ok(permit) = permits.clone().acquire_owned().await else { return };
        while !shared.lane(index).has_next() {
            shared.wake[index].notified().await;
        }
        // Which write is sent is decided only once it can be: until then a newer one may come.
        budget.acquire(class).await;
        let Some((place, waiting)) = shared.lane(index).next() else { continue };
        let waited = waiting.since.elapsed();
        shared.metrics.left_queue(class, waited);
        let (shared, sender) = (shared.clone(), sender.clone());
        tokio::spawn(async move {
            let result = if place.kind == WriteKind::Scale && waited > shared.options.scale_age {
                WriteResult::Dropped
            } else {
                sender.send(waiting.write).await
            };
            {
                let mut lane = shared.lane(index);
                lane.under_way.remove(&place);
                shared.metrics.queue_length(class, lane.order.len());
            }
            shared.ack(place.key, place.kind, result);
            drop(permit);
            shared.wake[index].notify_one();
            shared.ended.notify_waiters();
        });
    }
}
