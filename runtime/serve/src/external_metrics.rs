//! The API `external.metrics.k8s.io/v1beta1`, answered from the board.
use crate::access::Access;
use crate::auth::{Authenticator, Peer};
use crate::discovery::Documents;
use crate::health::Readiness;
use crate::metrics::{Metrics, ReadResult};
use crate::negotiate::{Media, negotiate};
use crate::route::Route;
use crate::selector::{self, Decoded, Plus};
use crate::status::{Answer, Empty, Problem, answer};
use crate::{Clock, GROUP};
use bytes::Bytes;
use http::header::{ETAG, IF_NONE_MATCH};
use http::request::Parts;
use http::{HeaderValue, Method, StatusCode};
use serde::{Serialize, Serializer};
use std::sync::Arc;
use windlass_core::port::BoxFuture;
use windlass_core::{Board, MetricRef, Milli, Now, Wall};

/// Members of this group may do everything everywhere; the API server does not ask about them either.
const MASTERS: &str = "system:masters";

/// Explains objects to people. Unlike a metric read this may wait, for a moment: it asks the core.
pub trait Explain: Send + Sync + 'static {
    /// What is known of an object, as JSON; `None`: there is none of that name.
    ///
    /// # Errors
    /// When nobody can say now, with the reason.
    fn explain(&self, namespace: &str, object: &str) -> BoxFuture<'static, Result<Option<Bytes>, &'static str>>;
}

/// Serves the board to whom may read it.
pub struct ExternalMetrics {
    explain: Option<Arc<dyn Explain>>,
    board: Arc<Board>,
    clock: Clock,
    authenticator: Authenticator,
    access: Access,
    readiness: Arc<Readiness>,
    metrics: Metrics,
    documents: Documents,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct List<'a> {
    kind: &'static str,
    api_version: &'static str,
    metadata: Empty,
    items: [Item<'a>; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Item<'a> {
    metric_name: &'a str,
    metric_labels: Option<()>,
    timestamp: Timestamp,
    value: Quantity,
}

/// RFC 3339 in whole seconds, as `metav1.Time`.
struct Timestamp(Wall);

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let time = jiff::Timestamp::from_second(self.0.0.div_euclid(1000)).unwrap_or_default();
        serializer.collect_str(&time)
    }
}

struct Quantity(Milli);

impl Serialize for Quantity {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl ExternalMetrics {
    /// Everything that reads need. `readiness` decides between "not ours" and "not yet known" for unknown metrics.
    pub fn new(
        board: Arc<Board>,
        clock: Clock,
        authenticator: Authenticator,
        access: Access,
        readiness: Arc<Readiness>,
        metrics: Metrics,
    ) -> ExternalMetrics {
        let documents = Documents::new();
        ExternalMetrics { explain: None, board, clock, authenticator, access, readiness, metrics, documents }
    }

    /// With somebody who explains objects, at `…/namespaces/NAMESPACE/scaledobjects/NAME/why`.
    pub fn explained_by(self, explain: Arc<dyn Explain>) -> ExternalMetrics {
        ExternalMetrics { explain: Some(explain), ..self }
    }

    pub(crate) fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Answers a request.
    pub(crate) async fn answer(&self, route: Route<'_>, peer: &Peer, request: &Parts) -> Answer {
        match self.try_answer(route, peer, request).await {
            Ok(answer) => answer,
            Err(problem) => problem.answer(),
        }
    }

    async fn try_answer(&self, route: Route<'_>, peer: &Peer, request: &Parts) -> Result<Answer, Problem> {
        let query = request.uri.query().unwrap_or_default();
        match route {
            Route::Alive => return Ok(answer(StatusCode::OK, "text/plain; charset=utf-8", Bytes::from_static(b"ok"))),
            Route::Ready => return Ok(self.readiness.answer(query)),
            Route::Version => {}
            _ => self.admit(route, peer, request).await?,
        }
        if request.method != Method::GET || selector::asks_to_watch(query) {
            return Err(Problem::method_not_allowed());
        }
        let media = negotiate(&request.headers).ok_or_else(Problem::not_acceptable)?;
        if let Route::Why { namespace, object } = route {
            return self.why(namespace, object, media).await;
        }
        if let Route::Metric { namespace, metric } = route {
            let body = self.read(namespace, metric, query)?;
            return Ok(answer(StatusCode::OK, media.content_type(), body));
        }
        self.document(route, media, request)
    }

    /// Who is believed may see what the API is; the metrics themselves only who may list them.
    async fn admit(&self, route: Route<'_>, peer: &Peer, request: &Parts) -> Result<(), Problem> {
        let identity = self.authenticator.identify(peer, &request.headers, (self.clock)().wall)?;
        if !matches!(route, Route::Metric { .. } | Route::Why { .. }) || identity.in_group(MASTERS) {
            return Ok(());
        }
        match self.access.check(&identity).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(Problem::forbidden(format!(
                "User {:?} cannot list resource \"*\" in API group {GROUP:?} at the cluster scope",
                identity.name()
            ))),
            Err(unreviewed) => Err(Problem::unavailable(unreviewed.to_string(), None)),
        }
    }

    fn document(&self, route: Route<'_>, media: Media, request: &Parts) -> Result<Answer, Problem> {
        let document = self
            .documents
            .find(route)
            .ok_or_else(|| Problem::not_found("the server could not find the requested resource"))?;
        let etag = HeaderValue::from_str(&document.etag).ok();
        let unchanged = etag.is_some() && request.headers.get(IF_NONE_MATCH) == etag.as_ref();
        let mut answer = match unchanged {
            true => answer(StatusCode::NOT_MODIFIED, media.content_type(), Bytes::new()),
            false => answer(StatusCode::OK, media.content_type(), document.body.clone()),
        };
        if let Some(etag) = etag {
            answer.headers_mut().insert(ETAG, etag);
        }
        Ok(answer)
    }

    async fn why(&self, namespace: &str, object: &str, media: Media) -> Result<Answer, Problem> {
        let (namespace, object) = (decoded(namespace)?, decoded(object)?);
        let (namespace, object) = (text(&namespace), text(&object));
        let missing = || {
            let (namespace, object) = (selector::cut(namespace), selector::cut(object));
            Problem::not_found(format!("no ScaledObject {namespace}/{object} is known here"))
        };
        let explain = self.explain.as_ref().ok_or_else(missing)?;
        match explain.explain(namespace, object).await {
            Ok(Some(body)) => Ok(answer(StatusCode::OK, media.content_type(), body)),
            Ok(None) if self.readiness.is_ready() => Err(missing()),
            Ok(None) => Err(Problem::unavailable("ScaledObjects are still being read", None)),
            Err(why) => Err(Problem::unavailable(why, None)),
        }
    }

    /// Reads one metric. Nothing but the body is allocated, unless there is a problem to tell.
    fn read(&self, namespace: &str, metric: &str, query: &str) -> Result<Bytes, Problem> {
        let selector = selector::from_query(query).map_err(|error| Problem::bad_request(error.to_string()))?;
        let object = selector::object_name(text(&selector)).map_err(|error| Problem::bad_request(error.to_string()))?;
        let (namespace, metric) = (decoded(namespace)?, decoded(metric)?);
        let (namespace, metric) = (text(&namespace), text(&metric));

        let now = (self.clock)();
        let asked = key(namespace, object, metric).and_then(|key| self.board.read(&key, now.mono));
        let Some(read) = asked else {
            return Err(self.unknown(namespace, object, metric));
        };
        if let Some(gap_ms) = read.gap_ms {
            self.metrics.gap(gap_ms);
        }
        match read.served.at(now.mono) {
            Ok(value) => {
                self.metrics.read(ReadResult::Value);
                self.metrics.age(now.mono.since(read.served.observed));
                Ok(list(metric, read.served.observed_wall, value, now))
            }
            Err(reason) => {
                self.metrics.read(ReadResult::NoValue(reason));
                let message = format!(
                    "no fresh value of metric {} for ScaledObject {}/{}: {}",
                    selector::cut(metric),
                    selector::cut(namespace),
                    object,
                    reason.as_str()
                );
                Err(Problem::unavailable(message, Some(reason.as_str())))
            }
        }
    }

    fn unknown(&self, namespace: &str, object: &str, metric: &str) -> Problem {
        let (metric, namespace) = (selector::cut(metric), selector::cut(namespace));
        if !self.readiness.is_ready() {
            self.metrics.read(ReadResult::NotReady);
            let message = format!("metric {metric} is not known yet: ScaledObjects are still being read");
            return Problem::unavailable(message, None);
        }
        self.metrics.read(ReadResult::NotOurs);
        Problem::not_found(format!("no matching metrics found for {metric} of ScaledObject {namespace}/{object}"))
    }
}

/// A part of a path.
fn decoded(part: &str) -> Result<Decoded, Problem> {
    selector::decode(part, Plus::Literal).map_err(|error| Problem::bad_request(error.to_string()))
}

/// Decoded text is checked to be UTF-8 when it is decoded.
fn text(decoded: &[u8]) -> &str {
    std::str::from_utf8(decoded).unwrap_or_default()
}

/// The key of a metric's name of the form `s<trigger index>-<name>`; `None` when it has another form, and so is not ours.
fn key<'a>(namespace: &'a str, object: &'a str, metric: &'a str) -> Option<MetricRef<'a>> {
    let (index, name) = metric.strip_prefix('s')?.split_once('-')?;
    // Only the form that we write ourselves: no sign, no leading zeros.
    let canonical = index == "0" || index.starts_with(|c: char| matches!(c, '1'..='9'));
    let trigger = index.parse().ok().filter(|_| canonical)?;
    Some(MetricRef { namespace, object, trigger, name })
}

fn list(metric: &str, observed: Wall, value: Milli, now: Now) -> Bytes {
    let list = List {
        kind: "ExternalMetricValueList",
        api_version: "external.metrics.k8s.io/v1beta1",
        metadata: Empty {},
        items: [Item {
            metric_name: metric,
            metric_labels: None,
            // A clock that was set back must not make values of the future.
            timestamp: Timestamp(observed.min(now.wall)),
            value: Quantity(value),
        }],
    };
    let mut body = Vec::with_capacity(256);
    // Writing to memory cannot fail, and neither can these types.
    let _ = serde_json::to_writer(&mut body, &list);
    body.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{AccessOptions, AccessReview, FrontProxy, ReviewError, User};
    use prometheus_client::registry::Registry;
    use windlass_core::board::{Basis, MetricKey, Served};
    use windlass_core::port::BoxFuture;
    use windlass_core::{MetricName, Mono};

    struct Nobody;

    impl AccessReview for Nobody {
        fn review<'a>(&'a self, _user: &'a User) -> BoxFuture<'a, Result<bool, ReviewError>> {
            Box::pin(async { Ok(false) })
        }
    }

    /// The read path is memory only, and takes none but for its answer.
    #[test]
    fn a_read_allocates_its_body_alone() {
        let now = Now { mono: Mono(1000), wall: Wall(1_790_000_000_000) };
        let clock: Clock = Arc::new(move || now);
        let metrics = Metrics::new(&mut Registry::default());
        let (_trust, followed) = tokio::sync::watch::channel(FrontProxy::default());
        let access = Access::new(Nobody, clock.clone(), metrics.clone(), AccessOptions::default());
        let board = Arc::new(Board::new());
        for object in 0..1000 {
            let object = format!("orders-{object}");
            let key =
                MetricKey { namespace: "shop".into(), object: object.into(), metric: MetricName::new(0, "queue") };
            let served = Served {
                value: Ok(Milli(1500)),
                basis: Basis::Measured,
                observed: now.mono,
                observed_wall: now.wall,
                valid_until: now.mono,
            };
            board.show(&key, served);
        }
        let api = ExternalMetrics::new(
            board,
            clock,
            Authenticator::new(followed),
            access,
            Arc::new(Readiness::default()),
            metrics,
        );
        let read = || api.read("shop", "s0-queue", "labelSelector=scaledobject.keda.sh%2Fname%3Dorders-77").unwrap();
        let body = read();
        let used = allocation_counter::measure(|| {
            read();
        });
        // The body, and the shared head that `Bytes` may add to it.
        assert!(used.count_total <= 2, "{used:?}");
        assert!(used.bytes_total <= 256 + 64, "{used:?}");
        assert!(body.len() < 256);
    }
}
