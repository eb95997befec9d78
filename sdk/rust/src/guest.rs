//! The contract's exports, for any scaler. [`export_scaler!`](crate::export_scaler) calls these.
use crate::bindings::windlass::scaler::types::{Batch, Info};
use crate::bindings::windlass::scaler::{report, types};
use crate::{Parameters, Plan, Problem, Scaler, Transport, Trigger, Values};

/// `describe`.
pub fn describe<S: Scaler>(version: &str) -> Info {
    let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    types::Info {
        name: S::NAME.to_owned(),
        version: version.to_owned(),
        triggers: owned(S::TRIGGERS),
        parameters: S::Parameters::declare(),
        open_ended: S::OPEN_ENDED,
        needs: owned(S::NEEDS),
    }
}

/// `configure`.
pub fn configure<S: Scaler>(triggers: &[Trigger]) -> Vec<Result<Plan, Vec<Problem>>> {
    let one = |trigger: &Trigger| S::configure(&S::Parameters::read(&Values::of(trigger))?, trigger);
    triggers.iter().map(one).collect()
}

/// `poll`.
pub fn poll<S: Scaler>(batch: &Batch) {
    S::Transport::poll(batch, &mut |query, outcome| report::put(query, &outcome));
}
