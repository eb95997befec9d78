//! What the outside implements. Nothing here waits; the futures belong to the callers.
use crate::failure::{Failure, Fault};
use crate::hosts::Hosts;
use crate::key::{Digest, Text};
use crate::message::{Batch, BatchId, QueryId};
use crate::query::{Problem, QueryPlan, ResolvedTrigger};
use crate::sample::Outcome;
use crate::scaler::Scaler;
use crate::workload::{DeclaredTrigger, Intake};
use crate::write::Write;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

/// A boxed future.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Where the outcomes of a batch go, one by one, as soon as they are known. Must not block.
pub trait Report: Send + Sync {
    /// A query's outcome.
    fn outcome(&self, batch: BatchId, query: QueryId, outcome: Outcome);

    /// The batch did not end well, and why: what failed its queries without an outcome. Told at most once, after the last one.
    fn broke(&self, _batch: BatchId, _why: Failure) {}
}

/// Asks event sources.
pub trait Poller: Send + Sync + 'static {
    /// Runs a batch to its end, within its budget. Every outcome goes to `report`; a query without one has failed.
    fn poll(&self, batch: Batch, report: Arc<dyn Report>) -> BoxFuture<'static, ()>;
}

/// What serves a trigger.
#[derive(Clone, Debug)]
pub struct Serving {
    /// The component.
    pub scaler: Arc<Scaler>,
    /// Why a newer one does not take its place.
    pub held_back: Option<Text>,
    /// Hosts that it may reach beyond those that a trigger's own values name.
    pub granted: Option<Arc<Hosts>>,
}

impl From<Arc<Scaler>> for Serving {
    /// A component that serves as it is.
    fn from(scaler: Arc<Scaler>) -> Serving {
        Serving { scaler, held_back: None, granted: None }
    }
}

/// Knows the scalers.
pub trait Scalers: Send + Sync + 'static {
    /// The component that serves a trigger type, or why there is none (unknown, still compiling, quarantined).
    fn find(&self, trigger_type: &str) -> Result<Arc<Scaler>, Fault>;

    /// The component that serves a trigger of an object, where namespaces and objects may have one of their own. `None`: it
    /// is not known yet; the object is prepared again when it is.
    ///
    /// # Errors
    /// As [`Scalers::find`], and when the one that was registered may not serve it.
    fn serve(&self, _object: &Arc<Intake>, trigger: &DeclaredTrigger) -> Result<Option<Serving>, Fault> {
        Ok(Some(self.find(&trigger.kind)?.into()))
    }

    /// Asks a component what it makes of triggers: pure, cached by component and values. One answer each, in order.
    fn configure(
        &self,
        component: Digest,
        triggers: Vec<ResolvedTrigger>,
    ) -> BoxFuture<'static, Result<Vec<Result<QueryPlan, Vec<Problem>>>, Fault>>;
}

/// Takes writes. Never blocks: it queues, coalesces per object and kind, and tells the end of each by `Msg::Ack`.
pub trait Writer: Send + Sync + 'static {
    /// Queues a write.
    fn submit(&self, write: Write);
}
