//! Scalers that ask over HTTP.
mod drive;
mod message;
mod status;

pub use message::{Request, Response};

use crate::bindings::windlass::scaler::http as host;
use crate::bindings::windlass::scaler::types::Batch;
use crate::{Context, Failure, Later, Outcome, Reading, Scaler, Transport};
pub(crate) use drive::{Exchange, drive};

/// The transport of scalers that ask over HTTP.
#[derive(Debug)]
pub enum Http {}

/// A scaler that asks over HTTP. Both methods are pure.
///
/// All queries of a batch are sent at once, and each is answered as soon as its own responses are there. A response that
/// does not say 2xx fails its query by the usual meaning of its status, unless the request says
/// [`Request::any_status`]. The host does pooling, TLS, rates and retries of connections; redirects are not followed.
pub trait HttpScaler: Scaler {
    /// The requests of a query. Nothing is sent for a query with an error.
    ///
    /// # Errors
    /// Why there is nothing to ask.
    fn requests(parameters: &Self::Parameters, context: &Context<'_>) -> Result<Vec<Request>, Failure>;

    /// The value, from one response per request, in the order of the requests.
    ///
    /// # Errors
    /// Why there is none; what cannot be understood is [`Failure::bad_response`].
    fn parse(parameters: &Self::Parameters, context: &Context<'_>, responses: &[Response]) -> Result<Reading, Failure>;

    /// For sources that take several rounds: what to do after the responses of round `round`, the first being 0. Without
    /// it, the first round is parsed.
    ///
    /// # Errors
    /// Why there is no value.
    fn step(
        parameters: &Self::Parameters,
        context: &Context<'_>,
        round: u32,
        responses: &[Response],
    ) -> Result<Step, Failure> {
        let _ = round;
        Self::parse(parameters, context, responses).map(Step::Done)
    }
}

/// What follows a round.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// The value.
    Done(Reading),
    /// These requests come next.
    Ask(Vec<Request>),
    /// The source has begun and has no value yet, for instance a search job.
    Later(Later),
}

impl<S: HttpScaler> Transport<S> for Http {
    fn poll(batch: &Batch, put: &mut dyn FnMut(u32, Outcome)) {
        drive::<S>(batch, &mut send, put);
    }
}

/// Sends by the host; responses come as they are completed.
fn send(requests: Vec<(u32, Request)>) -> Exchange {
    let limits: Vec<usize> = requests.iter().map(|(_, request)| request.max_body).collect();
    let requests: Vec<host::Request> = requests.into_iter().map(|(query, request)| request.into_host(query)).collect();
    let exchange = host::send(&requests);
    drop(requests);
    Box::new(std::iter::from_fn(move || {
        let (index, result) = exchange.next()?;
        let limit = limits.get(index as usize).copied().unwrap_or_default();
        Some((index, result.and_then(|response| receive(response, limit))))
    }))
}

/// Reads a response's body to its end, up to a limit.
fn receive(response: host::Response, limit: usize) -> Result<Response, Failure> {
    const PIECE: u32 = 64 << 10;
    let mut body = Vec::new();
    loop {
        let piece = response.body.read(PIECE)?;
        if piece.is_empty() {
            return Ok(Response { status: response.status, headers: response.headers, body });
        }
        if body.len() + piece.len() > limit {
            return Err(Failure::bad_response(format!("the answer is longer than {limit} bytes")));
        }
        body.extend_from_slice(&piece);
    }
}
