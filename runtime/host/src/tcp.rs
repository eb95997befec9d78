//! TCP to sources: connections that the host owns, so that they outlive the instance that opened them. Each has a task of
//! its own that reads ahead into a bounded buffer; guests look at the buffers of many at once.
//!
//! A connection counts against its source's budget as one request while a guest has it: one token when it is opened, new or
//! rested, and a slot until it is kept or dropped.
mod connection;
mod link;
mod pool;
#[cfg(test)]
mod tests;

#[allow(unreachable_pub, reason = "the bindings re-export it")]
pub use connection::Connection;
pub(crate) use pool::Tcp;

use crate::abi::{self, tcp as wit, types};
use crate::limits::Limit;
use crate::state::State;
use connection::Buffer;
use link::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::oneshot;
use wasmtime::component::Resource;
use windlass_core::failure::{Failure, FailureKind};

impl wit::Host for State {
    async fn wait(&mut self, on: Vec<Resource<Connection>>, timeout_ms: u32) -> wasmtime::Result<Vec<u32>> {
        let until = Instant::now() + Duration::from_millis(timeout_ms.into()).min(self.time_left());
        let mut buffers = Vec::with_capacity(on.len());
        for connection in &on {
            buffers.push(self.table.get(connection)?.buffer.clone());
        }
        loop {
            let waits: Vec<_> = buffers.iter().map(|buffer| Box::pin(buffer.readable.notified())).collect();
            let ready = |(index, buffer): (usize, &Arc<Buffer>)| {
                buffer.ready().then(|| u32::try_from(index).unwrap_or(u32::MAX))
            };
            let ready: Vec<u32> = buffers.iter().enumerate().filter_map(ready).collect();
            if !ready.is_empty() || buffers.is_empty() {
                return Ok(ready);
            }
            if tokio::time::timeout_at(until.into(), futures::future::select_all(waits)).await.is_err() {
                return Ok(Vec::new());
            }
        }
    }
}

impl wit::HostConnection for State {
    async fn open(
        &mut self,
        query: u32,
        endpoint: u32,
    ) -> wasmtime::Result<Result<(Resource<Connection>, bool), types::Failure>> {
        self.connections_left =
            self.connections_left.checked_sub(1).ok_or_else(|| self.hits.passed(Limit::Connections))?;
        let (question, endpoint) = match self.granted(query, endpoint)? {
            Ok(granted) => granted,
            Err(failure) => return Ok(Err(abi::told(&failure))),
        };
        let deadline = Instant::now() + self.time_left();
        let shared = &self.shared;
        let opened = shared.budgets.source(&question, &endpoint).and_then(|source| {
            let ticket = source.enter(&question.trigger.domain)?;
            shared.tcp.open(&question, &endpoint, &source, ticket, deadline, &shared.io)
        });
        match opened {
            Ok((connection, new)) => Ok(Ok((self.table.push(connection)?, new))),
            Err(failure) => Ok(Err(abi::told(&failure))),
        }
    }

    async fn start_tls(&mut self, this: Resource<Connection>) -> wasmtime::Result<Result<(), types::Failure>> {
        let connection = self.table.get(&this)?;
        let (done, wait) = oneshot::channel();
        let ended = || Failure::new(FailureKind::Unreachable, "the connection was closed before TLS began");
        let upgraded = async {
            connection.commands.send(Command::StartTls(done)).await.map_err(|_| ended())?;
            wait.await.map_err(|_| ended())?
        };
        let upgraded = tokio::time::timeout_at(connection.deadline.into(), upgraded)
            .await
            .unwrap_or_else(|_| Err(Failure::new(FailureKind::Timeout, "TLS did not begin in time")));
        Ok(upgraded.map_err(|failure| abi::told(&failure)))
    }

    async fn write(
        &mut self,
        this: Resource<Connection>,
        data: Vec<u8>,
    ) -> wasmtime::Result<Result<(), types::Failure>> {
        let failed = |failure: Failure| Ok(Err(abi::told(&failure)));
        if data.len() > self.shared.limits.request_bytes {
            return failed(self.refuse(FailureKind::Invalid, "the write is too large", Limit::RequestBytes));
        }
        self.send(data.len())?;
        let connection = self.table.get(&this)?;
        let send = connection.commands.send(Command::Write(data.into()));
        match tokio::time::timeout_at(connection.deadline.into(), send).await {
            Ok(Ok(())) => Ok(Ok(())),
            Ok(Err(_)) => {
                let ended = connection.buffer.lock().ended.clone();
                let closed = Failure::new(FailureKind::Unreachable, "the peer closed the connection");
                failed(ended.and_then(Result::err).unwrap_or(closed))
            }
            Err(_) => failed(Failure::new(FailureKind::Timeout, "the peer takes no more data")),
        }
    }

    async fn read(
        &mut self,
        this: Resource<Connection>,
        max: u32,
        timeout_ms: u32,
    ) -> wasmtime::Result<Result<Vec<u8>, types::Failure>> {
        let connection = self.table.get(&this)?;
        let until = connection.deadline.min(Instant::now() + Duration::from_millis(timeout_ms.into()));
        match connection.read(max.max(1) as usize, until).await {
            Ok(piece) => {
                self.receive(piece.len())?;
                Ok(Ok(piece.to_vec()))
            }
            Err(failure) => Ok(Err(abi::told(&failure))),
        }
    }

    async fn keep(&mut self, this: Resource<Connection>) -> wasmtime::Result<()> {
        let connection = self.table.delete(this)?;
        self.shared.tcp.keep(connection);
        Ok(())
    }

    async fn drop(&mut self, this: Resource<Connection>) -> wasmtime::Result<()> {
        self.table.delete(this)?;
        Ok(())
    }
}
