//! The HTTP source: a Prometheus and a metrics API at one address, that counts what it is asked, second by second, and can
//! fail in part or be gone.
use anyhow::{Context, Result};
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::collections::{BTreeMap, HashSet};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// What every question is answered: the target, so that nothing is scaled.
pub(super) const VALUE: f64 = 5.0;

/// The source. It listens until it is dropped.
pub(super) struct Source {
    address: SocketAddr,
    shared: Arc<Shared>,
    server: Option<tokio::task::JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    failing: AtomicBool,
    log: Mutex<Option<Log>>,
}

/// What was asked since the count began.
pub(super) struct Log {
    began: Instant,
    seconds: BTreeMap<u64, usize>,
    questions: HashSet<String>,
    requests: usize,
}

impl Log {
    fn new() -> Log {
        Log { began: Instant::now(), seconds: BTreeMap::new(), questions: HashSet::new(), requests: 0 }
    }

    /// All requests.
    pub(super) fn requests(&self) -> usize {
        self.requests
    }

    /// Different questions.
    pub(super) fn distinct(&self) -> usize {
        self.questions.len()
    }

    /// The busiest second over the mean of all whole seconds.
    pub(super) fn peak_to_mean(&self) -> f64 {
        let whole = self.began.elapsed().as_secs().max(1);
        let counts = self.seconds.range(..whole).map(|(_, count)| *count);
        let (sum, peak) = counts.fold((0, 0), |(sum, peak), count| (sum + count, peak.max(count)));
        if sum == 0 { 0.0 } else { peak as f64 * whole as f64 / sum as f64 }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Source {
    pub(super) async fn start() -> Result<Source> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let mut source = Source { address: listener.local_addr()?, shared: Arc::default(), server: None };
        source.server = Some(tokio::spawn(accept(listener, source.shared.clone())));
        Ok(source)
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Whether questions that [`fails`] names are answered 500 from now on.
    pub(super) fn set_failing(&self, failing: bool) {
        self.shared.failing.store(failing, Ordering::Relaxed);
    }

    /// Starts to count.
    pub(super) fn count(&self) {
        *lock(&self.shared.log) = Some(Log::new());
    }

    /// Ends the count and gives it.
    pub(super) fn counted(&self) -> Log {
        lock(&self.shared.log).take().unwrap_or_else(Log::new)
    }

    /// Is gone at once: nobody listens, and all connections are closed.
    pub(super) async fn kill(&mut self) {
        if let Some(server) = self.server.take() {
            server.abort();
            let _ = server.await;
        }
    }

    /// Is back at the same address.
    pub(super) async fn revive(&mut self) -> Result<()> {
        let socket = tokio::net::TcpSocket::new_v4()?;
        socket.set_reuseaddr(true)?;
        socket.bind(self.address)?;
        let listener = socket.listen(1024).context("the source's port is taken")?;
        self.server = Some(tokio::spawn(accept(listener, self.shared.clone())));
        Ok(())
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        if let Some(server) = &self.server {
            server.abort();
        }
    }
}

/// Connections end with this task.
async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            Ok((stream, _)) = listener.accept() => {
                connections.spawn(serve(stream, shared.clone()));
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn serve(stream: TcpStream, shared: Arc<Shared>) {
    let service = hyper::service::service_fn(move |request| {
        let answer = answer(&request, &shared);
        async move { answer }
    });
    let server = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
    let _ = server.serve_connection(TokioIo::new(stream), service).await;
}

/// Which questions fail while the source does: a third, by the number at their end.
pub(super) fn fails(number: usize) -> bool {
    number.is_multiple_of(3)
}

fn answer(request: &Request<Incoming>, shared: &Shared) -> http::Result<Response<Full<Bytes>>> {
    let target = request.uri().path_and_query().map_or("", |target| target.as_str());
    if let Some(log) = lock(&shared.log).as_mut() {
        log.requests += 1;
        *log.seconds.entry(log.began.elapsed().as_secs()).or_default() += 1;
        // A Prometheus query names the moment it is made for.
        let question = target.split("&time=").next().unwrap_or_default();
        if !log.questions.contains(question) {
            log.questions.insert(question.to_owned());
        }
    }
    let number = target.split("number").nth(1).unwrap_or_default();
    let number: String = number.chars().skip_while(|c| !c.is_ascii_digit()).take_while(char::is_ascii_digit).collect();
    let failing = shared.failing.load(Ordering::Relaxed) && number.parse().is_ok_and(fails);
    let body = if failing {
        "out of order".to_owned()
    } else if request.uri().path().starts_with("/number") {
        format!(r#"{{"value":{VALUE}}}"#)
    } else {
        format!(
            r#"{{"status":"success","data":{{"resultType":"vector","result":[{{"metric":{{}},"value":[1700000000,"{VALUE}"]}}]}}}}"#
        )
    };
    let status = if failing { StatusCode::INTERNAL_SERVER_ERROR } else { StatusCode::OK };
    Response::builder().status(status).header("content-type", "application/json").body(Full::new(Bytes::from(body)))
}
