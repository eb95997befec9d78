//! A source on loopback that is told, poll by poll, what it will be asked and what it answers.
use super::credential::{Added, added};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use std::cmp::Reverse;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use windlass_core::query::ResolvedTrigger;
use windlass_sdk::testing::Exchange;

/// How long bytes that were written may take to arrive on loopback.
const ARRIVAL: Duration = Duration::from_secs(1);
/// Bytes of a request that may be held.
const MOST: usize = 4 << 20;

/// What was heard that was not expected, and what was expected and not heard.
pub(super) struct Heard {
    pub(super) unexpected: Vec<String>,
    pub(super) missed: Vec<String>,
}

/// An exchange that is still to come, with what its credentials add.
struct Entry {
    exchange: Exchange,
    added: Added,
}

#[derive(Default)]
struct Script {
    left: Vec<Entry>,
    unexpected: Vec<String>,
}

#[derive(Default)]
struct Shared {
    script: Mutex<Script>,
    /// An exchange was played.
    played: Notify,
}

/// The source, until it is dropped.
pub(super) struct Source {
    pub(super) address: SocketAddr,
    shared: Arc<Shared>,
    server: tokio::task::JoinHandle<()>,
}

impl Source {
    pub(super) async fn start() -> std::io::Result<Source> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let (address, shared) = (listener.local_addr()?, Arc::<Shared>::default());
        let own = shared.clone();
        let server = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(serve(stream, own.clone()));
            }
        });
        Ok(Source { address, shared, server })
    }

    /// What comes next.
    pub(super) fn play(&self, exchange: &[Exchange], trigger: &ResolvedTrigger) {
        let entry =
            |exchange: &Exchange| Entry { exchange: exchange.clone(), added: added(&exchange.credentials, trigger) };
        *self.shared.lock() = Script { left: exchange.iter().map(entry).collect(), unexpected: Vec::new() };
    }

    /// What was heard since.
    pub(super) async fn heard(&self) -> Heard {
        let all = async {
            loop {
                let played = self.shared.played.notified();
                if self.shared.lock().left.is_empty() {
                    return;
                }
                played.await;
            }
        };
        let quiet = self.shared.lock().unexpected.is_empty();
        if quiet {
            // What the component wrote last may still be on its way.
            let _ = tokio::time::timeout(ARRIVAL, all).await;
        }
        let script = std::mem::take(&mut *self.shared.lock());
        let missed = script.left.iter().map(|entry| told(&entry.exchange));
        Heard { unexpected: script.unexpected, missed: missed.collect() }
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Script> {
        self.script.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An expected exchange in a few words.
fn told(exchange: &Exchange) -> String {
    let Some(request) = &exchange.request else {
        return format!("{:?}", exchange.sent.as_deref().unwrap_or_default());
    };
    let mut words = vec![request.clone()];
    words.extend(exchange.headers.iter().map(|(name, value)| format!("{}: {value}", name.to_ascii_lowercase())));
    words.extend(exchange.credentials.iter().map(|credential| format!("({credential})")));
    if !exchange.content.is_empty() {
        words.push(format!("{:?}", exchange.content));
    }
    words.join("  ")
}

/// A connection speaks HTTP when the first exchange that is left does.
async fn serve(stream: TcpStream, shared: Arc<Shared>) {
    let mut first = [0; 1];
    // Nothing is written before the component writes: what comes tells when to look at the script.
    if stream.peek(&mut first).await.is_err() {
        return;
    }
    let tcp = shared.lock().left.iter().any(|entry| entry.exchange.sent.is_some());
    if tcp {
        converse(stream, &shared).await;
        return;
    }
    let service = service_fn(|request| respond(request, shared.clone()));
    // How a connection ends is told by what was heard on it.
    let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

async fn respond(request: Request<Incoming>, shared: Arc<Shared>) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let answer = shared.lock().answer(&head, &body);
    shared.played.notify_one();
    let Some(exchange) = answer else {
        let mut refusal = Response::new(Full::new(Bytes::from_static(b"the case has no such request")));
        *refusal.status_mut() = hyper::StatusCode::NOT_IMPLEMENTED;
        return Ok(refusal);
    };
    let mut builder = Response::builder().status(if exchange.status == 0 { 200 } else { exchange.status });
    for (name, value) in &exchange.answer_headers {
        builder = builder.header(name, value);
    }
    Ok(builder.body(Full::new(Bytes::from(exchange.body))).unwrap_or_default())
}

impl Script {
    fn answer(&mut self, head: &hyper::http::request::Parts, body: &[u8]) -> Option<Exchange> {
        let Some(place) = self.left.iter().position(|entry| entry.fits(head, body)) else {
            self.unexpected.push(request_told(head, body));
            return None;
        };
        Some(self.left.remove(place).exchange)
    }

    /// The answer to what stands at the beginning of the bytes, if it is there already; what is no beginning of anything is not
    /// expected.
    fn reply(&mut self, heard: &mut Vec<u8>) -> Reply {
        let sent = |entry: &Entry| entry.exchange.sent.clone().unwrap_or_default().into_bytes();
        let whole = |entry: &Entry| {
            let sent = sent(entry);
            !sent.is_empty() && heard.starts_with(&sent)
        };
        // Of several that fit the longest was meant, and of equal ones the first.
        let fitting = (0..self.left.len()).filter(|&place| self.left.get(place).is_some_and(whole));
        let longest = fitting.min_by_key(|&place| Reverse(self.left.get(place).map_or(0, |entry| sent(entry).len())));
        if let Some(place) = longest {
            let entry = self.left.remove(place);
            heard.drain(..sent(&entry).len());
            return Reply::Say(entry.exchange.reply.unwrap_or_default().into_bytes());
        }
        if heard.len() < MOST && self.left.iter().any(|entry| sent(entry).starts_with(heard)) {
            return Reply::Wait;
        }
        self.unexpected.push(format!("{:?}", String::from_utf8_lossy(heard)));
        Reply::Close
    }
}

impl Entry {
    fn fits(&self, head: &hyper::http::request::Parts, body: &[u8]) -> bool {
        let Entry { exchange, added } = self;
        let mut line = exchange.request.clone().unwrap_or_default();
        for pair in &added.query {
            line.push(if line.contains('?') { '&' } else { '?' });
            line.push_str(pair);
        }
        let carries =
            |name: &str, value: &str| head.headers.get_all(name).iter().any(|own| own.as_bytes() == value.as_bytes());
        let expected = |name: &str| {
            added.headers.iter().any(|(own, _)| own == name)
                || exchange.headers.keys().any(|own| own.eq_ignore_ascii_case(name))
        };
        line == request_line(head)
            && exchange.content.as_bytes() == body
            && exchange.headers.iter().all(|(name, value)| carries(name, value))
            && added.headers.iter().all(|(name, value)| carries(name, value))
            && (expected("authorization") || !head.headers.contains_key("authorization"))
    }
}

fn request_line(head: &hyper::http::request::Parts) -> String {
    let target = head.uri.path_and_query().map_or("/", |target| target.as_str());
    format!("{} {target}", head.method)
}

/// A request in a few words: what a case could say of it. Values of credentials are left out.
fn request_told(head: &hyper::http::request::Parts, body: &[u8]) -> String {
    let mut words = vec![request_line(head)];
    for (name, value) in &head.headers {
        match name.as_str() {
            "host" | "user-agent" | "content-length" => {}
            "authorization" => {
                let scheme = value.to_str().unwrap_or_default().split(' ').next().unwrap_or_default().to_owned();
                words.push(format!("authorization: {scheme} …"));
            }
            name => words.push(format!("{name}: {}", value.to_str().unwrap_or("…"))),
        }
    }
    if !body.is_empty() {
        words.push(format!("{:?}", String::from_utf8_lossy(body)));
    }
    words.join("  ")
}

/// What a source does with what it heard.
enum Reply {
    Say(Vec<u8>),
    Wait,
    Close,
}

async fn converse(mut stream: TcpStream, shared: &Shared) {
    let (mut heard, mut piece) = (Vec::new(), vec![0; 16 << 10]);
    while let Ok(length @ 1..) = stream.read(&mut piece).await {
        heard.extend_from_slice(piece.get(..length).unwrap_or_default());
        while !heard.is_empty() {
            let reply = shared.lock().reply(&mut heard);
            shared.played.notify_one();
            match reply {
                Reply::Wait => break,
                Reply::Close => return,
                Reply::Say(bytes) => {
                    if stream.write_all(&bytes).await.is_err() {
                        return;
                    }
                }
            }
        }
    }
    if !heard.is_empty() {
        shared.lock().unexpected.push(format!("{:?}", String::from_utf8_lossy(&heard)));
    }
}
