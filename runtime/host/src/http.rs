//! HTTP to sources: many requests at once, told as they complete, over connections that the host keeps.
use crate::abi::{self, http as wit, types};
use crate::credential;
use crate::source::{Dialer, PoolKey, Stream};
use crate::state::State;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::client::legacy::connect::{Connected, Connection as Described};
use hyper_util::client::legacy::{Client, Error as ClientError};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::task::JoinSet;
use wasmtime::component::Resource;
use windlass_core::failure::{Failure, FailureKind};
use windlass_core::port::BoxFuture;
use windlass_core::query::{Endpoint, Question};

/// Idle connections are closed after this.
const IDLE: Duration = Duration::from_secs(90);
/// Idle connections to one endpoint.
const MOST_IDLE: usize = 8;
/// Clients that are kept; beyond that the ones that were not used for longest go.
const MOST_CLIENTS: usize = 4_096;
/// Headers that are the host's own business, or belong to one hop.
const HOST_HEADERS: [HeaderName; 8] = [
    header::HOST,
    header::CONNECTION,
    header::TRANSFER_ENCODING,
    header::CONTENT_LENGTH,
    header::UPGRADE,
    header::TE,
    header::TRAILER,
    header::PROXY_AUTHORIZATION,
];

type Pooled = Client<Connector, Full<Bytes>>;

/// Clients by what must not be mixed.
pub(crate) struct Http {
    dialer: Arc<Dialer>,
    clients: Mutex<HashMap<PoolKey, (Pooled, Instant)>>,
    user_agent: HeaderValue,
}

/// Makes the connections of one client: always to its one endpoint, whatever the URI says.
#[derive(Clone)]
struct Connector {
    dialer: Arc<Dialer>,
    endpoint: Endpoint,
    tls: Option<Arc<rustls::ClientConfig>>,
}

/// A connection as hyper wants it.
struct Dialled {
    io: TokioIo<Stream>,
    http2: bool,
}

impl Described for Dialled {
    fn connected(&self) -> Connected {
        let connected = Connected::new();
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

/// A failure on its way through hyper's errors.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Carried(Failure);

impl tower_service::Service<Uri> for Connector {
    type Response = Dialled;
    type Error = Carried;
    type Future = BoxFuture<'static, Result<Dialled, Carried>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Carried>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        let Connector { dialer, endpoint, tls } = self.clone();
        Box::pin(async move {
            let stream = dialer.dial(&endpoint, tls).await.map_err(Carried)?;
            Ok(Dialled { http2: stream.is_http2(), io: TokioIo::new(stream) })
        })
    }
}

impl Http {
    pub(crate) fn new(dialer: Arc<Dialer>) -> Http {
        let user_agent = HeaderValue::from_static(concat!("windlass/", env!("CARGO_PKG_VERSION")));
        Http { dialer, clients: Mutex::default(), user_agent }
    }

    /// The client for a query and one of its endpoints.
    fn client(&self, question: &Question, endpoint: &Endpoint) -> Result<Pooled, Failure> {
        let key = PoolKey::of(question, endpoint);
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        if let Some((client, used)) = clients.get_mut(&key) {
            *used = now;
            return Ok(client.clone());
        }
        let tls = match &endpoint.tls {
            Some(tls) => Some(self.dialer.roots.client(tls, &question.trigger, &[b"h2", b"http/1.1"])?),
            None => None,
        };
        if clients.len() >= MOST_CLIENTS {
            clients.retain(|_, (_, used)| now.duration_since(*used) < IDLE);
        }
        let connector = Connector { dialer: self.dialer.clone(), endpoint: endpoint.clone(), tls };
        let client: Pooled = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(MOST_IDLE)
            .build(connector);
        clients.insert(key, (client.clone(), now));
        Ok(client)
    }

    /// A request as it goes out.
    fn request(
        &self,
        asked: wit::Request,
        question: &Question,
        endpoint: &Endpoint,
    ) -> Result<Request<Full<Bytes>>, Failure> {
        let invalid = |message: String| Failure::new(FailureKind::Invalid, message);
        let method = Method::from_bytes(asked.method.as_bytes())
            .ok()
            .filter(|method| *method != Method::CONNECT)
            .ok_or_else(|| invalid(format!("{}: no such method", crate::clean::line(&asked.method))))?;
        let filled = credential::fill(&question.trigger, &asked.credentials)?;
        let mut target = asked.target;
        if !target.starts_with('/') {
            return Err(invalid("a request's target begins with /".to_owned()));
        }
        for pair in filled.query {
            target.push(if target.contains('?') { '&' } else { '?' });
            target.push_str(&pair);
        }
        let (scheme, usual) = if endpoint.tls.is_some() { ("https", 443) } else { ("http", 80) };
        let host = if endpoint.host.contains(':') && !endpoint.host.starts_with('[') {
            format!("[{}]", endpoint.host)
        } else {
            endpoint.host.to_string()
        };
        let authority = if endpoint.port == usual { host } else { format!("{host}:{}", endpoint.port) };
        // The target may carry a secret: a message must not show it.
        let uri = Uri::builder()
            .scheme(scheme)
            .authority(authority)
            .path_and_query(target)
            .build()
            .map_err(|_| invalid("the request's target is not a path and query".to_owned()))?;
        let mut headers = HeaderMap::new();
        headers.insert(header::USER_AGENT, self.user_agent.clone());
        for (name, value) in asked.headers {
            let name = header_name(&name)?;
            let value = HeaderValue::from_str(&value)
                .map_err(|_| invalid(format!("header {name}: has characters that no header can carry")))?;
            if name == header::USER_AGENT {
                headers.insert(name, value);
            } else {
                headers.append(name, value);
            }
        }
        for (name, value) in filled.headers {
            headers.insert(name, value);
        }
        let mut request = Request::new(Full::new(Bytes::from(asked.body)));
        *request.method_mut() = method;
        *request.uri_mut() = uri;
        *request.headers_mut() = headers;
        Ok(request)
    }
}

/// A header that a guest or a user may set.
pub(crate) fn header_name(name: &str) -> Result<HeaderName, Failure> {
    let invalid =
        |what: &str| Failure::new(FailureKind::Invalid, format!("header {}: {what}", crate::clean::line(name)));
    let header = HeaderName::from_bytes(name.trim().as_bytes()).map_err(|_| invalid("not a header's name"))?;
    if HOST_HEADERS.contains(&header) { Err(invalid("is set by the host")) } else { Ok(header) }
}

/// What a request came to.
struct Told {
    status: u16,
    headers: Vec<(String, String)>,
    body: Body,
}

#[allow(unreachable_pub, reason = "the bindings re-export it")]
/// A send under way. Dropping it drops its requests.
pub struct Exchange {
    results: mpsc::Receiver<(u32, Result<Told, Failure>)>,
    _requests: JoinSet<()>,
}

#[allow(unreachable_pub, reason = "the bindings re-export it")]
/// The body of an answer, read in pieces. Holds its request's permit to its end.
pub struct Body {
    incoming: Option<Incoming>,
    piece: Bytes,
    left: usize,
    deadline: Instant,
    _permit: Option<OwnedSemaphorePermit>,
}

/// Sends one request and waits for the head of its answer.
async fn exchange(
    client: Pooled,
    request: Request<Full<Bytes>>,
    deadline: Instant,
    permit: OwnedSemaphorePermit,
    body_bytes: usize,
    host: String,
) -> Result<Told, Failure> {
    let answer = tokio::time::timeout_at(deadline.into(), client.request(request))
        .await
        .map_err(|_| late(&host))?
        .map_err(|error| client_failure(&error, &host))?;
    let (head, incoming) = answer.into_parts();
    let headers = head
        .headers
        .iter()
        .map(|(name, value)| (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
        .collect();
    let body =
        Body { incoming: Some(incoming), piece: Bytes::new(), left: body_bytes, deadline, _permit: Some(permit) };
    Ok(Told { status: head.status.as_u16(), headers, body })
}

fn late(host: &str) -> Failure {
    Failure::new(FailureKind::Timeout, format!("{host} did not answer in time"))
}

/// hyper's words may show the request: only what is known to be harmless is told.
fn client_failure(error: &ClientError, host: &str) -> Failure {
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        if let Some(Carried(failure)) = inner.downcast_ref() {
            return failure.clone();
        }
        source = inner.source();
    }
    let what = if error.is_connect() { "cannot be connected" } else { "closed the connection without an answer" };
    Failure::new(FailureKind::Unreachable, format!("{host} {what}"))
}

impl Body {
    async fn read(&mut self, most: usize) -> Result<Bytes, Failure> {
        while self.piece.is_empty() {
            let Some(incoming) = &mut self.incoming else { return Ok(Bytes::new()) };
            let frame = tokio::time::timeout_at(self.deadline.into(), incoming.frame())
                .await
                .map_err(|_| Failure::new(FailureKind::Timeout, "the answer did not end in time"))?;
            match frame {
                None => {
                    self.incoming = None;
                    self._permit = None;
                }
                Some(Err(_)) => {
                    self.incoming = None;
                    return Err(Failure::new(FailureKind::Unreachable, "the connection broke within the answer"));
                }
                Some(Ok(frame)) => {
                    let Ok(piece) = frame.into_data() else { continue };
                    self.left = self.left.checked_sub(piece.len()).ok_or_else(|| {
                        Failure::new(FailureKind::BadResponse, "the answer is larger than scalers may read")
                    })?;
                    self.piece = piece;
                }
            }
        }
        Ok(self.piece.split_to(most.min(self.piece.len())))
    }
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
                    let (tell, in_flight) = (tell.clone(), self.in_flight.clone());
                    let (limits, metrics) = (self.shared.limits.body_bytes, self.shared.metrics.clone());
                    tasks.spawn_on(
                        async move {
                            let result = prepared.run(in_flight, limits).await;
                            metrics.http(result.as_ref().map(|told| told.status).map_err(|failure| failure.kind));
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

/// A request that may go out.
struct Prepared {
    client: Pooled,
    request: Request<Full<Bytes>>,
    deadline: Instant,
    host: String,
}

impl Prepared {
    async fn run(self, in_flight: Arc<tokio::sync::Semaphore>, body_bytes: usize) -> Result<Told, Failure> {
        let permit = tokio::time::timeout_at(self.deadline.into(), in_flight.acquire_owned())
            .await
            .map_err(|_| late(&self.host))?
            .map_err(|_| Failure::new(FailureKind::Internal, "the call has ended"))?;
        exchange(self.client, self.request, self.deadline, permit, body_bytes, self.host).await
    }
}

impl State {
    /// Checks a request and finds its client. The outer error ends the call: a limit was passed.
    fn prepare(&mut self, asked: wit::Request) -> wasmtime::Result<Result<Prepared, Failure>> {
        self.requests_left = self
            .requests_left
            .checked_sub(1)
            .ok_or_else(|| wasmtime::Error::msg("the component sent more requests than a call may"))?;
        let size = asked.body.len() + asked.headers.iter().map(|(n, v)| n.len() + v.len()).sum::<usize>();
        if size + asked.target.len() > self.shared.limits.request_bytes {
            return Ok(Err(Failure::new(FailureKind::Invalid, "the request is larger than scalers may send")));
        }
        let (question, endpoint) = match self.granted(asked.query, asked.endpoint)? {
            Ok(granted) => granted,
            Err(failure) => return Ok(Err(failure)),
        };
        let wanted = asked.timeout_ms.map(|ms| Duration::from_millis(ms.into()));
        let left = self.time_left();
        let deadline = Instant::now() + wanted.map_or(left, |wanted| wanted.min(left));
        let http = &self.shared.http;
        let made = http.client(&question, &endpoint).and_then(|client| {
            let request = http.request(asked, &question, &endpoint)?;
            Ok(Prepared { client, request, deadline, host: format!("{}:{}", endpoint.host, endpoint.port) })
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
        Ok(body.read(max.max(1) as usize).await.map(|piece| piece.to_vec()).map_err(|failure| abi::told(&failure)))
    }

    async fn drop(&mut self, this: Resource<Body>) -> wasmtime::Result<()> {
        self.table.delete(this)?;
        Ok(())
    }
}
