//! The way to the API server: one client, whose one layer keeps the budget, sets deadlines and counts.
use crate::budget::{Budget, Class};
use crate::error::{Error, Late};
use crate::metrics::Metrics;
use futures::future::BoxFuture;
use http::{HeaderValue, Method, Request, Response, Uri, header};
use kube::client::{Body, ClientBuilder};
use kube::config::{KubeConfigOptions, Kubeconfig};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::path::PathBuf;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tower::{BoxError, Layer, Service};

/// A watch that says nothing for this long is dead: the API server sends a bookmark every minute.
const SILENCE: Duration = Duration::from_secs(300);

/// How to reach the API server, and how much to ask of it.
#[derive(Clone, Debug)]
pub struct ClientOptions {
    /// Kubeconfig; by default the pod's service account, then the user's kubeconfig.
    pub kubeconfig: Option<PathBuf>,
    /// Requests per second.
    pub qps: u32,
    /// Requests at once.
    pub burst: u32,
    /// Within which a request must be answered (a watch: begin to be).
    pub deadline: Duration,
}

impl Default for ClientOptions {
    fn default() -> ClientOptions {
        ClientOptions { kubeconfig: None, qps: 300, burst: 600, deadline: Duration::from_secs(15) }
    }
}

/// A client of the API server. Clones share the connection pool and the budget.
#[derive(Clone)]
pub struct Client {
    pub(crate) kube: kube::Client,
    pub(crate) budget: Arc<Budget>,
    pub(crate) metrics: Metrics,
    deadline: Duration,
    urgent: bool,
    server: Uri,
}

impl Client {
    /// Host and port of the API server.
    pub fn server(&self) -> Option<(String, u16)> {
        let usual = if self.server.scheme_str() == Some("http") { 80 } else { 443 };
        Some((self.server.host()?.to_owned(), self.server.port_u16().unwrap_or(usual)))
    }

    /// Reads the configuration. Connects on the first request.
    ///
    /// # Errors
    /// When there is no configuration, or it cannot be used.
    pub async fn connect(options: &ClientOptions, metrics: Metrics) -> Result<Client, Error> {
        let wrong = |error: &dyn std::fmt::Display| Error::Configuration(error.to_string());
        let config = match &options.kubeconfig {
            Some(path) => {
                let file = Kubeconfig::read_from(path).map_err(|error| wrong(&error))?;
                kube::Config::from_custom_kubeconfig(file, &KubeConfigOptions::default())
                    .await
                    .map_err(|error| wrong(&error))?
            }
            None => match kube::Config::incluster() {
                Ok(config) => config,
                Err(_) => kube::Config::infer().await.map_err(|error| wrong(&error))?,
            },
        };
        Client::new(config, options, metrics)
    }

    /// From a configuration at hand.
    ///
    /// # Errors
    /// When its certificates or credentials cannot be used.
    pub fn new(mut config: kube::Config, options: &ClientOptions, metrics: Metrics) -> Result<Client, Error> {
        let agent = HeaderValue::from_static(concat!("windlass/", env!("CARGO_PKG_VERSION")));
        config.headers.push((header::USER_AGENT, agent));
        // Retries are decided where it is known whether the request is still wanted.
        config.default_retry = false;
        config.connect_timeout = Some(options.deadline);
        config.write_timeout = Some(SILENCE);
        config.read_timeout = Some(SILENCE);
        config.reset_reader_on_write = true;
        let server = config.cluster_url.clone();
        let budget = Arc::new(Budget::new(options.qps, options.burst, metrics.clone()));
        let layer = EdgeLayer { budget: budget.clone(), metrics: metrics.clone(), deadline: options.deadline };
        let kube = ClientBuilder::try_from(config)
            .map_err(|error| Error::Configuration(error.to_string()))?
            .with_layer(&layer)
            .build();
        Ok(Client { kube, budget, metrics, deadline: options.deadline, urgent: false, server })
    }

    /// The same client, whose requests do not wait for the budget: for the few on which everything else depends.
    pub(crate) fn urgent(&self) -> Client {
        Client { urgent: true, ..self.clone() }
    }

    /// Sends a request for which `class` has paid already, and gives the answer's text.
    pub(crate) async fn send_paid(&self, request: Request<Vec<u8>>) -> Result<String, Error> {
        self.urgent().send(request).await
    }

    /// Sends a request and gives the answer's text, within the deadline.
    pub(crate) async fn send(&self, mut request: Request<Vec<u8>>) -> Result<String, Error> {
        if self.urgent {
            request.extensions_mut().insert(Paid);
        }
        // The layer ends the wait for the head of the answer; its body has a time too.
        let whole = self.deadline + self.deadline;
        match tokio::time::timeout(whole, self.kube.request_text(request)).await {
            Ok(answer) => Ok(answer?),
            Err(_) => Err(Error::Timeout(whole)),
        }
    }

    /// Reads an object.
    pub(crate) async fn get<T: DeserializeOwned>(
        &self,
        what: &'static str,
        path: &Path,
        name: &str,
    ) -> Result<T, Error> {
        let request = kube::core::Request::new(path.as_str()).get(name, &Default::default()).map_err(request_error)?;
        parse(what, &self.send(request).await?)
    }

    /// Creates an object.
    pub(crate) async fn create(&self, path: &Path, object: &Value) -> Result<String, Error> {
        let request = kube::core::Request::new(path.as_str())
            .create(&Default::default(), body(object)?)
            .map_err(request_error)?;
        self.send(request).await
    }

    /// Patches an object (merge patch).
    pub(crate) async fn merge(&self, path: &Path, name: &str, patch: &Value) -> Result<String, Error> {
        self.send(merge_request(path, name, None, patch)?).await
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("budget", &self.budget).finish_non_exhaustive()
    }
}

/// Path of a collection.
#[derive(Clone, Debug)]
pub(crate) struct Path(String);

impl Path {
    /// Of a resource in a namespace, or in none (`""`).
    pub(crate) fn new(group: &str, version: &str, namespace: &str, resource: &str) -> Path {
        let root = if group.is_empty() { format!("/api/{version}") } else { format!("/apis/{group}/{version}") };
        if namespace.is_empty() {
            Path(format!("{root}/{resource}"))
        } else {
            Path(format!("{root}/namespaces/{namespace}/{resource}"))
        }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// A merge patch of an object or of one of its subresources.
pub(crate) fn merge_request(
    path: &Path,
    name: &str,
    subresource: Option<&str>,
    patch: &Value,
) -> Result<Request<Vec<u8>>, Error> {
    let parameters = kube::api::PatchParams::default();
    let patch = kube::api::Patch::Merge(patch);
    let request = kube::core::Request::new(path.as_str());
    match subresource {
        Some(subresource) => request.patch_subresource(subresource, name, &parameters, &patch),
        None => request.patch(name, &parameters, &patch),
    }
    .map_err(request_error)
}

pub(crate) fn request_error(error: kube::core::request::Error) -> Error {
    Error::Status { code: 400, message: error.to_string() }
}

pub(crate) fn body(object: &Value) -> Result<Vec<u8>, Error> {
    serde_json::to_vec(object).map_err(|_| Error::Unreadable("request"))
}

/// Reads an answer. What cannot be read is not quoted.
pub(crate) fn parse<T: DeserializeOwned>(what: &'static str, text: &str) -> Result<T, Error> {
    serde_json::from_str(text).map_err(|_| Error::Unreadable(what))
}

/// The resource version in an answer.
pub(crate) fn version_of(text: &str) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Object {
        metadata: Metadata,
    }
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Metadata {
        resource_version: Option<String>,
    }
    serde_json::from_str::<Object>(text).ok()?.metadata.resource_version
}

/// Marks a request that has its token already.
#[derive(Clone, Copy)]
struct Paid;

struct EdgeLayer {
    budget: Arc<Budget>,
    metrics: Metrics,
    deadline: Duration,
}

impl<S> Layer<S> for EdgeLayer {
    type Service = Edge<S>;

    fn layer(&self, inner: S) -> Edge<S> {
        Edge { inner, budget: self.budget.clone(), metrics: self.metrics.clone(), deadline: self.deadline }
    }
}

/// The client's one layer.
struct Edge<S> {
    inner: S,
    budget: Arc<Budget>,
    metrics: Metrics,
    deadline: Duration,
}

impl<S, B> Service<Request<Body>> for Edge<S>
where
    S: Service<Request<Body>, Response = Response<B>, Error = BoxError> + Send,
    S::Future: Send + 'static,
    B: 'static,
{
    type Response = Response<B>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Response<B>, BoxError>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let paid = request.extensions().get::<Paid>().is_some();
        let (verb, resource) = describe(request.method(), request.uri());
        // Futures do nothing before they are polled: the request leaves only once it has its token.
        let answer = self.inner.call(request);
        let (budget, metrics, deadline) = (self.budget.clone(), self.metrics.clone(), self.deadline);
        Box::pin(async move {
            if !paid {
                budget.acquire(Class::Read).await;
            }
            let answer = tokio::time::timeout(deadline, answer).await.unwrap_or_else(|_| Err(Late(deadline).into()));
            metrics.request(verb, resource, answer.as_ref().map_or(0, |answer| answer.status().as_u16()));
            answer
        })
    }
}

/// Verb and resource of a request, as in RBAC. Names are left out.
fn describe(method: &Method, uri: &Uri) -> (&'static str, String) {
    let mut parts = uri.path().split('/').filter(|part| !part.is_empty()).peekable();
    let skip = match parts.next() {
        Some("api") => 1,
        Some("apis") => 2,
        _ => return ("get", "other".to_owned()),
    };
    let mut rest: Vec<&str> = parts.skip(skip).collect();
    if rest.first() == Some(&"namespaces") && rest.len() > 2 {
        rest.drain(..2);
    }
    let Some(resource) = rest.first() else { return ("get", "discovery".to_owned()) };
    let named = rest.len() > 1;
    let resource = match rest.get(2) {
        Some(subresource) => format!("{resource}/{subresource}"),
        None => (*resource).to_owned(),
    };
    let watch = uri.query().is_some_and(|query| query.contains("watch=true"));
    let verb = match *method {
        Method::GET if watch => "watch",
        Method::GET if named => "get",
        Method::GET => "list",
        Method::POST => "create",
        Method::PUT => "update",
        Method::PATCH => "patch",
        Method::DELETE => "delete",
        _ => "other",
    };
    (verb, resource)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_described_without_names() {
        let told = |method: Method, uri: &str| describe(&method, &uri.parse().unwrap());
        let case = |verb, resource: &str| (verb, resource.to_owned());
        assert_eq!(
            told(Method::GET, "/apis/keda.sh/v1alpha1/scaledobjects?&watch=true"),
            case("watch", "scaledobjects")
        );
        assert_eq!(told(Method::GET, "/api/v1/namespaces/a/secrets/b"), case("get", "secrets"));
        assert_eq!(
            told(Method::PATCH, "/apis/apps/v1/namespaces/a/deployments/b/scale?"),
            case("patch", "deployments/scale")
        );
        assert_eq!(told(Method::GET, "/api/v1/namespaces"), case("list", "namespaces"));
        assert_eq!(told(Method::GET, "/api/v1/namespaces/a"), case("get", "namespaces"));
        assert_eq!(told(Method::GET, "/apis/apps/v1"), case("get", "discovery"));
    }
}
