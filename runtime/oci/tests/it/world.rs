//! A registry whose every answer a test sets.
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper_util::rt::TokioIo;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use windlass_oci::{Cache, Credential, Digest, Pull, Reference, Registrant, Store, Transport, TransportOptions};

/// One answer.
#[derive(Clone)]
pub(crate) enum Reply {
    Bytes(StatusCode, Vec<(&'static str, String)>, Bytes),
    /// Bytes without an end and without a length.
    Endless,
    Never,
}

/// One request that arrived.
#[derive(Clone)]
pub(crate) struct Asked {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

type Script = Box<dyn Fn(&Asked) -> Option<Reply> + Send>;

/// The registry. What its script leaves open is answered from what it holds.
pub(crate) struct Liar {
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
    server: tokio::task::JoinHandle<()>,
}

#[derive(Default)]
struct Shared {
    held: Mutex<BTreeMap<String, Bytes>>,
    script: Mutex<Option<Script>>,
    log: Mutex<Vec<Asked>>,
}

impl Drop for Liar {
    fn drop(&mut self) {
        self.server.abort();
    }
}

pub(crate) fn reply(status: u16) -> Reply {
    Reply::Bytes(StatusCode::from_u16(status).unwrap(), Vec::new(), Bytes::from_static(b"{\"errors\":[]}"))
}

pub(crate) fn with(status: u16, name: &'static str, value: &str) -> Reply {
    Reply::Bytes(StatusCode::from_u16(status).unwrap(), vec![(name, value.to_owned())], Bytes::new())
}

pub(crate) fn ok(body: impl Into<Bytes>) -> Reply {
    Reply::Bytes(StatusCode::OK, Vec::new(), body.into())
}

impl Liar {
    pub(crate) async fn start() -> Liar {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared::default());
        let server = tokio::spawn(serve(listener, shared.clone()));
        Liar { address, shared, server }
    }

    /// A registry that holds the component under `q:1`, and its manifest's digest.
    pub(crate) async fn with_component() -> (Liar, Digest) {
        let liar = Liar::start().await;
        let layer = component();
        let config = Bytes::from_static(b"{}");
        let manifest = manifest(&layer, "application/vnd.wasm.config.v0+json", "application/wasm");
        for blob in [layer, config] {
            liar.hold(&format!("blobs/{}", Digest::of(&blob)), blob);
        }
        let digest = Digest::of(&manifest);
        liar.hold(&format!("manifests/{digest}"), manifest.clone());
        liar.hold("manifests/1", manifest);
        (liar, digest)
    }

    pub(crate) fn hold(&self, path: &str, bytes: impl Into<Bytes>) {
        self.shared.held.lock().unwrap().insert(format!("/v2/q/{path}"), bytes.into());
    }

    /// Holds a signature of a manifest as cosign stores it; tells the payload's digest.
    pub(crate) fn hold_signature(
        &self,
        manifest: Digest,
        payload: impl Into<Bytes>,
        annotations: serde_json::Value,
    ) -> Digest {
        let payload = payload.into();
        let layer = Digest::of(&payload);
        let signatures = serde_json::json!({
            "schemaVersion": 2,
            "config": { "mediaType": "application/vnd.oci.image.config.v1+json", "digest": layer.to_string(), "size": 1 },
            "layers": [{ "mediaType": "application/vnd.dev.cosign.simplesigning.v1+json", "digest": layer.to_string(),
                         "size": payload.len(), "annotations": annotations }],
        });
        self.hold(&format!("manifests/sha256-{}.sig", manifest.hex()), signatures.to_string());
        self.hold(&format!("blobs/{layer}"), payload);
        layer
    }

    pub(crate) fn script(&self, script: impl Fn(&Asked) -> Option<Reply> + Send + 'static) {
        *self.shared.script.lock().unwrap() = Some(Box::new(script));
    }

    /// Answers everything so.
    pub(crate) fn always(&self, reply: Reply) {
        self.script(move |_| Some(reply.clone()));
    }

    pub(crate) fn honest(&self) {
        *self.shared.script.lock().unwrap() = None;
    }

    pub(crate) fn log(&self) -> Vec<Asked> {
        std::mem::take(&mut *self.shared.log.lock().unwrap())
    }

    pub(crate) fn reference(&self, rest: &str) -> Reference {
        format!("oci://{}/q{rest}", self.address).parse().unwrap()
    }

    pub(crate) fn pull(&self, rest: &str) -> Pull {
        Pull { reference: self.reference(rest), credential: None, registrant: Registrant::Cluster, requirement: None }
    }
}

async fn serve(listener: tokio::net::TcpListener, shared: Arc<Shared>) {
    let mut connections = tokio::task::JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let shared = shared.clone();
        connections.spawn(async move {
            let service = hyper::service::service_fn(|request| answer(request, shared.clone()));
            let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn answer(
    request: Request<Incoming>,
    shared: Arc<Shared>,
) -> Result<Response<BoxBody<Bytes, Infallible>>, hyper::Error> {
    let (head, body) = request.into_parts();
    let path = head.uri.path_and_query().unwrap().to_string();
    let asked = Asked { method: head.method, path, headers: head.headers, body: body.collect().await?.to_bytes() };
    shared.log.lock().unwrap().push(asked.clone());
    let scripted = shared.script.lock().unwrap().as_ref().and_then(|script| script(&asked));
    let held = shared.held.lock().unwrap().get(&asked.path).cloned();
    let mut response = Response::new(BoxBody::default());
    match scripted.unwrap_or_else(|| held.map_or_else(|| reply(404), ok)) {
        Reply::Never => std::future::pending().await,
        Reply::Endless => {
            let frames = futures_stream();
            *response.body_mut() = StreamBody::new(frames).boxed();
        }
        Reply::Bytes(status, headers, body) => {
            *response.status_mut() = status;
            for (name, value) in headers {
                response.headers_mut().append(name, HeaderValue::from_str(&value).unwrap());
            }
            *response.body_mut() = Full::new(body).boxed();
        }
    }
    Ok(response)
}

fn futures_stream() -> impl futures::Stream<Item = Result<Frame<Bytes>, Infallible>> {
    futures::stream::repeat_with(|| Ok(Frame::data(Bytes::from_static(&[0; 64 * 1024]))))
}

pub(crate) fn component() -> Bytes {
    wat::parse_str("(component)").unwrap().into()
}

pub(crate) fn manifest(layer: &[u8], config_type: &str, layer_type: &str) -> Bytes {
    let manifest = serde_json::json!({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": { "mediaType": config_type, "digest": Digest::of(b"{}").to_string(), "size": 2 },
        "layers": [{ "mediaType": layer_type, "digest": Digest::of(layer).to_string(), "size": layer.len() }],
    });
    manifest.to_string().into()
}

pub(crate) fn options() -> TransportOptions {
    TransportOptions { deadline: Duration::from_secs(20), ..TransportOptions::default() }
}

pub(crate) fn store() -> Store {
    Store::new(Transport::new(options()).unwrap(), None)
}

pub(crate) fn cached(folder: &std::path::Path) -> Store {
    let cache = Cache::open(folder, 64 << 20).unwrap();
    Store::new(Transport::new(options()).unwrap(), Some(Arc::new(cache)))
}

pub(crate) fn login() -> Option<Credential> {
    Some(Credential::Basic { user: "reader".to_owned(), password: "hunter2".to_owned() })
}
