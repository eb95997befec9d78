//! The cases beside this crate's sources, and a batch.
use std::collections::BTreeMap;
use windlass_scaler_metrics_api::MetricsApi;
use windlass_sdk::http::Response;
use windlass_sdk::testing::{configure, describe, poll_http, run_cases, trigger};
use windlass_sdk::{Failure, FailureKind, Outcome, Secrecy, Trigger};

#[test]
fn cases() {
    run_cases::<MetricsApi>(env!("CARGO_MANIFEST_DIR"));
}

#[allow(clippy::unwrap_used, reason = "this is how a test fails")]
fn of(path: &str, format: &str, location: &str) -> Trigger {
    let url = format!("http://shop:8080{path}");
    let metadata = [("url", &*url), ("format", format), ("valueLocation", location), ("targetValue", "5")];
    trigger::<MetricsApi>(&metadata, &[]).unwrap()
}

/// A batch of good and bad queries, each answered by its own answer alone, and in its own place.
#[test]
fn one_bad_query_fails_alone() {
    let answers: BTreeMap<&str, Result<&str, Failure>> = BTreeMap::from([
        ("/json", Ok(r#"{"a": [{"n": 1}, {"n": 2}]}"#)),
        ("/yaml", Ok("a:\n  n: 3\n")),
        ("/xml", Ok("<a><n>4</n></a>")),
        ("/metrics", Ok("a{n=\"x\"} 5\n")),
        ("/html", Ok("<html></html>")),
        ("/deep", Ok("[[[[[[[[[[")),
        ("/down", Err(Failure::unreachable("connection refused"))),
    ]);
    let mut unreadable = of("/json", "json", "a");
    unreadable.values.iter_mut().find(|value| value.name == "valueLocation").unwrap().text = Some("[a]".to_owned());
    let triggers = [
        of("/json", "json", "a.1.n"),
        of("/html", "json", "a"),
        of("/yaml", "yaml", "a.n"),
        of("/down", "json", "a"),
        of("/xml", "xml", "a.n"),
        unreadable,
        of("/metrics", "prometheus", "a{n=\"x\"}"),
        of("/deep", "json", "a"),
        of("/json", "json", "a.#"),
    ];
    let mut asked = Vec::new();
    let outcomes = poll_http::<MetricsApi>(&triggers, 0, |query, request| {
        asked.push((query, request.target.clone()));
        let body = answers[&*request.target].clone()?;
        Ok(Response { status: 200, headers: Vec::new(), body: body.as_bytes().to_vec() })
    });
    assert_eq!(asked.len(), triggers.len());
    let told: Vec<Result<f64, FailureKind>> = outcomes
        .iter()
        .map(|outcome| match outcome {
            Outcome::Ready(reading) => Ok(reading.values[0]),
            Outcome::Failed(failure) => Err(failure.kind),
            Outcome::Pending(_) => panic!("pending"),
        })
        .collect();
    assert_eq!(
        told,
        [
            Ok(2.0),
            Err(FailureKind::BadResponse),
            Ok(3.0),
            Err(FailureKind::Unreachable),
            Ok(4.0),
            Err(FailureKind::Invalid),
            Ok(5.0),
            Err(FailureKind::BadResponse),
            Ok(2.0),
        ]
    );
}

#[test]
fn an_answer_that_is_no_text_fails() {
    let outcomes = poll_http::<MetricsApi>(&[of("/", "json", "a")], 0, |_, _| {
        Ok(Response { status: 200, headers: Vec::new(), body: vec![0x1f, 0x8b, 0xff] })
    });
    assert!(matches!(&outcomes[0], Outcome::Failed(failure) if failure.kind == FailureKind::BadResponse));
}

#[test]
fn timeouts_and_tls_are_handed_over() {
    let timeout = |text: &str| {
        let metadata = [("url", "https://shop"), ("valueLocation", "a"), ("targetValue", "5"), ("timeout", text)];
        let mut timeout = None;
        poll_http::<MetricsApi>(&[trigger::<MetricsApi>(&metadata, &[]).unwrap()], 0, |_, request| {
            timeout = request.timeout;
            Err(Failure::timeout("late"))
        });
        timeout.map(|timeout| timeout.as_millis())
    };
    assert_eq!([timeout("1000"), timeout("2s"), timeout("0")], [Some(1_000), Some(2_000), None]);

    let tls = |modes: &str, unsafe_ssl: &str| {
        let metadata = [
            ("url", "https://shop/stats"),
            ("valueLocation", "a"),
            ("targetValue", "5"),
            ("unsafeSsl", unsafe_ssl),
            ("authMode", modes),
        ];
        let authentication = [("cert", "c"), ("key", "k"), ("ca", "a"), ("token", "t")];
        let plan = configure::<MetricsApi>(&trigger::<MetricsApi>(&metadata, &authentication).unwrap()).unwrap();
        let tls = plan.endpoints[0].tls.clone().unwrap();
        (tls.verify, tls.ca, tls.certificate, tls.key)
    };
    let name = |name: &str| Some(name.to_owned());
    assert_eq!(tls("tls", "false"), (true, name("ca"), name("cert"), name("key")));
    assert_eq!(tls("bearer", "true"), (false, name("ca"), None, None));
}

#[test]
fn declares_what_keda_documents() {
    let info = describe::<MetricsApi>();
    assert_eq!(info.triggers, ["metrics-api"]);
    let required: Vec<_> = info.parameters.iter().filter(|parameter| parameter.required).map(|p| &*p.name).collect();
    assert_eq!(required, ["targetValue", "url", "valueLocation"]);
    let initial = |name: &str| {
        info.parameters.iter().find(|parameter| parameter.name == name).unwrap().initial.clone().unwrap_or_default()
    };
    let names =
        ["activationTargetValue", "format", "unsafeSsl", "aggregateFromKubeServiceEndpoints", "aggregationType"];
    assert_eq!(names.map(initial), ["0", "json", "false", "false", "average"]);
    // No secret is revealed to this component.
    assert!(info.parameters.iter().all(|parameter| parameter.secrecy != Secrecy::Revealed));
}
