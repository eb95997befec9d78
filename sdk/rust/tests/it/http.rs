//! Batches over HTTP.
use windlass_sdk::http::{Request, Response, Step};
use windlass_sdk::testing::{poll_http, trigger};
use windlass_sdk::{
    Context, Failure, FailureKind, Http, HttpScaler, Outcome, Parameters, Plan, Problem, Reading, Scaler, Trigger,
};

struct Sums;

#[derive(Parameters)]
struct Asked {
    /// Paths to ask.
    paths: Vec<String>,
    /// Asks once more for what the first answer says.
    #[parameter(default = "false")]
    twice: bool,
}

impl Scaler for Sums {
    const NAME: &'static str = "sums";
    type Parameters = Asked;
    type Transport = Http;

    fn configure(_: &Asked, _: &Trigger) -> Result<Plan, Vec<Problem>> {
        Ok(Plan::metric("sums", 1.0, 0.0))
    }
}

impl HttpScaler for Sums {
    fn requests(parameters: &Asked, _: &Context<'_>) -> Result<Vec<Request>, Failure> {
        Ok(parameters.paths.iter().map(|path| Request::get(0, path)).collect())
    }

    fn parse(_: &Asked, _: &Context<'_>, responses: &[Response]) -> Result<Reading, Failure> {
        let numbers = responses.iter().map(Response::json::<f64>).collect::<Result<Vec<_>, _>>()?;
        Ok(Reading::value(numbers.iter().sum()))
    }

    fn step(asked: &Asked, context: &Context<'_>, round: u32, responses: &[Response]) -> Result<Step, Failure> {
        if asked.twice && (round == 0 || asked.paths == ["/endless"]) {
            return Ok(Step::Ask(vec![Request::get(0, responses[0].text()?)]));
        }
        Self::parse(asked, context, responses).map(Step::Done)
    }
}

fn asking(paths: &str, twice: &str) -> Trigger {
    trigger::<Sums>(&[("paths", paths), ("twice", twice)], &[]).unwrap()
}

fn answer(status: u16, body: &str) -> Result<Response, Failure> {
    Ok(Response { status, headers: vec![("retry-after".into(), "7".into())], body: body.as_bytes().to_vec() })
}

fn values(outcome: &Outcome) -> Option<f64> {
    match outcome {
        Outcome::Ready(reading) => Some(reading.values[0]),
        _ => None,
    }
}

fn failure(outcome: &Outcome) -> &Failure {
    match outcome {
        Outcome::Failed(failure) => failure,
        other => panic!("{other:?}"),
    }
}

#[test]
fn all_queries_are_sent_at_once_and_answered_each_by_its_own() {
    let mut asked = Vec::new();
    let outcomes = poll_http::<Sums>(
        &[asking("/1,/2", "false"), asking("/x", "false"), asking("/5", "false")],
        0,
        |query, request| {
            asked.push((query, request.target.clone()));
            answer(200, request.target.trim_start_matches('/'))
        },
    );
    assert_eq!(asked, [(0, "/1".into()), (0, "/2".into()), (1, "/x".into()), (2, "/5".into())]);
    assert_eq!((values(&outcomes[0]), values(&outcomes[2])), (Some(3.0), Some(5.0)));
    assert_eq!(failure(&outcomes[1]).kind, FailureKind::BadResponse);
}

#[test]
fn a_status_says_why_there_is_no_value() {
    let kind = |status: u16| {
        let outcomes = poll_http::<Sums>(&[asking("/", "false")], 0, |_, _| answer(status, "  some\n text"));
        failure(&outcomes[0]).clone()
    };
    use FailureKind::*;
    for (status, expected) in [
        (301, BadResponse),
        (400, BadResponse),
        (401, Auth),
        (403, Auth),
        (404, NotFound),
        (408, Timeout),
        (429, Throttled),
        (500, Unreachable),
        (503, Unreachable),
        (504, Timeout),
    ] {
        assert_eq!(kind(status).kind, expected, "{status}");
    }
    assert_eq!(kind(429).retry_after_ms, Some(7_000));
    assert_eq!(kind(500).retry_after_ms, None);
    assert_eq!(kind(500).message, "answered 500 (some text)");
}

#[test]
fn a_scaler_that_sees_every_status_may_ask_for_its_usual_meaning() {
    assert_eq!(answer(204, "").unwrap().check(), Ok(()));
    let refused = answer(503, "busy").unwrap().check().unwrap_err();
    assert_eq!((refused.kind, refused.retry_after_ms), (FailureKind::Unreachable, Some(7_000)));
    assert_eq!(refused.message, "answered 503 (busy)");
}

#[test]
fn one_failed_request_fails_its_query_alone() {
    let outcomes = poll_http::<Sums>(&[asking("/1,/bad", "false"), asking("/2", "false")], 0, |_, request| {
        match &*request.target {
            "/bad" => Err(Failure::unreachable("refused")),
            target => answer(200, &target[1..]),
        }
    });
    assert_eq!(failure(&outcomes[0]).message, "refused");
    assert_eq!(values(&outcomes[1]), Some(2.0));
}

#[test]
fn further_rounds_are_asked_and_bounded() {
    let mut count = 0;
    let outcomes = poll_http::<Sums>(&[asking("/where", "true"), asking("/endless", "true")], 0, |_, request| {
        count += 1;
        match &*request.target {
            "/where" => answer(200, "/there"),
            "/there" => answer(200, "9"),
            _ => answer(200, "/endless"),
        }
    });
    assert_eq!(values(&outcomes[0]), Some(9.0));
    assert_eq!(failure(&outcomes[1]).kind, FailureKind::Internal);
    assert_eq!(count, 2 + 8);
}
