//! Connections that rest between two guests, by what must not be mixed.
use super::connection::{Buffer, Connection};
use super::link::{Command, Link};
use crate::budget::{Source, Ticket};
use crate::source::{Dialer, PoolKey};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use windlass_core::failure::Failure;
use windlass_core::query::{Endpoint, Question};

/// Writes that wait in a connection.
const MOST_WRITES: usize = 64;
/// A connection that nobody took for so long is closed.
const IDLE: Duration = Duration::from_secs(60);
/// Idle connections per key, and in all.
const MOST_IDLE: usize = 4;
const MOST_POOLED: usize = 1_024;

type Idle = HashMap<PoolKey, Vec<(Connection, Instant)>>;

/// TCP to sources.
pub(crate) struct Tcp {
    dialer: Arc<Dialer>,
    idle: Arc<Mutex<Idle>>,
}

fn lock(idle: &Mutex<Idle>) -> MutexGuard<'_, Idle> {
    idle.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Tcp {
    pub(crate) fn new(dialer: Arc<Dialer>) -> Tcp {
        Tcp { dialer, idle: Arc::default() }
    }

    /// A connection that rested, or a new one whose task connects while the guest goes on. Either is used once `ticket` is
    /// granted. True: new.
    pub(super) fn open(
        &self,
        question: &Question,
        endpoint: &Endpoint,
        source: &Arc<Source>,
        ticket: Ticket,
        deadline: Instant,
        io: &tokio::runtime::Handle,
    ) -> Result<(Connection, bool), Failure> {
        let key = PoolKey::of(question, endpoint);
        let mut enter = Command::Enter(ticket, deadline);
        while let Some(mut kept) = self.take(&key) {
            match kept.commands.try_send(enter) {
                Ok(()) => {
                    kept.deadline = deadline;
                    return Ok((kept, false));
                }
                // It ended in this very moment.
                Err(back) => enter = back.into_inner(),
            }
        }
        let config = match &endpoint.tls {
            Some(tls) => Some(self.dialer.roots.client(tls, &question.trigger, &[])?),
            None => None,
        };
        let buffer = Arc::new(Buffer::default());
        let (commands, receiver) = mpsc::channel(MOST_WRITES);
        // There is room: the channel is new.
        let _ = commands.try_send(enter);
        let link = Link {
            dialer: self.dialer.clone(),
            source: source.clone(),
            endpoint: endpoint.clone(),
            config,
            buffer: buffer.clone(),
        };
        let (idle, of) = (Arc::downgrade(&self.idle), source.clone());
        let shed = move || {
            if let Some(idle) = idle.upgrade() {
                shed(&idle, &of);
            }
        };
        let task = io.spawn(link.run(receiver, shed));
        Ok((Connection { key, source: source.clone(), buffer, commands, deadline, task }, true))
    }

    /// Takes an idle connection that is still whole.
    fn take(&self, key: &PoolKey) -> Option<Connection> {
        let mut idle = lock(&self.idle);
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

    pub(super) fn keep(&self, connection: Connection) {
        // One whose turn never came, or that is half-read or ended: the next user would not know where it stands.
        if !connection.buffer.release() || connection.buffer.ready() {
            return;
        }
        let mut idle = lock(&self.idle);
        let now = Instant::now();
        if idle.values().map(Vec::len).sum::<usize>() >= MOST_POOLED {
            close_idle(&mut idle, now);
            if idle.values().map(Vec::len).sum::<usize>() >= MOST_POOLED {
                return;
            }
        }
        let kept = idle.entry(connection.key.clone()).or_default();
        if kept.len() < MOST_IDLE {
            kept.push((connection, now));
        }
    }

    /// Closes what nobody took for a while.
    pub(crate) fn sweep(&self) {
        close_idle(&mut lock(&self.idle), Instant::now());
    }
}

fn close_idle(idle: &mut Idle, now: Instant) {
    idle.retain(|_, kept| {
        kept.retain(|(_, since)| now.duration_since(*since) < IDLE);
        !kept.is_empty()
    });
}

/// Closes the connection to a source that has rested for longest.
fn shed(idle: &Mutex<Idle>, source: &Arc<Source>) {
    let mut idle = lock(idle);
    let of =
        |kept: &Vec<(Connection, Instant)>| kept.first().filter(|(c, _)| Arc::ptr_eq(&c.source, source)).map(|k| k.1);
    let oldest = idle.iter().filter_map(|(key, kept)| Some((of(kept)?, key))).min_by_key(|(since, _)| *since);
    let Some(key) = oldest.map(|(_, key)| key.clone()) else { return };
    if let Some(kept) = idle.get_mut(&key) {
        kept.remove(0);
        if kept.is_empty() {
            idle.remove(&key);
        }
    }
}
