//! What a scaler is.
use crate::bindings::windlass::scaler::types::Batch;
use crate::{Failure, Outcome, Parameters, Plan, Problem, Trigger, Values};

/// An event source. One type, without values of its own: whatever a query needs stands in its parameters.
pub trait Scaler: Sized + 'static {
    /// Its name.
    const NAME: &'static str;
    /// The trigger types that it answers to.
    const TRIGGERS: &'static [&'static str] = &[Self::NAME];
    /// Capabilities beyond the usual: `learn` for endpoints that the source names, `owner` to know the object.
    const NEEDS: &'static [&'static str] = &[];
    /// Metadata that is not declared is handed over too, in the trigger's `extras`.
    const OPEN_ENDED: bool = false;
    /// What users write.
    type Parameters: Parameters;
    /// How it learns its values: [`Local`](crate::Local), [`Http`](crate::Http) or [`Tcp`](crate::Tcp).
    type Transport: Transport<Self>;

    /// Makes a plan of a trigger. Pure: no host call works here. Rules across parameters are checked here.
    ///
    /// # Errors
    /// All problems at once; see [`problem`](crate::problem).
    fn configure(parameters: &Self::Parameters, trigger: &Trigger) -> Result<Plan, Vec<Problem>>;
}

/// A way to answer a batch. Implemented by the SDK alone.
pub trait Transport<S: Scaler> {
    /// Answers the queries of a batch through the host.
    #[doc(hidden)]
    fn poll(batch: &Batch, put: &mut dyn FnMut(u32, Outcome));
}

/// What a query may know beside its parameters.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// Wall time of the batch, in milliseconds since 1970.
    pub now_ms: u64,
    /// The trigger.
    pub trigger: &'a Trigger,
    /// What this query left last time, or empty.
    pub state: &'a [u8],
}

/// Reads the parameters of each query and tells those that do not fit; the others are left to be asked.
pub(crate) fn members<'a, S: Scaler>(
    batch: &'a Batch,
    put: &mut dyn FnMut(u32, Outcome),
) -> Vec<(u32, S::Parameters, Context<'a>)> {
    let mut members = Vec::with_capacity(batch.queries.len());
    for (index, query) in (0..).zip(&batch.queries) {
        match S::Parameters::read(&Values::of(&query.trigger)) {
            Ok(parameters) => {
                let context = Context { now_ms: batch.now_ms, trigger: &query.trigger, state: &query.state };
                members.push((index, parameters, context));
            }
            Err(problems) => put(index, Outcome::Failed(Failure::invalid(describe(&problems)))),
        }
    }
    members
}

/// Problems as one text.
fn describe(problems: &[Problem]) -> String {
    let one = |problem: &Problem| match &problem.parameter {
        Some(parameter) => format!("{parameter}: {}", problem.message),
        None => problem.message.clone(),
    };
    problems.iter().map(one).collect::<Vec<_>>().join("; ")
}

/// An answer as the contract's outcome.
pub(crate) fn outcome(answer: Result<crate::Reading, Failure>) -> Outcome {
    match answer {
        Ok(reading) => Outcome::Ready(reading),
        Err(failure) => Outcome::Failed(failure),
    }
}
