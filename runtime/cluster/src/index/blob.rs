//! What is read rather than watched: contents of Secrets and ConfigMaps, pod templates, and `/scale` of kinds whose watch
//! does not tell replicas. Read when it is needed and when the watch tells that it has changed; forgotten when nobody needs
//! it.
use super::table::Scope;
use super::{Index, Job, TargetKey};
use crate::watch::{BlobKey, BlobKind, Change, MetadataRow};
use k8s_openapi::api::core::v1::PodSpec;
use std::collections::HashMap;
use std::sync::Arc;
use windlass_api::reference::Values;
use windlass_core::{Text, WorkloadKey};

/// So often something is tried before it counts as unreadable.
const PATIENCE: u32 = 3;

/// What is read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum FetchKey {
    /// A Secret or ConfigMap.
    Blob(BlobKey),
    /// The pod template of a target.
    Template(TargetKey),
    /// The replicas of a target.
    Scale(TargetKey),
}

/// A pod template, of which only the containers' environments are kept.
pub(crate) type Template = Arc<PodSpec>;

/// What was read.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Content {
    /// Not read yet.
    Unknown,
    /// There is no such object.
    Missing,
    /// It cannot be read.
    Unreadable(Text),
    /// Of a Secret or ConfigMap.
    Values(Values),
    /// Of a target.
    Template(Template),
    /// Of a target.
    Scale { spec: u32, current: u32, version: Text },
}

/// How a read ended.
#[derive(Clone, Debug)]
pub(crate) enum Fetched {
    /// The content, and what tells it from an older one (a resource version, or a generation).
    Read(Text, Content),
    /// There is no such object.
    Missing,
    /// It failed; whether trying again soon is of use.
    Failed { why: Text, soon: bool },
}

struct Fetch {
    content: Content,
    /// Of the content.
    version: Option<Text>,
    /// What the watch told last.
    latest: Option<Text>,
    under_way: bool,
    failures: u32,
}

#[derive(Default)]
pub(super) struct Fetches {
    by_key: HashMap<FetchKey, Fetch>,
}

/// Whether `a` is as new as `b`. Versions count up; should they not be numbers, only equal ones are.
fn as_new_as(a: &str, b: &str) -> bool {
    match (a.parse::<u64>(), b.parse::<u64>()) {
        (Ok(a), Ok(b)) => a >= b,
        _ => a == b,
    }
}

impl Index {
    /// What is known of something; it is read if nothing is.
    pub(super) fn fetch(&mut self, key: &FetchKey) -> Content {
        if let Some(fetch) = self.fetches.by_key.get(key) {
            return fetch.content.clone();
        }
        if let FetchKey::Blob(blob) = key
            && self.watched_blobs.insert(blob.kind)
        {
            self.job(Job::WatchBlobs(blob.kind));
        }
        let fetch = Fetch { content: Content::Unknown, version: None, latest: None, under_way: false, failures: 0 };
        self.fetches.by_key.insert(key.clone(), fetch);
        self.begin(key);
        Content::Unknown
    }

    fn begin(&mut self, key: &FetchKey) {
        let resource = match key {
            FetchKey::Blob(blob) => Some(blob.kind.resource()),
            FetchKey::Template(target) | FetchKey::Scale(target) => self.kinds.resource(&target.kind).cloned(),
        };
        if let Some(fetch) = self.fetches.by_key.get_mut(key)
            && !fetch.under_way
        {
            fetch.under_way = true;
            self.job(Job::Fetch(key.clone(), resource));
        }
    }

    /// The watch tells that something is at this version now, or gone.
    pub(super) fn stale(&mut self, key: &FetchKey, version: Option<&Text>) {
        let Some(fetch) = self.fetches.by_key.get_mut(key) else { return };
        match version {
            Some(version) => {
                fetch.latest = Some(version.clone());
                if fetch.version.as_ref().is_none_or(|known| !as_new_as(known, version)) {
                    self.begin(key);
                }
            }
            None => {
                fetch.latest = None;
                fetch.version = None;
                if fetch.content != Content::Missing {
                    fetch.content = Content::Missing;
                    self.content_changed(key);
                }
            }
        }
    }

    /// A read has ended.
    pub(super) fn fetched(&mut self, key: &FetchKey, fetched: Fetched) {
        let Some(fetch) = self.fetches.by_key.get_mut(key) else { return };
        fetch.under_way = false;
        let before = fetch.content.clone();
        match fetched {
            Fetched::Read(version, content) => {
                fetch.failures = 0;
                fetch.content = content;
                let behind = fetch.latest.as_ref().is_some_and(|latest| !as_new_as(&version, latest));
                fetch.version = Some(version);
                if behind {
                    // It changed while it was read. What was read may be handed on meanwhile.
                    fetch.latest = None;
                    self.begin(key);
                }
            }
            Fetched::Missing => {
                fetch.failures = 0;
                fetch.content = Content::Missing;
                fetch.version = None;
                if fetch.latest.take().is_some() {
                    // It was made while it was read; should it be gone again, the watch will tell.
                    self.begin(key);
                }
            }
            Fetched::Failed { why, soon } => {
                fetch.failures = fetch.failures.saturating_add(1);
                let failures = if soon { fetch.failures } else { fetch.failures.max(8) };
                // What was read before is better than nothing; without it, a short trouble is waited for.
                let readable = matches!(before, Content::Values(_) | Content::Template(_) | Content::Scale { .. });
                if !readable && (!soon || fetch.failures >= PATIENCE) {
                    fetch.content = Content::Unreadable(why);
                }
                self.job(Job::RefetchLater(key.clone(), failures));
            }
        }
        if self.fetches.by_key.get(key).is_some_and(|fetch| fetch.content != before) {
            self.content_changed(key);
        }
    }

    pub(super) fn refetch(&mut self, key: &FetchKey) {
        if self.fetches.by_key.get(key).is_some_and(|fetch| fetch.failures > 0) {
            self.begin(key);
        }
    }

    /// Forgets what nobody uses.
    pub(super) fn forget(&mut self, key: &FetchKey) {
        self.fetches.by_key.remove(key);
    }

    fn content_changed(&mut self, key: &FetchKey) {
        let users: Vec<WorkloadKey> = match key {
            FetchKey::Blob(blob) => self.blob_users.of(blob).cloned().collect(),
            FetchKey::Template(target) => self.template_users.of(target).cloned().collect(),
            FetchKey::Scale(target) => {
                let users: Vec<WorkloadKey> = self.target_claims.of(target).cloned().collect();
                for user in users.iter().filter(|user| !self.waiting.contains(user)).cloned().collect::<Vec<_>>() {
                    self.tell(&user);
                }
                users.into_iter().filter(|user| self.waiting.contains(user)).collect()
            }
        };
        self.mark(users);
    }

    /// A Secret or ConfigMap has changed. Those that nobody refers to are not kept, not even their names.
    pub(super) fn blob_changed(&mut self, kind: BlobKind, scope: Scope, change: Change<MetadataRow>) {
        let key = |row: &MetadataRow| {
            let blob = BlobKey { kind, namespace: row.namespace.clone(), name: row.name.clone() };
            FetchKey::Blob(blob)
        };
        match change {
            Change::Listed(row) | Change::Put(row) => self.stale(&key(&row), Some(&row.version)),
            Change::Gone(row) => self.stale(&key(&row), None),
            // After a gap something may have been deleted unseen: what is referred to is read again.
            Change::Done => {
                let in_scope = |blob: &BlobKey| blob.kind == kind && self.options.scope_of(&blob.namespace) == scope;
                let keys: Vec<FetchKey> = self
                    .fetches
                    .by_key
                    .iter()
                    .filter(|(key, fetch)| {
                        matches!(key, FetchKey::Blob(blob) if in_scope(blob))
                            && fetch.version.is_some()
                            && fetch.latest.is_none()
                    })
                    .map(|(key, _)| key.clone())
                    .collect();
                for key in keys {
                    self.begin(&key);
                }
            }
            Change::Began => {
                for (key, fetch) in &mut self.fetches.by_key {
                    if matches!(key, FetchKey::Blob(blob) if blob.kind == kind) {
                        fetch.latest = None;
                    }
                }
            }
            Change::Failing(_) => {}
        }
    }
}
