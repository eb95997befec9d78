//! One batch over TCP: some conversations at a time, each moved on when its connection can be read.
use super::{Conversation, Progress, TcpScaler, Wire};
use crate::bindings::windlass::scaler::types::Batch;
use crate::scaler::members;
use crate::{Context, Failure, FailureKind, Outcome};
use std::collections::VecDeque;

/// The bounds of a batch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Conversations at a time. More only cost the source connections: queries of a batch ask the same source.
    pub conversations: usize,
    /// Longest input that a conversation may leave unconsumed, in bytes.
    pub input: usize,
    /// Connections that a conversation may use one after the other.
    pub connections: u32,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { conversations: 8, input: 4 << 20, connections: 16 }
    }
}

/// What is left of the budget for telling outcomes, in milliseconds.
const RESERVE_MS: u64 = 20;

/// How much is read at once, in bytes.
const PIECE: u32 = 64 << 10;

/// Connections, as the host or a test gives them. Errors are told at first use.
pub(crate) trait Network {
    type Connection;

    fn open(&mut self, query: u32, endpoint: u32) -> Result<(Self::Connection, bool), Failure>;
    fn start_tls(&mut self, connection: &Self::Connection) -> Result<(), Failure>;
    fn write(&mut self, connection: &Self::Connection, bytes: &[u8]) -> Result<(), Failure>;
    fn read(&mut self, connection: &Self::Connection, max: u32, timeout_ms: u32) -> Result<Vec<u8>, Failure>;
    fn keep(&mut self, connection: Self::Connection);
    fn wait(&mut self, connections: &[&Self::Connection], timeout_ms: u32) -> Vec<u32>;
    fn learn(&mut self, query: u32, parent: u32, host: &str, port: u16) -> Result<u32, Failure>;
    fn now_ms(&mut self) -> u64;
}

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
    let mut driver = Driver { network, limits, put };
    loop {
        let left = end.saturating_sub(driver.network.now_ms());
        if left == 0 {
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
        let mut ready = driver.network.wait(&connections, u32::try_from(left).unwrap_or(u32::MAX));
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
        })
    }

    fn connected<'a, S: TcpScaler>(
        &mut self,
        mut running: Running<'a, S, N::Connection>,
    ) -> Next<'a, S, N::Connection> {
        let progress = running.conversation.connected(&mut running.wire);
        self.proceed(running, progress)
    }

    /// Reads what has arrived and moves the conversation on.
    fn read<'a, S: TcpScaler>(&mut self, mut running: Running<'a, S, N::Connection>) -> Next<'a, S, N::Connection> {
        match self.network.read(&running.connection, PIECE, 1) {
            // Told to be readable and is not: waits on.
            Err(failure) if failure.kind == FailureKind::Timeout => Next::Open(running),
            Err(failure) => self.broken(running, failure),
            Ok(bytes) if bytes.is_empty() => {
                self.broken(running, Failure::unreachable("the source closed the connection before it answered"))
            }
            Ok(bytes) => {
                running.silent = false;
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
            Progress::Connect(endpoint) => self.go_on(running, endpoint),
            Progress::Learn { host, port } => match self.network.learn(running.query, running.endpoint, &host, port) {
                Ok(endpoint) => self.go_on(running, endpoint),
                Err(failure) => self.fail(running.query, failure),
            },
            Progress::Done(reading) => self.done(running, Outcome::Ready(reading)),
            Progress::Refused(failure) => self.done(running, Outcome::Failed(failure)),
        }
    }

    /// The same conversation over another connection; the one that it leaves is kept.
    fn go_on<'a, S: TcpScaler>(
        &mut self,
        running: Running<'a, S, N::Connection>,
        endpoint: u32,
    ) -> Next<'a, S, N::Connection> {
        if running.connections >= self.limits.connections {
            return self.fail(
                running.query,
                Failure::bad_response("the source sends on from one address to the next without end"),
            );
        }
        let Running { query, parameters, context, conversation, connection, wire, connections, .. } = running;
        self.leave(connection, &wire);
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
            return self.fail(running.query, failure);
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
