//! Answers, and how old they are. Expired is unknown, and unknown is never zero.
use crate::failure::{Failure, Reason};
use crate::key::Text;
use crate::milli::Milli;
use crate::query::MetricSpec;
use crate::time::{Mono, Wall};
use smallvec::SmallVec;
use std::sync::Arc;
use std::time::Duration;

/// What a scaler read from its source.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// One value per metric of the plan, same order; never negative, always finite.
    pub values: SmallVec<[Milli; 1]>,
    /// The scaler's own word on activity; `None`: any value above its activation.
    pub active: Option<bool>,
    /// When it was read, by our clock.
    pub observed: Mono,
    /// "Ask again then", for instance the next edge of a schedule.
    pub next: Option<Wall>,
    /// The metrics, when the plan left them to be discovered.
    pub metrics: Option<Arc<[MetricSpec]>>,
}

/// How one query of a batch ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// A value, and the state to hand back at the next poll (`None`: unchanged).
    Ready(Sample, Option<Arc<[u8]>>),
    /// No value.
    Failed(Failure),
    /// Begun (a search job): neither value nor failure; ask again after `retry`.
    Pending {
        /// Handed back at the next poll.
        state: Arc<[u8]>,
        /// When.
        retry: Duration,
    },
}

/// How long a sample may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Freshness {
    /// Up to here it is as good as new.
    pub fresh_for: Duration,
    /// Up to here it may still be served. For metrics of type `Value` the same as `fresh_for`: the HPA multiplies
    /// them by ready pods, so a repeated old sample runs away.
    pub usable_for: Duration,
}

/// A value with its age taken into account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known<T> {
    /// Good.
    Fresh(T),
    /// Old, but usable; how old.
    Ageing(T, Duration),
    /// Not known.
    Unknown(Reason),
}

impl<T> Known<T> {
    /// The value, when it may be used.
    pub fn usable(self) -> Option<T> {
        match self {
            Known::Fresh(value) | Known::Ageing(value, _) => Some(value),
            Known::Unknown(_) => None,
        }
    }
}

/// A text cleaned of secrets, for people.
pub type Clean = Text;
