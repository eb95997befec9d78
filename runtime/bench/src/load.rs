//! A load of reads: so many at a time, each after the last (closed loop), or so many a second (open loop).
use crate::figure::Times;
use anyhow::{Context, Result, bail};
use bytes::Bytes;
use http::{HeaderMap, Request, Uri};
use http_body_util::{BodyExt, Empty};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use k8s_openapi::kube_aggregator::pkg::apis::apiregistration::v1::APIService;
use kube::Api;
use kube::api::{ApiResource, DynamicObject, GroupVersionKind};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use windlass_e2e::{ControlPlane, Installed, METRICS_API, Operator};

/// A read that takes longer counts as failed.
const PATIENCE: Duration = Duration::from_secs(30);

/// Where a metric of an object is read, with the selector that an HPA has.
pub(crate) fn metric_path(namespace: &str, object: &str, metric: &str) -> String {
    format!(
        "/apis/external.metrics.k8s.io/v1beta1/namespaces/{namespace}/{metric}?labelSelector=scaledobject.keda.sh%2Fname%3D{object}"
    )
}

/// ScaledObjects of a namespace, or of all.
pub(crate) fn scaled_objects(client: &kube::Client, namespace: Option<&str>) -> Api<DynamicObject> {
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk("keda.sh", "v1alpha1", "ScaledObject"));
    match namespace {
        Some(namespace) => Api::namespaced_with(client.clone(), namespace, &resource),
        None => Api::all_with(client.clone(), &resource),
    }
}

/// Who is asked, and as whom.
#[derive(Clone, Debug)]
pub struct Peer {
    client: Client<HttpsConnector<HttpConnector>, Empty<Bytes>>,
    base: String,
    headers: HeaderMap,
}

/// How reads went.
#[derive(Debug)]
pub struct Reads {
    /// Of those that were answered 200.
    pub times: Times,
    /// All others.
    pub failed: usize,
    /// Answers a second.
    pub per_second: f64,
}

impl Peer {
    /// `https://ADDRESS`, whose certificate is good for `name` by an authority (PEM). `identity`: files of a client's
    /// certificate and key.
    ///
    /// # Errors
    /// When the material cannot be used.
    pub fn new(
        address: &str,
        name: &str,
        authority: &str,
        identity: Option<(&Path, &Path)>,
        headers: HeaderMap,
    ) -> Result<Peer> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(authority.as_bytes()) {
            roots.add(certificate?)?;
        }
        let builder = ClientConfig::builder().with_root_certificates(roots);
        let config = match identity {
            Some((certificate, key)) => {
                let chain = CertificateDer::pem_file_iter(certificate)?.collect::<Result<Vec<_>, _>>()?;
                builder.with_client_auth_cert(chain, PrivateKeyDer::from_pem_file(key)?)?
            }
            None => builder.with_no_client_auth(),
        };
        let name = ServerName::try_from(name.to_owned())?;
        // One HTTP/2 connection, as the aggregation layer and the HPA controller have.
        let mut http = HttpConnector::new();
        http.enforce_http(false);
        // Or the first request waits for the peer's delayed acknowledgement.
        http.set_nodelay(true);
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(config)
            .https_only()
            .with_server_name_resolver(hyper_rustls::FixedServerNameResolver::new(name))
            .enable_http2()
            .wrap_connector(http);
        let client = Client::builder(TokioExecutor::new()).http2_only(true).build(connector);
        Ok(Peer { client, base: format!("https://{address}"), headers })
    }

    /// The way through the API server, as the administrator.
    ///
    /// # Errors
    /// When the credentials cannot be made.
    pub fn through_api_server(control_plane: &ControlPlane) -> Result<Peer> {
        let folder = control_plane.folder();
        let identity = control_plane.authority().client("bench", Some("system:masters"))?;
        let (certificate, key) =
            (folder.write("bench.crt", identity.certificate)?, folder.write("bench.key", identity.key)?);
        let address = control_plane.server().trim_start_matches("https://");
        let authority = control_plane.authority().certificate();
        Peer::new(address, "localhost", &authority, Some((&certificate, &key)), HeaderMap::new())
    }

    /// The way past it: as the aggregation layer, for the HPA controller.
    ///
    /// # Errors
    /// When the metrics API is not registered.
    pub async fn past_api_server(
        control_plane: &ControlPlane,
        installed: &Installed,
        operator: &Operator,
    ) -> Result<Peer> {
        let registrations: Api<APIService> = Api::all(control_plane.client().await?);
        let bundle = registrations.get(METRICS_API).await?.spec.and_then(|spec| spec.ca_bundle);
        let authority = String::from_utf8(bundle.context("no caBundle")?.0)?;
        let Installed { namespace, service, .. } = installed;
        let (certificate, key) = control_plane.front_proxy_client();
        let mut headers = HeaderMap::new();
        headers.insert("x-remote-user", "system:serviceaccount:kube-system:horizontal-pod-autoscaler".parse()?);
        headers.append("x-remote-group", "system:serviceaccounts".parse()?);
        headers.append("x-remote-group", "system:authenticated".parse()?);
        let name = format!("{service}.{namespace}.svc");
        Peer::new(operator.metrics_api_address(), &name, &authority, Some((&certificate, &key)), headers)
    }

    /// One read. The status and the body.
    ///
    /// # Errors
    /// When there is no answer in time.
    pub async fn get(&self, path: &str) -> Result<(u16, Bytes)> {
        let mut request = Request::get(format!("{}{path}", self.base).parse::<Uri>()?).body(Empty::new())?;
        request.headers_mut().extend(self.headers.clone());
        let read = async {
            let response = self.client.request(request).await?;
            let status = response.status().as_u16();
            Ok::<_, anyhow::Error>((status, response.into_body().collect().await?.to_bytes()))
        };
        tokio::time::timeout(PATIENCE, read).await.context("no answer in time")?
    }

    /// Reads all paths in turn for a time, `concurrency` at a time.
    ///
    /// # Errors
    /// When no read succeeds.
    pub async fn closed_loop(&self, paths: &Arc<Vec<String>>, concurrency: usize, time: Duration) -> Result<Reads> {
        let next = Arc::new(AtomicUsize::new(0));
        let started = Instant::now();
        let loops = (0..concurrency).map(|_| {
            let (peer, paths, next) = (self.clone(), paths.clone(), next.clone());
            tokio::spawn(async move {
                let mut reads = Vec::new();
                while started.elapsed() < time {
                    let turn = next.fetch_add(1, Ordering::Relaxed);
                    let Some(path) = paths.get(turn % paths.len().max(1)) else { break };
                    reads.push(timed(&peer, path).await);
                }
                reads
            })
        });
        let reads: Vec<Option<Duration>> = futures::future::try_join_all(loops).await?.into_iter().flatten().collect();
        summed(reads, started.elapsed())
    }

    /// Starts so many reads a second for a time, whether or not earlier ones were answered.
    ///
    /// # Errors
    /// When no read succeeds.
    pub async fn open_loop(&self, paths: &Arc<Vec<String>>, per_second: f64, time: Duration) -> Result<Reads> {
        let started = Instant::now();
        let count = (per_second * time.as_secs_f64()) as usize;
        let mut reads = Vec::with_capacity(count);
        for turn in 0..count {
            let due = started + Duration::from_secs_f64(turn as f64 / per_second);
            tokio::time::sleep_until(due.into()).await;
            let (peer, paths) = (self.clone(), paths.clone());
            reads.push(tokio::spawn(async move {
                let path = paths.get(turn % paths.len().max(1))?;
                timed(&peer, path).await
            }));
        }
        let reads: Vec<Option<Duration>> = futures::future::try_join_all(reads).await?;
        summed(reads, started.elapsed())
    }
}

async fn timed(peer: &Peer, path: &str) -> Option<Duration> {
    let started = Instant::now();
    match peer.get(path).await {
        Ok((200, _)) => Some(started.elapsed()),
        _ => None,
    }
}

fn summed(reads: Vec<Option<Duration>>, took: Duration) -> Result<Reads> {
    let failed = reads.iter().filter(|read| read.is_none()).count();
    let times: Times = reads.into_iter().flatten().collect();
    if times.is_empty() {
        bail!("none of {failed} reads was answered 200");
    }
    let per_second = times.len() as f64 / took.as_secs_f64();
    Ok(Reads { times, failed, per_second })
}
