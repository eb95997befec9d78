//! `work-queue serve`.
use crate::queue::{Full, Queue};
use anyhow::Context;
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full as Whole, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

/// Connections at a time; more wait to be accepted.
const CONNECTIONS: usize = 256;
/// Bytes of a request's body.
const BODY: usize = 64 * 1024;
/// For reading a request, and for sending its head.
const READ: Duration = Duration::from_secs(5);

/// Arguments of the command.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Where to listen; port 0 takes a free one. The address is printed as {"listening":"127.0.0.1:8089"}
    #[arg(long, default_value = "127.0.0.1:8089")]
    listen: SocketAddr,
    /// Seconds after which a job that is not done goes to another worker
    #[arg(long, default_value_t = 30)]
    lease_seconds: u64,
    /// Jobs that the queue holds at most
    #[arg(long, default_value_t = 100_000)]
    capacity: usize,
}

/// Keeps the queue until asked to stop.
pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let listener =
        TcpListener::bind(arguments.listen).await.with_context(|| format!("cannot listen on {}", arguments.listen))?;
    crate::print(&json!({ "listening": listener.local_addr()?.to_string() }));
    let queue = Queue::new(arguments.capacity, Duration::from_secs(arguments.lease_seconds));
    let queue = Arc::new(Mutex::new(queue));
    let mut stop = crate::stop_requested()?;
    tokio::select! {
        () = accept(listener, queue.clone()) => {}
        _ = stop.changed() => {}
    }
    let stats = lock(&queue).stats(Instant::now());
    crate::print(&serde_json::to_value(stats)?);
    Ok(())
}

async fn accept(listener: TcpListener, queue: Arc<Mutex<Queue>>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let Ok(place) = places.clone().acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => {
                let queue = queue.clone();
                tokio::spawn(async move {
                    connection(stream, queue).await;
                    drop(place);
                });
            }
            // Out of file descriptors, most likely: others will be closed.
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
}

async fn connection(stream: TcpStream, queue: Arc<Mutex<Queue>>) {
    let service = service_fn(move |request| {
        let queue = queue.clone();
        async move { Ok::<_, Infallible>(answer(request, &queue).await) }
    });
    let mut builder = hyper::server::conn::http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(READ);
    // A connection that breaks is its peer's business.
    let _ = builder.serve_connection(TokioIo::new(stream), service).await;
}

/// A lock whose holder cannot have panicked half-way: the queue's methods do not panic.
fn lock(queue: &Mutex<Queue>) -> MutexGuard<'_, Queue> {
    queue.lock().unwrap_or_else(PoisonError::into_inner)
}

/// `POST /jobs`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewJobs {
    /// How many.
    #[serde(default = "one")]
    count: usize,
    /// How long each takes.
    work_ms: u64,
}

fn one() -> usize {
    1
}

type Answer = Response<Whole<Bytes>>;

async fn answer(request: Request<Incoming>, queue: &Mutex<Queue>) -> Answer {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path();
    let id = path.strip_prefix("/jobs/").and_then(|rest| rest.parse::<u64>().ok());
    match (&parts.method, path, id) {
        (&Method::POST, "/jobs", _) => {
            let body = tokio::time::timeout(READ, Limited::new(body, BODY).collect()).await;
            let Ok(Ok(body)) = body else {
                return error(StatusCode::BAD_REQUEST, "the body is too large, or did not arrive in time");
            };
            match serde_json::from_slice::<NewJobs>(&body.to_bytes()) {
                Ok(new) => match lock(queue).add(new.count, new.work_ms) {
                    Ok(last) => reply(StatusCode::CREATED, &json!({ "last": last, "count": new.count })),
                    Err(Full) => error(StatusCode::TOO_MANY_REQUESTS, "the queue is full; try again later"),
                },
                Err(why) => error(StatusCode::BAD_REQUEST, &format!("write {{\"count\":10,\"work_ms\":200}}: {why}")),
            }
        }
        (&Method::POST, "/jobs/lease", _) => match lock(queue).lease(Instant::now()) {
            Some(job) => reply(StatusCode::OK, &job),
            None => empty(StatusCode::NO_CONTENT),
        },
        (&Method::DELETE, _, Some(id)) => {
            if lock(queue).done(id, Instant::now()) {
                empty(StatusCode::NO_CONTENT)
            } else {
                error(StatusCode::NOT_FOUND, "no such job is leased; its lease may have ended")
            }
        }
        (&Method::GET, "/stats", _) => reply(StatusCode::OK, &lock(queue).stats(Instant::now())),
        _ => error(StatusCode::NOT_FOUND, "use POST /jobs, POST /jobs/lease, DELETE /jobs/ID or GET /stats"),
    }
}

fn reply(status: StatusCode, value: &impl Serialize) -> Answer {
    let body = serde_json::to_vec(value).unwrap_or_default();
    let mut answer = Response::new(Whole::new(body.into()));
    *answer.status_mut() = status;
    answer.headers_mut().insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static("application/json"));
    answer
}

fn empty(status: StatusCode) -> Answer {
    let mut answer = Response::new(Whole::default());
    *answer.status_mut() = status;
    answer
}

fn error(status: StatusCode, message: &str) -> Answer {
    reply(status, &json!({ "error": message }))
}
