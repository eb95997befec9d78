//! HTTP to sources: many requests at once, told as they complete, over connections that the host keeps.
mod body;
mod client;
mod exchange;
mod request;
#[cfg(test)]
pub(crate) mod tests;

#[allow(unreachable_pub, reason = "the bindings re-export it")]
pub use body::Body;
pub(crate) use request::header_name;

use crate::abi::{self, http as wit, types};
use crate::limits::Limit;
use crate::source::Dialer;
use crate::state::State;
use client::Clients;
use exchange::{Prepared, Told};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use wasmtime::component::Resource;
use windlass_core::failure::{Failure, FailureKind};

/// HTTP to sources.
pub(crate) struct Http {
    clients: Arc<Clients>,
}

impl Http {
    pub(crate) fn new(dialer: Arc<Dialer>) -> Http {
        Http { clients: Clients::new(dialer) }
    }

    /// Forgets clients that nobody used for a while.
    pub(crate) fn sweep(&self) {
        self.clients.sweep();
    }
}

#[allow(unreachable_pub, reason = "the bindings re-export it")]
/// A send under way. Dropping it drops its requests.
pub struct Exchange {
    results: mpsc::Receiver<(u32, Result<Told, Failure>)>,
    _requests: JoinSet<()>,
}

impl wit::Host for State {
    async fn send(&mut self, requests: Vec<wit::Request>) -> wasmtime::Result<Resource<Exchange>> {
        let (tell, results) = mpsc::channel(requests.len().max(1));
        let mut tasks = JoinSet::new();
        for (index, asked) in requests.into_iter().enumerate() {
            let index = u32::try_from(index).unwrap_or(u32::MAX);
            match self.prepare(asked)? {
                Err(failure) => {
                    let _ = tell.try_send((index, Err(failure)));
                }
                Ok(prepared) => {
                    let (tell, in_flight, shared) = (tell.clone(), self.in_flight.clone(), self.shared.clone());
                    tasks.spawn_on(
                        async move {
                            let result = prepared.run(in_flight, &shared.budgets).await;
                            let told = result.as_ref().map(|told| told.status).map_err(|failure| failure.kind);
                            shared.metrics.http(told);
                            let _ = tell.send((index, result)).await;
                        },
                        &self.shared.io,
                    );
                }
            }
        }
        Ok(self.table.push(Exchange { results, _requests: tasks })?)
    }
}

impl State {
    /// Checks a request and finds its client. The outer error ends the call: a limit was passed.
    fn prepare(&mut self, asked: wit::Request) -> wasmtime::Result<Result<Prepared, Failure>> {
        self.requests_left = self.requests_left.checked_sub(1).ok_or_else(|| self.hits.passed(Limit::Requests))?;
        let size = asked.body.len() + asked.headers.iter().map(|(n, v)| n.len() + v.len()).sum::<usize>();
        let size = size + asked.target.len();
        if size > self.shared.limits.request_bytes {
            return Ok(Err(self.refuse(FailureKind::Invalid, "the request is too large", Limit::RequestBytes)));
        }
        self.send(size)?;
        let (question, endpoint) = match self.granted(asked.query, asked.endpoint)? {
            Ok(granted) => granted,
            Err(failure) => return Ok(Err(failure)),
        };
        let wanted = asked.timeout_ms.map(|ms| Duration::from_millis(ms.into()));
        let left = self.time_left();
        let deadline = Instant::now() + wanted.map_or(left, |wanted| wanted.min(left));
        let shared = &self.shared;
        let made = shared.budgets.source(&question, &endpoint).and_then(|source| {
            let client = shared.http.clients.client(&question, &endpoint, &source)?;
            let (request, key) = request::request(asked, &question, &endpoint)?;
            let (domain, body_bytes) = (question.trigger.domain.clone(), shared.limits.body_bytes);
            Ok(Prepared { client, request, deadline, source, domain, key, body_bytes })
        });
        Ok(made)
    }
}

impl wit::HostExchange for State {
    async fn next(
        &mut self,
        this: Resource<Exchange>,
    ) -> wasmtime::Result<Option<(u32, Result<wit::Response, types::Failure>)>> {
        let Some((index, result)) = self.table.get_mut(&this)?.results.recv().await else { return Ok(None) };
        Ok(Some(match result {
            Ok(Told { status, headers, body }) => {
                let body = self.table.push(body)?;
                (index, Ok(wit::Response { status, headers, body }))
            }
            Err(failure) => (index, Err(abi::told(&failure))),
        }))
    }

    async fn drop(&mut self, this: Resource<Exchange>) -> wasmtime::Result<()> {
        self.table.delete(this)?;
        Ok(())
    }
}

impl wit::HostBody for State {
    async fn read(&mut self, this: Resource<Body>, max: u32) -> wasmtime::Result<Result<Vec<u8>, types::Failure>> {
        let body = self.table.get_mut(&this)?;
        match body.read(max.max(1) as usize).await {
            Ok(piece) => {
                self.receive(piece.len())?;
                Ok(Ok(piece.to_vec()))
            }
            Err(_) if body.too_large => {
                let told = self.refuse(FailureKind::BadResponse, "the answer is too large", Limit::BodyBytes);
                Ok(Err(abi::told(&told)))
            }
            Err(failure) => Ok(Err(abi::told(&failure))),
        }
    }

    async fn drop(&mut self, this: Resource<Body>) -> wasmtime::Result<()> {
        self.table.delete(this)?;
        Ok(())
    }
}
