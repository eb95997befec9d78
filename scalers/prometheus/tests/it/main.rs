//! The cases beside this crate's sources, and what a file cannot say.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
use std::time::Duration;
use windlass_scaler_prometheus::Prometheus;
use windlass_sdk::http::Response;
use windlass_sdk::testing::{configure, describe, poll_http, run_cases, trigger};
use windlass_sdk::{Failure, FailureKind, Outcome, Trigger};

const ADDRESS: (&str, &str) = ("serverAddress", "https://reader:hunter2@prometheus.example.com:9090");

fn asking(query: &str, more: &[(&str, &str)], authentication: &[(&str, &str)]) -> Trigger {
    let metadata = [&[ADDRESS, ("query", query), ("threshold", "100")], more].concat();
    trigger::<Prometheus>(&metadata, authentication).unwrap()
}

fn answer(status: u16, body: &str) -> Result<Response, Failure> {
    Ok(Response { status, headers: Vec::new(), body: body.as_bytes().to_vec() })
}

#[test]
fn cases() {
    run_cases::<Prometheus>(env!("CARGO_MANIFEST_DIR"));
}

#[test]
fn every_query_of_a_batch_has_its_own_outcome_in_its_place() {
    let queries = ["7", "broken", "many", "none", "gone", "8"];
    let mut triggers: Vec<Trigger> = queries.iter().map(|query| asking(query, &[], &[])).collect();
    triggers[4].values.retain(|value| value.name != "query");
    let mut asked = Vec::new();
    let outcomes = poll_http::<Prometheus>(&triggers, 0, |query, request| {
        asked.push(query);
        match request.target.rsplit_once('=').map(|(_, query)| query) {
            Some("broken") => Err(Failure::unreachable("prometheus.example.com:9090 cannot be connected")),
            Some("many") => answer(200, r#"{"data":{"result":[{"value":[1,"1"]},{"value":[1,"2"]}]}}"#),
            Some("none") => answer(200, r#"{"data":{"result":[]}}"#),
            Some(number) => answer(200, &format!(r#"{{"data":{{"result":[{{"value":[1,"{number}"]}}]}}}}"#)),
            None => answer(404, ""),
        }
    });
    assert_eq!(asked, [0, 1, 2, 3, 5]);
    let told: Vec<_> = outcomes
        .iter()
        .map(|outcome| match outcome {
            Outcome::Ready(reading) => Ok(reading.values[0]),
            Outcome::Failed(failure) => Err(failure.kind),
            Outcome::Pending(_) => panic!("nothing takes longer"),
        })
        .collect();
    use FailureKind::{BadResponse, Invalid, Unreachable};
    assert_eq!(told, [Ok(7.0), Err(Unreachable), Err(BadResponse), Ok(0.0), Err(Invalid), Ok(8.0)]);
}

#[test]
fn equal_queries_are_equal_requests_at_any_time() {
    let trigger = asking("up", &[("queryParameters", "a=1,b=2")], &[]);
    let mut requests = Vec::new();
    for now_ms in [0, 1_795_600_000_000] {
        poll_http::<Prometheus>(std::slice::from_ref(&trigger), now_ms, |_, request| {
            requests.push(request.clone());
            answer(200, r#"{"data":{"result":[]}}"#)
        });
    }
    assert_eq!(requests.len(), 2);
    assert_eq!(requests[0], requests[1]);
}

#[test]
fn the_timeout_is_the_users() {
    for (text, expected) in
        [("1500", Some(Duration::from_millis(1_500))), ("2s", Some(Duration::from_secs(2))), ("0", None), ("", None)]
    {
        let mut asked = Vec::new();
        poll_http::<Prometheus>(&[asking("up", &[("timeout", text)], &[])], 0, |_, request| {
            asked.push(request.timeout);
            answer(503, "")
        });
        assert_eq!(asked, [expected], "{text}");
    }
}

#[test]
fn tls_is_what_the_user_says() {
    let tls = |more: &[(&str, &str)], authentication: &[(&str, &str)]| {
        let plan = configure::<Prometheus>(&asking("up", more, authentication)).unwrap();
        let tls = plan.endpoints[0].tls.clone().unwrap();
        (tls.verify, tls.ca, tls.certificate, tls.key)
    };
    let some = |name: &str| Some(name.to_owned());
    let given = [("ca", "A"), ("cert", "C"), ("key", "K")];
    assert_eq!(tls(&[], &[]), (true, None, None, None));
    assert_eq!(tls(&[("unsafeSsl", "true")], &[]), (false, None, None, None));
    assert_eq!(tls(&[], &given), (true, some("ca"), None, None));
    assert_eq!(tls(&[("authModes", "tls")], &given), (true, some("ca"), some("cert"), some("key")));
}

#[test]
fn a_pod_identity_is_refused() {
    let mut trigger = asking("up", &[], &[]);
    for (identity, part) in [
        (Some("aws"), "not signed"),
        (Some("aws-eks"), "not signed"),
        (Some("azure-workload"), "to Azure"),
        (Some("gcp"), "to Google Cloud"),
    ] {
        trigger.identity = identity.map(str::to_owned);
        let problems = configure::<Prometheus>(&trigger).unwrap_err();
        assert_eq!(problems.len(), 1);
        assert_eq!(problems[0].parameter.as_deref(), Some("podIdentity"));
        assert!(problems[0].message.contains(part), "{}", problems[0].message);
    }
    for identity in [None, Some("none")] {
        trigger.identity = identity.map(str::to_owned);
        assert!(configure::<Prometheus>(&trigger).is_ok());
    }
}

#[test]
fn many_elements_are_counted() {
    let answered =
        format!(r#"{{"data":{{"result":[{}{{}}]}}}}"#, r#"{"metric":{"a":"b"},"value":[1,"1"]},"#.repeat(20_000));
    let outcomes = poll_http::<Prometheus>(&[asking("up", &[], &[])], 0, |_, request| {
        assert_eq!(request.max_body, 1 << 20);
        answer(200, &answered)
    });
    assert!(matches!(&outcomes[0], Outcome::Failed(failure) if failure.message.contains("20001 elements")));
}

#[test]
fn declares_what_keda_documents() {
    let info = describe::<Prometheus>();
    assert_eq!(info.triggers, ["prometheus"]);
    let required: Vec<_> = info.parameters.iter().filter(|p| p.required).map(|p| &*p.name).collect();
    assert_eq!(required, ["serverAddress", "query", "threshold"]);
    let names: Vec<_> = info.parameters.iter().map(|parameter| &*parameter.name).collect();
    for name in [
        "activationThreshold",
        "namespace",
        "queryParameters",
        "customHeaders",
        "ignoreNullValues",
        "unsafeSsl",
        "timeout",
        "authModes",
        "awsRegion",
        "identityOwner",
    ] {
        assert!(names.contains(&name), "{name}");
    }
}
