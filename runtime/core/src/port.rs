//! What the outside implements. Nothing here waits; the futures belong to the callers.
use crate::failure::{Failure, Fault};
use crate::key::Digest;
use crate::message::{Batch, BatchId, QueryId};
use crate::query::{Problem, QueryPlan, ResolvedTrigger};
use crate::sample::Outcome;
use crate::scaler::Scaler;
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

/// Knows the scalers.
pub trait Scalers: Send + Sync + 'static {
    /// The component that serves a trigger type, or why there is none (unknown, still compiling, quarantined).
    fn find(&self, trigger_type: &str) -> Result<Arc<Scaler>, Fault>;

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
