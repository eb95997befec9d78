//! Plays cases natively.
use super::case::{Case, Difference, Exchange, Told};
use super::{BUDGET_MS, collect, configure, format_ms, network, trigger_of};
use crate::bindings::windlass::scaler::types::{Batch, Query};
use crate::http::{Request, Response};
use crate::testing::Reply;
use crate::{
    Failure, FailureKind, Http, HttpScaler, Local, LocalScaler, Metrics, Outcome, Plan, Problem, Scaler, Tcp,
    TcpScaler, Transport, Trigger,
};
use std::collections::BTreeMap;
use std::path::Path;

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
    let cases = Case::read_all(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let failed: Vec<_> = cases
        .iter()
        .filter_map(|(name, case)| {
            let reasons = case.as_ref().map_err(Clone::clone).and_then(run::<S>);
            reasons.err().map(|reason| format!("{name}: {reason}"))
        })
        .collect();
    if cases.is_empty() {
        panic!("no case in {}", folder.display());
    }
    if !failed.is_empty() {
        panic!("{} of {} cases failed:\n{}", failed.len(), cases.len(), failed.join("\n"));
    }
}

fn run<S: Scaler>(case: &Case) -> Result<(), String>
where
    S::Transport: Played<S>,
{
    let (plan, trigger) = match planned::<S>(case) {
        Ok(configured) if case.problems.is_empty() => configured,
        Ok(_) => return Err("no problem was found".to_owned()),
        Err(found) => {
            let found: Vec<_> =
                found.into_iter().map(|found| (found.parameter.unwrap_or_default(), found.message)).collect();
            return none(case.same_problems(&found));
        }
    };
    let metrics: Vec<_> = match plan.metrics {
        Metrics::Fixed(metrics) => {
            metrics.into_iter().map(|metric| (metric.name, metric.target, metric.activation)).collect()
        }
        Metrics::Discovered => Vec::new(),
    };
    let tls = |endpoint: &crate::Endpoint| if endpoint.tls.is_some() { " tls" } else { "" };
    let endpoints: Vec<_> =
        plan.endpoints.iter().map(|endpoint| format!("{}:{}{}", endpoint.host, endpoint.port, tls(endpoint))).collect();
    none(case.same_plan(&metrics, &endpoints))?;
    let mut state = Vec::new();
    for (number, poll) in case.polls.iter().enumerate() {
        let title = poll.title(number);
        let query = Query { trigger: trigger.clone(), state: state.clone() };
        let batch = Batch { now_ms: poll.now_ms()?, budget_ms: BUDGET_MS, queries: vec![query] };
        let mut script = Script::new(&poll.exchange);
        let outcome = collect(1, |put| S::Transport::play(&batch, &mut script, put)).remove(0);
        if !script.unexpected.is_empty() {
            return Err(format!("{title}: asked what the case does not say: {}", script.unexpected.join("; ")));
        }
        if !script.left.is_empty() {
            return Err(format!("{title}: never asked: {:?}", script.left));
        }
        let (told, kept) = told(outcome).ok_or_else(|| format!("{title}: is pending"))?;
        none(poll.expect.differences(&told)).map_err(|reason| format!("{title}: {reason}"))?;
        state = kept.unwrap_or(state);
    }
    Ok(())
}

fn planned<S: Scaler>(case: &Case) -> Result<(Plan, Trigger), Vec<Problem>> {
    fn borrowed(pairs: &BTreeMap<String, String>) -> Vec<(&str, &str)> {
        pairs.iter().map(|(name, text)| (&**name, &**text)).collect()
    }
    let kind = case.kind.as_deref().or(S::TRIGGERS.first().copied()).unwrap_or(S::NAME);
    let trigger = trigger_of::<S>(kind, &borrowed(&case.metadata), &borrowed(&case.authentication))?;
    Ok((configure::<S>(&trigger)?, trigger))
}

fn none(differences: impl IntoIterator<Item = Difference>) -> Result<(), String> {
    let told: Vec<_> = differences.into_iter().map(|difference| difference.to_string()).collect();
    if told.is_empty() { Ok(()) } else { Err(told.join("; ")) }
}

/// An outcome in the words of a case, and the state that it leaves; none while it is pending.
fn told(outcome: Outcome) -> Option<(Told, Option<Vec<u8>>)> {
    match outcome {
        Outcome::Ready(reading) => Some((
            Told {
                values: Some(reading.values),
                active: reading.active,
                next: reading.next_ms.map(format_ms),
                failed: None,
            },
            reading.state,
        )),
        Outcome::Failed(failure) => {
            let failed = Some((word(failure.kind).to_owned(), failure.message));
            Some((Told { failed, ..Told::default() }, None))
        }
        Outcome::Pending(_) => None,
    }
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
