//! Cases as data: `cases/<case>/case.json` beside a scaler's sources.
use super::{BUDGET_MS, collect, configure, format_ms, network, parse_ms, trigger_of};
use crate::bindings::windlass::scaler::types::{Batch, Query};
use crate::http::{Request, Response};
use crate::testing::Reply;
use crate::{
    Failure, FailureKind, Http, HttpScaler, Local, LocalScaler, Metrics, Outcome, Problem, Scaler, Tcp, TcpScaler,
    Transport,
};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::Path;

/// A case: what a user writes, and what must come of it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// What it shows.
    pub about: String,
    /// The trigger type; without it the scaler's first.
    #[serde(default, rename = "type")]
    pub kind: Option<String>,
    /// The trigger's metadata.
    #[serde(default)]
    pub metadata: BTreeMap<String, String>,
    /// Parameters from a TriggerAuthentication.
    #[serde(default)]
    pub authentication: BTreeMap<String, String>,
    /// What is wrong with it: parts of messages by parameter, `""` for those of none. Then nothing else is expected.
    #[serde(default)]
    pub problems: BTreeMap<String, String>,
    /// Name, target and activation of its metrics.
    #[serde(default)]
    pub metrics: Vec<(String, f64, f64)>,
    /// `host:port`, or `host:port tls`, of its endpoints.
    #[serde(default)]
    pub endpoints: Vec<String>,
    /// Polls, one after the other; state is carried along.
    #[serde(default)]
    pub polls: Vec<Poll>,
}

/// A poll of a case.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Poll {
    /// For instance `2026-03-29T00:30:00Z`; without it 1970.
    #[serde(default)]
    pub now: Option<String>,
    /// What the source is asked and answers.
    #[serde(default)]
    pub exchange: Vec<Exchange>,
    /// What comes of it.
    pub expect: Expected,
}

/// A request and its answer, or bytes and their answer.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Exchange {
    /// HTTP: method and target, for instance `GET /api?x=1`.
    pub request: Option<String>,
    /// HTTP: headers that the request must carry.
    pub headers: BTreeMap<String, String>,
    /// HTTP: the credentials that the request must carry, `scheme role=name …`.
    pub credentials: Vec<String>,
    /// HTTP: the request's body.
    pub content: String,
    /// HTTP: status of the answer; 0 is 200.
    pub status: u16,
    /// HTTP: headers of the answer.
    pub answer_headers: BTreeMap<String, String>,
    /// HTTP: body of the answer.
    pub body: String,
    /// TCP: what is written.
    pub sent: Option<String>,
    /// TCP: what is answered; without it the source says nothing.
    pub reply: Option<String>,
}

/// What comes of a poll.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Expected {
    /// The values.
    pub values: Option<Vec<f64>>,
    /// Activity, where the scaler tells it.
    pub active: Option<bool>,
    /// When it wants to be asked again, where it says so.
    pub next: Option<String>,
    /// The kind of failure, in the contract's words, for instance `bad-response`.
    pub failed: Option<String>,
    /// A part of the failure's message.
    pub message: Option<String>,
}

/// A source that plays an exchange: each entry is asked for once, in any order.
#[derive(Debug)]
pub struct Script {
    left: Vec<Exchange>,
    unexpected: Vec<String>,
}

/// A transport that can be played.
pub trait Played<S: Scaler>: Transport<S> {
    /// Answers a batch of one query from a script.
    fn play(batch: &Batch, script: &mut Script, put: &mut dyn FnMut(u32, Outcome));
}

impl<S: LocalScaler> Played<S> for Local {
    fn play(batch: &Batch, _: &mut Script, put: &mut dyn FnMut(u32, Outcome)) {
        <Local as Transport<S>>::poll(batch, put);
    }
}

impl<S: HttpScaler> Played<S> for Http {
    fn play(batch: &Batch, script: &mut Script, put: &mut dyn FnMut(u32, Outcome)) {
        let mut send = |requests: Vec<(u32, Request)>| -> crate::http::Exchange {
            let answers: Vec<_> = requests.iter().map(|(_, request)| script.respond(request)).collect();
            Box::new((0..).zip(answers))
        };
        crate::http::drive::<S>(batch, &mut send, put);
    }
}

impl<S: TcpScaler> Played<S> for Tcp {
    fn play(batch: &Batch, script: &mut Script, put: &mut dyn FnMut(u32, Outcome)) {
        let mut network = network::Scripted::new(|_, _, bytes: &[u8]| script.reply(bytes));
        crate::tcp::drive::<S, _>(batch, &mut network, crate::tcp::Limits::default(), put);
    }
}

impl Script {
    /// Of what a source is asked and answers.
    pub fn new(exchange: &[Exchange]) -> Script {
        Script { left: exchange.to_vec(), unexpected: Vec::new() }
    }

    fn respond(&mut self, request: &Request) -> Result<Response, Failure> {
        let line = format!("{} {}", request.method, request.target);
        let fits = |entry: &Exchange| {
            entry.request.as_ref() == Some(&line)
                && entry.content.as_bytes() == request.body
                && entry.headers.iter().all(|header| {
                    request.headers.iter().any(|(name, value)| name.eq_ignore_ascii_case(header.0) && value == header.1)
                })
                && credentials(request) == entry.credentials
        };
        let Some(place) = self.left.iter().position(fits) else {
            self.unexpected.push(format!("{line} {:?} {:?}", request.headers, credentials(request)));
            return Err(Failure::internal("the case has no such request"));
        };
        let entry = self.left.remove(place);
        let status = if entry.status == 0 { 200 } else { entry.status };
        Ok(Response { status, headers: entry.answer_headers.into_iter().collect(), body: entry.body.into_bytes() })
    }

    fn reply(&mut self, bytes: &[u8]) -> Reply {
        let fits = |entry: &Exchange| entry.sent.as_deref().map(str::as_bytes) == Some(bytes);
        let Some(place) = self.left.iter().position(fits) else {
            self.unexpected.push(format!("{:?}", String::from_utf8_lossy(bytes)));
            return Reply::Close;
        };
        let reply = self.left.remove(place).reply;
        reply.map_or(Reply::Nothing, |reply| Reply::Bytes(reply.into_bytes()))
    }
}

/// Credentials as a case writes them.
fn credentials(request: &Request) -> Vec<String> {
    let one = |credential: &crate::Credential| {
        let roles = credential.secrets.iter().chain(&credential.settings);
        roles.fold(credential.scheme.clone(), |text, (role, name)| format!("{text} {role}={name}"))
    };
    request.credentials.iter().map(one).collect()
}

/// Runs every case in the folder `cases` of a crate; `manifest` is its `env!("CARGO_MANIFEST_DIR")`.
///
/// # Panics
/// When a case fails, with all that failed, or when there is none.
#[allow(clippy::panic, reason = "this is how a test fails")]
pub fn run_cases<S: Scaler>(manifest: &str)
where
    S::Transport: Played<S>,
{
    let folder = Path::new(manifest).join("cases");
    let mut failed = Vec::new();
    let mut count = 0;
    for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
        count += 1;
        let read = std::fs::read(entry.path().join("case.json")).map_err(|error| error.to_string());
        let case = read.and_then(|bytes| serde_json::from_slice::<Case>(&bytes).map_err(|error| error.to_string()));
        if let Err(reason) = case.and_then(|case| run::<S>(&case)) {
            failed.push(format!("{}: {reason}", entry.file_name().to_string_lossy()));
        }
    }
    if count == 0 {
        panic!("no case in {}", folder.display());
    }
    if !failed.is_empty() {
        failed.sort();
        panic!("{} of {count} cases failed:\n{}", failed.len(), failed.join("\n"));
    }
}

fn run<S: Scaler>(case: &Case) -> Result<(), String>
where
    S::Transport: Played<S>,
{
    let pairs = |map: &BTreeMap<String, String>| map.iter().map(|(k, v)| (k.clone(), v.clone())).collect::<Vec<_>>();
    let (metadata, authentication) = (pairs(&case.metadata), pairs(&case.authentication));
    fn borrowed(pairs: &[(String, String)]) -> Vec<(&str, &str)> {
        pairs.iter().map(|(k, v)| (&**k, &**v)).collect()
    }
    let kind = case.kind.as_deref().or(S::TRIGGERS.first().copied()).unwrap_or(S::NAME);
    let resolved = trigger_of::<S>(kind, &borrowed(&metadata), &borrowed(&authentication));
    let configured = resolved.and_then(|trigger| Ok((configure::<S>(&trigger)?, trigger)));
    let (plan, trigger) = match configured {
        Ok(configured) if case.problems.is_empty() => configured,
        Ok(_) => return Err("no problem was found".to_owned()),
        Err(problems) => return same_problems(&problems, &case.problems),
    };
    let metrics: Vec<_> = match &plan.metrics {
        Metrics::Fixed(metrics) => {
            metrics.iter().map(|metric| (metric.name.clone(), metric.target, metric.activation)).collect()
        }
        Metrics::Discovered => Vec::new(),
    };
    same("metrics", &metrics, &case.metrics)?;
    let tls = |endpoint: &crate::Endpoint| if endpoint.tls.is_some() { " tls" } else { "" };
    let endpoints: Vec<_> =
        plan.endpoints.iter().map(|endpoint| format!("{}:{}{}", endpoint.host, endpoint.port, tls(endpoint))).collect();
    same("endpoints", &endpoints, &case.endpoints)?;
    let mut state = Vec::new();
    for (number, poll) in case.polls.iter().enumerate() {
        let name = poll.now.clone().unwrap_or_else(|| format!("poll {number}"));
        let now_ms = match &poll.now {
            Some(now) => parse_ms(now).ok_or_else(|| format!("`{now}` is no time"))?,
            None => 0,
        };
        let query = Query { trigger: trigger.clone(), state: state.clone() };
        let batch = Batch { now_ms, budget_ms: BUDGET_MS, queries: vec![query] };
        let mut script = Script::new(&poll.exchange);
        let outcome = collect(1, |put| S::Transport::play(&batch, &mut script, put)).remove(0);
        if !script.unexpected.is_empty() {
            return Err(format!("{name}: asked what the case does not say: {}", script.unexpected.join("; ")));
        }
        if !script.left.is_empty() {
            return Err(format!("{name}: never asked: {:?}", script.left));
        }
        expect(&outcome, &poll.expect).map_err(|reason| format!("{name}: {reason}"))?;
        match outcome {
            Outcome::Ready(reading) => state = reading.state.unwrap_or(state),
            Outcome::Pending(later) => state = later.state,
            Outcome::Failed(_) => {}
        }
    }
    Ok(())
}

fn expect(outcome: &Outcome, expected: &Expected) -> Result<(), String> {
    match outcome {
        Outcome::Ready(reading) => {
            same("failure", &None, &expected.failed)?;
            same("values", &Some(reading.values.clone()), &expected.values)?;
            same("active", &reading.active, &expected.active)?;
            same("next", &reading.next_ms.map(format_ms), &expected.next)
        }
        Outcome::Failed(failure) => {
            let told = format!("{} ({})", word(failure.kind), failure.message);
            if expected.failed.as_deref() != Some(word(failure.kind)) {
                return Err(format!("failed as {told} instead of {:?}", expected.failed));
            }
            let part = expected.message.as_deref().unwrap_or_default();
            if failure.message.contains(part) { Ok(()) } else { Err(format!("failed as {told} instead of {part}")) }
        }
        Outcome::Pending(_) => Err("is pending".to_owned()),
    }
}

fn same<T: PartialEq + std::fmt::Debug>(what: &str, found: &T, expected: &T) -> Result<(), String> {
    if found == expected { Ok(()) } else { Err(format!("{what}: {found:?} instead of {expected:?}")) }
}

fn same_problems(found: &[Problem], expected: &BTreeMap<String, String>) -> Result<(), String> {
    let name = |problem: &Problem| problem.parameter.clone().unwrap_or_default();
    let fits = found.len() == expected.len()
        && found.iter().all(|problem| expected.get(&name(problem)).is_some_and(|part| problem.message.contains(part)));
    if fits { Ok(()) } else { Err(format!("problems: {found:?} instead of {expected:?}")) }
}

/// The contract's word for a kind of failure.
fn word(kind: FailureKind) -> &'static str {
    match kind {
        FailureKind::Invalid => "invalid",
        FailureKind::Auth => "auth",
        FailureKind::Unreachable => "unreachable",
        FailureKind::Timeout => "timeout",
        FailureKind::Throttled => "throttled",
        FailureKind::NotFound => "not-found",
        FailureKind::BadResponse => "bad-response",
        FailureKind::Denied => "denied",
        FailureKind::Internal => "internal",
    }
}
