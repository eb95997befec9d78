//! What a workload's replicas should be, from what is known about it. Pure: the same facts give the same decision, live,
//! simulated and tested.
//!
//! The order of the rules is KEDA's `RequestScale`, but for one thing: what is unknown changes nothing. There, a trigger
//! that fails counts as inactive as soon as another one works.
mod because;
mod direct;
mod reading;
#[cfg(test)]
mod tests;

pub use because::Because;
pub use reading::{Activity, Reading, activity, metric_active};

use crate::algorithm;
use crate::failure::Fault;
use crate::time::{Now, Wall};
use crate::workload::{Behavior, Engine, Hold, Workload};
use crate::write::TargetSeen;
use std::time::Duration;

/// All that a decision may look at.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// The workload.
    pub workload: &'a Workload,
    /// What its triggers say, one each, same order.
    pub readings: &'a [Reading<'a>],
    /// Why the object as a whole must be left alone, whatever its triggers say.
    pub fault: Option<&'a Fault>,
    /// Its target; `None`: not seen yet.
    pub target: Option<&'a TargetSeen>,
    /// What was stored about its past is known. Without it nothing is scaled in: the cooldown may not be over.
    pub past_known: bool,
    /// What earlier decisions left.
    pub memory: &'a Memory,
    /// The HPA's behaviour, for the direct engine.
    pub behavior: Option<&'a Behavior>,
    /// The flags of the direct engine.
    pub flags: algorithm::Flags,
    /// Cooldowns go by the wall clock, windows by the other.
    pub now: Now,
}

/// What one decision leaves to the next.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Memory {
    /// When it was last known to be active.
    pub last_active: Option<Wall>,
    /// For how long since then nothing was known: the cooldown clock stands still meanwhile.
    pub held: Duration,
    /// Since when nothing is known.
    pub unknown_since: Option<Wall>,
    /// The direct engine's memory.
    pub algorithm: algorithm::Memory,
}

/// What was decided.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    /// Scale to this; `None`: leave as it is.
    pub replicas: Option<u32>,
    /// What the triggers say together.
    pub activity: Activity,
    /// Nothing but time changes the decision then.
    pub wake: Option<Wall>,
    /// Why.
    pub because: Because,
    /// For the next decision.
    pub memory: Memory,
}

/// Decides.
pub fn decide(facts: &Facts<'_>) -> Decision {
    let activity = activity(facts.readings);
    let force = facts.workload.declared.force_active;
    let mut memory = remember(facts, activity, force);
    let mut chosen = choose(facts, activity, &memory);
    if facts.workload.declared.engine == Engine::Direct
        && chosen.because.leaves_it_to_the_engine()
        && let Some((desired, because)) = direct::recommend(facts, &mut memory.algorithm)
    {
        let scaled = matches!(facts.target, Some(TargetSeen::Found { spec, .. }) if *spec != desired);
        if scaled || chosen.because == Because::Active {
            chosen = Chosen { replicas: scaled.then_some(desired), wake: chosen.wake, because };
        }
    }
    Decision { replicas: chosen.replicas, activity, wake: chosen.wake, because: chosen.because, memory }
}

/// How the memory goes on. Time in which nothing is known does not count as time without events.
fn remember(facts: &Facts<'_>, activity: Activity, force: bool) -> Memory {
    let mut memory = facts.memory.clone();
    if facts.workload.declared.pause.all.is_some() {
        return memory;
    }
    if activity == Activity::Active || force {
        return Memory { last_active: Some(facts.now.wall), held: Duration::ZERO, unknown_since: None, ..memory };
    }
    match (activity, memory.unknown_since) {
        (Activity::Unknown, None) => memory.unknown_since = Some(facts.now.wall),
        (Activity::Inactive, Some(since)) => {
            memory.held += between(since, facts.now.wall);
            memory.unknown_since = None;
        }
        _ => {}
    }
    memory
}

struct Chosen {
    replicas: Option<u32>,
    wake: Option<Wall>,
    because: Because,
}

impl Chosen {
    fn leave(because: Because) -> Chosen {
        Chosen { replicas: None, wake: None, because }
    }

    fn scale(to: u32, because: Because) -> Chosen {
        Chosen { replicas: Some(to), wake: None, because }
    }
}

fn choose(facts: &Facts<'_>, activity: Activity, memory: &Memory) -> Chosen {
    let declared = &*facts.workload.declared;
    let bounds = declared.bounds;
    if let Some(fault) = facts.fault {
        return Chosen::leave(Because::Fault(fault.message.clone()));
    }
    let current = match facts.target {
        None => return Chosen::leave(Because::TargetNotSeen),
        Some(TargetSeen::Missing) => return Chosen::leave(Because::TargetMissing),
        Some(TargetSeen::Unreadable(text)) => return Chosen::leave(Because::TargetUnreadable(text.clone())),
        Some(TargetSeen::Found { spec, .. }) => *spec,
    };
    match declared.pause.all {
        Some(Hold::At(to)) if to != current => return Chosen::scale(to, Because::PausedAt { from: current, to }),
        Some(Hold::At(_)) | Some(Hold::Here) => return Chosen::leave(Because::Paused),
        None => {}
    }
    // What we cannot do we do not touch.
    if let Some(fault) = facts.readings.iter().find_map(Reading::fault) {
        return Chosen::leave(Because::Fault(fault.message.clone()));
    }
    if activity == Activity::Active || declared.force_active {
        let asleep = current == 0 || (bounds.idle.is_some() && current < bounds.min);
        let to = bounds.min.max(1);
        return match (asleep, declared.pause.scale_out) {
            (true, true) => Chosen::leave(Because::ScaleOutPaused),
            (true, false) if activity == Activity::Active => {
                Chosen::scale(to, Because::Activated { trigger: reading::first_active(facts), from: current, to })
            }
            (true, false) => Chosen::scale(to, Because::Forced { from: current, to }),
            (false, _) => Chosen::leave(Because::Active),
        };
    }
    match activity {
        Activity::Waiting => Chosen::leave(Because::Waiting),
        Activity::Unknown => Chosen::leave(Because::Unknown { trigger: reading::first_unknown(facts) }),
        _ => rest(facts, current, memory),
    }
}

/// No trigger is active, and that is known.
fn rest(facts: &Facts<'_>, current: u32, memory: &Memory) -> Chosen {
    let declared = &*facts.workload.declared;
    let bounds = declared.bounds;
    let floor = match bounds.idle {
        Some(idle) if current > idle => Some(idle),
        _ if current > 0 && bounds.min == 0 => Some(bounds.idle.unwrap_or(0)),
        _ => None,
    };
    if let Some(to) = floor.filter(|to| *to != current) {
        if !facts.past_known {
            return Chosen::leave(Because::Waiting);
        }
        let over = cooldown_end(facts, memory);
        if facts.now.wall <= over {
            // Over when strictly past.
            let wake = Some(Wall(over.0.saturating_add(1)));
            return Chosen { replicas: None, wake, because: Because::Cooldown { until: over, to } };
        }
        if declared.pause.scale_in {
            return Chosen::leave(Because::ScaleInPaused);
        }
        return Chosen::scale(to, Because::Deactivated { from: current, to });
    }
    if bounds.idle.is_none() && current < bounds.min {
        return Chosen::scale(bounds.min, Because::BelowMinimum { from: current, to: bounds.min });
    }
    Chosen::leave(Because::AtRest)
}

/// When the cooldown is over: after the last activity, or after the creation of what was never active.
fn cooldown_end(facts: &Facts<'_>, memory: &Memory) -> Wall {
    let declared = &*facts.workload.declared;
    match memory.last_active {
        Some(at) => at + declared.cooldown + memory.held,
        None => declared.created + declared.initial_cooldown,
    }
}

fn between(earlier: Wall, later: Wall) -> Duration {
    Duration::from_millis(u64::try_from(later.0.saturating_sub(earlier.0)).unwrap_or(0))
}
