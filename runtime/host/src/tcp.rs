//! TCP to sources: connections that the host owns, so that they outlive the instance that opened them. Each has a task of
//! its own that reads ahead into a bounded buffer; guests look at the buffers of many at once.
use crate::abi::{self, tcp as wit, types};
use crate::source::{Dialer, PoolKey, Stream, secure};
use crate::state::State;
use bytes::{Bytes, BytesMut};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::{Notify, mpsc, oneshot};
use wasmtime::component::Resource;
use windlass_core::failure::{Failure, FailureKind};
use windlass_core::query::{Endpoint, Question};

/// Bytes that are read ahead.
const AHEAD: usize = 256 << 10;
/// Bytes of one write.
const MOST_WRITE: usize = 1 << 20;
/// Writes that wait in a connection.
const MOST_WRITES: usize = 64;
/// A connection that nobody took for so long is closed.
const IDLE: Duration = Duration::from_secs(60);
/// Idle connections per key, and in all.
const MOST_IDLE: usize = 4;
const MOST_POOLED: usize = 1_024;

/// Idle connections by what must not be mixed.
pub(crate) struct Tcp {
    dialer: Arc<Dialer>,
    idle: Mutex<HashMap<PoolKey, Vec<(Connection, Instant)>>>,
}

/// What the task of a connection has told so far.
#[derive(Default)]
struct Inner {
    ahead: BytesMut,
    /// The peer closed, or something failed. Nothing comes after it.
    ended: Option<Result<(), Failure>>,
}

#[derive(Default)]
struct Buffer {
    inner: Mutex<Inner>,
    /// Something can be read, or it has ended.
    readable: Notify,
    /// There is room again.
    room: Notify,
}

impl Buffer {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ready(&self) -> bool {
        let inner = self.lock();
        !inner.ahead.is_empty() || inner.ended.is_some()
    }

    fn end(&self, how: Result<(), Failure>) {
        self.lock().ended.get_or_insert(how);
        self.readable.notify_one();
    }

    fn full(&self) -> bool {
        self.lock().ahead.len() >= AHEAD
    }
}

enum Command {
    Write(Bytes),
    StartTls(oneshot::Sender<Result<(), Failure>>),
}

#[allow(unreachable_pub, reason = "the bindings re-export it")]
/// A connection in a guest's hands. Dropped, it is closed.
pub struct Connection {
    key: PoolKey,
    buffer: Arc<Buffer>,
    commands: mpsc::Sender<Command>,
    deadline: Instant,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Tcp {
    pub(crate) fn new(dialer: Arc<Dialer>) -> Tcp {
        Tcp { dialer, idle: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<PoolKey, Vec<(Connection, Instant)>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes an idle connection that is still whole.
    fn take(&self, key: &PoolKey) -> Option<Connection> {
        let mut idle = self.lock();
        let kept = idle.get_mut(key)?;
        let now = Instant::now();
        while let Some((connection, since)) = kept.pop() {
            if now.duration_since(since) < IDLE && !connection.buffer.ready() {
                return Some(connection);
            }
        }
        idle.remove(key);
        None
    }

    fn keep(&self, connection: Connection) {
        // Half-read or ended: the next user would not know where it stands.
        if connection.buffer.ready() {
            return;
        }
        let mut idle = self.lock();
        let now = Instant::now();
        if idle.values().map(Vec::len).sum::<usize>() >= MOST_POOLED {
            idle.retain(|_, kept| {
                kept.retain(|(_, since)| now.duration_since(*since) < IDLE);
                !kept.is_empty()
            });
        }
        let kept = idle.entry(connection.key.clone()).or_default();
        if kept.len() < MOST_IDLE {
            kept.push((connection, now));
        }
    }

    /// Closes what nobody took for a while.
    pub(crate) fn sweep(&self) {
        let now = Instant::now();
        self.lock().retain(|_, kept| {
            kept.retain(|(_, since)| now.duration_since(*since) < IDLE);
            !kept.is_empty()
        });
    }

    /// A new connection; its task connects while the guest goes on.
    fn open(
        &self,
        question: &Question,
        endpoint: &Endpoint,
        deadline: Instant,
        io: &tokio::runtime::Handle,
    ) -> Result<Connection, Failure> {
        let config = match &endpoint.tls {
            Some(tls) => Some(self.dialer.roots.client(tls, &question.trigger, &[])?),
            None => None,
        };
        let buffer = Arc::new(Buffer::default());
        let (commands, receiver) = mpsc::channel(MOST_WRITES);
        let link = Link { dialer: self.dialer.clone(), endpoint: endpoint.clone(), config, buffer: buffer.clone() };
        let task = io.spawn(link.run(receiver));
        Ok(Connection { key: PoolKey::of(question, endpoint), buffer, commands, deadline, task })
    }
}

/// The task of a connection.
struct Link {
    dialer: Arc<Dialer>,
    endpoint: Endpoint,
    config: Option<Arc<rustls::ClientConfig>>,
    buffer: Arc<Buffer>,
}

impl Link {
    async fn run(self, mut commands: mpsc::Receiver<Command>) {
        let ended = match self.dialer.dial(&self.endpoint, self.config.clone()).await {
            Ok(stream) => self.serve(stream, &mut commands).await,
            Err(failure) => Err(failure),
        };
        self.buffer.end(ended);
        // Whoever waits for TLS hears of the end.
        commands.close();
    }

    async fn serve(&self, mut stream: Stream, commands: &mut mpsc::Receiver<Command>) -> Result<(), Failure> {
        let mut piece = BytesMut::with_capacity(16 << 10);
        loop {
            let full = self.buffer.full();
            tokio::select! {
                command = commands.recv() => match command {
                    None => return Ok(()),
                    Some(Command::Write(data)) => {
                        stream.write_all(&data).await.map_err(|error| self.broken(&error))?;
                        stream.flush().await.map_err(|error| self.broken(&error))?;
                    }
                    Some(Command::StartTls(done)) => {
                        stream = match self.upgrade(stream).await {
                            Ok(stream) => {
                                let _ = done.send(Ok(()));
                                stream
                            }
                            Err(failure) => {
                                let _ = done.send(Err(failure.clone()));
                                return Err(failure);
                            }
                        };
                    }
                },
                read = stream.read_buf(&mut piece), if !full => {
                    if read.map_err(|error| self.broken(&error))? == 0 {
                        return Ok(());
                    }
                    self.buffer.lock().ahead.extend_from_slice(&piece);
                    piece.clear();
                    self.buffer.readable.notify_one();
                }
                () = self.buffer.room.notified(), if full => {}
            }
        }
    }

    async fn upgrade(&self, stream: Stream) -> Result<Stream, Failure> {
        match (stream, &self.config, &self.endpoint.tls) {
            (Stream::Plain(plain), Some(config), Some(tls)) => {
                secure(plain, config.clone(), tls, &self.endpoint.host).await
            }
            _ => Err(Failure::new(FailureKind::Internal, "this connection cannot be upgraded to TLS")),
        }
    }

    fn broken(&self, error: &std::io::Error) -> Failure {
        let Endpoint { host, port, .. } = &self.endpoint;
        Failure::new(FailureKind::Unreachable, format!("the connection to {host}:{port} broke: {}", error.kind()))
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

    async fn read(&self, most: usize, until: Instant) -> Result<Bytes, Failure> {
        loop {
            let readable = self.buffer.readable.notified();
            if let Some(read) = self.poll(most) {
                return read;
            }
            tokio::time::timeout_at(until.into(), readable).await.map_err(|_| {
                Failure::new(
                    FailureKind::Timeout,
                    format!("{}:{} did not answer in time", self.key.endpoint.host, self.key.endpoint.port),
                )
            })?;
        }
    }
}

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
        self.connections_left = self
            .connections_left
            .checked_sub(1)
            .ok_or_else(|| wasmtime::Error::msg("the component opened more connections than a call may"))?;
        let (question, endpoint) = match self.granted(query, endpoint)? {
            Ok(granted) => granted,
            Err(failure) => return Ok(Err(abi::told(&failure))),
        };
        let deadline = Instant::now() + self.time_left();
        if let Some(mut kept) = self.shared.tcp.take(&PoolKey::of(&question, &endpoint)) {
            kept.deadline = deadline;
            return Ok(Ok((self.table.push(kept)?, false)));
        }
        match self.shared.tcp.open(&question, &endpoint, deadline, &self.shared.io) {
            Ok(connection) => Ok(Ok((self.table.push(connection)?, true))),
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
        let connection = self.table.get(&this)?;
        let failed = |failure: Failure| Ok(Err(abi::told(&failure)));
        if data.len() > MOST_WRITE {
            return failed(Failure::new(FailureKind::Invalid, "a write is larger than scalers may send"));
        }
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
        let read = connection.read(max.max(1) as usize, until).await;
        Ok(read.map(|piece| piece.to_vec()).map_err(|failure| abi::told(&failure)))
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
