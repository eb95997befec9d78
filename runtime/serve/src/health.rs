//! Health and Prometheus text, over plain HTTP on a port of its own.
use crate::server::{Connection, Limits, Protocol, accept};
use crate::status::{Answer, Problem, answer};
use bytes::Bytes;
use http::{Method, Request, StatusCode};
use hyper::body::Incoming;
use prometheus_client::registry::Registry;
use std::fmt::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

const TEXT: &str = "text/plain; charset=utf-8";

/// Whether this process may be asked. Ready when all of its gates are open; event sources have none.
#[derive(Debug, Default)]
pub struct Readiness {
    gates: RwLock<Vec<Arc<GateState>>>,
}

#[derive(Debug)]
struct GateState {
    name: &'static str,
    open: AtomicBool,
}

/// One thing that must be there before this process is ready, for instance the first full sync.
#[derive(Clone, Debug)]
pub struct Gate(Arc<GateState>);

impl Gate {
    /// The thing is there.
    pub fn open(&self) {
        self.0.open.store(true, Ordering::Release);
    }

    /// The thing is gone.
    pub fn close(&self) {
        self.0.open.store(false, Ordering::Release);
    }
}

impl Readiness {
    /// Adds a gate; it is closed.
    pub fn gate(&self, name: &'static str) -> Gate {
        let state = Arc::new(GateState { name, open: AtomicBool::new(false) });
        self.gates.write().unwrap_or_else(PoisonError::into_inner).push(state.clone());
        Gate(state)
    }

    /// Whether all gates are open.
    pub fn is_ready(&self) -> bool {
        let gates = self.gates.read().unwrap_or_else(PoisonError::into_inner);
        gates.iter().all(|gate| gate.open.load(Ordering::Acquire))
    }

    /// The answer to `/readyz`; with the query `verbose`, or when a gate is closed, it names the gates.
    pub(crate) fn answer(&self, query: &str) -> Answer {
        let gates = self.gates.read().unwrap_or_else(PoisonError::into_inner);
        let mut text = String::new();
        let mut ready = true;
        for gate in gates.iter() {
            let open = gate.open.load(Ordering::Acquire);
            ready &= open;
            let _ = writeln!(text, "[{}]{}", if open { '+' } else { '-' }, gate.name);
        }
        let verbose = query.split('&').any(|pair| pair == "verbose" || pair.starts_with("verbose="));
        match (ready, verbose) {
            (true, false) => answer(StatusCode::OK, TEXT, Bytes::from_static(b"ok")),
            (true, true) => answer(StatusCode::OK, TEXT, (text + "readyz check passed\n").into()),
            (false, _) => answer(StatusCode::SERVICE_UNAVAILABLE, TEXT, (text + "readyz check failed\n").into()),
        }
    }
}

/// What the plain port tells.
pub struct Health {
    /// `/readyz`.
    pub readiness: Arc<Readiness>,
    /// `/healthz` and `/livez`: whether the process still does its work. Must answer at once.
    pub alive: Box<dyn Fn() -> bool + Send + Sync>,
    /// `/metrics`. All metrics are registered before this is made.
    pub registry: Registry,
}

impl Health {
    fn answer(&self, request: &Request<Incoming>) -> Answer {
        if request.method() != Method::GET {
            return Problem::method_not_allowed().answer();
        }
        match request.uri().path() {
            "/healthz" | "/livez" => match (self.alive)() {
                true => answer(StatusCode::OK, TEXT, Bytes::from_static(b"ok")),
                false => answer(StatusCode::INTERNAL_SERVER_ERROR, TEXT, Bytes::from_static(b"not alive")),
            },
            "/readyz" => self.readiness.answer(request.uri().query().unwrap_or_default()),
            "/metrics" => self.metrics(),
            _ => answer(StatusCode::NOT_FOUND, TEXT, Bytes::from_static(b"not found")),
        }
    }

    fn metrics(&self) -> Answer {
        let mut text = String::with_capacity(16 * 1024);
        match prometheus_client::encoding::text::encode(&mut text, &self.registry) {
            Ok(()) => answer(StatusCode::OK, "application/openmetrics-text; version=1.0.0; charset=utf-8", text.into()),
            Err(_) => answer(StatusCode::INTERNAL_SERVER_ERROR, TEXT, Bytes::from_static(b"cannot encode")),
        }
    }
}

/// Serves health and metrics until `shutdown`, then lets requests under way end.
pub async fn serve_health(listener: TcpListener, health: Arc<Health>, limits: Limits, shutdown: CancellationToken) {
    accept(
        listener,
        limits,
        shutdown,
        |_| {},
        move |stream, connection: Connection| {
            let health = health.clone();
            async move {
                let answer = move |request: Request<Incoming>| {
                    let answer = health.answer(&request);
                    async move { answer }
                };
                connection.drive(stream, Protocol::Http1, answer).await;
            }
        },
    )
    .await;
}
