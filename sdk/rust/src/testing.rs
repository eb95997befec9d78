//! Testing a scaler natively: no WebAssembly, no network, a time that the test sets.
//!
//! [`trigger`] resolves parameters as the host does; [`poll_local`], [`poll_http`] and [`poll_tcp`] answer a batch through
//! the same code that runs in the component, with a source that the test plays. [`run_cases`] runs a scaler's `cases/`.
mod case;
mod instant;
mod network;
mod play;
mod resolve;

pub use case::{Case, Difference, Exchange, Expected, Poll, Told};
pub use instant::{format_ms, parse_ms};
pub use network::Reply;
pub use play::{Played, Script, run_cases};
pub use resolve::{trigger, trigger_of};

use crate::bindings::windlass::scaler::types::{Batch, Query};
use crate::guest;
use crate::http::{HttpScaler, Request, Response};
use crate::{Failure, Info, LocalScaler, Outcome, Plan, Problem, Scaler, TcpScaler, Transport, Trigger};

/// The time that a poll may take, in milliseconds.
const BUDGET_MS: u32 = 3_000;

/// What the component would say about itself.
pub fn describe<S: Scaler>() -> Info {
    guest::describe::<S>("0.0.0")
}

/// The plan of a trigger.
///
/// # Errors
/// What the scaler finds wrong with it.
pub fn configure<S: Scaler>(trigger: &Trigger) -> Result<Plan, Vec<Problem>> {
    guest::configure::<S>(std::slice::from_ref(trigger)).remove(0)
}

/// Polls triggers whose scaler asks nobody; one outcome per trigger.
pub fn poll_local<S: LocalScaler>(triggers: &[Trigger], now_ms: u64) -> Vec<Outcome> {
    collect(triggers.len(), |put| <crate::Local as Transport<S>>::poll(&batch(triggers, now_ms), put))
}

/// Polls triggers over HTTP; `source` answers each request of a query.
pub fn poll_http<S: HttpScaler>(
    triggers: &[Trigger],
    now_ms: u64,
    mut source: impl FnMut(u32, &Request) -> Result<Response, Failure>,
) -> Vec<Outcome> {
    collect(triggers.len(), |put| {
        let mut send = |requests: Vec<(u32, Request)>| -> crate::http::Exchange {
            let answers: Vec<_> = requests.iter().map(|(query, request)| source(*query, request)).collect();
            Box::new((0..).zip(answers))
        };
        crate::http::drive::<S>(&batch(triggers, now_ms), &mut send, put);
    })
}

/// Polls triggers over TCP; `source` is told the endpoint, the number of the connection and the bytes that were written.
pub fn poll_tcp<S: TcpScaler>(
    triggers: &[Trigger],
    now_ms: u64,
    source: impl FnMut(u32, usize, &[u8]) -> Reply,
) -> Vec<Outcome> {
    let mut network = network::Scripted::new(source);
    collect(triggers.len(), |put| {
        crate::tcp::drive::<S, _>(&batch(triggers, now_ms), &mut network, crate::tcp::Limits::default(), put);
    })
}

fn batch(triggers: &[Trigger], now_ms: u64) -> Batch {
    let query = |trigger: &Trigger| Query { trigger: trigger.clone(), state: Vec::new() };
    Batch { now_ms, budget_ms: BUDGET_MS, queries: triggers.iter().map(query).collect() }
}

/// The first outcome of each query, as the host counts; a query without one has failed.
fn collect(count: usize, poll: impl FnOnce(&mut dyn FnMut(u32, Outcome))) -> Vec<Outcome> {
    let mut outcomes: Vec<Option<Outcome>> = vec![None; count];
    poll(&mut |query, outcome| {
        if let Some(place) = outcomes.get_mut(query as usize) {
            place.get_or_insert(outcome);
        }
    });
    let untold = || Outcome::Failed(Failure::internal("the scaler told no outcome"));
    outcomes.into_iter().map(|outcome| outcome.unwrap_or_else(untold)).collect()
}
