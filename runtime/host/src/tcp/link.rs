//! The task of a connection: waits for the source's budget, connects, reads ahead, writes.
use super::connection::Buffer;
use crate::budget::{Source, Ticket, Verdict};
use crate::source::{Dialer, Stream, secure};
use bytes::{Bytes, BytesMut};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Instant;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::{mpsc, oneshot};
use windlass_core::failure::{Failure, FailureKind};
use windlass_core::query::Endpoint;

pub(super) enum Command {
    /// A guest takes the connection: it comes first, and what the guest writes waits for its turn.
    Enter(Ticket, Instant),
    Write(Bytes),
    StartTls(oneshot::Sender<Result<(), Failure>>),
}

/// What the task of a connection has.
pub(super) struct Link {
    pub(super) dialer: Arc<Dialer>,
    pub(super) source: Arc<Source>,
    pub(super) endpoint: Endpoint,
    pub(super) config: Option<Arc<rustls::ClientConfig>>,
    pub(super) buffer: Arc<Buffer>,
}

/// How a connection ended, and whether that says something about the source.
struct Ended(Result<(), Failure>, Option<Verdict>);

impl Ended {
    /// By our own doing.
    fn ours(failure: Failure) -> Ended {
        Ended(Err(failure), None)
    }
}

impl Link {
    /// `shed` closes a connection to the source that rests.
    pub(super) async fn run(self, mut commands: mpsc::Receiver<Command>, shed: impl Fn()) {
        let Ended(how, verdict) = match self.begin(&mut commands, shed).await {
            Ok(never) => match never {},
            Err(ended) => ended,
        };
        self.buffer.end(how, verdict);
        // Whoever waits for TLS hears of the end.
        commands.close();
    }

    async fn begin(&self, commands: &mut mpsc::Receiver<Command>, shed: impl Fn()) -> Result<Infallible, Ended> {
        let Some(Command::Enter(ticket, deadline)) = commands.recv().await else { return Err(Ended(Ok(()), None)) };
        self.enter(ticket, deadline).await?;
        // Held to the connection's end.
        let _slot = self.source.slot(shed).await;
        let stream = self.dialer.dial(&self.endpoint, self.config.clone()).await.map_err(|undialled| {
            let verdict = undialled.verdict();
            Ended(Err(undialled.failure), verdict)
        })?;
        self.serve(stream, commands).await
    }

    async fn enter(&self, ticket: Ticket, deadline: Instant) -> Result<(), Ended> {
        let permit = ticket.granted(deadline.into()).await.map_err(Ended::ours)?;
        self.buffer.admit(permit);
        Ok(())
    }

    async fn serve(&self, mut stream: Stream, commands: &mut mpsc::Receiver<Command>) -> Result<Infallible, Ended> {
        let mut piece = BytesMut::with_capacity(16 << 10);
        loop {
            let full = self.buffer.full();
            tokio::select! {
                command = commands.recv() => match command {
                    None => return Err(Ended(Ok(()), None)),
                    Some(Command::Enter(ticket, deadline)) => self.enter(ticket, deadline).await?,
                    Some(Command::Write(data)) => {
                        stream.write_all(&data).await.map_err(|error| self.broken(&error))?;
                        stream.flush().await.map_err(|error| self.broken(&error))?;
                    }
                    Some(Command::StartTls(done)) => {
                        let upgraded = self.upgrade(stream).await;
                        let _ = done.send(upgraded.as_ref().map(drop).map_err(Failure::clone));
                        stream = upgraded.map_err(|failure| {
                            let verdict = (failure.kind == FailureKind::Unreachable).then_some(Verdict::Failed);
                            Ended(Err(failure), verdict)
                        })?;
                    }
                },
                read = stream.read_buf(&mut piece), if !full => {
                    if read.map_err(|error| self.broken(&error))? == 0 {
                        return Err(Ended(Ok(()), Some(Verdict::Failed)));
                    }
                    self.buffer.push(&piece);
                    piece.clear();
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

    fn broken(&self, error: &std::io::Error) -> Ended {
        let message = format!("the connection to {} broke: {}", self.source.name(), error.kind());
        Ended(Err(Failure::new(FailureKind::Unreachable, message)), Some(Verdict::Failed))
    }
}
