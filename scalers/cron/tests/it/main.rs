//! The cases beside this crate's sources, and a batch.
use windlass_scaler_cron::Cron;
use windlass_sdk::Outcome;
use windlass_sdk::testing::{describe, parse_ms, poll_local, run_cases, trigger};

#[test]
fn cases() {
    run_cases::<Cron>(env!("CARGO_MANIFEST_DIR"));
}

#[test]
fn a_query_that_cannot_work_fails_alone() {
    let window = [("start", "0 8 * * *"), ("end", "0 18 * * *"), ("timezone", "UTC"), ("desiredReplicas", "5")];
    let good = trigger::<Cron>(&window, &[]).unwrap();
    let mut bad = good.clone();
    bad.values[2].text = Some("Mars/Olympus".to_owned());
    let outcomes = poll_local::<Cron>(&[good.clone(), bad, good], parse_ms("2026-07-01T12:00:00Z").unwrap());
    assert!(matches!(&outcomes[1], Outcome::Failed(failure) if failure.message.contains("timezone")));
    for outcome in [&outcomes[0], &outcomes[2]] {
        assert!(matches!(outcome, Outcome::Ready(reading) if reading.values == [5.0]));
    }
}

#[test]
fn declares_what_keda_documents() {
    let info = describe::<Cron>();
    assert_eq!(info.triggers, ["cron"]);
    let names: Vec<_> = info.parameters.iter().map(|parameter| (&*parameter.name, parameter.required)).collect();
    assert_eq!(names, [("start", true), ("end", true), ("timezone", true), ("desiredReplicas", true)]);
}
