//! An object on its way out: its target gets back the replicas it had, when asked for; then the finalizer goes.
use crate::failure::Reason;
use crate::message::Out;
use crate::time::Now;
use crate::tracked::Tracked;
use crate::write::TargetSeen;

impl Tracked {
    pub(super) fn release(&mut self, now: Now, out: &mut Out) {
        let Some(mut deleting) = self.deleting else { return };
        if !deleting.restored {
            deleting.restored = now.mono >= deleting.deadline || self.restore(now, out);
        }
        let held = self.stored.record.as_ref().is_some_and(|record| record.finalizer);
        if deleting.restored && held {
            let sent = self.write_meta(false, now, out);
            if sent && !deleting.told {
                deleting.told = true;
                self.tell(Reason::ScaledObjectDeleted, "ScaledObject was deleted".into(), out);
            }
        }
        self.deleting = Some(deleting);
    }

    /// Whether nothing is left to restore.
    fn restore(&mut self, now: Now, out: &mut Out) -> bool {
        let Some(declared) = self.workload.as_ref().map(|workload| workload.declared.clone()) else { return true };
        let Some(original) = self.stored.record.as_ref().and_then(|record| record.status.original_replicas) else {
            return true;
        };
        if !declared.restore_original {
            return true;
        }
        match &self.stored.target {
            Some(TargetSeen::Found { spec, .. }) if *spec != original => {
                self.send_scale(declared.target.clone(), original, "as before the ScaledObject", now, out);
                false
            }
            Some(TargetSeen::Found { .. } | TargetSeen::Missing) => true,
            // Not known yet: until the deadline it may become so.
            Some(TargetSeen::Unreadable(_)) | None => false,
        }
    }
}
