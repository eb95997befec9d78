//! The HTTP client of producer and worker.
use anyhow::{Context, bail};
use bytes::Bytes;
use http::{Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::client::legacy::Client as Hyper;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use std::time::Duration;

/// A request may take this long.
const DEADLINE: Duration = Duration::from_secs(5);
/// Bytes of an answer.
const BODY: usize = 64 * 1024;
/// Waits between attempts: doubled from the first to the last.
const FIRST_WAIT: Duration = Duration::from_millis(100);
const LAST_WAIT: Duration = Duration::from_secs(2);

/// A queue's address, and connections to it.
pub(crate) struct Client {
    base: String,
    http: Hyper<HttpConnector, Full<Bytes>>,
}

impl Client {
    /// A client of the queue at `url`.
    pub(crate) fn new(url: &Uri) -> anyhow::Result<Client> {
        if url.scheme_str() != Some("http") || url.host().is_none() {
            bail!("--url: '{url}' is no http:// address; write for instance http://127.0.0.1:8089");
        }
        let base = url.to_string().trim_end_matches('/').to_owned();
        Ok(Client { base, http: Hyper::builder(TokioExecutor::new()).build_http() })
    }

    /// One request.
    pub(crate) async fn send(&self, method: Method, path: &str, body: Vec<u8>) -> anyhow::Result<(StatusCode, Bytes)> {
        let request =
            Request::builder().method(method).uri(format!("{}{path}", self.base)).body(Full::new(body.into()))?;
        let exchange = async {
            let answer = self.http.request(request).await?;
            let status = answer.status();
            let body = Limited::new(answer.into_body(), BODY).collect().await.map_err(|why| anyhow::anyhow!(why))?;
            anyhow::Ok((status, body.to_bytes()))
        };
        tokio::time::timeout(DEADLINE, exchange).await.context("no answer in time")?
    }
}

/// Waits between attempts that fail.
pub(crate) struct Backoff(Duration);

impl Backoff {
    /// From the shortest wait.
    pub(crate) fn new() -> Backoff {
        Backoff(FIRST_WAIT)
    }

    /// Back to the shortest wait.
    pub(crate) fn reset(&mut self) {
        self.0 = FIRST_WAIT;
    }

    /// How long to wait now; longer next time.
    pub(crate) fn next(&mut self) -> Duration {
        let wait = self.0;
        self.0 = (wait * 2).min(LAST_WAIT);
        wait
    }
}
