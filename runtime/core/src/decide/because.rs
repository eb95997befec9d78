//! Why a decision is what it is, for people.
use crate::key::Text;
use crate::time::Wall;
use std::fmt;

/// The rule that decided, with its inputs.
#[derive(Clone, Debug, PartialEq)]
pub enum Because {
    /// The object, or one of its triggers, cannot be served; nothing is touched.
    Fault(Text),
    /// The target's replicas have not been seen yet.
    TargetNotSeen,
    /// There is no target.
    TargetMissing,
    /// The target cannot be read.
    TargetUnreadable(Text),
    /// Paused at the replicas it has.
    Paused,
    /// Paused at a number of replicas.
    PausedAt {
        /// Replicas now.
        from: u32,
        /// Replicas wanted.
        to: u32,
    },
    /// Not all triggers have answered for the first time.
    Waiting,
    /// It is not known whether there is work.
    Unknown {
        /// The first trigger that is not known.
        trigger: Option<u16>,
    },
    /// A trigger is active and the target is asleep.
    Activated {
        /// The first active trigger.
        trigger: Option<u16>,
        /// Replicas now.
        from: u32,
        /// Replicas wanted.
        to: u32,
    },
    /// As before, by annotation.
    Forced {
        /// Replicas now.
        from: u32,
        /// Replicas wanted.
        to: u32,
    },
    /// There is work, and the engine for 1..N is at it.
    Active,
    /// The target is asleep and may not be woken.
    ScaleOutPaused,
    /// There is no work, but the cooldown is not over.
    Cooldown {
        /// When it is.
        until: Wall,
        /// Replicas wanted then.
        to: u32,
    },
    /// There is no work and the cooldown is over, but the target may not be put to sleep.
    ScaleInPaused,
    /// There is no work and the cooldown is over.
    Deactivated {
        /// Replicas now.
        from: u32,
        /// Replicas wanted.
        to: u32,
    },
    /// There are fewer replicas than the minimum.
    BelowMinimum {
        /// Replicas now.
        from: u32,
        /// Replicas wanted.
        to: u32,
    },
    /// There is no work and nothing to do.
    AtRest,
    /// The direct engine's own account.
    Recommended(Text),
}

impl Because {
    /// Whether the replicas from 1 to N are the engine's business now: the target is awake, or rests above zero.
    pub(super) fn leaves_it_to_the_engine(&self) -> bool {
        matches!(
            self,
            Because::Active
                | Because::AtRest
                | Because::Cooldown { .. }
                | Because::ScaleInPaused
                | Because::Unknown { .. }
        )
    }
}

impl fmt::Display for Because {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Because::Fault(message) => write!(f, "left as it is: {message}"),
            Because::TargetNotSeen => f.write_str("waiting for the target"),
            Because::TargetMissing => f.write_str("there is no target"),
            Because::TargetUnreadable(text) => write!(f, "the target cannot be read: {text}"),
            Because::Paused => f.write_str("paused"),
            Because::PausedAt { from, to } => write!(f, "{from} → {to}, paused there"),
            Because::Waiting => f.write_str("waiting for the first values"),
            Because::Unknown { trigger: Some(trigger) } => write!(f, "held: trigger {trigger} is not known"),
            Because::Unknown { trigger: None } => f.write_str("held: not known whether there is work"),
            Because::Activated { trigger: Some(trigger), from, to } => {
                write!(f, "{from} → {to}, trigger {trigger} is active")
            }
            Because::Activated { trigger: None, from, to } => write!(f, "{from} → {to}, active"),
            Because::Forced { from, to } => write!(f, "{from} → {to}, activation is forced"),
            Because::Active => f.write_str("active"),
            Because::ScaleOutPaused => f.write_str("active, but scaling out is paused"),
            Because::Cooldown { to, .. } => write!(f, "cooling down before {to}"),
            Because::ScaleInPaused => f.write_str("inactive, but scaling in is paused"),
            Because::Deactivated { from, to } => write!(f, "{from} → {to}, the cooldown is over"),
            Because::BelowMinimum { from, to } => write!(f, "{from} → {to}, the minimum"),
            Because::AtRest => f.write_str("inactive"),
            Because::Recommended(text) => f.write_str(text),
        }
    }
}
