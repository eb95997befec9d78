//! The conditions of an object. Reasons and texts are KEDA's, since people and their tools know them; a failure's own
//! words are added to the text and kept until what fails changes, so that no text is written at every tick.
use crate::decide::{Activity, Because, Decision, Reading};
use crate::failure::{FailureKind, Fault, Reason};
use crate::key::Text;
use crate::quarantine::{Quarantine, Scope};
use crate::write::{Condition, Conditions, TargetSeen, Tri};
use std::fmt::Write;

/// A failing trigger.
pub(crate) struct Failing<'a> {
    /// Its index in the object.
    index: u16,
    /// How it failed; `None`: no answer came.
    kind: Option<FailureKind>,
    words: &'a str,
    quarantine: Option<&'a Quarantine>,
}

impl Failing<'_> {
    /// What must change for it to be told anew.
    fn what(&self) -> What {
        (self.index, self.kind, self.quarantine.map(|quarantine| quarantine.scope))
    }
}

type What = (u16, Option<FailureKind>, Option<Scope>);

/// What was last said about failing triggers.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    what: Vec<What>,
    text: Text,
}

/// All that the Ready condition is made of.
pub(crate) struct Health<'a> {
    pub(crate) fault: Option<&'a Fault>,
    pub(crate) target: Option<&'a TargetSeen>,
    pub(crate) readings: &'a [Reading<'a>],
    /// Indices of the triggers in the object.
    pub(crate) indices: &'a [u16],
}

impl Health<'_> {
    /// The triggers that do not work.
    pub(crate) fn failing(&self) -> Vec<Failing<'_>> {
        let indexed = self.indices.iter().zip(self.readings);
        indexed
            .filter(|(_, reading)| reading.failing())
            .map(|(index, reading)| {
                let (kind, words) = match reading.failure() {
                    Some(failure) => (Some(failure.kind), &*failure.message),
                    None => (None, "no value came in time"),
                };
                Failing { index: *index, kind, words, quarantine: reading.quarantine() }
            })
            .collect()
    }

    /// Ready. `told` is what was said last about failing triggers.
    pub(crate) fn ready(&self, told: &mut Option<Told>) -> Condition {
        let failing = self.failing();
        if failing.is_empty() {
            *told = None;
        }
        if let Some(fault) = self.fault {
            return Condition::new(Tri::No, fault.reason, fault.message.clone());
        }
        if let Some(condition) = self.unusable() {
            return condition;
        }
        match self.target {
            Some(TargetSeen::Missing) => {
                let text = "the scale target does not exist: create it, or correct spec.scaleTargetRef";
                return Condition::new(Tri::No, Reason::TargetNotFound, text);
            }
            Some(TargetSeen::Unreadable(text)) => {
                return Condition::new(Tri::No, Reason::ErrorGettingCurrentReplicas, text.clone());
            }
            _ => {}
        }
        if failing.is_empty() {
            let text = "ScaledObject is defined correctly and is ready for scaling";
            return Condition::new(Tri::Yes, Reason::ScaledObjectReady, text);
        }
        let asked = self.readings.iter().filter(|reading| reading.asks()).count();
        let (status, reason, start) = if failing.len() == asked {
            // The component is at fault, and not one trigger that it cannot bear.
            let component = |failing: &Failing<'_>| failing.quarantine.is_some_and(|q| q.scope > Scope::Query);
            let reason =
                if failing.iter().all(component) { Reason::ComponentUnavailable } else { Reason::TriggerError };
            (Tri::No, reason, "Triggers defined in ScaledObject are not working correctly")
        } else {
            (
                Tri::Unknown,
                Reason::PartialTriggerError,
                "Some triggers defined in ScaledObject are not working correctly",
            )
        };
        Condition::new(status, reason, tell(&failing, start, told))
    }

    fn unusable(&self) -> Option<Condition> {
        let mut faults = self.readings.iter().filter_map(Reading::fault);
        let first = faults.next()?;
        let mut text = first.message.to_string();
        for fault in faults {
            let _ = write!(text, "; {}", fault.message);
        }
        Some(Condition::new(Tri::No, first.reason, text))
    }
}

/// The text about failing triggers: the one told before while the same triggers fail in the same way.
fn tell(failing: &[Failing<'_>], start: &str, told: &mut Option<Told>) -> Text {
    let what: Vec<_> = failing.iter().map(Failing::what).collect();
    if let Some(told) = told
        && told.what == what
        && told.text.starts_with(start)
    {
        return told.text.clone();
    }
    let mut text = start.to_owned();
    for (at, Failing { index, kind, words, quarantine }) in failing.iter().enumerate() {
        let kind = kind.map_or("unknown", FailureKind::as_label);
        let _ = write!(text, "{} trigger {index}: {kind}: {words}", if at == 0 { ":" } else { ";" });
        if let Some(quarantine) = quarantine {
            let _ = write!(text, " ({quarantine})");
        }
    }
    let text: Text = text.into();
    *told = Some(Told { what, text: text.clone() });
    text
}

/// Active: as stored while the first outcomes are awaited, and through a single failed poll (`lasting` is false).
/// `quarantined`: triggers of which nothing is known since they are put aside.
pub(crate) fn active(decision: &Decision, lasting: bool, quarantined: &[u16], stored: Option<&Condition>) -> Condition {
    if let (Because::Paused | Because::PausedAt { .. }, Some(stored)) = (&decision.because, stored) {
        return stored.clone();
    }
    match (decision.activity, stored) {
        (Activity::Active, _) => {
            Condition::new(Tri::Yes, Reason::ScalerActive, "Scaling is performed because triggers are active")
        }
        (Activity::Inactive, _) if matches!(decision.because, Because::Cooldown { .. }) => {
            Condition::new(Tri::No, Reason::ScalerCooldown, "Scaler cooling down because triggers are not active")
        }
        (Activity::Inactive, _) => {
            Condition::new(Tri::No, Reason::ScalerNotActive, "Scaling is not performed because triggers are not active")
        }
        (Activity::Waiting, Some(stored)) => stored.clone(),
        (Activity::Unknown, Some(stored)) if !lasting => stored.clone(),
        (Activity::Waiting, None) | (Activity::Unknown, _) => {
            let mut text = "It is not known whether triggers are active".to_owned();
            for (at, index) in quarantined.iter().enumerate() {
                let _ = write!(text, "{} trigger {index} is quarantined", if at == 0 { ":" } else { "," });
            }
            Condition::new(Tri::Unknown, Reason::UnknownState, text)
        }
    }
}

/// Paused.
pub(crate) fn paused(paused: bool, stored: Option<&Condition>) -> Condition {
    match (paused, stored) {
        (true, _) => Condition::new(Tri::Yes, Reason::ScaledObjectPaused, "ScaledObject is paused"),
        (false, Some(stored)) if stored.status == Tri::Yes => {
            Condition::new(Tri::No, Reason::ScaledObjectUnpaused, "pause annotation removed for ScaledObject")
        }
        (false, Some(stored)) if stored.status == Tri::No => stored.clone(),
        (false, _) => Condition { status: Tri::No, ..Condition::default() },
    }
}

/// Fallback: never, as long as there is none.
pub(crate) fn fallback() -> Condition {
    Condition::new(Tri::No, Reason::NoFallbackFound, "No fallbacks are active on this scaled object")
}

/// HPAActive: only told once the HPA could not scale for a while (`trouble`), and from then on.
pub(crate) fn hpa_active(seen: Option<&Condition>, trouble: bool, stored: &Conditions) -> Option<Condition> {
    let told = stored.hpa_active.as_ref();
    let Some(seen) = seen else { return told.cloned() };
    match (cannot_scale(seen), told) {
        (true, told) if trouble => {
            let reason = if seen.reason.is_empty() {
                Reason::HPAMetricsUnavailable.as_str().into()
            } else {
                seen.reason.clone()
            };
            // The HPA's words may change at every sync; its reason does not.
            match told {
                Some(told) if told.status == Tri::No && told.reason == reason => Some(told.clone()),
                _ => Some(Condition { status: Tri::No, reason, message: seen.message.clone() }),
            }
        }
        (true, told) => told.cloned(),
        (false, None) => None,
        (false, Some(_)) if &*seen.reason == "ScalingDisabled" => {
            Some(Condition::new(Tri::Yes, Reason::ScalingDisabled, "HPA scaling is disabled: the target is at zero"))
        }
        (false, Some(_)) if seen.status == Tri::Yes => {
            Some(Condition::new(Tri::Yes, Reason::HPAActive, "HPA is able to scale"))
        }
        (false, told) => told.cloned(),
    }
}

/// Whether an HPA says that it cannot scale. At zero replicas it is disabled, which is as it should be.
pub(crate) fn cannot_scale(seen: &Condition) -> bool {
    seen.status == Tri::No && &*seen.reason != "ScalingDisabled"
}
