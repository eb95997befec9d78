//! One batch over HTTP: every query's requests at once, every query answered as soon as it can be.
use super::{HttpScaler, Request, Response, Step, status};
use crate::bindings::windlass::scaler::types::Batch;
use crate::scaler::members;
use crate::{Context, Failure, Outcome};

/// Rounds after which a scaler that asks on and on is stopped.
const MAX_ROUNDS: u32 = 8;

/// Responses as they come: index into what was sent, and the response.
pub(crate) type Exchange = Box<dyn Iterator<Item = (u32, Result<Response, Failure>)>>;

/// A query that has not been answered.
struct Open<'a, P> {
    query: u32,
    parameters: P,
    context: Context<'a>,
    responses: Vec<Option<Response>>,
    any_status: Vec<bool>,
}

/// Answers a batch. `send` is given each request with its query.
pub(crate) fn drive<S: HttpScaler>(
    batch: &Batch,
    send: &mut dyn FnMut(Vec<(u32, Request)>) -> Exchange,
    put: &mut dyn FnMut(u32, Outcome),
) {
    let mut round: Vec<(Open<'_, S::Parameters>, Vec<Request>)> = Vec::new();
    for (query, parameters, context) in members::<S>(batch, put) {
        match S::requests(&parameters, &context) {
            Ok(requests) => {
                let open = Open { query, parameters, context, responses: Vec::new(), any_status: Vec::new() };
                round.push((open, requests));
            }
            Err(failure) => put(query, Outcome::Failed(failure)),
        }
    }
    for number in 0..MAX_ROUNDS {
        if round.is_empty() {
            return;
        }
        round = ask::<S>(number, round, send, put);
    }
    for (open, _) in round {
        put(open.query, Outcome::Failed(Failure::internal(format!("asks for more after {MAX_ROUNDS} rounds"))));
    }
}

/// One round: tells the queries that have ask for another.
fn ask<'a, S: HttpScaler>(
    number: u32,
    round: Vec<(Open<'a, S::Parameters>, Vec<Request>)>,
    send: &mut dyn FnMut(Vec<(u32, Request)>) -> Exchange,
    put: &mut dyn FnMut(u32, Outcome),
) -> Vec<(Open<'a, S::Parameters>, Vec<Request>)> {
    let mut places = Vec::new();
    let mut sent = Vec::new();
    let mut open = Vec::with_capacity(round.len());
    let mut next = Vec::new();
    for (mut member, requests) in round {
        member.responses = vec![None; requests.len()];
        member.any_status = requests.iter().map(|request| request.any_status).collect();
        if requests.is_empty() {
            next.extend(finish::<S>(number, member, put));
            continue;
        }
        places.extend((0..requests.len()).map(|request| (open.len(), request)));
        sent.extend(requests.into_iter().map(|request| (member.query, request)));
        open.push(Some(member));
    }
    if sent.is_empty() {
        return next;
    }
    for (index, result) in send(sent) {
        let Some(&(place, request)) = places.get(index as usize) else { continue };
        let Some(member) = open.get_mut(place) else { continue };
        let Some(mut awaited) = member.take() else { continue };
        let any_status = awaited.any_status.get(request).copied().unwrap_or_default();
        let checked = result
            .and_then(|response| if any_status { Ok(response) } else { status::check(&response).map(|()| response) });
        match checked {
            Err(failure) => put(awaited.query, Outcome::Failed(failure)),
            Ok(response) => {
                if let Some(place) = awaited.responses.get_mut(request) {
                    *place = Some(response);
                }
                if awaited.responses.iter().all(Option::is_some) {
                    next.extend(finish::<S>(number, awaited, put));
                } else {
                    *member = Some(awaited);
                }
            }
        }
    }
    for member in open.into_iter().flatten() {
        put(member.query, Outcome::Failed(Failure::internal("the host told no answer")));
    }
    next
}

/// A query whose responses are all there.
fn finish<'a, S: HttpScaler>(
    number: u32,
    mut member: Open<'a, S::Parameters>,
    put: &mut dyn FnMut(u32, Outcome),
) -> Option<(Open<'a, S::Parameters>, Vec<Request>)> {
    let responses: Vec<Response> = std::mem::take(&mut member.responses).into_iter().flatten().collect();
    match S::step(&member.parameters, &member.context, number, &responses) {
        Ok(Step::Done(reading)) => put(member.query, Outcome::Ready(reading)),
        Ok(Step::Later(later)) => put(member.query, Outcome::Pending(later)),
        Ok(Step::Ask(requests)) => return Some((member, requests)),
        Err(failure) => put(member.query, Outcome::Failed(failure)),
    }
    None
}
