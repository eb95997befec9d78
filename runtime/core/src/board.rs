//! The board: what a metric read sees. Written by the core's owner, read by anybody, without a lock that a poll holds.
use crate::failure::Reason;
use crate::key::{MetricName, Text};
use crate::milli::Milli;
use crate::time::{Mono, Wall};
use std::hash::Hash;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Which metric is meant.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MetricKey {
    /// Namespace of the ScaledObject.
    pub namespace: Text,
    /// Name of the ScaledObject.
    pub object: Text,
    /// The metric.
    pub metric: MetricName,
}

/// A [`MetricKey`] whose parts are borrowed, so that a read allocates nothing. Its fields hash in the order of the key's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MetricRef<'a> {
    /// Namespace of the ScaledObject.
    pub namespace: &'a str,
    /// Name of the ScaledObject.
    pub object: &'a str,
    /// Index of the trigger.
    pub trigger: u16,
    /// Name of the metric, without its prefix.
    pub name: &'a str,
}

impl papaya::Equivalent<MetricKey> for MetricRef<'_> {
    fn equivalent(&self, key: &MetricKey) -> bool {
        self.trigger == key.metric.trigger
            && self.name == &*key.metric.name
            && self.object == &*key.object
            && self.namespace == &*key.namespace
    }
}

/// From what a served value was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Basis {
    /// A sample.
    Measured,
    /// The object's fallback.
    Fallback,
    /// The object's formula.
    Formula,
}

/// The value of a metric, or why there is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Served {
    /// The value, or the reason that a reader is told.
    pub value: Result<Milli, Reason>,
    /// From what.
    pub basis: Basis,
    /// When the sample was read.
    pub observed: Mono,
    /// The same, for the timestamp of the metrics API.
    pub observed_wall: Wall,
    /// After this the value is unknown, whether or not somebody says so.
    pub valid_until: Mono,
}

/// One metric of the board.
#[derive(Debug)]
struct Cell {
    served: arc_swap::ArcSwap<Served>,
    /// Milliseconds on the readers' clock, 0: never.
    last_read: AtomicU64,
}

/// All metrics that can be read. Reads are wait-free but for the map's own look-up, and never allocate.
#[derive(Debug, Default)]
pub struct Board {
    cells: papaya::HashMap<MetricKey, Arc<Cell>>,
}

/// A read: what was found, and how long ago the same metric was read before (`None`: first time).
#[derive(Clone, Debug)]
pub struct Read {
    /// What the board shows.
    pub served: Arc<Served>,
    /// Milliseconds since the last read of this metric: the HPA controller's own period.
    pub gap_ms: Option<u64>,
}

impl Board {
    /// An empty board.
    pub fn new() -> Board {
        Board::default()
    }

    /// Shows a value. Only the owner of the core's state calls this.
    pub fn show(&self, key: &MetricKey, served: Served) {
        let cells = self.cells.pin();
        match cells.get(key) {
            Some(cell) => cell.served.store(Arc::new(served)),
            None => {
                let cell = Cell { served: arc_swap::ArcSwap::from_pointee(served), last_read: AtomicU64::new(0) };
                cells.insert(key.clone(), Arc::new(cell));
            }
        }
    }

    /// Takes a metric off the board: from now on it is not ours.
    pub fn remove(&self, key: &MetricKey) {
        self.cells.pin().remove(key);
    }

    /// Reads a metric at `now`. `None`: not ours. Past its `valid_until` the caller must treat the value as unknown:
    /// use [`Served::at`].
    pub fn read<Q>(&self, key: &Q, now: Mono) -> Option<Read>
    where
        Q: papaya::Equivalent<MetricKey> + Hash + ?Sized,
    {
        let cells = self.cells.pin();
        let cell = cells.get(key)?;
        // 0 stands for never, so a read in the first millisecond counts as one in the second.
        let before = cell.last_read.swap(now.0.max(1), Ordering::Relaxed);
        Some(Read { served: cell.served.load_full(), gap_ms: (before != 0).then(|| now.0.saturating_sub(before)) })
    }

    /// How many metrics are shown.
    pub fn len(&self) -> usize {
        self.cells.len()
    }

    /// Whether no metric is shown.
    pub fn is_empty(&self) -> bool {
        self.cells.is_empty()
    }
}

impl Served {
    /// The value at `now`: past `valid_until` it is unknown.
    pub fn at(&self, now: Mono) -> Result<Milli, Reason> {
        if now > self.valid_until && self.value.is_ok() { Err(Reason::UnknownState) } else { self.value }
    }
}
