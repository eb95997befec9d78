//! An HTTP source whose answers a test sets while it runs, and that remembers what it was asked.
use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::watch;

/// Bodies of requests are remembered up to this many bytes.
const BODY_LIMIT: usize = 1 << 20;

/// Requests are remembered up to this many; the oldest go first.
const LOG_LIMIT: usize = 100_000;

/// What the source answers from now on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status.
    pub status: StatusCode,
    /// Headers of the answer.
    pub headers: HeaderMap,
    /// Body of the answer.
    pub body: Bytes,
    /// How long it lets a request wait.
    pub latency: Duration,
    /// Whether it answers at all.
    pub mood: Mood,
}

/// Whether a source answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mood {
    /// It answers.
    #[default]
    Willing,
    /// It takes requests and never answers them, until its mood changes: then those that wait are answered too.
    Hanging,
    /// It closes the connection instead of answering.
    Rude,
}

impl Default for Answer {
    fn default() -> Answer {
        let (headers, body) = (HeaderMap::new(), Bytes::new());
        Answer { status: StatusCode::OK, headers, body, latency: Duration::ZERO, mood: Mood::Willing }
    }
}

/// One request that arrived.
#[derive(Debug, Clone)]
pub struct Exchange {
    /// Method.
    pub method: Method,
    /// Path and query.
    pub target: String,
    /// Headers.
    pub headers: HeaderMap,
    /// Body.
    pub body: Bytes,
}

/// The source. It listens until it is dropped, on the runtime that started it.
pub struct ScriptedHttp {
    address: SocketAddr,
    shared: Arc<Shared>,
    server: tokio::task::JoinHandle<()>,
}

struct Shared {
    answer: watch::Sender<Answer>,
    log: Mutex<Vec<Exchange>>,
}

impl ScriptedHttp {
    /// Starts one on a free port of 127.0.0.1; it answers 200 with an empty body.
    ///
    /// # Errors
    /// When no port can be bound.
    pub async fn start() -> io::Result<ScriptedHttp> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared { answer: watch::channel(Answer::default()).0, log: Mutex::default() });
        let server = tokio::spawn(accept(listener, Arc::clone(&shared)));
        Ok(ScriptedHttp { address, shared, server })
    }

    /// `127.0.0.1:PORT`.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Changes what it answers.
    pub fn change(&self, change: impl FnOnce(&mut Answer)) {
        self.shared.answer.send_modify(change);
    }

    /// Answers 200 with this body from now on.
    pub fn set_body(&self, body: impl Into<Bytes>) {
        self.change(|answer| (answer.status, answer.body) = (StatusCode::OK, body.into()));
    }

    /// Answers `{"value": VALUE}` from now on.
    pub fn set_value(&self, value: f64) {
        self.set_body(serde_json::json!({ "value": value }).to_string());
    }

    /// Answers this status from now on.
    pub fn set_status(&self, status: StatusCode) {
        self.change(|answer| answer.status = status);
    }

    /// Lets each request wait from now on.
    pub fn set_latency(&self, latency: Duration) {
        self.change(|answer| answer.latency = latency);
    }

    /// Hangs, closes connections, or answers, from now on.
    pub fn set_mood(&self, mood: Mood) {
        self.change(|answer| answer.mood = mood);
    }

    /// The requests that arrived since it was started, or since [`ScriptedHttp::forget`].
    pub fn requests(&self) -> Vec<Exchange> {
        self.shared.log().clone()
    }

    /// How many requests arrived since it was started, or since [`ScriptedHttp::forget`].
    pub fn count(&self) -> usize {
        self.shared.log().len()
    }

    /// Forgets the requests that arrived.
    pub fn forget(&self) {
        self.shared.log().clear();
    }
}

impl Drop for ScriptedHttp {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Shared {
    fn log(&self) -> MutexGuard<'_, Vec<Exchange>> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Its connections are tasks of a set that ends with this task.
async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = tokio::task::JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        while connections.try_join_next().is_some() {}
        let shared = Arc::clone(&shared);
        connections.spawn(async move {
            let service = hyper::service::service_fn(|request| reply(request, Arc::clone(&shared)));
            let server = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
            // A client that goes away, and our own rudeness, end a connection with an error.
            let _ = server.serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

/// The connection is to be closed without an answer.
#[derive(Debug)]
struct Close;

impl std::fmt::Display for Close {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("closed on purpose")
    }
}

impl std::error::Error for Close {}

async fn reply(request: Request<Incoming>, shared: Arc<Shared>) -> Result<Response<Full<Bytes>>, Close> {
    let (head, body) = request.into_parts();
    let body = Limited::new(body, BODY_LIMIT).collect().await.map_err(|_| Close)?.to_bytes();
    let target = head.uri.path_and_query().map_or_else(|| head.uri.path().to_owned(), ToString::to_string);
    {
        let mut log = shared.log();
        if log.len() == LOG_LIMIT {
            log.remove(0);
        }
        log.push(Exchange { method: head.method, target, headers: head.headers, body });
    }
    let mut script = shared.answer.subscribe();
    let latency = script.borrow().latency;
    tokio::time::sleep(latency).await;
    let answer = script.wait_for(|answer| answer.mood != Mood::Hanging).await.map_err(|_| Close)?.clone();
    if answer.mood == Mood::Rude {
        return Err(Close);
    }
    let mut response = Response::new(Full::new(answer.body));
    *response.status_mut() = answer.status;
    *response.headers_mut() = answer.headers;
    Ok(response)
}
