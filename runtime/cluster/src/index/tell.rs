//! What the API server holds about an object: told to the core when it has changed.
use super::target::Known;
use super::{Index, Output};
use windlass_core::write::{HpaSeen, RecordSeen, TargetSeen};
use windlass_core::{Msg, Seen, WorkloadKey};

/// What was told last.
#[derive(Debug, Default)]
pub(super) struct Told {
    pub(super) record: Option<RecordSeen>,
    hpa: Option<Option<HpaSeen>>,
    target: Option<TargetSeen>,
    pub(super) strangers: Vec<String>,
}

impl Index {
    /// Tells what is new about an object's record, HPA and target.
    pub(super) fn tell(&mut self, key: &WorkloadKey) {
        let Some(row) = self.objects.get(key) else { return };
        let record = row.record.clone();
        let hpa = self.hpa_of(key);
        let target = self.entries.get(key).and_then(|entry| entry.uses.target.clone());
        let target = target.and_then(|(target, _)| match self.target_seen(&target) {
            Known::Yes(seen) => Some(seen),
            Known::NotYet => None,
        });
        let Some(entry) = self.entries.get_mut(key) else { return };
        if entry.told.record.as_ref() != Some(&record) {
            entry.told.record = Some(record.clone());
            self.out.push(Output::Seen(Msg::Seen(key.clone(), Seen::Record(record))));
        }
        if let Some(hpa) = hpa
            && entry.told.hpa.as_ref() != Some(&hpa)
        {
            entry.told.hpa = Some(hpa.clone());
            self.out.push(Output::Seen(Msg::Seen(key.clone(), Seen::Hpa(hpa))));
        }
        if let Some(target) = target
            && entry.told.target.as_ref() != Some(&target)
        {
            entry.told.target = Some(target.clone());
            self.out.push(Output::Seen(Msg::Seen(key.clone(), Seen::Target(target))));
        }
    }

    /// The object's HPA: the one that its status names as long as that is its own, since a new one is made only once the
    /// old one is deleted; else the one of the name that it wants. Outer `None`: not known, since the object says no name.
    fn hpa_of(&self, key: &WorkloadKey) -> Option<Option<HpaSeen>> {
        let row = self.objects.get(key)?;
        let find =
            |name: &windlass_core::Text| self.hpas.get(&(key.namespace.clone(), name.clone())).map(|row| &row.seen);
        let wanted = row.lowered.as_ref().ok().map(|declared| &declared.hpa.name);
        let named = row.record.status.hpa_name.as_ref();
        let own = named.and_then(find).filter(|hpa| hpa.owner.as_ref() == Some(&row.uid));
        let seen = own.or_else(|| wanted.and_then(find)).cloned();
        (wanted.is_some() || named.is_some()).then_some(seen)
    }
}
