//! What may be written, and what the API server is known to hold. `diff` compares the two; usually nothing is left.
use crate::failure::Reason;
use crate::key::{TargetRef, Text, WorkloadKey};
use crate::milli::Milli;
use crate::time::{Mono, Wall};
use crate::workload::{Aim, Behavior, ResourceTrigger};
use std::collections::BTreeMap;

/// Status of a condition.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tri {
    /// `True`.
    Yes,
    /// `False`.
    No,
    /// `Unknown`.
    #[default]
    Unknown,
}

/// One condition. The reason is text since another program may have written it; ours come from [`Reason`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Condition {
    /// Status.
    pub status: Tri,
    /// Reason.
    pub reason: Text,
    /// Message.
    pub message: Text,
}

impl Condition {
    /// A condition with a reason of ours.
    pub fn new(status: Tri, reason: Reason, message: impl Into<Text>) -> Condition {
        Condition { status, reason: reason.as_str().into(), message: message.into() }
    }
}

/// The conditions of a ScaledObject, in KEDA's order. `None`: not in the list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conditions {
    /// `Ready`.
    pub ready: Option<Condition>,
    /// `Active`.
    pub active: Option<Condition>,
    /// `Fallback`.
    pub fallback: Option<Condition>,
    /// `Paused`.
    pub paused: Option<Condition>,
    /// `HPAActive`: added only once the HPA has been seen unable to scale.
    pub hpa_active: Option<Condition>,
}

/// The status of a ScaledObject.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StatusView {
    /// `conditions`.
    pub conditions: Conditions,
    /// `scaleTargetKind` and `scaleTargetGVKR`.
    pub target: Option<TargetRef>,
    /// `originalReplicaCount`.
    pub original_replicas: Option<u32>,
    /// `lastActiveTime`, in whole seconds.
    pub last_active: Option<Wall>,
    /// `externalMetricNames`.
    pub external_metrics: Vec<Text>,
    /// `resourceMetricNames`.
    pub resource_metrics: Vec<Text>,
    /// `hpaName`.
    pub hpa_name: Option<Text>,
    /// `pausedReplicaCount`.
    pub paused_replicas: Option<u32>,
    /// `triggersTypes`, joined by commas.
    pub trigger_types: Option<Text>,
    /// `authenticationsTypes`, joined by commas (names of the authentications, as in KEDA).
    pub authentications: Option<Text>,
    /// `triggersActivity`: metric name → active.
    pub activity: BTreeMap<Text, bool>,
}

/// The HPA, in the core's words. The `cluster` crate turns it into `autoscaling/v2` and back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HpaShape {
    /// Name.
    pub name: Text,
    /// Labels.
    pub labels: BTreeMap<Text, Text>,
    /// Annotations.
    pub annotations: BTreeMap<Text, Text>,
    /// `scaleTargetRef` (its `resource` is not part of an HPA and is ignored in comparisons).
    pub target: TargetRef,
    /// `minReplicas`.
    pub min: u32,
    /// `maxReplicas`.
    pub max: u32,
    /// `metrics`, in KEDA's order.
    pub metrics: Vec<HpaMetric>,
    /// `behavior`.
    pub behavior: Option<Behavior>,
}

/// A metric of an HPA.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HpaMetric {
    /// `External`, selected by the label `scaledobject.keda.sh/name`.
    External {
        /// `s<index>-<name>`.
        name: Text,
        /// Value of the selector: the ScaledObject's name.
        object: Text,
        /// Target.
        target: Milli,
        /// Average or value.
        aim: Aim,
    },
    /// `Resource` or `ContainerResource`.
    Resource(ResourceTrigger),
    /// Something that we never write; makes the stored HPA differ.
    Foreign(Text),
}

/// A stored HPA.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HpaSeen {
    /// What it says.
    pub shape: HpaShape,
    /// Its controller owner's uid, when it has one.
    pub owner: Option<Text>,
    /// Its resource version.
    pub version: Text,
    /// Its `ScalingActive` condition: status, reason, message.
    pub scaling_active: Option<Condition>,
}

/// The target's replicas as they were last seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TargetSeen {
    /// There is no such object.
    Missing,
    /// It could not be read.
    Unreadable(Text),
    /// It has replicas.
    Found {
        /// `spec.replicas`.
        spec: u32,
        /// Ready replicas (equal to `current` where the kind does not tell).
        ready: u32,
        /// `status.replicas`.
        current: u32,
        /// Its resource version.
        version: Text,
    },
}

/// What was seen of an object's own record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecordSeen {
    /// Its resource version.
    pub version: Text,
    /// It carries our finalizer.
    pub finalizer: bool,
    /// It carries the label `scaledobject.keda.sh/name` with its own name.
    pub label: bool,
    /// Its status.
    pub status: StatusView,
}

/// Everything that the API server is known to hold about a workload.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stored {
    /// The object's record.
    pub record: Option<RecordSeen>,
    /// The HPA of the name that the workload wants, or that its status names; `None`: there is none.
    pub hpa: Option<HpaSeen>,
    /// The HPA cache has been filled: without this, `hpa: None` means nothing.
    pub hpa_known: bool,
    /// The target.
    pub target: Option<TargetSeen>,
}

/// A write. The lanes send `Scale` before `Hpa` and `Meta` before `Status` before `Event`; per object and kind the newest wins.
#[derive(Clone, Debug, PartialEq)]
pub enum Write {
    /// PATCH of `/scale` with the resource version; a conflict is re-decided, not forced.
    Scale {
        /// Which workload.
        key: WorkloadKey,
        /// What to scale.
        target: TargetRef,
        /// To how many replicas.
        to: u32,
        /// Only if the target still is at this version.
        if_version: Text,
        /// When it was decided: dropped when older than a period.
        decided: Mono,
    },
    /// The HPA.
    Hpa {
        /// Which workload.
        key: WorkloadKey,
        /// Uid of its owner.
        uid: Text,
        /// What to do.
        op: HpaOp,
    },
    /// Finalizer and label, in one request.
    Meta {
        /// Which workload.
        key: WorkloadKey,
        /// Add (true) or remove (false) the finalizer.
        finalizer: bool,
        /// Add the label too.
        label: bool,
        /// Only if the object still is at this version.
        if_version: Text,
    },
    /// The whole status as it should be, and what it differs from.
    Status {
        /// Which workload.
        key: WorkloadKey,
        /// As it should be.
        wanted: Box<StatusView>,
        /// As it is stored; the request carries the difference only.
        stored: Box<StatusView>,
        /// Only if the object still is at this version.
        if_version: Text,
    },
    /// A Kubernetes event.
    Event {
        /// About which workload.
        key: WorkloadKey,
        /// Its uid.
        uid: Text,
        /// Reason.
        reason: Reason,
        /// Text, clean.
        text: Text,
    },
}

/// What to do with an HPA.
#[derive(Clone, Debug, PartialEq)]
pub enum HpaOp {
    /// Create it.
    Create(HpaShape),
    /// Replace its spec, labels, annotations and owner, if it still is at `version`.
    Update {
        /// As it should be.
        shape: HpaShape,
        /// The version that was compared.
        version: Text,
    },
    /// Delete it.
    Delete {
        /// Its name.
        name: Text,
    },
}

/// The kind of a write: with the workload's key the unit of coalescing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs, reason = "the variants of Write")]
pub enum WriteKind {
    Scale,
    Hpa,
    Meta,
    Status,
    Event,
}

impl WriteKind {
    /// The word used in metrics.
    pub fn as_label(self) -> &'static str {
        match self {
            WriteKind::Scale => "scale",
            WriteKind::Hpa => "hpa",
            WriteKind::Meta => "meta",
            WriteKind::Status => "status",
            WriteKind::Event => "event",
        }
    }
}

impl Write {
    /// About which workload.
    pub fn key(&self) -> &WorkloadKey {
        match self {
            Write::Scale { key, .. }
            | Write::Hpa { key, .. }
            | Write::Meta { key, .. }
            | Write::Status { key, .. }
            | Write::Event { key, .. } => key,
        }
    }

    /// Its kind.
    pub fn kind(&self) -> WriteKind {
        match self {
            Write::Scale { .. } => WriteKind::Scale,
            Write::Hpa { .. } => WriteKind::Hpa,
            Write::Meta { .. } => WriteKind::Meta,
            Write::Status { .. } => WriteKind::Status,
            Write::Event { .. } => WriteKind::Event,
        }
    }
}

/// How a write ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WriteResult {
    /// The API server stored it; the object's new resource version, where it has one.
    Done(Option<Text>),
    /// The object had changed in between: decide again on what is seen next.
    Conflict,
    /// The object is gone.
    Gone,
    /// It failed and may be tried again later (with backoff by the core).
    Failed(Text),
    /// It was dropped: too old, or a newer one took its place.
    Dropped,
}
