//! Batches that ask nobody.
use windlass_sdk::testing::{poll_local, trigger};
use windlass_sdk::{
    Context, Failure, FailureKind, Local, LocalScaler, Outcome, Parameters, Plan, Problem, Reading, Scaler, Trigger,
};

struct Clock;

#[derive(Parameters)]
struct Wanted {
    /// A number.
    number: i32,
}

impl Scaler for Clock {
    const NAME: &'static str = "clock";
    type Parameters = Wanted;
    type Transport = Local;

    fn configure(_: &Wanted, _: &Trigger) -> Result<Plan, Vec<Problem>> {
        Ok(Plan::metric("clock", 1.0, 0.0))
    }
}

impl LocalScaler for Clock {
    fn read(parameters: &Wanted, context: &Context<'_>) -> Result<Reading, Failure> {
        match parameters.number {
            0 => Err(Failure::not_found("nothing")),
            number => Ok(Reading::value(f64::from(number)).next_ms(Some(context.now_ms + 1))),
        }
    }
}

#[test]
fn one_bad_query_fails_alone() {
    let with = |number: &str| trigger::<Clock>(&[("number", number)], &[]).unwrap();
    let mut bad = with("3");
    bad.values[0].text = Some("three".into());
    let outcomes = poll_local::<Clock>(&[with("5"), bad, with("0")], 10);
    assert!(matches!(&outcomes[0], Outcome::Ready(reading) if reading.values == [5.0] && reading.next_ms == Some(11)));
    assert!(
        matches!(&outcomes[1], Outcome::Failed(failure) if failure.kind == FailureKind::Invalid && failure.message.starts_with("number: "))
    );
    assert!(matches!(&outcomes[2], Outcome::Failed(failure) if failure.kind == FailureKind::NotFound));
}

#[test]
fn an_empty_batch_has_no_outcome() {
    assert!(poll_local::<Clock>(&[], 10).is_empty());
}
