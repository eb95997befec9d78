//! Material for the triggers: values of the authentications and of the target's environment.
use super::blob::{Content, FetchKey};
use super::target::{Known, TargetKey};
use super::{Index, Uses};
use crate::watch::{AuthenticationKey, BlobKey, BlobKind};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use windlass_api::reference::{Needs, Values};
use windlass_api::{References, annotation, environment, reference};
use windlass_core::workload::{Ask, AuthenticationRef, Declared, DeclaredTrigger, Material};
use windlass_core::{Fault, Reason, Text};

/// How a parameter says that its value is in the environment.
const FROM_ENV: &str = "FromEnv";

/// Environments of containers that were worked out for one object.
type Environments = BTreeMap<Option<Text>, Result<Values, Fault>>;

fn not_bound(kind: &str, name: &str) -> Fault {
    let message = format!(
        "{kind} '{name}' has no annotation {}, which this operator asks for (--require-bound-credentials); list there the \
         hosts that its values may go to, separated by commas",
        annotation::HOSTS
    );
    Fault::new(Reason::InvalidTrigger, message)
}

impl Index {
    /// One for each trigger. Whatever they refer to is put down in `uses`, also while it is still being read.
    pub(super) fn materials(
        &mut self,
        declared: &Declared,
        target: &TargetKey,
        uses: &mut Uses,
    ) -> Known<Vec<Material>> {
        let mut environments = Environments::new();
        let mut all = Vec::with_capacity(declared.triggers.len());
        let mut whole = true;
        for trigger in &declared.triggers {
            match self.material(declared, target, trigger, uses, &mut environments) {
                Known::Yes(Ok(material)) => all.push(material),
                Known::Yes(Err(fault)) => all.push(Material { fault: Some(fault), ..Material::default() }),
                // Go on, so that everything is read at once.
                Known::NotYet => whole = false,
            }
        }
        if whole { Known::Yes(all) } else { Known::NotYet }
    }

    fn material(
        &mut self,
        declared: &Declared,
        target: &TargetKey,
        trigger: &DeclaredTrigger,
        uses: &mut Uses,
        environments: &mut Environments,
    ) -> Known<Result<Material, Fault>> {
        let Ask::External { metadata, .. } = &trigger.ask else { return Known::Yes(Ok(Material::default())) };
        let references = match &trigger.authentication {
            Some(authentication) => match self.references(declared, authentication, uses) {
                Known::Yes(Ok(references)) => references,
                Known::Yes(Err(fault)) => return Known::Yes(Err(fault)),
                Known::NotYet => return Known::NotYet,
            },
            None => References::default(),
        };
        let from_env = metadata.keys().any(|name| name.ends_with(FROM_ENV));
        let mut containers = references.containers();
        containers.extend(from_env.then_some(None));
        let mut fetched = reference::Fetched::default();
        let mut whole = true;
        for container in containers {
            match self.environment(declared, target, &container, uses, environments) {
                Known::Yes(Ok(values)) => {
                    fetched.environments.insert(container, values);
                }
                Known::Yes(Err(fault)) => return Known::Yes(Err(fault)),
                Known::NotYet => whole = false,
            }
        }
        let cluster = trigger.authentication.as_ref().is_some_and(|authentication| authentication.cluster);
        let namespace = if cluster { self.options.cluster_namespace.clone() } else { declared.key.namespace.clone() };
        match self.blobs(&namespace, &references.needs(), uses, &mut fetched) {
            Known::Yes(Ok(())) => {}
            Known::Yes(Err(fault)) => return Known::Yes(Err(fault)),
            Known::NotYet => whole = false,
        }
        if !whole {
            return Known::NotYet;
        }
        let environment = if from_env { fetched.environments.get(&None).cloned() } else { None };
        Known::Yes(reference::assemble(&references, &fetched).map(|authentication| Material {
            environment: environment.unwrap_or_default(),
            authentication,
            bound: references.bound.clone(),
            identity: None,
            fault: None,
        }))
    }

    fn references(
        &self,
        declared: &Declared,
        authentication: &AuthenticationRef,
        uses: &mut Uses,
    ) -> Known<Result<References, Fault>> {
        let namespace = if authentication.cluster { "".into() } else { declared.key.namespace.clone() };
        let key = AuthenticationKey { namespace, name: authentication.name.clone() };
        uses.authentications.insert(key.clone());
        let (table, scope, kind) = if authentication.cluster {
            (&self.cluster_authentications, 0, "ClusterTriggerAuthentication")
        } else {
            (&self.authentications, self.options.scope_of(&declared.key.namespace), "TriggerAuthentication")
        };
        match (table.get(&key), table.failing(scope)) {
            (Some(row), _) => Known::Yes(row.references.clone().and_then(|references| {
                let unbound = references.bound.is_none() && self.options.require_bound.of(authentication.cluster);
                if unbound { Err(not_bound(kind, &authentication.name)) } else { Ok(references) }
            })),
            (None, Some(why)) => {
                let text = format!("{kind} '{}' cannot be read: {why}", authentication.name);
                Known::Yes(Err(Fault::new(Reason::AuthenticationNotFound, text)))
            }
            (None, None) if !table.is_listed(scope) => Known::NotYet,
            (None, None) => {
                let text = format!("authenticationRef: there is no {kind} '{}'; create it", authentication.name);
                Known::Yes(Err(Fault::new(Reason::AuthenticationNotFound, text)))
            }
        }
    }

    /// The environment of one of the target's containers.
    fn environment(
        &mut self,
        declared: &Declared,
        target: &TargetKey,
        container: &Option<Text>,
        uses: &mut Uses,
        environments: &mut Environments,
    ) -> Known<Result<Values, Fault>> {
        if let Some(done) = environments.get(container) {
            return Known::Yes(done.clone());
        }
        uses.templates.insert(target.clone());
        let refused = |why: String| Known::Yes(Err(Fault::new(Reason::TargetNotFound, why)));
        let pod = match self.fetch(&FetchKey::Template(target.clone())) {
            Content::Template(pod) => pod,
            Content::Missing => {
                let (kind, name) = (&target.kind.kind, &target.name);
                return refused(format!(
                    "spec.scaleTargetRef: there is no {kind} '{name}', whose environment is needed"
                ));
            }
            Content::Unreadable(why) => {
                return refused(format!("spec.scaleTargetRef: the pod template cannot be read: {why}"));
            }
            Content::Unknown | Content::Values(_) | Content::Scale { .. } => return Known::NotYet,
        };
        let name = container.as_deref().or(declared.env_container.as_deref());
        let done = match environment::container(&pod, name) {
            Ok(found) => {
                let mut fetched = reference::Fetched::default();
                match self.blobs(&declared.key.namespace, &environment::needs(found), uses, &mut fetched) {
                    Known::Yes(Ok(())) => environment::environment(found, &fetched).map(Arc::new),
                    Known::Yes(Err(fault)) => Err(fault),
                    Known::NotYet => return Known::NotYet,
                }
            }
            Err(fault) => Err(fault),
        };
        environments.insert(container.clone(), done.clone());
        Known::Yes(done)
    }

    /// Contents of Secrets and ConfigMaps. One that does not exist is left out.
    fn blobs(
        &mut self,
        namespace: &Text,
        needs: &Needs,
        uses: &mut Uses,
        fetched: &mut reference::Fetched,
    ) -> Known<Result<(), Fault>> {
        let mut fault = None;
        let mut whole = true;
        let mut read = |kind: BlobKind, names: &BTreeSet<Text>, into: &mut BTreeMap<Text, Values>| {
            for name in names {
                let blob = BlobKey { kind, namespace: namespace.clone(), name: name.clone() };
                uses.blobs.insert(blob.clone());
                match self.fetch(&FetchKey::Blob(blob)) {
                    Content::Values(values) => {
                        into.insert(name.clone(), values);
                    }
                    Content::Missing => {}
                    Content::Unreadable(why) => {
                        let kind = kind.resource().kind;
                        let text = format!("{kind} '{name}' of namespace '{namespace}' cannot be read: {why}");
                        fault = Some(Fault::new(Reason::AuthenticationNotFound, text));
                    }
                    Content::Unknown | Content::Template(_) | Content::Scale { .. } => whole = false,
                }
            }
        };
        read(BlobKind::Secret, &needs.secrets, &mut fetched.secrets);
        read(BlobKind::ConfigMap, &needs.config_maps, &mut fetched.config_maps);
        match fault {
            Some(fault) => Known::Yes(Err(fault)),
            None if whole => Known::Yes(Ok(())),
            None => Known::NotYet,
        }
    }
}
