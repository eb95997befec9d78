//! Reads of external metrics, beside those of the least that could answer; and the source that values come from.
use super::Options;
use super::stage::Stage;
use crate::figure::Report;
use crate::load::{Peer, Reads};
use anyhow::{Context, Result};
use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::collections::HashMap;
use std::process::Command;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::net::TcpListener;
use windlass_e2e::{Authority, Folder, Life, Process, free_ports, until};

/// Reads at the same time.
const CONCURRENCIES: [usize; 2] = [10, 50];
/// Reads a second of the open loop: what the HPA controller makes of 1,000 objects when its budget allows.
const OPEN: f64 = 66.0;

/// Measures at the present number of objects.
pub(super) async fn measure(stage: &Stage, options: &Options, report: Report) -> Result<()> {
    let count = stage.count();
    report.say("reads of external metrics");
    let time = Duration::from_secs(options.read_s);
    let paths = stage.paths();
    let (through, direct) = (stage.through_api_server()?, stage.direct().await?);
    let (_bare, responder) = bare(stage.control_plane.folder(), &direct, paths.first().context("no objects")?).await?;
    for concurrency in CONCURRENCIES {
        let work = format!(
            "{count} ScaledObjects, closed loop of {concurrency} on one HTTP/2 connection, HPA controller running"
        );
        // In turns: whatever else the machine does meets all of them.
        let mut rates = HashMap::new();
        for (path, peer) in [("direct", &direct), ("bare responder", &responder), ("API server", &through)] {
            let reads = peer.closed_loop(&paths, concurrency, time).await?;
            told(report, &format!("({count}) {path}, {concurrency} at a time"), &reads, &work);
            rates.insert(path, reads.per_second);
        }
        let ratio = rates.get("direct").unwrap_or(&0.0) / rates.get("bare responder").unwrap_or(&1.0);
        report.figure(
            &format!("reads ({count}) direct over bare responder, {concurrency} at a time"),
            ratio,
            "ratio",
            &work,
        );
    }
    let work = format!("{count} ScaledObjects, open loop of {OPEN} a second, HPA controller running");
    for (path, peer) in [("API server", &through), ("direct", &direct)] {
        let reads = peer.open_loop(&paths, OPEN, time).await?;
        told(report, &format!("({count}) {path}, {OPEN} a second"), &reads, &work);
    }
    Ok(())
}

/// Prints how reads went.
pub(crate) fn told(report: Report, what: &str, reads: &Reads, work: &str) {
    for (name, share) in [("p50", 0.5), ("p99", 0.99), ("max", 1.0)] {
        report.figure(&format!("reads {what}, {name}"), reads.times.quantile_ms(share), "ms", work);
    }
    report.figure(&format!("reads {what}, rate"), reads.per_second, "per s", work);
    report.figure(&format!("reads {what}, failed"), reads.failed as f64, "reads", work);
}

/// The least that could answer, in a process of its own, with a body that the operator gave.
pub(crate) async fn bare(folder: &Folder, direct: &Peer, path: &str) -> Result<(Process, Peer)> {
    let (_, body) = direct.get(path).await?;
    let authority = Authority::new("bare")?;
    let identity = authority.server("bare", &["localhost"])?;
    let (certificate, key) = (folder.write("bare.crt", identity.certificate)?, folder.write("bare.key", identity.key)?);
    let [port] = free_ports()?;
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("respond").arg("--certificate").arg(certificate).arg("--key").arg(key);
    command.args(["--port", &port.to_string(), "--body", &String::from_utf8_lossy(&body)]);
    let process = Process::start("the bare responder", command, &folder.file("bare.log"), Life::WithParent)?;
    let peer = Peer::new(&format!("127.0.0.1:{port}"), "localhost", &authority.certificate(), None, HeaderMap::new())?;
    until("the bare responder answers", Duration::from_secs(20), || async {
        peer.get("/").await?;
        Ok(Some(()))
    })
    .await?;
    Ok((process, peer))
}

/// A Prometheus that answers at once: a vector of one sample, whose value depends on the query's `web-N`.
pub(super) struct Source {
    url: String,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    values: Mutex<HashMap<usize, f64>>,
    requests: Mutex<HashMap<usize, usize>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Source {
    pub(super) async fn start() -> Result<Source> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let url = format!("http://{}", listener.local_addr()?);
        let shared = Arc::<Shared>::default();
        let serving = shared.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let shared = serving.clone();
                tokio::spawn(async move {
                    let service = hyper::service::service_fn(move |request| {
                        let answer = answer(&request, &shared);
                        async move { answer }
                    });
                    let server = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
                    let _ = server.serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        Ok(Source { url, shared })
    }

    pub(super) fn url(&self) -> String {
        self.url.clone()
    }

    /// What is answered for an object from now on.
    pub(super) fn set(&self, index: usize, value: f64) {
        lock(&self.shared.values).insert(index, value);
    }

    pub(super) fn forget(&self) {
        lock(&self.shared.requests).clear();
    }

    /// Requests since the last [`Source::forget`].
    pub(super) fn count(&self) -> usize {
        lock(&self.shared.requests).values().sum()
    }

    /// The same for one object.
    pub(super) fn count_of(&self, index: usize) -> usize {
        lock(&self.shared.requests).get(&index).copied().unwrap_or(0)
    }
}

fn answer(request: &Request<Incoming>, shared: &Shared) -> http::Result<Response<Full<Bytes>>> {
    let query = request.uri().query().unwrap_or_default();
    let digits = query.split("web-").nth(1).unwrap_or_default();
    let index = digits.split(|c: char| !c.is_ascii_digit()).next().and_then(|digits| digits.parse().ok()).unwrap_or(0);
    *lock(&shared.requests).entry(index).or_default() += 1;
    let value = lock(&shared.values).get(&index).copied().unwrap_or(0.0);
    let body = format!(
        r#"{{"status":"success","data":{{"resultType":"vector","result":[{{"metric":{{}},"value":[1700000000,"{value}"]}}]}}}}"#
    );
    Response::builder().header("content-type", "application/json").body(Full::new(Bytes::from(body)))
}
