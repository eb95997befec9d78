//! The board: what a metric read sees. Written by the core's owner, read by anybody, without a lock that a poll holds.
use crate::failure::Reason;
use crate::key::{MetricName, Text};
use crate::milli::Milli;
use crate::time::{Mono, Wall};
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Which metric is meant. The case of a metric's name does not count: the HPA controller's client asks for it in lower case
/// (it stands in the place of a resource), and KEDA compares without case too.
#[derive(Clone, Debug)]
pub struct MetricKey {
    /// Namespace of the ScaledObject.
    pub namespace: Text,
    /// Name of the ScaledObject.
    pub object: Text,
    /// The metric.
    pub metric: MetricName,
}

/// A [`MetricKey`] whose parts are borrowed, so that a read allocates nothing. Both are compared and hashed in this form.
#[derive(Clone, Copy, Debug)]
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

impl MetricKey {
    fn borrowed(&self) -> MetricRef<'_> {
        MetricRef {
            namespace: &self.namespace,
            object: &self.object,
            trigger: self.metric.trigger,
            name: &self.metric.name,
        }
    }
}

/// A name without its case.
fn folded(name: &str) -> impl Iterator<Item = char> {
    name.chars().flat_map(char::to_lowercase)
}

impl PartialEq for MetricRef<'_> {
    fn eq(&self, other: &MetricRef<'_>) -> bool {
        self.trigger == other.trigger
            && self.namespace == other.namespace
            && self.object == other.object
            && folded(self.name).eq(folded(other.name))
    }
}

impl Eq for MetricRef<'_> {}

impl Hash for MetricRef<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.namespace.hash(state);
        self.object.hash(state);
        self.trigger.hash(state);
        folded(self.name).for_each(|c| c.hash(state));
    }
}

impl PartialEq for MetricKey {
    fn eq(&self, other: &MetricKey) -> bool {
        self.borrowed() == other.borrowed()
    }
}

impl Eq for MetricKey {}

impl Hash for MetricKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.borrowed().hash(state);
    }
}

impl papaya::Equivalent<MetricKey> for MetricRef<'_> {
    fn equivalent(&self, key: &MetricKey) -> bool {
        *self == key.borrowed()
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
    /// Milliseconds between the last two reads, 0: there were none.
    last_gap: AtomicU64,
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

/// How a metric was read lately.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Readers {
    /// Milliseconds since it was read; `None`: never.
    pub ago_ms: Option<u64>,
    /// Milliseconds between the last two reads.
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
                let cell = Cell {
                    served: arc_swap::ArcSwap::from_pointee(served),
                    last_read: AtomicU64::new(0),
                    last_gap: AtomicU64::new(0),
                };
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
        let gap_ms = (before != 0).then(|| now.0.saturating_sub(before));
        if let Some(gap_ms) = gap_ms {
            cell.last_gap.store(gap_ms.max(1), Ordering::Relaxed);
        }
        Some(Read { served: cell.served.load_full(), gap_ms })
    }

    /// How a metric was read lately; looking does not count as a read.
    pub fn readers(&self, key: &MetricKey, now: Mono) -> Readers {
        let cells = self.cells.pin();
        let Some(cell) = cells.get(key) else { return Readers::default() };
        let told = |value: u64| (value != 0).then_some(value);
        let ago_ms = told(cell.last_read.load(Ordering::Relaxed)).map(|read| now.0.saturating_sub(read));
        Readers { ago_ms, gap_ms: told(cell.last_gap.load(Ordering::Relaxed)) }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_case_of_a_metrics_name_does_not_count() {
        let board = Board::new();
        let key =
            MetricKey { namespace: "ns".into(), object: "web".into(), metric: MetricName::new(0, "cron-Etc-UTC") };
        let now = Mono(5);
        let value = Ok(Milli(1000));
        let served = Served { value, basis: Basis::Measured, observed: now, observed_wall: Wall(0), valid_until: now };
        board.show(&key, served);
        let asked = |object, name| MetricRef { namespace: "ns", object, trigger: 0, name };
        assert!(board.read(&asked("web", "cron-etc-utc"), now).is_some());
        assert!(board.read(&asked("web", "cron-Etc-UTC"), now).is_some());
        assert!(board.read(&asked("Web", "cron-etc-utc"), now).is_none(), "the case of an object's name does");
        assert!(board.read(&asked("web", "cron-etc-ut"), now).is_none());
        assert_eq!(board.readers(&key, Mono(9)), Readers { ago_ms: Some(4), gap_ms: Some(1) });
        board.read(&key, Mono(20_005));
        assert_eq!(board.readers(&key, Mono(20_006)), Readers { ago_ms: Some(1), gap_ms: Some(20_000) });
    }
}
