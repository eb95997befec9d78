//! One request and its answer.
use super::body::Body;
use super::client::{Carried, Pooled, Rested};
use crate::budget::{Answer, Budgets, Call, Got, Key, Permit, Sent, Source, Verdict};
use bytes::Bytes;
use http::{Extensions, Method, Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_util::client::legacy::Error as ClientError;
use std::io::ErrorKind;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::OwnedSemaphorePermit;
use windlass_core::failure::{Failure, FailureKind};
use windlass_core::query::Domain;

/// Answers up to this size are shared.
const MOST_SHARED: usize = 256 << 10;
/// A source that had less time than this to answer is not blamed for being late.
const PATIENCE: Duration = Duration::from_secs(1);

/// What a request came to.
pub(super) struct Told {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Body,
}

/// What a request holds until its answer has been read: a slot of its source, and one of its call.
pub(super) struct Held {
    _source: Option<Permit>,
    _call: Arc<OwnedSemaphorePermit>,
}

/// A request that may go out.
pub(super) struct Prepared {
    pub(super) client: Pooled,
    pub(super) request: Request<Full<Bytes>>,
    pub(super) deadline: Instant,
    pub(super) source: Arc<Source>,
    pub(super) domain: Domain,
    /// Under which it is shared; none: never.
    pub(super) key: Option<Key>,
    pub(super) body_bytes: usize,
}

impl Prepared {
    pub(super) async fn run(self, call_slots: Arc<tokio::sync::Semaphore>, budgets: &Budgets) -> Result<Told, Failure> {
        let late = late(self.source.name());
        let slot = tokio::time::timeout_at(self.deadline.into(), call_slots.acquire_owned())
            .await
            .map_err(|_| late)?
            .map_err(|_| Failure::new(FailureKind::Internal, "the call has ended"))?;
        let slot = Arc::new(slot);
        let (source, domain, deadline) = (self.source.clone(), self.domain.clone(), self.deadline);
        let Some(key) = self.key else {
            let permit = source.enter(&domain)?.granted(deadline.into()).await?;
            return self.exchange(permit, slot).await;
        };
        let call = Call { key, source: &source, domain: &domain, deadline: deadline.into() };
        let held = slot.clone();
        let got = budgets.flights.run(call, |permit| self.shared(permit, held)).await?;
        Ok(match got {
            Got::Own(told) => told,
            Got::Whole(answer) => Told {
                status: answer.status,
                headers: answer.headers.to_vec(),
                body: Body::whole(answer.body, deadline, Held { _source: None, _call: slot }),
            },
        })
    }

    /// Sends it and waits for the head of its answer.
    async fn exchange(self, mut permit: Permit, call: Arc<OwnedSemaphorePermit>) -> Result<Told, Failure> {
        let (deadline, body_bytes) = (self.deadline, self.body_bytes);
        let answer = self.head(&mut permit).await?;
        let (head, incoming) = answer.into_parts();
        let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let headers = head.headers.iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect();
        let held = Held { _source: Some(permit), _call: call };
        let body = Body::incoming(incoming, body_bytes, deadline, held);
        Ok(Told { status: head.status.as_u16(), headers, body })
    }

    async fn head(self, permit: &mut Permit) -> Result<Response<Incoming>, Failure> {
        let sent = Instant::now();
        match tokio::time::timeout_at(self.deadline.into(), answer(&self.client, self.request)).await {
            Ok(Ok(answer)) => {
                permit.tell_answer(answer.status(), answer.headers());
                Ok(answer)
            }
            Ok(Err(error)) => {
                let (verdict, failure) = client_failure(&error, self.source.name());
                if let Some(verdict) = verdict {
                    permit.tell(verdict);
                }
                Err(failure)
            }
            Err(_) => {
                if sent.elapsed() >= PATIENCE {
                    permit.tell(Verdict::Late);
                }
                Err(late(self.source.name()))
            }
        }
    }

    /// Sends it for all that ask the same.
    async fn shared(self, permit: Permit, call: Arc<OwnedSemaphorePermit>) -> Sent<Told> {
        let ours = |failure: Failure| match failure.kind {
            // What any of them would have met; a time that was over is one's own.
            FailureKind::Unreachable | FailureKind::BadResponse => Sent::Whole(Err(failure)),
            _ => Sent::Mine(failure),
        };
        let mut told = match self.exchange(permit, call).await {
            Ok(told) => told,
            Err(failure) => return ours(failure),
        };
        match told.body.gather(MOST_SHARED).await {
            Ok(Some(body)) => Sent::Whole(Ok(Answer { status: told.status, headers: told.headers.into(), body })),
            Ok(None) => Sent::TooLarge(told),
            Err(failure) => ours(failure),
        }
    }
}

/// Sends a request, and once more when it met a connection that had rested until its other end closed it: nobody failed then.
/// (Go's client, which KEDA's scalers use, does the same; hyper's only before it has begun to send.) What may have changed
/// something is not repeated.
async fn answer(client: &Pooled, request: Request<Full<Bytes>>) -> Result<Response<Incoming>, ClientError> {
    let again = matches!(*request.method(), Method::GET | Method::HEAD).then(|| request.clone());
    let answered = match (client.request(request).await, again) {
        (Err(error), Some(again)) if met_a_rested_connection(&error) => client.request(again).await,
        (answered, _) => answered,
    }?;
    if let Some(rested) = answered.extensions().get::<Rested>() {
        rested.answered();
    }
    Ok(answered)
}

fn met_a_rested_connection(error: &ClientError) -> bool {
    let mut extensions = Extensions::new();
    if let Some(connected) = error.connect_info() {
        connected.get_extras(&mut extensions);
    }
    let closed = std::error::Error::source(error)
        .and_then(|source| source.downcast_ref::<hyper::Error>())
        .is_some_and(|error| error.is_incomplete_message() || error.is_closed() || error.is_canceled() || reset(error));
    closed && extensions.get::<Rested>().is_some_and(Rested::has_answered)
}

fn reset(error: &hyper::Error) -> bool {
    let source = std::error::Error::source(error).and_then(|source| source.downcast_ref::<std::io::Error>());
    let kinds = [ErrorKind::ConnectionReset, ErrorKind::ConnectionAborted, ErrorKind::BrokenPipe];
    source.is_some_and(|error| kinds.contains(&error.kind()))
}

fn late(host: &str) -> Failure {
    Failure::new(FailureKind::Timeout, format!("{host} did not answer in time"))
}

/// What a failure says about the source, and its words. hyper's may show the request: only what is known to be harmless is
/// told.
fn client_failure(error: &ClientError, host: &str) -> (Option<Verdict>, Failure) {
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        if let Some(Carried(undialled)) = inner.downcast_ref() {
            return (undialled.verdict(), undialled.failure.clone());
        }
        source = inner.source();
    }
    let what = if error.is_connect() { "cannot be connected" } else { "closed the connection without an answer" };
    (Some(Verdict::Failed), Failure::new(FailureKind::Unreachable, format!("{host} {what}")))
}
