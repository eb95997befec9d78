//! What happened, for metrics and nothing else: facts leave a step beside its batches and writes. Nothing is decided by them,
//! and who does not want them drops them.
use crate::decide::Because;
use crate::failure::{FailureKind, Reason};
use crate::key::{Digest, MetricName, Text, WorkloadKey};
use crate::message::QueryId;
use crate::sample::Outcome;
use crate::write::WriteKind;
use std::time::Duration;

/// One fact.
#[derive(Clone, Debug, PartialEq)]
pub enum Fact {
    /// A poll of a query has ended.
    Polled(Polled),
    /// A write was decided, and what for.
    Decided(WriteKind, Why),
    /// What there is to tell of one object has changed. Only with [`crate::Settings::tell_objects`].
    Object(Box<ObjectFacts>),
    /// An object that was told of is gone.
    Gone(WorkloadKey),
}

/// The end of one poll of one query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Polled {
    /// Of which query.
    pub query: QueryId,
    /// Who asked the source.
    pub component: Digest,
    /// How it ended.
    pub end: PollEnd,
    /// How old the sample before this poll was when it ended: the period when all is well, and more with every failure.
    /// `None`: there was none.
    pub age: Option<Duration>,
    /// From the moment it was sent.
    pub took: Duration,
    /// How long after it was due it was sent.
    pub late: Duration,
}

/// How a poll of a query ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PollEnd {
    /// With a value.
    Ready,
    /// The source was asked to work on it.
    Pending,
    /// It failed.
    Failed(FailureKind),
}

impl PollEnd {
    /// The end that an outcome is.
    pub fn of(outcome: &Outcome) -> PollEnd {
        match outcome {
            Outcome::Ready(..) => PollEnd::Ready,
            Outcome::Pending { .. } => PollEnd::Pending,
            Outcome::Failed(failure) => PollEnd::Failed(failure.kind),
        }
    }

    /// The word used in metrics.
    pub fn as_label(self) -> &'static str {
        match self {
            PollEnd::Ready => "ready",
            PollEnd::Pending => "pending",
            PollEnd::Failed(kind) => kind.as_label(),
        }
    }
}

/// What a write is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Why {
    /// Scale: there is work and the target was asleep.
    Activated,
    /// Scale: as before, by annotation.
    Forced,
    /// Scale: no work, and the cooldown is over.
    Deactivated,
    /// Scale: paused at another number of replicas.
    Paused,
    /// Scale: fewer replicas than the minimum.
    BelowMinimum,
    /// Scale: the direct engine recommends it.
    Recommended,
    /// Scale: the object is being deleted, and its target gets back what it had.
    Restored,
    /// HPA: there was none.
    Created,
    /// HPA: it was not as it should be.
    Corrected,
    /// HPA: there should be none.
    Removed,
    /// Meta: finalizer and label of an object that is new to us.
    Adopted,
    /// Meta: the finalizer of an object that is being deleted.
    Released,
    /// Status: the Ready condition.
    Ready,
    /// Status: the Active condition.
    Active,
    /// Status: another condition.
    Condition,
    /// Status: anything else, as names of metrics, `lastActiveTime` and `originalReplicaCount`.
    Details,
    /// Event: its own reason.
    Event(Reason),
}

impl Why {
    /// The word used in metrics.
    pub fn as_label(self) -> &'static str {
        match self {
            Why::Activated => "activated",
            Why::Forced => "forced",
            Why::Deactivated => "deactivated",
            Why::Paused => "paused",
            Why::BelowMinimum => "below-minimum",
            Why::Recommended => "recommended",
            Why::Restored => "restored",
            Why::Created => "created",
            Why::Corrected => "corrected",
            Why::Removed => "removed",
            Why::Adopted => "adopted",
            Why::Released => "released",
            Why::Ready => "ready",
            Why::Active => "active",
            Why::Condition => "condition",
            Why::Details => "details",
            Why::Event(reason) => reason.as_str(),
        }
    }

    /// What a scale is for.
    pub(crate) fn of_scale(because: &Because) -> Why {
        match because {
            Because::Forced { .. } => Why::Forced,
            Because::Deactivated { .. } => Why::Deactivated,
            Because::PausedAt { .. } => Why::Paused,
            Because::BelowMinimum { .. } => Why::BelowMinimum,
            Because::Recommended(_) => Why::Recommended,
            _ => Why::Activated,
        }
    }
}

/// The state of an object, as one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ObjectState {
    /// It cannot be served: it or its target is not as it has to be. Its replicas stay as they are.
    NotReady,
    /// Its sources have not answered for the first time, or its target was not seen yet.
    Waiting,
    /// There is work.
    Active,
    /// There is none.
    Inactive,
    /// It is not known whether there is: sources fail. Its replicas stay as they are.
    Unknown,
    /// By annotation.
    Paused,
    /// On its way out.
    Deleting,
}

impl ObjectState {
    /// All of them.
    pub const ALL: [ObjectState; 7] = [
        ObjectState::NotReady,
        ObjectState::Waiting,
        ObjectState::Active,
        ObjectState::Inactive,
        ObjectState::Unknown,
        ObjectState::Paused,
        ObjectState::Deleting,
    ];

    /// The word used in metrics.
    pub fn as_label(self) -> &'static str {
        match self {
            ObjectState::NotReady => "not-ready",
            ObjectState::Waiting => "waiting",
            ObjectState::Active => "active",
            ObjectState::Inactive => "inactive",
            ObjectState::Unknown => "unknown",
            ObjectState::Paused => "paused",
            ObjectState::Deleting => "deleting",
        }
    }
}

/// How many objects are in which state: kept up to date as they change, never counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Census([u64; ObjectState::ALL.len()]);

impl Census {
    /// How many are in a state.
    pub fn of(&self, state: ObjectState) -> u64 {
        self.0[state as usize]
    }

    pub(crate) fn moved(&mut self, from: Option<ObjectState>, to: Option<ObjectState>) {
        if let Some(from) = from {
            self.0[from as usize] = self.0[from as usize].saturating_sub(1);
        }
        if let Some(to) = to {
            self.0[to as usize] += 1;
        }
    }
}

/// What metrics by object tell of one.
#[derive(Clone, Debug, PartialEq)]
pub struct ObjectFacts {
    /// Which.
    pub key: WorkloadKey,
    /// `autoscaling.keda.sh/paused` or `/paused-replicas`.
    pub paused: bool,
    /// Why it cannot be served, when it cannot.
    pub fault: Option<Reason>,
    /// How late the latest of its polls was sent.
    pub late: Duration,
    /// Its triggers, in their order.
    pub triggers: Vec<TriggerFacts>,
}

/// What metrics by object tell of one trigger.
#[derive(Clone, Debug, PartialEq)]
pub struct TriggerFacts {
    /// Its index in the object.
    pub index: u16,
    /// Its type.
    pub kind: Text,
    /// Its name, when it has one.
    pub name: Option<Text>,
    /// Failed polls since its query is asked.
    pub failures: u64,
    /// How long the last poll took.
    pub took: Option<Duration>,
    /// Its external metrics.
    pub metrics: Vec<MetricFacts>,
}

/// What metrics by object tell of one external metric.
#[derive(Clone, Debug, PartialEq)]
pub struct MetricFacts {
    /// Its name, as the HPA asks for it.
    pub name: MetricName,
    /// Value and activity, when they are known.
    pub reading: Option<(f64, bool)>,
}
