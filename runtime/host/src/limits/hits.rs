//! Which limits a call has hit: each counts once per call, however often the guest tries.
use super::limit::{Limit, Passed};
use crate::Metrics;
use std::sync::atomic::{AtomicU32, Ordering};

/// The limits that one call has hit.
#[derive(Debug)]
pub(crate) struct Hits {
    metrics: Metrics,
    seen: AtomicU32,
}

impl Hits {
    pub(crate) fn new(metrics: Metrics) -> Hits {
        Hits { metrics, seen: AtomicU32::new(0) }
    }

    /// A limit was hit. True: for the first time.
    pub(crate) fn hit(&self, limit: Limit) -> bool {
        let bit = 1_u32 << (limit as u32);
        let first = self.seen.fetch_or(bit, Ordering::Relaxed) & bit == 0;
        if first {
            self.metrics.hit(limit);
        }
        first
    }

    /// A limit was passed whose end is that of the call.
    pub(crate) fn passed(&self, limit: Limit) -> wasmtime::Error {
        self.hit(limit);
        wasmtime::Error::new(Passed(limit))
    }

    /// Whether a limit was hit.
    pub(crate) fn has(&self, limit: Limit) -> bool {
        self.seen.load(Ordering::Relaxed) & (1 << (limit as u32)) != 0
    }
}

const _: () = assert!(Limit::ALL.len() <= 32, "a bit for each");
