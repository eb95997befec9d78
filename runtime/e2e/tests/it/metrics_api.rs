//! The HPA controller reads an external metric through the aggregation layer from a process on loopback. Served here by the
//! smallest server that can: what is proved is the way there.
use crate::shared::{self, LIMIT};
use anyhow::{Context, Result};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use kube::api::{Api, PostParams};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use windlass_e2e::{Authority, register_metrics_api, until, wait_for_metrics_api};

const PATH: &str = "/apis/external.metrics.k8s.io/v1beta1";

#[tokio::test]
async fn hpa_follows_an_external_metric() -> Result<()> {
    let control_plane = shared::control_plane().await?;
    let client = control_plane.client().await?;
    let namespace = shared::namespace(&client, "metrics").await?;
    let authority = Authority::new("metrics-ca")?;
    let value = Arc::new(AtomicI64::new(9));
    let port = serve(&authority, &format!("metrics.{namespace}.svc"), Arc::clone(&value)).await?;
    register_metrics_api(control_plane, &namespace, "metrics", port, Some(&authority.certificate())).await?;
    wait_for_metrics_api(control_plane).await?;

    shared::deployment(&client, &namespace, "web", 1).await?;
    let hpa = serde_json::from_value(json!({
        "metadata": { "name": "web" },
        "spec": {
            "minReplicas": 1, "maxReplicas": 10,
            "scaleTargetRef": { "apiVersion": "apps/v1", "kind": "Deployment", "name": "web" },
            "metrics": [{ "type": "External", "external": {
                "metric": { "name": "depth" }, "target": { "type": "AverageValue", "averageValue": "3" } } }],
        },
    }))?;
    let hpas: Api<HorizontalPodAutoscaler> = Api::namespaced(client.clone(), &namespace);
    hpas.create(&PostParams::default(), &hpa).await?;
    let deployments: Api<Deployment> = Api::namespaced(client, &namespace);
    let replicas = |wanted: i32| {
        let deployments = deployments.clone();
        async move {
            until(&format!("{wanted} replicas are ready"), LIMIT, || async {
                let status = deployments.get("web").await?.status.unwrap_or_default();
                Ok((status.replicas == Some(wanted) && status.ready_replicas == Some(wanted)).then_some(()))
            })
            .await
        }
    };
    let mark = control_plane.audit().mark().await?;
    replicas(3).await?;
    value.store(21, Ordering::Relaxed);
    replicas(7).await?;
    value.store(1, Ordering::Relaxed);
    replicas(1).await?;
    let entries = control_plane.audit().since(mark).await?;
    let read = entries.iter().find(|entry| entry.group == "external.metrics.k8s.io" && entry.resource == "depth");
    let read = read.context("no read of the metric in the audit log")?;
    assert_eq!(read.user, "system:serviceaccount:kube-system:horizontal-pod-autoscaler");
    assert_eq!((read.verb.as_str(), read.code), ("list", 200));
    Ok(())
}

/// Serves one metric over TLS, and gives the port.
async fn serve(authority: &Authority, name: &str, value: Arc<AtomicI64>) -> Result<u16> {
    let identity = authority.server("metrics", &[name])?;
    let chain = CertificateDer::pem_slice_iter(identity.certificate.as_bytes()).collect::<Result<Vec<_>, _>>()?;
    let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes())?;
    let config = ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key)?;
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let port = listener.local_addr()?.port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, value) = (acceptor.clone(), Arc::clone(&value));
            tokio::spawn(async move {
                let Ok(stream) = acceptor.accept(stream).await else { return };
                let service = hyper::service::service_fn(|request| {
                    let answer = answer(&request, value.load(Ordering::Relaxed));
                    async move { answer }
                });
                let server = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
                let _ = server.serve_connection(TokioIo::new(stream), service).await;
            });
        }
    });
    Ok(port)
}

fn answer(request: &Request<Incoming>, value: i64) -> http::Result<Response<Full<Bytes>>> {
    let path = request.uri().path();
    let (status, body): (u16, Value) = if path == PATH {
        let resource = json!({ "name": "*", "singularName": "", "namespaced": true, "kind": "ExternalMetricValueList", "verbs": ["get"] });
        (
            200,
            json!({ "kind": "APIResourceList", "apiVersion": "v1", "groupVersion": "external.metrics.k8s.io/v1beta1", "resources": [resource] }),
        )
    } else if path.starts_with(&format!("{PATH}/namespaces/")) {
        let now = k8s_openapi::jiff::Timestamp::now().to_string();
        let item = json!({ "metricName": "depth", "metricLabels": {}, "timestamp": now, "value": value.to_string() });
        (
            200,
            json!({ "kind": "ExternalMetricValueList", "apiVersion": "external.metrics.k8s.io/v1beta1", "metadata": {}, "items": [item] }),
        )
    } else {
        (404, json!({ "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 404 }))
    };
    let response = Response::builder().status(status).header("content-type", "application/json");
    response.body(Full::new(Bytes::from(body.to_string())))
}
