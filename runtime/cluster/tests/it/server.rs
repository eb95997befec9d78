//! An API server in memory: list, watch (streaming lists too), get, create, replace, merge patch, delete, `/status` and
//! `/scale`, with resource versions. It remembers every request, so that one too many fails a test.
use bytes::Bytes;
use futures::StreamExt;
use http::{Method, Request, Response, StatusCode};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::{broadcast, watch};

/// A request as it came.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Asked {
    pub(crate) verb: String,
    pub(crate) path: String,
    pub(crate) body: Value,
}

impl Asked {
    pub(crate) fn line(&self) -> String {
        format!("{} {}", self.verb, self.path)
    }

    fn is_read(&self) -> bool {
        matches!(self.verb.as_str(), "get" | "list" | "watch")
    }
}

/// `group/version/plural` (`v1/plural` in the core group), namespace and name.
type Place = (String, String, String);

#[derive(Clone)]
struct Event {
    kind: &'static str,
    collection: String,
    object: Value,
}

struct State {
    objects: BTreeMap<Place, Value>,
    version: u64,
    asked: Vec<Asked>,
    /// Answers for requests to come, by the line that they begin with; used up one by one.
    troubles: Vec<(String, u16)>,
    agents: Vec<String>,
    /// Resources by group and version.
    kinds: BTreeMap<String, Value>,
}

pub(crate) struct ApiServer {
    pub(crate) url: String,
    state: Arc<Mutex<State>>,
    events: broadcast::Sender<Event>,
    /// Lines of requests that have to wait begin with one of these.
    held: watch::Sender<Vec<String>>,
    streaming_lists: watch::Sender<bool>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for ApiServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

type Body = BoxBody<Bytes, Infallible>;

impl ApiServer {
    pub(crate) async fn start() -> ApiServer {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state = State {
            objects: BTreeMap::new(),
            version: 100,
            asked: vec![],
            troubles: vec![],
            agents: vec![],
            kinds: BTreeMap::new(),
        };
        let state = Arc::new(Mutex::new(state));
        let (events, _) = broadcast::channel(10_000);
        let (held, _) = watch::channel(Vec::new());
        let (streaming_lists, _) = watch::channel(true);
        let handler = Handler {
            state: state.clone(),
            events: events.clone(),
            held: held.subscribe(),
            streaming_lists: streaming_lists.subscribe(),
        };
        let task = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let handler = handler.clone();
                connections.spawn(async move {
                    let service = hyper::service::service_fn(move |request| {
                        let handler = handler.clone();
                        async move { Ok::<_, Infallible>(handler.answer(request).await) }
                    });
                    let server = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
                    let _ = server.serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        ApiServer { url, state, events, held, streaming_lists, task }
    }

    /// Puts an object as somebody else would: no request of ours.
    pub(crate) fn put(&self, collection: &str, mut object: Value) -> Value {
        let mut state = self.state.lock().unwrap();
        state.version += 1;
        object["metadata"]["resourceVersion"] = json!(state.version.to_string());
        let place = place_of(collection, &object);
        let kind = if state.objects.contains_key(&place) { "MODIFIED" } else { "ADDED" };
        state.objects.insert(place, object.clone());
        let _ = self.events.send(Event { kind, collection: collection.to_owned(), object: object.clone() });
        object
    }

    /// Changes an object as somebody else would.
    pub(crate) fn change(&self, collection: &str, namespace: &str, name: &str, change: impl FnOnce(&mut Value)) {
        let mut object = self.get(collection, namespace, name).unwrap();
        change(&mut object);
        self.put(collection, object);
    }

    /// Deletes an object as somebody else would.
    pub(crate) fn remove(&self, collection: &str, namespace: &str, name: &str) {
        let mut state = self.state.lock().unwrap();
        state.version += 1;
        let version = state.version.to_string();
        let place = (collection.to_owned(), namespace.to_owned(), name.to_owned());
        let mut object = state.objects.remove(&place).unwrap();
        object["metadata"]["resourceVersion"] = json!(version);
        let _ = self.events.send(Event { kind: "DELETED", collection: collection.to_owned(), object });
    }

    pub(crate) fn get(&self, collection: &str, namespace: &str, name: &str) -> Option<Value> {
        let place = (collection.to_owned(), namespace.to_owned(), name.to_owned());
        self.state.lock().unwrap().objects.get(&place).cloned()
    }

    /// All requests so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.state.lock().unwrap().asked.clone()
    }

    /// Requests that change something.
    pub(crate) fn writes(&self) -> Vec<Asked> {
        self.asked().into_iter().filter(|asked| !asked.is_read()).collect()
    }

    /// Lines of the reads of single objects.
    pub(crate) fn gets(&self) -> Vec<String> {
        self.asked().iter().filter(|asked| asked.verb == "get").map(Asked::line).collect()
    }

    pub(crate) fn agents(&self) -> Vec<String> {
        self.state.lock().unwrap().agents.clone()
    }

    /// What discovery tells of a group's version.
    pub(crate) fn serve_kind(&self, group_version: &str, resources: Value) {
        self.state.lock().unwrap().kinds.insert(group_version.to_owned(), resources);
    }

    /// The next request whose line begins so gets this status.
    pub(crate) fn trouble(&self, line: &str, code: u16) {
        self.state.lock().unwrap().troubles.push((line.to_owned(), code));
    }

    /// Requests whose line begins with one of these wait until this is called again.
    pub(crate) fn hold(&self, lines: &[&str]) {
        self.held.send_replace(lines.iter().map(|line| (*line).to_owned()).collect());
    }

    pub(crate) fn without_streaming_lists(&self) {
        self.streaming_lists.send_replace(false);
    }

    /// Waits until `done` holds of the requests so far.
    pub(crate) async fn until(&self, what: &str, done: impl Fn(&[Asked]) -> bool) {
        let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
        while !done(&self.asked()) {
            assert!(tokio::time::Instant::now() < deadline, "{what}; requests so far: {:#?}", self.asked());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

fn place_of(collection: &str, object: &Value) -> Place {
    let text = |field: &str| object["metadata"][field].as_str().unwrap_or_default().to_owned();
    (collection.to_owned(), text("namespace"), text("name"))
}

/// A request's path, taken apart.
struct Target {
    collection: String,
    namespace: String,
    name: Option<String>,
    subresource: Option<String>,
}

fn target_of(path: &str) -> Option<Target> {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let (root, rest) = match parts.as_slice() {
        ["api", version, rest @ ..] => ((*version).to_owned(), rest),
        ["apis", group, version, rest @ ..] => (format!("{group}/{version}"), rest),
        _ => return None,
    };
    let (namespace, rest) = match rest {
        ["namespaces", namespace, rest @ ..] => (*namespace, rest),
        rest => ("", rest),
    };
    let [plural, rest @ ..] = rest else { return None };
    Some(Target {
        collection: format!("{root}/{plural}"),
        namespace: namespace.to_owned(),
        name: rest.first().map(|name| (*name).to_owned()),
        subresource: rest.get(1).map(|name| (*name).to_owned()),
    })
}

#[derive(Clone)]
struct Handler {
    state: Arc<Mutex<State>>,
    events: broadcast::Sender<Event>,
    held: watch::Receiver<Vec<String>>,
    streaming_lists: watch::Receiver<bool>,
}

impl Handler {
    async fn answer(&self, request: Request<Incoming>) -> Response<Body> {
        let (head, body) = request.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let body = if bytes.is_empty() { Value::Null } else { serde_json::from_slice(&bytes).unwrap() };
        let path = head.uri.path().to_owned();
        let query = head.uri.query().unwrap_or_default().to_owned();
        let target = target_of(&path);
        let named = target.as_ref().is_none_or(|target| target.name.is_some());
        let verb = match head.method {
            Method::GET if query.contains("watch=true") => "watch",
            Method::GET if named => "get",
            Method::GET => "list",
            Method::POST => "create",
            Method::PUT => "update",
            Method::PATCH => "patch",
            _ => "delete",
        };
        let asked = Asked { verb: verb.to_owned(), path, body: body.clone() };
        let line = asked.line();
        let trouble = {
            let mut state = self.state.lock().unwrap();
            state.asked.push(asked);
            let agent = head.headers.get("user-agent").and_then(|agent| agent.to_str().ok()).unwrap_or_default();
            state.agents.push(agent.to_owned());
            let at = state.troubles.iter().position(|(begin, _)| line.starts_with(begin));
            at.map(|at| state.troubles.remove(at).1)
        };
        let mut held = self.held.clone();
        let _ = held.wait_for(|held| !held.iter().any(|begin| line.starts_with(begin))).await;
        if let Some(code) = trouble {
            return failure(code, "Trouble");
        }
        let Some(target) = target else {
            let known =
                line.strip_prefix("get /apis/").and_then(|of| self.state.lock().unwrap().kinds.get(of).cloned());
            return match known {
                Some(resources) => {
                    ok(&json!({ "kind": "APIResourceList", "groupVersion": "any", "resources": resources }))
                }
                None => failure(404, "NotFound"),
            };
        };
        let accept = head.headers.get("accept").and_then(|accept| accept.to_str().ok()).unwrap_or_default();
        let partial = accept.contains("PartialObjectMetadata");
        match verb {
            "watch" => self.watch(&target, &query, partial),
            "list" if target.name.is_none() => self.list(&target, partial),
            "get" => self.get(&target),
            _ => self.write(verb, &target, body),
        }
    }

    fn watch(&self, target: &Target, query: &str, partial: bool) -> Response<Body> {
        let initial = query.contains("sendInitialEvents=true");
        if initial && !*self.streaming_lists.borrow() {
            return failure(422, "Invalid");
        }
        let name =
            query.split('&').find_map(|part| part.strip_prefix("fieldSelector=metadata.name%3D")).map(str::to_owned);
        let (mut first, receiver, since) = {
            let state = self.state.lock().unwrap();
            let receiver = self.events.subscribe();
            let mut first = Vec::new();
            if initial {
                for (place, object) in &state.objects {
                    if matches(target, name.as_deref(), &place.0, object) {
                        first.push(json!({ "type": "ADDED", "object": shown(object, partial) }));
                    }
                }
                first.push(json!({ "type": "BOOKMARK", "object": {
                    "apiVersion": "v1", "kind": "Any",
                    "metadata": {
                        "resourceVersion": state.version.to_string(),
                        "annotations": { "k8s.io/initial-events-end": "true" },
                    },
                }}));
            }
            let since = query.split('&').find_map(|part| part.strip_prefix("resourceVersion="));
            (
                first,
                receiver,
                since.and_then(|since| since.parse::<u64>().ok()).unwrap_or(state.version).max(state.version),
            )
        };
        let target = Target {
            name: None,
            subresource: None,
            collection: target.collection.clone(),
            namespace: target.namespace.clone(),
        };
        let later = futures::stream::unfold((receiver, target, name), move |(mut receiver, target, name)| async move {
            loop {
                let event = receiver.recv().await.ok()?;
                let version: u64 = event.object["metadata"]["resourceVersion"].as_str()?.parse().ok()?;
                if version > since && matches(&target, name.as_deref(), &event.collection, &event.object) {
                    let line = json!({ "type": event.kind, "object": shown(&event.object, partial) });
                    return Some((line, (receiver, target, name)));
                }
            }
        });
        let lines = futures::stream::iter(std::mem::take(&mut first)).chain(later);
        let frames = lines.map(|line| Ok(Frame::data(Bytes::from(format!("{line}\n")))));
        Response::new(BodyExt::boxed(StreamBody::new(frames)))
    }

    fn list(&self, target: &Target, partial: bool) -> Response<Body> {
        let state = self.state.lock().unwrap();
        let items: Vec<Value> = state
            .objects
            .iter()
            .filter(|(place, object)| matches(target, None, &place.0, object))
            .map(|(_, object)| shown(object, partial))
            .collect();
        ok(&json!({
            "apiVersion": "v1", "kind": "List", "items": items,
            "metadata": { "resourceVersion": state.version.to_string() },
        }))
    }

    fn get(&self, target: &Target) -> Response<Body> {
        let state = self.state.lock().unwrap();
        let place = (target.collection.clone(), target.namespace.clone(), target.name.clone().unwrap_or_default());
        match (state.objects.get(&place), target.subresource.as_deref()) {
            (Some(object), Some("scale")) => ok(&scale_of(object)),
            (Some(object), _) => ok(object),
            (None, _) => failure(404, "NotFound"),
        }
    }

    fn write(&self, verb: &str, target: &Target, body: Value) -> Response<Body> {
        let mut state = self.state.lock().unwrap();
        if target.collection.starts_with("authorization.k8s.io/") {
            let allowed = body["spec"]["user"] == "system:serviceaccount:kube-system:horizontal-pod-autoscaler";
            return ok(&json!({ "status": { "allowed": allowed } }));
        }
        let name =
            target.name.clone().or_else(|| body["metadata"]["name"].as_str().map(str::to_owned)).unwrap_or_default();
        let place = (target.collection.clone(), target.namespace.clone(), name);
        let stored = state.objects.get(&place).cloned();
        let expected = body["metadata"]["resourceVersion"].as_str();
        let mut object = match (verb, stored) {
            ("create", Some(_)) => return failure(409, "AlreadyExists"),
            ("create", None) => body.clone(),
            (_, None) => return failure(404, "NotFound"),
            (_, Some(stored)) if expected.is_some() && stored["metadata"]["resourceVersion"].as_str() != expected => {
                return failure(409, "Conflict");
            }
            ("update", Some(_)) => body.clone(),
            (_, Some(stored)) => stored,
        };
        state.version += 1;
        let version = state.version.to_string();
        if verb == "delete" {
            state.objects.remove(&place);
            object["metadata"]["resourceVersion"] = json!(version);
            let _ = self.events.send(Event { kind: "DELETED", collection: target.collection.clone(), object });
            return ok(&json!({ "kind": "Status", "apiVersion": "v1", "status": "Success" }));
        }
        if verb == "patch" {
            match target.subresource.as_deref() {
                Some("status") => merge(&mut object["status"], &body["status"]),
                Some("scale") => merge(&mut object["spec"], &body["spec"]),
                _ => merge(&mut object, &body),
            }
        }
        object["metadata"]["resourceVersion"] = json!(version);
        let kind = if verb == "create" { "ADDED" } else { "MODIFIED" };
        state.objects.insert(place, object.clone());
        let _ = self.events.send(Event { kind, collection: target.collection.clone(), object: object.clone() });
        if target.subresource.as_deref() == Some("scale") { ok(&scale_of(&object)) } else { ok(&object) }
    }
}

fn matches(target: &Target, name: Option<&str>, collection: &str, object: &Value) -> bool {
    collection == target.collection
        && (target.namespace.is_empty() || object["metadata"]["namespace"] == *target.namespace)
        && name.is_none_or(|name| object["metadata"]["name"] == *name)
}

fn shown(object: &Value, partial: bool) -> Value {
    if !partial {
        return object.clone();
    }
    json!({ "apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata", "metadata": object["metadata"] })
}

fn scale_of(object: &Value) -> Value {
    json!({
        "apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": object["metadata"],
        "spec": { "replicas": object["spec"]["replicas"] },
        "status": { "replicas": object["status"]["replicas"].as_i64().unwrap_or(0) },
    })
}

fn merge(into: &mut Value, patch: &Value) {
    match patch {
        Value::Object(patch) => {
            if !into.is_object() {
                *into = json!({});
            }
            let object = into.as_object_mut().unwrap();
            for (key, value) in patch {
                if value.is_null() {
                    object.remove(key);
                } else {
                    merge(object.entry(key.clone()).or_insert(Value::Null), value);
                }
            }
        }
        value => *into = value.clone(),
    }
}

fn ok(value: &Value) -> Response<Body> {
    Response::new(Full::new(Bytes::from(value.to_string())).boxed())
}

fn failure(code: u16, reason: &str) -> Response<Body> {
    let body = json!({
        "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason, "message": reason,
    });
    let mut response = ok(&body);
    *response.status_mut() = StatusCode::from_u16(code).unwrap();
    response
}
