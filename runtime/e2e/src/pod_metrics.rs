//! The resource metrics API on paper: what metrics-server serves, with loads that a test sets. A load is shared evenly by the
//! running pods, so that scaling has the effect that it is meant to have.
use crate::install::register_api;
use crate::{Authority, ControlPlane, Identity, free_ports, until};
use anyhow::{Context, Result, anyhow};
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, ListParams};
use kube::{Client, ResourceExt};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// The API's name.
const API: &str = "v1beta1.metrics.k8s.io";
const SERVICE: (&str, &str) = ("kube-system", "pod-metrics");
const LIMIT: Duration = Duration::from_secs(60);

/// Serves until it is dropped, on a thread of its own: tests come and go with their runtimes.
pub struct PodMetrics {
    loads: Loads,
    _stop: tokio::sync::oneshot::Sender<()>,
}

/// By namespace and label selector: thousandths of cores, and bytes.
type Loads = Arc<Mutex<HashMap<(String, String), (u64, u64)>>>;

impl PodMetrics {
    /// Starts it and registers it with the API server.
    ///
    /// # Errors
    /// When a part of it cannot be started, or the API server does not find it in time.
    pub async fn start(control_plane: &ControlPlane) -> Result<PodMetrics> {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let authority = Authority::new("pod-metrics")?;
        let (namespace, service) = SERVICE;
        let identity = authority.server("pod-metrics", &[&format!("{service}.{namespace}.svc")])?;
        let [port] = free_ports()?;
        let (loads, acceptor) = (Loads::default(), acceptor(&identity)?);
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let (ready, started) = tokio::sync::oneshot::channel();
        let (kubeconfig, served) = (control_plane.kubeconfig().to_owned(), loads.clone());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        std::thread::Builder::new().name("pod-metrics".to_owned()).spawn(move || {
            runtime.block_on(async {
                let begun = async {
                    let config = kube::config::Kubeconfig::read_from(&kubeconfig)?;
                    let client = crate::control_plane::client_of(config).await?;
                    anyhow::Ok((client, TcpListener::bind(("127.0.0.1", port)).await?))
                };
                match begun.await {
                    Ok((client, listener)) => {
                        let _ = ready.send(Ok(()));
                        tokio::select! {
                            _ = stopped => {}
                            () = accept(listener, acceptor, client, served) => {}
                        }
                    }
                    Err(error) => drop(ready.send(Err(error))),
                }
            });
        })?;
        started.await.context("the thread ended")??;
        register_api(control_plane, API, namespace, service, port, Some(&authority.certificate())).await?;
        let client = control_plane.client().await?;
        until("the resource metrics API is available", LIMIT, || async {
            let request = http::Request::get("/apis/metrics.k8s.io/v1beta1").body(Vec::new())?;
            Ok(client.request::<Value>(request).await.is_ok().then_some(()))
        })
        .await?;
        Ok(PodMetrics { loads, _stop: stop })
    }

    /// What the pods of a selector use together from now on: thousandths of cores, and bytes.
    pub fn set_load(&self, namespace: &str, selector: &str, cpu_milli: u64, memory: u64) {
        let mut loads = self.loads.lock().unwrap_or_else(PoisonError::into_inner);
        loads.insert((namespace.to_owned(), selector.to_owned()), (cpu_milli, memory));
    }

    /// Nothing is known of these pods from now on.
    pub fn forget(&self, namespace: &str, selector: &str) {
        let mut loads = self.loads.lock().unwrap_or_else(PoisonError::into_inner);
        loads.remove(&(namespace.to_owned(), selector.to_owned()));
    }
}

fn acceptor(identity: &Identity) -> Result<TlsAcceptor> {
    let certificate = CertificateDer::from_pem_slice(identity.certificate.as_bytes())
        .map_err(|error| anyhow!("the certificate: {error}"))?;
    let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).map_err(|error| anyhow!("the key: {error}"))?;
    let config = rustls::ServerConfig::builder().with_no_client_auth().with_single_cert(vec![certificate], key)?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

async fn accept(listener: TcpListener, acceptor: TlsAcceptor, client: Client, loads: Loads) {
    while let Ok((stream, _)) = listener.accept().await {
        let (acceptor, client, loads) = (acceptor.clone(), client.clone(), loads.clone());
        tokio::spawn(async move {
            let Ok(stream) = acceptor.accept(stream).await else { return };
            let service = service_fn(|request| answer(request, client.clone(), loads.clone()));
            let server = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
            let _ = server.serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn answer(request: Request<Incoming>, client: Client, loads: Loads) -> Result<Response<Full<Bytes>>, Infallible> {
    let parts: Vec<&str> = request.uri().path().trim_matches('/').split('/').collect();
    let (code, body) = match parts.as_slice() {
        ["apis", "metrics.k8s.io", "v1beta1"] => (StatusCode::OK, discovery()),
        ["apis", "metrics.k8s.io", "v1beta1", "namespaces", namespace, "pods"] => {
            let query = request.uri().query().unwrap_or_default();
            let selector = query.split('&').find_map(|pair| pair.strip_prefix("labelSelector=")).unwrap_or_default();
            let selector = selector.replace("%3D", "=").replace("%2C", ",");
            match measured(&client, namespace, &selector, &loads).await {
                Ok(list) => (StatusCode::OK, list),
                Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, json!({ "message": format!("{error:#}") })),
            }
        }
        _ => (StatusCode::NOT_FOUND, json!({ "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 404 })),
    };
    let mut response = Response::new(Full::new(Bytes::from(body.to_string())));
    *response.status_mut() = code;
    response.headers_mut().insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static("application/json"));
    Ok(response)
}

fn discovery() -> Value {
    json!({
        "kind": "APIResourceList", "apiVersion": "v1", "groupVersion": "metrics.k8s.io/v1beta1",
        "resources": [{ "name": "pods", "singularName": "", "namespaced": true, "kind": "PodMetrics", "verbs": ["get", "list"] }],
    })
}

async fn measured(client: &Client, namespace: &str, selector: &str, loads: &Loads) -> Result<Value> {
    let load = {
        let loads = loads.lock().unwrap_or_else(PoisonError::into_inner);
        loads.get(&(namespace.to_owned(), selector.to_owned())).copied()
    };
    let pods: Api<Pod> = Api::namespaced(client.clone(), namespace);
    let pods = pods.list(&ListParams::default().labels(selector)).await?.items;
    let runs = |pod: &&Pod| {
        pod.metadata.deletion_timestamp.is_none()
            && pod.status.as_ref().and_then(|status| status.phase.as_deref()) == Some("Running")
    };
    let running: Vec<&Pod> = pods.iter().filter(runs).collect();
    let now = k8s_openapi::jiff::Timestamp::now().to_string();
    let items: Vec<Value> = load.map_or_else(Vec::new, |(cpu, memory)| {
        let each = |total: u64| total / running.len().max(1) as u64;
        let usage = json!({ "cpu": format!("{}m", each(cpu)), "memory": each(memory).to_string() });
        let of = |pod: &&Pod| {
            json!({ "metadata": { "name": pod.name_any(), "namespace": namespace }, "timestamp": now, "window": "1s",
                    "containers": [{ "name": "main", "usage": usage }] })
        };
        running.iter().map(of).collect()
    });
    Ok(json!({ "kind": "PodMetricsList", "apiVersion": "metrics.k8s.io/v1beta1", "metadata": {}, "items": items }))
}
