//! A connection in a guest's hands, and the buffer into which its task reads ahead.
use super::link::Command;
use crate::budget::{Permit, Source, Verdict};
use crate::source::PoolKey;
use bytes::{Bytes, BytesMut};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{Notify, mpsc};
use windlass_core::failure::{Failure, FailureKind};

/// Bytes that are read ahead.
const AHEAD: usize = 256 << 10;
/// A source that had less time than this to answer is not blamed for being late.
const PATIENCE: Duration = Duration::from_secs(1);

/// What the task of a connection has told so far.
#[derive(Default)]
pub(super) struct Inner {
    pub(super) ahead: BytesMut,
    /// The peer closed, or something failed. Nothing comes after it.
    pub(super) ended: Option<Result<(), Failure>>,
    /// The slot of the source, while a guest has the connection, and since when.
    permit: Option<(Permit, Instant)>,
    /// The source has said something since.
    heard: bool,
}

impl Inner {
    fn tell(&mut self, verdict: Verdict) {
        if let Some((permit, _)) = &mut self.permit {
            permit.tell(verdict);
        }
    }
}

#[derive(Default)]
pub(super) struct Buffer {
    inner: Mutex<Inner>,
    /// Something can be read, or it has ended.
    pub(super) readable: Notify,
    /// There is room again.
    pub(super) room: Notify,
}

impl Buffer {
    pub(super) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn ready(&self) -> bool {
        let inner = self.lock();
        !inner.ahead.is_empty() || inner.ended.is_some()
    }

    pub(super) fn full(&self) -> bool {
        self.lock().ahead.len() >= AHEAD
    }

    /// The guest's turn has come.
    pub(super) fn admit(&self, permit: Permit) {
        let mut inner = self.lock();
        inner.permit = Some((permit, Instant::now()));
        inner.heard = false;
    }

    /// The source said something.
    pub(super) fn push(&self, piece: &[u8]) {
        let mut inner = self.lock();
        inner.ahead.extend_from_slice(piece);
        if !std::mem::replace(&mut inner.heard, true) {
            inner.tell(Verdict::Answered);
        }
        drop(inner);
        self.readable.notify_one();
    }

    /// Nothing comes any more.
    pub(super) fn end(&self, how: Result<(), Failure>, verdict: Option<Verdict>) {
        let mut inner = self.lock();
        if let (false, Some(verdict)) = (inner.heard, verdict) {
            inner.tell(verdict);
        }
        inner.ended.get_or_insert(how);
        drop(inner);
        self.readable.notify_one();
    }

    /// The guest waited in vain.
    fn late(&self) {
        let mut inner = self.lock();
        let patient = inner.permit.as_ref().is_some_and(|(_, since)| since.elapsed() >= PATIENCE);
        if patient && !inner.heard {
            // Once per turn.
            inner.heard = true;
            inner.tell(Verdict::Late);
        }
    }

    /// The guest gives its slot back. Returns whether it had one.
    pub(super) fn release(&self) -> bool {
        self.lock().permit.take().is_some()
    }
}

#[allow(unreachable_pub, reason = "the bindings re-export it")]
/// A connection in a guest's hands. Dropped, it is closed.
pub struct Connection {
    pub(super) key: PoolKey,
    pub(super) source: Arc<Source>,
    pub(super) buffer: Arc<Buffer>,
    pub(super) commands: mpsc::Sender<Command>,
    pub(super) deadline: Instant,
    pub(super) task: tokio::task::JoinHandle<()>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.task.abort();
        self.buffer.release();
    }
}

impl Connection {
    /// What was read ahead, or how it ended; `None`: nothing yet.
    fn poll(&self, most: usize) -> Option<Result<Bytes, Failure>> {
        let mut inner = self.buffer.lock();
        if !inner.ahead.is_empty() {
            let take = most.min(inner.ahead.len());
            let piece = inner.ahead.split_to(take).freeze();
            drop(inner);
            self.buffer.room.notify_one();
            return Some(Ok(piece));
        }
        inner.ended.clone().map(|ended| ended.map(|()| Bytes::new()))
    }

    pub(super) async fn read(&self, most: usize, until: Instant) -> Result<Bytes, Failure> {
        loop {
            let readable = self.buffer.readable.notified();
            if let Some(read) = self.poll(most) {
                return read;
            }
            if tokio::time::timeout_at(until.into(), readable).await.is_err() {
                self.buffer.late();
                let message = format!("{} did not answer in time", self.source.name());
                return Err(Failure::new(FailureKind::Timeout, message));
            }
        }
    }
}
