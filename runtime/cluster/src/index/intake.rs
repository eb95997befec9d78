//! From an object and what it refers to, to the intake of the pipeline: handed on when something in it has changed.
use super::target::{Known, TargetKey};
use super::{Entry, Handed, Index, Output, Uses};
use crate::watch::{Change, HpaRow, ObjectRow};
use std::sync::Arc;
use windlass_core::workload::{Declared, Engine, Intake, Material};
use windlass_core::{Fault, IntakeMsg, Reason, WorkloadKey};

impl Index {
    /// An object is new, has changed, or is gone.
    pub(super) fn object_changed(&mut self, key: &WorkloadKey) {
        if !self.based {
            return;
        }
        let row = self.objects.get(key);
        let uid = row.map(|row| row.uid.clone());
        let strangers = row.map(|row| row.strangers.clone()).unwrap_or_default();
        if let Some(entry) = self.entries.get(key)
            && uid.as_ref() != Some(&entry.uid)
        {
            // Gone, or made anew while nobody looked.
            self.let_go(key);
        }
        let Some(uid) = uid else { return };
        let entry = self.entries.entry(key.clone()).or_insert_with(|| Entry { uid, ..Entry::default() });
        if entry.told.strangers != strangers {
            entry.told.strangers.clone_from(&strangers);
            self.out.push(Output::Strangers(key.clone(), strangers));
        }
        self.mark([key.clone()]);
    }

    fn let_go(&mut self, key: &WorkloadKey) {
        self.set_uses(key, Uses::default());
        self.waiting.remove(key);
        let Some(entry) = self.entries.remove(key) else { return };
        if !entry.told.strangers.is_empty() {
            self.out.push(Output::Strangers(key.clone(), Vec::new()));
        }
        if entry.handed.is_some() || entry.told.record.is_some() {
            self.out.push(Output::Intake(IntakeMsg::Gone(key.clone())));
        }
    }

    /// Works out what is to be handed on about an object.
    pub(super) fn work_out(&mut self, key: &WorkloadKey) {
        self.waiting.remove(key);
        let Some(row) = self.objects.get(key).cloned() else { return };
        let handed = self.entries.get(key).and_then(|entry| entry.handed.as_ref());
        if matches!(handed, Some(Handed::Deleting)) {
            return self.tell(key);
        }
        if row.deleting && handed.is_some() {
            self.hand(&row, Handed::Deleting);
            return self.tell(key);
        }
        match row.lowered.clone() {
            Ok(declared) => match self.intake(&row, &declared) {
                Known::Yes(intake) => self.hand(&row, Handed::Put(Box::new(intake))),
                Known::NotYet => {
                    self.waiting.insert(key.clone());
                }
            },
            // What it claimed while it was right stays claimed: its HPA is still there.
            Err(fault) => {
                self.keep_hpa_in_sight(&row);
                self.hand(&row, Handed::Refused(row.generation, fault));
            }
        }
        if row.deleting && !self.waiting.contains(key) {
            self.hand(&row, Handed::Deleting);
        }
        self.tell(key);
    }

    /// An object that was never right has claimed nothing; its HPA is seen all the same.
    fn keep_hpa_in_sight(&mut self, row: &ObjectRow) {
        let Some(mut uses) = self.entries.get(&row.key).map(|entry| entry.uses.clone()) else { return };
        uses.hpas.extend(row.record.status.hpa_name.clone().map(|name| (row.key.namespace.clone(), name)));
        self.set_uses(&row.key, uses);
    }

    fn hand(&mut self, row: &ObjectRow, handed: Handed) {
        let Some(entry) = self.entries.get_mut(&row.key) else { return };
        if entry.handed.as_ref() == Some(&handed) {
            return;
        }
        let message = match &handed {
            Handed::Put(intake) => IntakeMsg::Put(intake.clone()),
            Handed::Refused(generation, fault) => IntakeMsg::Refused {
                key: row.key.clone(),
                uid: row.uid.clone(),
                generation: *generation,
                fault: fault.clone(),
            },
            Handed::Deleting => IntakeMsg::Deleting(row.key.clone()),
        };
        entry.handed = Some(handed);
        self.out.push(Output::Intake(message));
    }

    fn intake(&mut self, row: &ObjectRow, declared: &Arc<Declared>) -> Known<Intake> {
        let namespace = &declared.key.namespace;
        let target = TargetKey::new(namespace, &declared.target);
        let mut uses = Uses {
            target: Some((target.clone(), declared.created)),
            hpa: (declared.engine == Engine::Hpa)
                .then(|| ((namespace.clone(), declared.hpa.name.clone()), declared.created)),
            ..Uses::default()
        };
        uses.hpas.insert((namespace.clone(), declared.hpa.name.clone()));
        uses.hpas.extend(row.record.status.hpa_name.clone().map(|name| (namespace.clone(), name)));
        // Claims first: whoever else is concerned is worked out after this one.
        let before = self.entries.get(&row.key).map(|entry| entry.uses.clone()).unwrap_or_default();
        let kept = Uses {
            authentications: before.authentications,
            blobs: before.blobs,
            templates: before.templates,
            ..uses.clone()
        };
        self.set_uses(&row.key, kept);
        let resource = match self.resolve(&declared.target) {
            Known::Yes(resource) => resource,
            Known::NotYet => return Known::NotYet,
        };
        let mut declared = Declared::clone(declared);
        let mut fault = self.conflict(row, &declared, &target);
        match resource {
            Ok(resource) => declared.target.resource = resource.plural.into(),
            Err(unscalable) => fault = Some(unscalable),
        }
        let materials = match &fault {
            // Nothing will be asked: nothing is read.
            Some(fault) => {
                let material = Material { fault: Some(fault.clone()), ..Material::default() };
                Known::Yes(vec![material; declared.triggers.len()])
            }
            None => self.materials(&declared, &target, &mut uses),
        };
        self.set_uses(&row.key, uses);
        if fault.is_none() && matches!(self.target_seen(&target), Known::NotYet) {
            return Known::NotYet;
        }
        match materials {
            Known::Yes(materials) => Known::Yes(Intake { declared: Arc::new(declared), materials, fault }),
            Known::NotYet => Known::NotYet,
        }
    }

    /// Who else has the target, or the HPA.
    fn conflict(&self, row: &ObjectRow, declared: &Declared, target: &TargetKey) -> Option<Fault> {
        let holder = |holder: Option<&WorkloadKey>| holder.filter(|holder| **holder != row.key).cloned();
        let (kind, name) = (&declared.target.kind, &declared.target.name);
        if let Some(other) = holder(self.target_claims.holder(target)) {
            return Some(Fault::new(
                Reason::ConflictingScaledObject,
                format!(
                    "spec.scaleTargetRef: {kind} '{name}' is scaled by ScaledObject '{}' already; delete one",
                    other.name
                ),
            ));
        }
        let hpa = (declared.key.namespace.clone(), declared.hpa.name.clone());
        if let Some(other) = holder(self.hpa_claims.holder(&hpa)) {
            return Some(Fault::new(
                Reason::ConflictingScaledObject,
                format!(
                    "spec.advanced.horizontalPodAutoscalerConfig.name: the HPA '{}' is that of ScaledObject '{}' already; \
                     choose another name",
                    hpa.1, other.name
                ),
            ));
        }
        let on_target = self.hpas_by_target.get(target).into_iter().flatten();
        let named = self.hpas.get(&hpa).map(|_| &hpa.1);
        let foreign =
            on_target.chain(named).filter_map(|name| self.hpas.get(&(hpa.0.clone(), name.clone()))).find(|other| {
                let ours = other.seen.owner.as_ref() == Some(&row.uid);
                let adopted = row.may_adopt && other.seen.shape.name == hpa.1;
                !ours && !other.tolerant && !adopted
            })?;
        let foreign = &foreign.seen.shape.name;
        Some(Fault::new(
            Reason::ConflictingHpa,
            format!(
                "the HPA '{foreign}' is not of this ScaledObject, and scales {kind} '{name}' or has the name that is wanted; \
                 delete it, or hand it over by its name in spec.advanced.horizontalPodAutoscalerConfig.name and the \
                 annotation {}: \"true\"",
                windlass_api::annotation::TRANSFER_HPA_OWNERSHIP
            ),
        ))
    }

    fn set_uses(&mut self, key: &WorkloadKey, uses: Uses) {
        let Some(entry) = self.entries.get_mut(key) else { return };
        let before = std::mem::replace(&mut entry.uses, uses.clone());
        let mut concerned = Vec::new();
        if before.target != uses.target {
            if let Some((target, created)) = &before.target {
                concerned.extend(self.target_claims.remove(target, *created, key));
                if !self.target_claims.is_claimed(target) {
                    self.forget(&super::FetchKey::Scale(target.clone()));
                }
            }
            if let Some((target, created)) = &uses.target {
                concerned.extend(self.target_claims.add(target, *created, key));
            }
        }
        if before.hpa != uses.hpa {
            if let Some((hpa, created)) = &before.hpa {
                concerned.extend(self.hpa_claims.remove(hpa, *created, key));
            }
            if let Some((hpa, created)) = &uses.hpa {
                concerned.extend(self.hpa_claims.add(hpa, *created, key));
            }
        }
        self.hpa_users.replace(key, &before.hpas, &uses.hpas);
        self.authentication_users.replace(key, &before.authentications, &uses.authentications);
        for blob in self.blob_users.replace(key, &before.blobs, &uses.blobs) {
            self.forget(&super::FetchKey::Blob(blob));
        }
        for target in self.template_users.replace(key, &before.templates, &uses.templates) {
            self.forget(&super::FetchKey::Template(target));
        }
        concerned.retain(|other| other != key);
        self.mark(concerned);
    }

    /// An HPA has changed: whoever wants it sees it, and whoever shares its target may be in conflict, or no more.
    pub(super) fn hpa_changed(&mut self, scope: super::Scope, change: Change<HpaRow>) {
        let effect = self.hpas.apply(scope, change, |row| (row.namespace.clone(), row.seen.shape.name.clone()));
        for key in self.rows(effect) {
            let now = self.hpas.get(&key).map(|row| TargetKey::new(&key.0, &row.seen.shape.target));
            let before = match &now {
                Some(target) => self.hpa_targets.insert(key.clone(), target.clone()),
                None => self.hpa_targets.remove(&key),
            };
            if before != now {
                if let Some(target) = &before
                    && let Some(names) = self.hpas_by_target.get_mut(target)
                {
                    names.remove(&key.1);
                    if names.is_empty() {
                        self.hpas_by_target.remove(target);
                    }
                }
                if let Some(target) = &now {
                    self.hpas_by_target.entry(target.clone()).or_default().insert(key.1.clone());
                }
            }
            if !self.based {
                continue;
            }
            let on_targets = before.iter().chain(&now).flat_map(|target| self.target_claims.of(target));
            let concerned: Vec<WorkloadKey> = on_targets.chain(self.hpa_users.of(&key)).cloned().collect();
            self.mark(concerned);
        }
    }
}
