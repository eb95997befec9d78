//! Why a request was not sent, in words that name the remedy.
use super::Budget;
use std::time::Duration;
use windlass_core::failure::{Failure, FailureKind};

/// Why a request was not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Its time was over while it waited for the rate.
    Rate,
    /// Its time was over while all slots were taken.
    InFlight,
    /// Its time was over while its namespace had all the slots that it may have.
    InFlightOfNamespace,
    /// The queue is full.
    Queue,
    /// The namespace's part of the queue is full.
    QueueOfNamespace,
    /// The source asked to wait so much longer.
    Slowed(Duration),
    /// The source cannot be reached; the next probe comes after that, or is under way.
    Dead(Option<Duration>),
    /// The namespace's requests to the source fail.
    Failing(Option<Duration>),
}

impl Refusal {
    /// The word used in metrics.
    pub(super) fn as_label(self) -> &'static str {
        match self {
            Refusal::Rate => "rate",
            Refusal::InFlight => "in-flight",
            Refusal::InFlightOfNamespace => "in-flight-of-namespace",
            Refusal::Queue => "queue",
            Refusal::QueueOfNamespace => "queue-of-namespace",
            Refusal::Slowed(_) => "retry-after",
            Refusal::Dead(_) | Refusal::Failing(_) => "breaker",
        }
    }

    /// The failure of a request to `source`.
    pub(super) fn failure(self, source: &str, budget: &Budget) -> Failure {
        let throttled = |message: String| Failure::new(FailureKind::Throttled, message);
        match self {
            Refusal::Rate => throttled(format!(
                "the budget of {} requests a second for {source} is spent: raise --source-rate, or poll less often",
                budget.rate
            )),
            Refusal::InFlight => throttled(format!(
                "{source} has all {} requests in flight that its budget allows: raise --source-in-flight",
                budget.in_flight
            )),
            Refusal::InFlightOfNamespace => throttled(format!(
                "the namespace has all {} requests to {source} in flight that it may have: raise --source-in-flight",
                budget.in_flight_per_namespace()
            )),
            Refusal::Queue => throttled(format!(
                "{} requests wait for {source} already: raise --source-rate or --source-queue, or poll less often",
                budget.queue
            )),
            Refusal::QueueOfNamespace => throttled(format!(
                "{} requests of the namespace wait for {source} already: raise --source-rate or \
                 --source-namespace-queue, or poll less often",
                budget.queue_per_namespace
            )),
            Refusal::Slowed(left) => Failure {
                retry_after: Some(left),
                ..throttled(format!("{source} asked to be left alone for another {}", seconds(left)))
            },
            Refusal::Dead(next) => {
                Failure::new(FailureKind::Unreachable, format!("{source} cannot be connected; {}", probe(next)))
            }
            Refusal::Failing(next) => Failure::new(
                FailureKind::Unreachable,
                format!("{source} has failed the namespace's last requests; {}", probe(next)),
            ),
        }
    }
}

fn probe(next: Option<Duration>) -> String {
    match next {
        Some(next) => format!("it is tried again in {}", seconds(next)),
        None => "it is being tried again right now".to_owned(),
    }
}

/// Whole seconds, rounded up.
fn seconds(time: Duration) -> String {
    format!("{} s", time.as_secs() + u64::from(time.subsec_nanos() > 0))
}
