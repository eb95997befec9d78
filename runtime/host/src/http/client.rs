//! HTTP clients, one per component, namespace, endpoint and credentials, and the connections that they keep.
use crate::budget::{Slot, Source};
use crate::source::{Dialer, PoolKey, Stream, Undialled};
use bytes::Bytes;
use http::Uri;
use http_body_util::Full;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::{Connected, Connection as Described};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use std::collections::HashMap;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use windlass_core::failure::Failure;
use windlass_core::port::BoxFuture;
use windlass_core::query::{Endpoint, Question};

/// Idle connections are closed after this.
const IDLE: Duration = Duration::from_secs(90);
/// Idle connections of one client.
const MOST_IDLE: usize = 8;
/// Clients that are kept; beyond that the one that was not used for longest goes.
const MOST_CLIENTS: usize = 4_096;

pub(super) type Pooled = Client<Connector, Full<Bytes>>;

/// Clients by what must not be mixed.
pub(super) struct Clients {
    dialer: Arc<Dialer>,
    kept: Mutex<HashMap<PoolKey, Kept>>,
}

struct Kept {
    client: Pooled,
    used: Instant,
    source: Arc<Source>,
    open: Arc<AtomicUsize>,
}

/// Makes the connections of one client: always to its one endpoint, whatever the URI says.
#[derive(Clone)]
pub(super) struct Connector {
    dialer: Arc<Dialer>,
    endpoint: Endpoint,
    tls: Option<Arc<rustls::ClientConfig>>,
    source: Arc<Source>,
    open: Arc<AtomicUsize>,
    clients: Weak<Clients>,
}

/// A connection as hyper wants it.
pub(super) struct Dialled {
    io: TokioIo<Stream>,
    http2: bool,
    rested: Rested,
    _open: Open,
    _slot: Slot,
}

/// Goes with all that comes of a connection: whether a request was answered on it before.
#[derive(Clone, Debug, Default)]
pub(super) struct Rested(Arc<AtomicBool>);

impl Rested {
    pub(super) fn answered(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    pub(super) fn has_answered(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Counts a client's open connections.
struct Open(Arc<AtomicUsize>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Described for Dialled {
    fn connected(&self) -> Connected {
        let connected = Connected::new().extra(self.rested.clone());
        if self.http2 { connected.negotiated_h2() } else { connected }
    }
}

impl hyper::rt::Read for Dialled {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: hyper::rt::ReadBufCursor<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_read(cx, buf)
    }
}

impl hyper::rt::Write for Dialled {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.get_mut().io).poll_write(cx, data)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_shutdown(cx)
    }
}

/// A failed dial on its way through hyper's errors.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.failure)]
pub(super) struct Carried(pub(super) Undialled);

impl tower_service::Service<Uri> for Connector {
    type Response = Dialled;
    type Error = Carried;
    type Future = BoxFuture<'static, Result<Dialled, Carried>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Carried>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        let Connector { dialer, endpoint, tls, source, open, clients } = self.clone();
        Box::pin(async move {
            let shed = || {
                if let Some(clients) = clients.upgrade() {
                    clients.shed(&source);
                }
            };
            let slot = source.slot(shed).await;
            let stream = dialer.dial(&endpoint, tls).await.map_err(Carried)?;
            open.fetch_add(1, Ordering::Relaxed);
            let (http2, rested) = (stream.is_http2(), Rested::default());
            Ok(Dialled { io: TokioIo::new(stream), http2, rested, _open: Open(open), _slot: slot })
        })
    }
}

impl Clients {
    pub(super) fn new(dialer: Arc<Dialer>) -> Arc<Clients> {
        Arc::new(Clients { dialer, kept: Mutex::default() })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<PoolKey, Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The client for a query and one of its endpoints.
    pub(super) fn client(
        self: &Arc<Self>,
        question: &Question,
        endpoint: &Endpoint,
        source: &Arc<Source>,
    ) -> Result<Pooled, Failure> {
        let key = PoolKey::of(question, endpoint);
        let mut kept = self.lock();
        let now = Instant::now();
        if let Some(known) = kept.get_mut(&key) {
            known.used = now;
            return Ok(known.client.clone());
        }
        let tls = match &endpoint.tls {
            Some(tls) => Some(self.dialer.roots.client(tls, &question.trigger, &[b"h2", b"http/1.1"])?),
            None => None,
        };
        if kept.len() >= MOST_CLIENTS {
            drop_oldest(&mut kept, |_| true);
        }
        let open = Arc::new(AtomicUsize::new(0));
        let connector = Connector {
            dialer: self.dialer.clone(),
            endpoint: endpoint.clone(),
            tls,
            source: source.clone(),
            open: open.clone(),
            clients: Arc::downgrade(self),
        };
        let client: Pooled = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(MOST_IDLE)
            .build(connector);
        kept.insert(key, Kept { client: client.clone(), used: now, source: source.clone(), open });
        Ok(client)
    }

    /// Lets the client of a source go that was not used for longest and has connections: those that rest are closed at once,
    /// the others when their requests have ended.
    fn shed(&self, source: &Arc<Source>) {
        drop_oldest(&mut self.lock(), |client| {
            Arc::ptr_eq(&client.source, source) && client.open.load(Ordering::Relaxed) > 0
        });
    }

    /// Lets clients go whose connections have been closed for want of use.
    pub(super) fn sweep(&self) {
        let now = Instant::now();
        self.lock().retain(|_, client| now.duration_since(client.used) < IDLE);
    }
}

fn drop_oldest(kept: &mut HashMap<PoolKey, Kept>, of: impl Fn(&Kept) -> bool) {
    let oldest = kept.iter().filter(|(_, client)| of(client)).min_by_key(|(_, client)| client.used);
    if let Some(key) = oldest.map(|(key, _)| key.clone()) {
        kept.remove(&key);
    }
}
