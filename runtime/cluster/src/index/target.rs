//! Targets: which resource a kind is, and how many replicas an object of it has.
use super::blob::{Content, FetchKey};
use super::table::{Effect, Scope, Table};
use super::{Index, Job};
use crate::watch::{Change, MetadataRow};
use kube::discovery::ApiResource;
use std::collections::HashMap;
use windlass_core::write::TargetSeen;
use windlass_core::{Fault, Reason, TargetRef, Text, WorkloadKey};

/// A kind of object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct GroupKind {
    pub(crate) group: Text,
    pub(crate) kind: Text,
}

impl GroupKind {
    /// Whether the watch of this kind tells replicas: then `/scale` need not be read.
    pub(crate) fn tells_replicas(&self) -> bool {
        &*self.group == "apps" && matches!(&*self.kind, "Deployment" | "StatefulSet")
    }
}

/// A target. Its version is left out: it is the same object in each.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct TargetKey {
    pub(crate) kind: GroupKind,
    pub(crate) namespace: Text,
    pub(crate) name: Text,
}

impl TargetKey {
    pub(crate) fn new(namespace: &Text, target: &TargetRef) -> TargetKey {
        let kind = GroupKind { group: target.group.clone(), kind: target.kind.clone() };
        TargetKey { kind, namespace: namespace.clone(), name: target.name.clone() }
    }
}

/// What the API server knows of a kind.
#[derive(Clone, Debug)]
pub(crate) enum Discovered {
    /// It has a scale subresource.
    Scalable(ApiResource),
    /// It has none, or is none that can be watched in a namespace; or there is no such kind.
    Unscalable(Text),
    /// It could not be asked.
    Failed(Text),
}

pub(super) enum Kind {
    Discovering { version: Text, failures: u32 },
    Unscalable { version: Text, fault: Fault, failures: u32 },
    Watched { resource: ApiResource, rows: Table<(Text, Text), MetadataRow> },
}

#[derive(Default)]
pub(super) struct Kinds {
    by_kind: HashMap<GroupKind, Kind>,
}

impl Kinds {
    pub(super) fn row(&self, key: &TargetKey) -> Option<&MetadataRow> {
        match self.by_kind.get(&key.kind)? {
            Kind::Watched { rows, .. } => rows.get(&(key.namespace.clone(), key.name.clone())),
            Kind::Discovering { .. } | Kind::Unscalable { .. } => None,
        }
    }

    pub(super) fn resource(&self, kind: &GroupKind) -> Option<&ApiResource> {
        match self.by_kind.get(kind)? {
            Kind::Watched { resource, .. } => Some(resource),
            Kind::Discovering { .. } | Kind::Unscalable { .. } => None,
        }
    }
}

/// Whether something is known yet.
pub(super) enum Known<T> {
    Yes(T),
    NotYet,
}

impl Index {
    /// The resource of a target's kind. Asks for it when nobody did before.
    pub(super) fn resolve(&mut self, target: &TargetRef) -> Known<Result<ApiResource, Fault>> {
        let key = GroupKind { group: target.group.clone(), kind: target.kind.clone() };
        match self.kinds.by_kind.get(&key) {
            Some(Kind::Watched { resource, .. }) => return Known::Yes(Ok(resource.clone())),
            Some(Kind::Unscalable { fault, version, .. }) if *version == target.version => {
                return Known::Yes(Err(fault.clone()));
            }
            Some(Kind::Discovering { .. }) => return Known::NotYet,
            Some(Kind::Unscalable { .. }) | None => {}
        }
        if key.tells_replicas() && &*target.version == "v1" {
            let resource = ApiResource {
                group: key.group.to_string(),
                version: target.version.to_string(),
                api_version: target.api_version(),
                kind: key.kind.to_string(),
                plural: format!("{}s", key.kind.to_lowercase()),
            };
            self.watch_kind(&key, resource.clone());
            return Known::Yes(Ok(resource));
        }
        let version = target.version.clone();
        self.kinds.by_kind.insert(key.clone(), Kind::Discovering { version: version.clone(), failures: 0 });
        self.job(Job::Discover(key, version));
        Known::NotYet
    }

    fn watch_kind(&mut self, kind: &GroupKind, resource: ApiResource) {
        self.kinds.by_kind.insert(kind.clone(), Kind::Watched { resource: resource.clone(), rows: Table::default() });
        self.job(Job::WatchTargets(kind.clone(), resource));
    }

    pub(super) fn discovered(&mut self, kind: &GroupKind, discovered: Discovered) {
        let (version, failures) = match self.kinds.by_kind.get(kind) {
            Some(Kind::Discovering { version, failures }) => (version.clone(), *failures),
            _ => return,
        };
        match discovered {
            Discovered::Scalable(resource) => self.watch_kind(kind, resource),
            Discovered::Unscalable(why) | Discovered::Failed(why) => {
                let fault = Fault::new(Reason::TargetNotScalable, format!("spec.scaleTargetRef: {why}"));
                let failures = failures.saturating_add(1);
                self.kinds.by_kind.insert(kind.clone(), Kind::Unscalable { version, fault, failures });
                // Its definition may be installed later, which no watch of ours tells.
                self.job(Job::RediscoverLater(kind.clone(), failures));
            }
        }
        self.mark_users_of(kind);
    }

    pub(super) fn rediscover(&mut self, kind: &GroupKind) {
        let Some(Kind::Unscalable { version, failures, .. }) = self.kinds.by_kind.get(kind) else { return };
        let (version, failures) = (version.clone(), *failures);
        if !self.kind_is_used(kind) {
            self.kinds.by_kind.remove(kind);
            return;
        }
        // The fault stays until there is an answer: what is known is not taken back by asking.
        self.kinds.by_kind.insert(kind.clone(), Kind::Discovering { version: version.clone(), failures });
        self.job(Job::Discover(kind.clone(), version));
    }

    fn kind_is_used(&self, kind: &GroupKind) -> bool {
        self.entries.values().any(|entry| entry.uses.target.as_ref().is_some_and(|(target, _)| target.kind == *kind))
    }

    /// All objects whose target is of a kind: rare, when a kind becomes known.
    fn mark_users_of(&mut self, kind: &GroupKind) {
        let uses = |entry: &super::Entry| entry.uses.target.as_ref().is_some_and(|(target, _)| target.kind == *kind);
        let users: Vec<WorkloadKey> =
            self.entries.iter().filter(|(_, entry)| uses(entry)).map(|(key, _)| key.clone()).collect();
        self.mark(users);
    }

    pub(super) fn target_changed(&mut self, kind: &GroupKind, scope: Scope, change: Change<MetadataRow>) {
        let Some(Kind::Watched { rows, .. }) = self.kinds.by_kind.get_mut(kind) else { return };
        match rows.apply(scope, change, |row| (row.namespace.clone(), row.name.clone())) {
            Effect::Rows(names) => {
                for (namespace, name) in names {
                    self.target_row_changed(&TargetKey { kind: kind.clone(), namespace, name });
                }
            }
            // What is missing is known now.
            Effect::Listed(_) | Effect::Failing => self.mark_users_of(kind),
        }
    }

    fn target_row_changed(&mut self, target: &TargetKey) {
        if !self.target_claims.is_claimed(target) {
            return;
        }
        let version = self.kinds.row(target).map(|row| row.version.clone());
        if !target.kind.tells_replicas() {
            self.stale(&FetchKey::Scale(target.clone()), version.as_ref());
        }
        if self.template_users.is_used(target) {
            let generation = self.kinds.row(target).map(|row| Text::from(row.generation.to_string()));
            self.stale(&FetchKey::Template(target.clone()), generation.as_ref());
            if generation.is_none() {
                let users: Vec<WorkloadKey> = self.template_users.of(target).cloned().collect();
                self.mark(users);
            }
        }
        let users: Vec<WorkloadKey> = self.target_claims.of(target).cloned().collect();
        for user in users {
            if self.waiting.contains(&user) {
                self.mark([user]);
            } else {
                self.tell(&user);
            }
        }
    }

    /// The replicas of a target, when they are known.
    pub(super) fn target_seen(&mut self, target: &TargetKey) -> Known<TargetSeen> {
        let scope = self.options.scope_of(&target.namespace);
        let Some(Kind::Watched { rows, .. }) = self.kinds.by_kind.get(&target.kind) else { return Known::NotYet };
        let Some(row) = rows.get(&(target.namespace.clone(), target.name.clone())) else {
            return match rows.failing(scope) {
                _ if rows.is_listed(scope) => Known::Yes(TargetSeen::Missing),
                Some(why) => Known::Yes(TargetSeen::Unreadable(why.clone())),
                None => Known::NotYet,
            };
        };
        if let Some(replicas) = row.replicas {
            return Known::Yes(TargetSeen::Found {
                spec: replicas.spec,
                ready: replicas.ready,
                current: replicas.current,
                version: row.version.clone(),
            });
        }
        let key = FetchKey::Scale(target.clone());
        match self.fetch(&key) {
            Content::Unknown => Known::NotYet,
            Content::Missing => Known::Yes(TargetSeen::Missing),
            Content::Unreadable(why) => Known::Yes(TargetSeen::Unreadable(why)),
            Content::Scale { spec, current, version } => {
                Known::Yes(TargetSeen::Found { spec, ready: current, current, version })
            }
            Content::Values(_) | Content::Template(_) => Known::NotYet,
        }
    }
}
