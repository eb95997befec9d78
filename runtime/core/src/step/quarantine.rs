//! Events about quarantines: one when a trigger is put aside, one when it answers again.
use crate::failure::Reason;
use crate::key::Text;
use crate::message::Out;
use crate::quarantine::{Quarantine, Scope};
use crate::schedule::Schedule;
use crate::tracked::Tracked;

impl Tracked {
    /// Tells what is new since this was last asked. A trigger that changed or is asked no more goes without a word.
    pub(super) fn tell_quarantines(&mut self, schedule: &Schedule, out: &mut Out) {
        let mut held = Vec::new();
        for (position, id) in self.asked.iter().enumerate() {
            let Some((id, poll)) = id.and_then(|id| Some((id, schedule.get(id)?))) else { continue };
            let was = self.held.contains(&id);
            match &poll.trouble.quarantine {
                Some(quarantine) => {
                    held.push(id);
                    if !was {
                        let failure = poll.trouble.failure.as_ref().map(ToString::to_string).unwrap_or_default();
                        self.tell(reason(quarantine), self.entered(position, quarantine, &failure), out);
                    }
                }
                None if was => {
                    let text = format!("{} answers again and is not quarantined any more", self.named(position));
                    self.tell(Reason::KEDAScalersStarted, text.into(), out);
                }
                None => {}
            }
        }
        self.held = held;
    }

    fn entered(&self, position: usize, quarantine: &Quarantine, failure: &str) -> Text {
        format!("{}: {failure} ({quarantine})", self.named(position)).into()
    }

    /// `Trigger 0 (cron)`
    fn named(&self, position: usize) -> String {
        let triggers = self.workload.as_ref().map(|workload| workload.declared.triggers.as_slice());
        match triggers.and_then(|triggers| triggers.get(position)) {
            Some(trigger) => format!("Trigger {} ({})", trigger.index, trigger.kind),
            None => format!("Trigger {position}"),
        }
    }
}

/// A query that a component cannot bear is a failing trigger; a component that bears none is not available.
fn reason(quarantine: &Quarantine) -> Reason {
    match quarantine.scope {
        Scope::Query => Reason::KEDAScalerFailed,
        Scope::Namespace | Scope::Component => Reason::ComponentUnavailable,
    }
}
