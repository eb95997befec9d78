//! Listening, connections and their limits.
use crate::auth::Peer;
use crate::external_metrics::ExternalMetrics;
use crate::metrics::Accepted;
use crate::route::Route;
use crate::status::{Answer, Problem};
use http::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use rustls::ServerConfig;
use std::convert::Infallible;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// What clients may use up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections at the same time; further ones are closed at once.
    pub connections: usize,
    /// For a TLS handshake.
    pub handshake: Duration,
    /// From the handshake to the head of the first request.
    pub first_request: Duration,
    /// Without a request. Longer than the 90 s after which Go's client drops idle connections, so that a request does not
    /// meet a closing one.
    pub idle: Duration,
    /// For one request.
    pub request: Duration,
    /// For requests under way after a connection or the server begins to end.
    pub drain: Duration,
    /// Bytes of path and query.
    pub uri_bytes: usize,
    /// Bytes of a request's head. The aggregation layer sends one header per group of a user, which may be hundreds.
    pub head_bytes: usize,
    /// Requests at the same time on one HTTP/2 connection.
    pub streams: u32,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            connections: 1024,
            handshake: Duration::from_secs(10),
            first_request: Duration::from_secs(30),
            idle: Duration::from_secs(120),
            request: Duration::from_secs(10),
            drain: Duration::from_secs(5),
            uri_bytes: 4096,
            head_bytes: 64 * 1024,
            streams: 256,
        }
    }
}

/// Serves the external metrics API over TLS until `shutdown`, then lets requests under way end.
pub async fn serve(
    listener: TcpListener,
    tls: Arc<ServerConfig>,
    api: Arc<ExternalMetrics>,
    limits: Limits,
    shutdown: CancellationToken,
) {
    let acceptor = TlsAcceptor::from(tls);
    let counted = api.metrics().clone();
    let count = move |accepted| counted.accepted(accepted);
    accept(listener, limits, shutdown, count, move |stream, connection: Connection| {
        let (acceptor, api) = (acceptor.clone(), api.clone());
        async move {
            let Ok(Ok(stream)) = tokio::time::timeout(limits.handshake, acceptor.accept(stream)).await else {
                api.metrics().accepted(Accepted::HandshakeFailed);
                return;
            };
            api.metrics().accepted(Accepted::Served);
            let _open = api.metrics().open();
            let session = stream.get_ref().1;
            let protocol = match session.alpn_protocol() {
                Some(b"h2") => Protocol::Http2,
                _ => Protocol::Http1,
            };
            let chain = session.peer_certificates().unwrap_or_default();
            let peer = Arc::new(Peer::new(chain.iter().map(|part| part.clone().into_owned()).collect()));
            let answer = move |request| answer_within(api.clone(), peer.clone(), limits, request);
            connection.drive(stream, protocol, answer).await;
        }
    })
    .await;
}

/// Answers a request of the external metrics API within its deadline, and counts it.
async fn answer_within(
    api: Arc<ExternalMetrics>,
    peer: Arc<Peer>,
    limits: Limits,
    request: Request<Incoming>,
) -> Answer {
    let begun = Instant::now();
    let (request, _body) = request.into_parts();
    let route = Route::of(request.uri.path());
    let length = request.uri.path_and_query().map_or(0, |uri| uri.as_str().len());
    let head: usize = request.headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    let answer = if length > limits.uri_bytes {
        Problem::uri_too_long(limits.uri_bytes).answer()
    } else if head > limits.head_bytes {
        // HTTP/1.1 lets pass what came with the segment that exceeded the buffer.
        Problem::head_too_large(limits.head_bytes).answer()
    } else {
        let answered = tokio::time::timeout(limits.request, api.answer(route, &peer, &request)).await;
        answered.unwrap_or_else(|_| Problem::timeout().answer())
    };
    api.metrics().request(route.class(), answer.status(), begun.elapsed());
    answer
}

/// Which HTTP is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    Http1,
    Http2,
}

/// Accepts connections until `shutdown` and hands each to `serve`; returns when all have ended, at most `drain` later.
pub(crate) async fn accept<F>(
    listener: TcpListener,
    limits: Limits,
    shutdown: CancellationToken,
    count: impl Fn(Accepted),
    serve: impl Fn(TcpStream, Connection) -> F,
) where
    F: Future<Output = ()> + Send + 'static,
{
    let permits = Arc::new(Semaphore::new(limits.connections));
    let tasks = TaskTracker::new();
    let hard_stop = CancellationToken::new();
    loop {
        let accepted = tokio::select! {
            () = shutdown.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                // For instance no file descriptors: without a pause this would spin.
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let Ok(permit) = permits.clone().try_acquire_owned() else {
            count(Accepted::Refused);
            continue;
        };
        // Answers are one small segment: waiting for more would only delay them.
        let _ = stream.set_nodelay(true);
        let connection = Connection { limits, shutdown: shutdown.clone(), _permit: permit };
        let serving = serve(stream, connection);
        let hard_stop = hard_stop.clone();
        tasks.spawn(async move {
            tokio::select! {
                () = serving => {}
                () = hard_stop.cancelled() => {}
            }
        });
    }
    drop(listener);
    tasks.close();
    if tokio::time::timeout(limits.drain, tasks.wait()).await.is_err() {
        hard_stop.cancel();
        tasks.wait().await;
    }
}

/// One connection's limits and its place among them.
pub(crate) struct Connection {
    limits: Limits,
    shutdown: CancellationToken,
    _permit: OwnedSemaphorePermit,
}

/// What a connection does, for its idle limit.
#[derive(Debug)]
struct Activity {
    begun: Instant,
    under_way: AtomicUsize,
    /// When the last request ended, in milliseconds since `begun`; [`Activity::NEVER`] before the first began.
    last_ms: AtomicU64,
}

impl Activity {
    const NEVER: u64 = u64::MAX;

    fn new() -> Activity {
        Activity { begun: Instant::now(), under_way: AtomicUsize::new(0), last_ms: AtomicU64::new(Activity::NEVER) }
    }

    fn enter(self: &Arc<Self>) -> UnderWay {
        self.under_way.fetch_add(1, Ordering::Relaxed);
        UnderWay(self.clone())
    }

    fn touch(&self) {
        let now = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(Activity::NEVER - 1);
        self.last_ms.store(now, Ordering::Relaxed);
    }

    /// How long the connection may still do nothing; zero: it has done nothing for too long.
    fn patience(&self, limits: &Limits) -> Duration {
        if self.under_way.load(Ordering::Relaxed) > 0 {
            return limits.idle;
        }
        let end = match self.last_ms.load(Ordering::Relaxed) {
            Activity::NEVER => limits.first_request,
            last_ms => Duration::from_millis(last_ms) + limits.idle,
        };
        end.saturating_sub(self.begun.elapsed())
    }
}

struct UnderWay(Arc<Activity>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.touch();
        self.0.under_way.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Connection {
    /// Answers a connection's requests until its end, its idle limit, or the server's shutdown.
    pub(crate) async fn drive<S, A, F>(self, stream: S, protocol: Protocol, answer: A)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        A: Fn(Request<Incoming>) -> F + Send + 'static,
        F: Future<Output = Answer> + Send + 'static,
    {
        let activity = Arc::new(Activity::new());
        let seen = activity.clone();
        let service = service_fn(move |request| {
            let under_way = seen.enter();
            let answer = answer(request);
            async move {
                let answer = answer.await;
                drop(under_way);
                Ok::<_, Infallible>(answer)
            }
        });
        let builder = self.builder(protocol);
        let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
        loop {
            let patience = activity.patience(&self.limits);
            tokio::select! {
                ended = connection.as_mut() => {
                    if let Err(error) = ended {
                        tracing::debug!(%error, "connection ended");
                    }
                    return;
                }
                () = self.shutdown.cancelled() => break,
                () = tokio::time::sleep(patience.max(Duration::from_millis(10))) => {
                    if activity.patience(&self.limits).is_zero() {
                        break;
                    }
                }
            }
        }
        connection.as_mut().graceful_shutdown();
        let _ = tokio::time::timeout(self.limits.drain, connection).await;
    }

    fn builder(&self, protocol: Protocol) -> auto::Builder<TokioExecutor> {
        let builder = auto::Builder::new(TokioExecutor::new());
        let mut builder = match protocol {
            Protocol::Http1 => builder.http1_only(),
            Protocol::Http2 => builder.http2_only(),
        };
        builder
            .http1()
            .timer(TokioTimer::new())
            // This also bounds how long it waits for the next request.
            .header_read_timeout(self.limits.idle)
            .max_headers(512)
            .max_buf_size(self.limits.head_bytes.max(8192));
        builder
            .http2()
            .timer(TokioTimer::new())
            .keep_alive_interval(Duration::from_secs(30))
            .keep_alive_timeout(Duration::from_secs(20))
            .max_header_list_size(u32::try_from(self.limits.head_bytes).unwrap_or(u32::MAX))
            .max_concurrent_streams(self.limits.streams);
        builder
    }
}
