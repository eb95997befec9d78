//! What each metric asks for, and what follows from all of them.
use super::{Input, Reading, Replicas, Rules};
use crate::workload::{Aim, ScalingRules};

/// How far the ratio of value and target may be off 1 without an effect.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tolerances {
    up: f64,
    down: f64,
}

impl Tolerances {
    /// The controller's, or those of the behaviour.
    pub(super) fn of(rules: &Rules<'_>) -> Tolerances {
        let own = |rules: Option<&ScalingRules>| rules.and_then(|rules| rules.tolerance).map(|t| t.as_f64());
        let up = own(rules.behavior.and_then(|behavior| behavior.scale_up.as_ref()));
        let down = own(rules.behavior.and_then(|behavior| behavior.scale_down.as_ref()));
        let unset = rules.flags.tolerance;
        Tolerances { up: up.unwrap_or(unset), down: down.unwrap_or(unset) }
    }

    pub(super) fn cover(self, ratio: f64) -> bool {
        (1.0 - self.down..=1.0 + self.up).contains(&ratio)
    }
}

/// The highest proposal.
#[derive(Clone, Copy, Debug)]
pub(super) struct Highest {
    /// Replicas.
    pub(super) replicas: u32,
    /// Place of its input.
    pub(super) input: usize,
}

/// The highest proposal of all inputs. `None` when none can be used, or when some cannot and the others would
/// scale down: what is unknown may need the replicas.
pub(super) fn highest(inputs: &[Input], replicas: Replicas, tolerances: Tolerances) -> Option<Highest> {
    let mut highest: Option<Highest> = None;
    let mut missing = false;
    for (place, input) in inputs.iter().enumerate() {
        let proposed = match input {
            Input::External(reading) => propose(reading, replicas, tolerances),
            Input::Resource(resource) => resource.and_then(|resource| resource.propose(replicas.spec, tolerances)),
        };
        let Some(proposed) = proposed else {
            missing = true;
            continue;
        };
        if highest.is_none_or(|highest| proposed > highest.replicas) {
            highest = Some(Highest { replicas: proposed, input: place });
        }
    }
    highest.filter(|highest| !(missing && highest.replicas < replicas.spec))
}

fn propose(reading: &Reading, replicas: Replicas, tolerances: Tolerances) -> Option<u32> {
    let value = reading.value?.0 as f64;
    if reading.target.0 <= 0 {
        return None;
    }
    let target = reading.target.0 as f64;
    match reading.aim {
        // Compared with the replicas that there are, not with those that there should be.
        Aim::Average if tolerances.cover(value / (target * f64::from(replicas.current))) => Some(replicas.current),
        Aim::Average => Some(whole(value / target)),
        Aim::Value if tolerances.cover(value / target) => Some(replicas.spec),
        // The controller refuses to multiply when it finds no pods at all.
        Aim::Value => (replicas.current > 0).then(|| whole(value / target * f64::from(replicas.ready))),
    }
}

/// Rounded up, at most what the API can hold.
pub(super) fn whole(replicas: f64) -> u32 {
    replicas.ceil().clamp(0.0, f64::from(i32::MAX)) as u32
}
