//! What the triggers say, one by one and together.
use super::Facts;
use crate::algorithm;
use crate::failure::{Failure, Fault};
use crate::milli::Milli;
use crate::quarantine::Quarantine;
use crate::sample::Sample;
use crate::workload::Metric;
use std::time::Duration;

/// What is known from one trigger.
#[derive(Clone, Copy, Debug)]
pub enum Reading<'a> {
    /// Asked for the first time; nothing has come yet.
    Waiting,
    /// There is a value that may be used.
    Known {
        /// The value.
        sample: &'a Sample,
        /// Its metrics.
        metrics: &'a [Metric],
        /// How old it is, when it is not as good as new any more.
        aged: Option<Duration>,
        /// How the last poll failed.
        failure: Option<&'a Failure>,
        /// It is not as good as new, and not for a single failed poll.
        failing: bool,
        /// It is put aside.
        quarantine: Option<&'a Quarantine>,
    },
    /// There was a value, or never one, and there is none that may be used.
    Unknown {
        /// How the last poll failed.
        failure: Option<&'a Failure>,
        /// Not for a single failed poll.
        failing: bool,
        /// It is put aside.
        quarantine: Option<&'a Quarantine>,
    },
    /// `cpu` and `memory`: the HPA's own, or read for the direct engine.
    Resource {
        /// What the pods use.
        known: Option<algorithm::Resource>,
        /// How the last read failed.
        failure: Option<&'a Failure>,
        /// Not for a single failed read.
        failing: bool,
    },
    /// Cannot be asked.
    Unusable(&'a Fault),
}

/// What all triggers say together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activity {
    /// At least one is known to be active.
    Active,
    /// All are known to be inactive.
    Inactive,
    /// None is known to be active and not all are known.
    Unknown,
    /// As before, and nothing has failed: outcomes have not come yet.
    Waiting,
}

/// Whether one metric is active: by the scaler's own word, else by its threshold, which must be passed.
pub fn metric_active(sample: &Sample, value: Milli, metric: &Metric) -> bool {
    sample.active.unwrap_or(value.as_f64() > metric.activation)
}

impl<'a> Reading<'a> {
    /// Whether the trigger is active, when that is known. Resource metrics have no say.
    pub fn active(&self) -> Option<bool> {
        let Reading::Known { sample, metrics, .. } = self else { return None };
        let passed = sample.values.iter().zip(metrics.iter()).any(|(value, metric)| value.as_f64() > metric.activation);
        Some(sample.active.unwrap_or(passed))
    }

    /// Why it cannot be asked.
    pub fn fault(&self) -> Option<&'a Fault> {
        if let Reading::Unusable(fault) = self { Some(fault) } else { None }
    }

    /// Whether people should be told that this trigger does not work. A single failed poll is none of their business:
    /// it changes what is served and decided, but is not written anywhere.
    pub fn failing(&self) -> bool {
        matches!(
            self,
            Reading::Unknown { failing: true, .. }
                | Reading::Known { failing: true, .. }
                | Reading::Resource { failing: true, .. }
        )
    }

    /// Whether somebody is asked: not for what the HPA reads itself.
    pub fn asks(&self) -> bool {
        !matches!(self, Reading::Resource { known: None, failure: None, .. })
    }

    /// How it is put aside, since its component breaks down of it.
    pub fn quarantine(&self) -> Option<&'a Quarantine> {
        match self {
            Reading::Known { quarantine, .. } | Reading::Unknown { quarantine, .. } => *quarantine,
            _ => None,
        }
    }

    /// How its last poll failed.
    pub fn failure(&self) -> Option<&'a Failure> {
        match self {
            Reading::Known { failure, .. } | Reading::Unknown { failure, .. } | Reading::Resource { failure, .. } => {
                *failure
            }
            _ => None,
        }
    }
}

/// Any known active: active. Else any unknown: unknown. An object that has only resource triggers is always active.
pub fn activity(readings: &[Reading<'_>]) -> Activity {
    let mut sum = Activity::Inactive;
    let mut external = 0;
    for reading in readings {
        match reading {
            Reading::Resource { .. } => continue,
            Reading::Waiting if sum != Activity::Unknown => sum = Activity::Waiting,
            Reading::Waiting => {}
            Reading::Unknown { .. } | Reading::Unusable(_) => sum = Activity::Unknown,
            Reading::Known { .. } if reading.active() == Some(true) => return Activity::Active,
            Reading::Known { .. } => {}
        }
        external += 1;
    }
    match (external, readings.is_empty()) {
        (_, true) => Activity::Waiting,
        (0, false) => Activity::Active,
        _ => sum,
    }
}

pub(super) fn first_active(facts: &Facts<'_>) -> Option<u16> {
    position(facts, |reading| reading.active() == Some(true))
}

pub(super) fn first_unknown(facts: &Facts<'_>) -> Option<u16> {
    position(facts, |reading| matches!(reading, Reading::Unknown { .. } | Reading::Unusable(_)))
}

fn position(facts: &Facts<'_>, test: impl Fn(&Reading<'_>) -> bool) -> Option<u16> {
    facts.readings.iter().position(test).and_then(|at| u16::try_from(at).ok())
}
