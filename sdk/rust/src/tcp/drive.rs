//! One batch over TCP: some conversations at a time, each moved on when its connection can be read.
use super::{Conversation, Limits, Network, Progress, TcpScaler, Wire};
use crate::bindings::windlass::scaler::types::Batch;
use crate::scaler::members;
use crate::{Context, Failure, Outcome};
use std::collections::VecDeque;

/// What is left of the budget for telling outcomes, in milliseconds.
const RESERVE_MS: u64 = 20;

/// How much is read at once, in bytes.
const PIECE: u32 = 64 << 10;

/// A query with its conversation and its connection.
struct Running<'a, S: TcpScaler, C> {
    query: u32,
    parameters: S::Parameters,
    context: Context<'a>,
    conversation: S::Conversation,
    endpoint: u32,
    connection: C,
    wire: Wire,
    /// Nothing has arrived on this connection: it may have been closed while it was kept.
    silent: bool,
    /// How many connections this query has used.
    connections: u32,
    /// When the connection has been silent for too long.
    until: u64,
}

impl<S: TcpScaler, C> Running<'_, S, C> {
    /// Gives the connection its share of the time until `end`; what has spoken has all of it.
    fn share(&mut self, now: u64, end: u64) {
        let shares = if self.silent { u64::from(self.conversation.alternatives()) + 1 } else { 1 };
        self.until = now + end.saturating_sub(now) / shares;
    }
}

/// How a conversation stands after it was moved on.
enum Next<'a, S: TcpScaler, C> {
    Open(Running<'a, S, C>),
    Told,
}

/// Answers a batch.
pub(crate) fn drive<S: TcpScaler, N: Network>(
    batch: &Batch,
    network: &mut N,
    limits: Limits,
    put: &mut dyn FnMut(u32, Outcome),
) {
    let end = network.now_ms() + u64::from(batch.budget_ms).saturating_sub(RESERVE_MS);
    let mut waiting: VecDeque<_> = members::<S>(batch, put).into();
    let mut running: Vec<Running<'_, S, N::Connection>> = Vec::new();
    let mut driver = Driver { network, limits, put, end };
    loop {
        let now = driver.network.now_ms();
        if now >= end {
            break;
        }
        while running.len() < limits.conversations {
            let Some((query, parameters, context)) = waiting.pop_front() else { break };
            if let Next::Open(next) = driver.begin::<S>(query, parameters, context, None, 0) {
                running.push(next);
            }
        }
        if running.is_empty() {
            return;
        }
        let connections: Vec<&N::Connection> = running.iter().map(|running| &running.connection).collect();
        let until = running.iter().map(|running| running.until).min().unwrap_or(end);
        let mut ready = driver.network.wait(&connections, u32::try_from(until.saturating_sub(now)).unwrap_or(u32::MAX));
        ready.sort_unstable();
        // From the last, since what has been told leaves the list.
        for index in ready.into_iter().rev() {
            if (index as usize) < running.len() {
                let moved = running.swap_remove(index as usize);
                if let Next::Open(next) = driver.read(moved) {
                    running.push(next);
                }
            }
        }
        let now = driver.network.now_ms();
        while let Some(index) = running.iter().position(|running| running.until <= now && now < end) {
            let moved = running.swap_remove(index);
            if let Next::Open(next) = driver.lost(moved, Failure::timeout("no answer within its share of the time")) {
                running.push(next);
            }
        }
    }
    let late = running.iter().map(|running| running.query).chain(waiting.iter().map(|(query, ..)| *query));
    for query in late {
        (driver.put)(query, Outcome::Failed(Failure::timeout("no answer within the time of the poll")));
    }
}

struct Driver<'d, N: Network> {
    network: &'d mut N,
    limits: Limits,
    put: &'d mut dyn FnMut(u32, Outcome),
    /// When the batch ends.
    end: u64,
}

impl<N: Network> Driver<'_, N> {
    /// Begins a query's conversation anew, over a connection to the endpoint that it names or to `endpoint`.
    fn begin<'a, S: TcpScaler>(
        &mut self,
        query: u32,
        parameters: S::Parameters,
        context: Context<'a>,
        endpoint: Option<u32>,
        connections: u32,
    ) -> Next<'a, S, N::Connection> {
        let begun = S::converse(&parameters, &context).and_then(|conversation| {
            let endpoint = endpoint.unwrap_or(conversation.endpoint());
            Ok((conversation, endpoint, self.network.open(query, endpoint)?))
        });
        let (conversation, endpoint, (connection, fresh)) = match begun {
            Ok(begun) => begun,
            Err(failure) => return self.fail(query, failure),
        };
        let wire = Wire::new(fresh);
        let connections = connections + 1;
        self.connected(Running {
            query,
            parameters,
            context,
            conversation,
            endpoint,
            connection,
            wire,
            silent: true,
            connections,
            until: self.end,
        })
    }

    fn connected<'a, S: TcpScaler>(
        &mut self,
        mut running: Running<'a, S, N::Connection>,
    ) -> Next<'a, S, N::Connection> {
        let progress = running.conversation.connected(&mut running.wire);
        running.share(self.network.now_ms(), self.end);
        self.proceed(running, progress)
    }

    /// Reads what has arrived and moves the conversation on.
    fn read<'a, S: TcpScaler>(&mut self, mut running: Running<'a, S, N::Connection>) -> Next<'a, S, N::Connection> {
        match self.network.read(&running.connection, PIECE, 1) {
            // Even where it is a timeout: a connection that can be read and gives nothing was not made in time.
            Err(failure) => self.broken(running, failure),
            Ok(bytes) if bytes.is_empty() => {
                self.broken(running, Failure::unreachable("the source closed the connection before it answered"))
            }
            Ok(bytes) => {
                running.silent = false;
                running.until = self.end;
                running.wire.arrived(&bytes);
                if running.wire.input().len() > self.limits.input {
                    return self.fail(
                        running.query,
                        Failure::bad_response(format!("the answer is longer than {} bytes", self.limits.input)),
                    );
                }
                let progress = running.conversation.received(&mut running.wire);
                self.proceed(running, progress)
            }
        }
    }

    /// Sends what was written and does what the conversation asks for.
    fn proceed<'a, S: TcpScaler>(
        &mut self,
        mut running: Running<'a, S, N::Connection>,
        progress: Result<Progress, Failure>,
    ) -> Next<'a, S, N::Connection> {
        let progress = match progress {
            Ok(progress) => progress,
            Err(failure) => return self.fail(running.query, failure),
        };
        let output = running.wire.take_output();
        if !output.is_empty()
            && let Err(failure) = self.network.write(&running.connection, &output)
        {
            return self.broken(running, failure);
        }
        match progress {
            Progress::Wait => Next::Open(running),
            Progress::StartTls => match self.network.start_tls(&running.connection) {
                Ok(()) => {
                    running.wire = Wire::new(running.wire.fresh());
                    self.connected(running)
                }
                Err(failure) => self.fail(running.query, failure),
            },
            Progress::Connect(endpoint) => self.go_on(running, endpoint, true),
            Progress::Learn { host, port } => match self.network.learn(running.query, running.endpoint, &host, port) {
                Ok(endpoint) => self.go_on(running, endpoint, true),
                Err(failure) => self.fail(running.query, failure),
            },
            Progress::Done(reading) => self.done(running, Outcome::Ready(reading)),
            Progress::Refused(failure) => self.done(running, Outcome::Failed(failure)),
        }
    }

    /// A connection that is of no more use: the conversation says whether there is another address to ask.
    fn lost<'a, S: TcpScaler>(
        &mut self,
        mut running: Running<'a, S, N::Connection>,
        failure: Failure,
    ) -> Next<'a, S, N::Connection> {
        match running.conversation.lost(failure) {
            Ok(Progress::Connect(endpoint)) => self.go_on(running, endpoint, false),
            Ok(Progress::Refused(failure)) | Err(failure) => self.fail(running.query, failure),
            Ok(_) => {
                let message = "after a connection was lost, a conversation can only connect to another endpoint";
                self.fail(running.query, Failure::internal(message))
            }
        }
    }

    /// The same conversation over another connection; the one that it leaves is kept where it is `good`.
    fn go_on<'a, S: TcpScaler>(
        &mut self,
        running: Running<'a, S, N::Connection>,
        endpoint: u32,
        good: bool,
    ) -> Next<'a, S, N::Connection> {
        if running.connections >= self.limits.connections {
            return self.fail(
                running.query,
                Failure::bad_response("the source sends on from one address to the next without end"),
            );
        }
        let Running { query, parameters, context, conversation, connection, wire, connections, .. } = running;
        if good {
            self.leave(connection, &wire);
        }
        match self.network.open(query, endpoint) {
            Ok((connection, fresh)) => {
                let (wire, connections) = (Wire::new(fresh), connections + 1);
                self.connected(Running {
                    query,
                    parameters,
                    context,
                    conversation,
                    endpoint,
                    connection,
                    wire,
                    silent: true,
                    connections,
                    until: self.end,
                })
            }
            Err(failure) => self.fail(query, failure),
        }
    }

    /// A connection that failed. One that had been kept may have been closed meanwhile: the conversation begins anew.
    fn broken<'a, S: TcpScaler>(
        &mut self,
        running: Running<'a, S, N::Connection>,
        failure: Failure,
    ) -> Next<'a, S, N::Connection> {
        let stale = running.silent && !running.wire.fresh() && running.connections < self.limits.connections;
        if !stale {
            return self.lost(running, failure);
        }
        let Running { query, parameters, context, connection, connections, .. } = running;
        drop(connection);
        self.begin::<S>(query, parameters, context, None, connections)
    }

    fn done<'a, S: TcpScaler>(
        &mut self,
        running: Running<'a, S, N::Connection>,
        outcome: Outcome,
    ) -> Next<'a, S, N::Connection> {
        (self.put)(running.query, outcome);
        self.leave(running.connection, &running.wire);
        Next::Told
    }

    /// Keeps a connection that stands between two exchanges; any other is closed.
    fn leave(&mut self, connection: N::Connection, wire: &Wire) {
        if wire.input().is_empty() {
            self.network.keep(connection);
        }
    }

    fn fail<'a, S: TcpScaler>(&mut self, query: u32, failure: Failure) -> Next<'a, S, N::Connection> {
        (self.put)(query, Outcome::Failed(failure));
        Next::Told
    }
}
