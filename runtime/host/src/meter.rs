//! The CPU time of a guest call: that of the thread which runs it, as long as it does. Waiting for a source, for a turn, or for
//! a busy machine costs a guest nothing.
use rustix::time::{ClockId, clock_gettime};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

/// Counts one call. A call is run by one thread at a time, so nothing here is contended.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    /// Nanoseconds before the current turn.
    before: AtomicU64,
    /// What the thread's clock showed when the current turn began.
    began: AtomicU64,
}

/// The nanoseconds that this thread has run.
fn thread_ns() -> u64 {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    let seconds = u64::try_from(now.tv_sec).unwrap_or(0);
    seconds.saturating_mul(1_000_000_000).saturating_add(u64::try_from(now.tv_nsec).unwrap_or(0))
}

impl Meter {
    /// What was spent so far. Only to be asked from within the call.
    pub(crate) fn spent(&self) -> Duration {
        let turn = thread_ns().saturating_sub(self.began.load(Ordering::Relaxed));
        Duration::from_nanos(self.before.load(Ordering::Relaxed).saturating_add(turn))
    }

    /// What was spent up to the end of the last turn.
    pub(crate) fn told(&self) -> Duration {
        Duration::from_nanos(self.before.load(Ordering::Relaxed))
    }

    /// Runs a call under the meter.
    pub(crate) fn run<F: Future>(self: Arc<Meter>, call: F) -> Metered<F> {
        Metered { call: Box::pin(call), meter: self }
    }
}

/// A call under its meter.
pub(crate) struct Metered<F> {
    call: Pin<Box<F>>,
    meter: Arc<Meter>,
}

impl<F: Future> Future for Metered<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        self.meter.began.store(thread_ns(), Ordering::Relaxed);
        let polled = self.call.as_mut().poll(cx);
        let spent = u64::try_from(self.meter.spent().as_nanos()).unwrap_or(u64::MAX);
        self.meter.before.store(spent, Ordering::Relaxed);
        polled
    }
}

#[cfg(test)]
mod tests {
    use super::{Meter, thread_ns};
    use std::sync::Arc;
    use std::time::Duration;

    fn spin(ms: u64) {
        let until = thread_ns() + ms * 1_000_000;
        while thread_ns() < until {}
    }

    #[tokio::test]
    async fn counts_what_runs_and_not_what_waits() {
        let meter = Arc::new(Meter::default());
        let inner = meter.clone();
        let spent = meter.run(async move {
            spin(20);
            tokio::time::sleep(Duration::from_millis(300)).await;
            tokio::task::yield_now().await;
            spin(20);
            inner.spent()
        });
        let spent = spent.await;
        assert!((Duration::from_millis(40)..Duration::from_millis(200)).contains(&spent), "{spent:?}");
    }
}
