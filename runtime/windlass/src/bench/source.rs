//! Event sources for a load test: HTTP servers that say how old the test is, so that whoever reads the value knows its age.
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::net::TcpListener;

/// More than the activation of the objects' trigger, whatever time it is.
const BUSY: f64 = 1e12;

/// How sources behave.
#[derive(Clone, Copy, Debug)]
pub(super) struct Manner {
    pub(super) latency: Duration,
    pub(super) jitter: Duration,
    /// Share of requests that fail.
    pub(super) failures: f64,
}

/// All sources of a test.
pub(super) struct Sources {
    pub(super) addresses: Vec<SocketAddr>,
    shared: Arc<Shared>,
}

struct Shared {
    manner: Manner,
    started: Instant,
    /// They tell of work.
    busy: AtomicBool,
    count: AtomicU64,
    /// Requests in each second since the start.
    seconds: Mutex<Vec<u64>>,
}

impl Sources {
    /// Starts so many, which end with the process.
    pub(super) async fn start(count: u32, listen: IpAddr, manner: Manner) -> std::io::Result<Sources> {
        let shared = Arc::new(Shared {
            manner,
            started: Instant::now(),
            busy: AtomicBool::new(false),
            count: AtomicU64::new(0),
            seconds: Mutex::default(),
        });
        let mut addresses = Vec::new();
        for _ in 0..count {
            let listener = TcpListener::bind((listen, 0)).await?;
            addresses.push(listener.local_addr()?);
            tokio::spawn(accept(listener, shared.clone()));
        }
        Ok(Sources { addresses, shared })
    }

    /// Seconds since the start: what sources answer now.
    pub(super) fn now(&self) -> f64 {
        self.shared.started.elapsed().as_secs_f64()
    }

    /// From now on they tell of so much work that every object has to wake.
    pub(super) fn be_busy(&self) {
        self.shared.busy.store(true, Ordering::SeqCst);
    }

    /// Requests in each second since the start.
    pub(super) fn seconds(&self) -> Vec<u64> {
        self.shared.seconds.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // Too many connections: some will end.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let shared = shared.clone();
        tokio::spawn(async move {
            let service = service_fn(|_: Request<Incoming>| answer(shared.clone()));
            let _ = Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn answer(shared: Arc<Shared>) -> Result<Response<Full<Bytes>>, Infallible> {
    let number = shared.count.fetch_add(1, Ordering::Relaxed);
    shared.tick();
    let Manner { latency, jitter, failures } = shared.manner;
    tokio::time::sleep(latency + jitter.mul_f64(share(number))).await;
    let mut response = Response::new(Full::new(Bytes::new()));
    if share(number ^ 0x5bd1_e995) < failures {
        *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    } else {
        let busy = if shared.busy.load(Ordering::SeqCst) { BUSY } else { 0.0 };
        let value = busy + shared.started.elapsed().as_secs_f64();
        *response.body_mut() = Full::new(format!("{{\"value\":{value:.3}}}").into());
    }
    Ok(response)
}

impl Shared {
    fn tick(&self) {
        let second = usize::try_from(self.started.elapsed().as_secs()).unwrap_or(usize::MAX);
        let mut seconds = self.seconds.lock().unwrap_or_else(PoisonError::into_inner);
        if seconds.len() <= second {
            seconds.resize(second + 1, 0);
        }
        if let Some(count) = seconds.get_mut(second) {
            *count += 1;
        }
    }
}

/// From 0 to 1, as if by chance, and the same in each run.
fn share(number: u64) -> f64 {
    let mixed = (number ^ (number >> 31)).wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    ((mixed ^ (mixed >> 29)) >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::share;

    #[test]
    fn shares_are_spread_evenly() {
        let below = (0..10_000).filter(|number| share(*number) < 0.3).count();
        assert!((2_700..3_300).contains(&below), "{below}");
        assert!((0..1_000).all(|number| (0.0..1.0).contains(&share(number))));
    }
}
