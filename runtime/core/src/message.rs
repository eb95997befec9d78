//! What goes into [`crate::Core::step`] and what comes out.
use crate::algorithm::Resource;
use crate::fact::Fact;
use crate::failure::{Failure, Fault};
use crate::key::{Digest, Text, WorkloadKey};
use crate::query::{Domain, Question};
use crate::sample::Outcome;
use crate::time::Wall;
use crate::workload::Workload;
use crate::write::{HpaSeen, RecordSeen, TargetSeen, Write, WriteKind, WriteResult};
use std::sync::Arc;
use std::time::Duration;

/// A query in the core's slab. The generation makes a late message for a reused place harmless.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QueryId {
    /// Place.
    pub index: u32,
    /// How often the place was used before.
    pub generation: u32,
}

/// A batch in flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BatchId(pub u64);

/// One message. Its handling costs no more than its own size.
#[derive(Clone, Debug)]
pub enum Msg {
    /// A workload is new or has changed.
    Upsert(Box<Workload>),
    /// An object could not even be lowered: Ready=False, its HPA and replicas stay as they are.
    Refused {
        /// Which.
        key: WorkloadKey,
        /// Its uid.
        uid: Text,
        /// Its generation.
        generation: i64,
        /// Why.
        fault: Fault,
    },
    /// The object is being deleted: restore, then let it go by removing the finalizer.
    Deleting(WorkloadKey),
    /// The object is gone.
    Gone(WorkloadKey),
    /// What the API server holds.
    Seen(WorkloadKey, Seen),
    /// Results of a batch, as they come. A query's first result counts.
    Outcomes(BatchId, Vec<(QueryId, Outcome)>),
    /// Why a batch is about to end: what its queries without a result have failed of.
    BatchBroke(BatchId, Failure),
    /// A batch has ended: queries without a result have failed as internal.
    BatchEnded(BatchId),
    /// A write has ended.
    Ack(WorkloadKey, WriteKind, WriteResult),
    /// Time has come for something (see [`crate::Core::next_wake`]).
    Tick,
    /// The process is about to stop: write what would be lost (`lastActiveTime`).
    Flush,
}

/// What the cluster (or local mode) tells about objects: the way into the pipeline, kept in order per object. `Put` is
/// prepared (resolved and configured) on its way to a [`Msg::Upsert`]; the others pass through.
#[derive(Clone, Debug)]
pub enum IntakeMsg {
    /// An object is new or has changed, or what it refers to has changed (a Secret, an environment, its target's kind).
    Put(Box<crate::workload::Intake>),
    /// See [`Msg::Refused`].
    Refused {
        /// Which.
        key: WorkloadKey,
        /// Its uid.
        uid: Text,
        /// Its generation.
        generation: i64,
        /// Why.
        fault: Fault,
    },
    /// See [`Msg::Deleting`].
    Deleting(WorkloadKey),
    /// See [`Msg::Gone`].
    Gone(WorkloadKey),
}

/// A piece of what the API server holds.
#[derive(Clone, Debug)]
pub enum Seen {
    /// The object's own record.
    Record(RecordSeen),
    /// The workload's HPA, or that there is none.
    Hpa(Option<HpaSeen>),
    /// The target's replicas.
    Target(TargetSeen),
    /// What the target's pods use, by the index of the trigger that asks for it (the direct engine's `cpu` and `memory`).
    Use(Vec<(u16, Result<Resource, Failure>)>),
}

/// One query of a batch.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Which.
    pub id: QueryId,
    /// What.
    pub question: Arc<Question>,
    /// What it left behind last time.
    pub state: Arc<[u8]>,
}

/// Assembled late, lives for one call. All queries are of one component, domain, source and group.
#[derive(Clone, Debug)]
pub struct Batch {
    /// Its number.
    pub id: BatchId,
    /// The component.
    pub component: Digest,
    /// The isolation domain.
    pub domain: Domain,
    /// At most 64.
    pub queries: Vec<Asked>,
    /// Wall time for the guest.
    pub now: Wall,
    /// The call must end within this.
    pub budget: Duration,
}

/// What a step wants done. Kept by the caller and reused: `step` only appends.
#[derive(Debug, Default)]
pub struct Out {
    /// To poll now.
    pub batches: Vec<Batch>,
    /// To write.
    pub writes: Vec<Write>,
    /// For metrics.
    pub facts: Vec<Fact>,
}
