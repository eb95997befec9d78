//! The index: what the watches have seen, who refers to what, and what follows for the pipeline. No I/O: changes go in,
//! messages and jobs come out. A change costs as much as it has users.
//!
//! ```text
//!  Notice ──► tables (objects, authentications, HPAs, targets, blobs) ──► dirty objects ──intake──► IntakeMsg
//!                    └────────────────────────── what is stored ────────────────tell──► Msg::Seen
//! ```
mod blob;
mod intake;
mod material;
mod table;
mod target;
mod tell;
mod uses;

pub(crate) use blob::{Content, FetchKey, Fetched};
pub(crate) use table::Scope;
pub(crate) use target::{Discovered, GroupKind, TargetKey};

use crate::cluster::RequireBound;
use crate::metrics::Metrics;
use crate::watch::{AuthenticationKey, AuthenticationRow, BlobKey, BlobKind, Change, HpaRow, MetadataRow, ObjectRow};
use blob::Fetches;
use kube::discovery::ApiResource;
use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use table::{Effect, Table};
use target::Kinds;
use tell::Told;
use uses::{Claims, Users};
use windlass_core::workload::{Engine, Intake};
use windlass_core::{Fault, IntakeMsg, Msg, Text, Wall, WorkloadKey};

/// Something happened.
#[derive(Debug)]
pub(crate) enum Notice {
    Object(Scope, Change<ObjectRow>),
    Authentication(Scope, Change<AuthenticationRow>),
    ClusterAuthentication(Change<AuthenticationRow>),
    Hpa(Scope, Change<HpaRow>),
    Target(GroupKind, Scope, Change<MetadataRow>),
    Blob(BlobKind, Scope, Change<MetadataRow>),
    /// What the API server knows of a kind.
    Discovered(GroupKind, Discovered),
    /// Ask again what it knows of a kind.
    Rediscover(GroupKind),
    /// A read has ended.
    Fetched(FetchKey, Fetched),
    /// Time to read again.
    Refetch(FetchKey),
}

/// Something to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Job {
    /// Find out about a kind.
    Discover(GroupKind, Text),
    /// Tell [`Notice::Rediscover`] after this many failures' pause.
    RediscoverLater(GroupKind, u32),
    /// Watch a kind of targets in all scopes.
    WatchTargets(GroupKind, ApiResource),
    /// Watch Secrets or ConfigMaps in all scopes.
    WatchBlobs(BlobKind),
    /// Read something.
    Fetch(FetchKey, Option<ApiResource>),
    /// Tell [`Notice::Refetch`] after this many failures' pause.
    RefetchLater(FetchKey, u32),
}

/// What comes out.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "each lives for a moment")]
pub(crate) enum Output {
    Intake(IntakeMsg),
    Seen(Msg),
    Job(Job),
    /// Finalizers of others on an object.
    Strangers(WorkloadKey, Vec<String>),
}

/// Settings of the index.
#[derive(Clone, Debug)]
pub(crate) struct IndexOptions {
    /// Namespaces that are watched; empty: all.
    pub(crate) namespaces: Vec<Text>,
    /// Where ClusterTriggerAuthentications find their Secrets and ConfigMaps.
    pub(crate) cluster_namespace: Text,
    /// Which authentications have to be bound to hosts.
    pub(crate) require_bound: RequireBound,
    /// The engine of objects that name none.
    pub(crate) engine: Engine,
}

impl IndexOptions {
    /// Scopes of the watches of namespaced objects: number and namespace (`""`: all).
    pub(crate) fn scopes(&self) -> Vec<(Scope, Text)> {
        if self.namespaces.is_empty() {
            return vec![(0, "".into())];
        }
        (0..).zip(self.namespaces.iter().cloned()).collect()
    }

    /// Scopes of the watches of Secrets and ConfigMaps: those, and the cluster-wide authentications' namespace.
    pub(crate) fn blob_scopes(&self) -> Vec<(Scope, Text)> {
        let mut scopes = self.scopes();
        if !self.namespaces.is_empty() && !self.namespaces.contains(&self.cluster_namespace) {
            scopes.push((scopes.len() as Scope, self.cluster_namespace.clone()));
        }
        scopes
    }

    fn scope_of(&self, namespace: &str) -> Scope {
        let scopes = self.blob_scopes();
        scopes.iter().find(|(_, name)| name.is_empty() || **name == *namespace).map_or(0, |(scope, _)| *scope)
    }
}

/// What an object uses.
#[derive(Clone, Debug, Default)]
struct Uses {
    /// Its target, whose claim goes by the time of creation.
    target: Option<(TargetKey, Wall)>,
    /// The HPA that it wants for itself.
    hpa: Option<(HpaKey, Wall)>,
    /// HPAs that it wants to know about.
    hpas: BTreeSet<HpaKey>,
    authentications: BTreeSet<AuthenticationKey>,
    blobs: BTreeSet<BlobKey>,
    /// Pod templates, for the environment.
    templates: BTreeSet<TargetKey>,
}

/// Name of an HPA.
pub(crate) type HpaKey = (Text, Text);

/// What was last handed on about an object.
#[derive(Debug, Default)]
struct Entry {
    uid: Text,
    uses: Uses,
    handed: Option<Handed>,
    told: Told,
}

#[derive(Debug, PartialEq)]
enum Handed {
    Put(Box<Intake>),
    Refused(i64, Fault),
    Deleting,
}

/// The index.
pub(crate) struct Index {
    options: IndexOptions,
    metrics: Metrics,
    objects: Table<WorkloadKey, ObjectRow>,
    entries: HashMap<WorkloadKey, Entry>,
    authentications: Table<AuthenticationKey, AuthenticationRow>,
    cluster_authentications: Table<AuthenticationKey, AuthenticationRow>,
    hpas: Table<HpaKey, HpaRow>,
    /// The target of each HPA.
    hpa_targets: HashMap<HpaKey, TargetKey>,
    /// Names of the HPAs that scale a target.
    hpas_by_target: HashMap<TargetKey, BTreeSet<Text>>,
    kinds: Kinds,
    fetches: Fetches,
    target_claims: Claims<TargetKey>,
    hpa_claims: Claims<HpaKey>,
    hpa_users: Users<HpaKey>,
    authentication_users: Users<AuthenticationKey>,
    blob_users: Users<BlobKey>,
    template_users: Users<TargetKey>,
    watched_blobs: HashSet<BlobKind>,
    dirty: VecDeque<WorkloadKey>,
    dirty_set: HashSet<WorkloadKey>,
    /// Objects that wait for something to be read.
    waiting: HashSet<WorkloadKey>,
    /// All base watches have been listed.
    based: bool,
    /// Everything was handed on once.
    synced: bool,
    out: Vec<Output>,
}

impl Index {
    pub(crate) fn new(options: IndexOptions, metrics: Metrics) -> Index {
        Index {
            options,
            metrics,
            objects: Table::default(),
            entries: HashMap::new(),
            authentications: Table::default(),
            cluster_authentications: Table::default(),
            hpas: Table::default(),
            hpa_targets: HashMap::new(),
            hpas_by_target: HashMap::new(),
            kinds: Kinds::default(),
            fetches: Fetches::default(),
            target_claims: Claims::default(),
            hpa_claims: Claims::default(),
            hpa_users: Users::default(),
            authentication_users: Users::default(),
            blob_users: Users::default(),
            template_users: Users::default(),
            watched_blobs: HashSet::new(),
            dirty: VecDeque::new(),
            dirty_set: HashSet::new(),
            waiting: HashSet::new(),
            based: false,
            synced: false,
            out: Vec::new(),
        }
    }

    /// Whether everything that was there at the start has been handed on.
    pub(crate) fn is_synced(&self) -> bool {
        self.synced
    }

    /// Takes a notice in; what follows is appended to `out`.
    pub(crate) fn handle(&mut self, notice: Notice, out: &mut Vec<Output>) {
        match notice {
            Notice::Object(scope, change) => {
                let effect = self.objects.apply(scope, change, |row| row.key.clone());
                self.metrics.objects.set(i64::try_from(self.objects.len()).unwrap_or(i64::MAX));
                for key in self.rows(effect) {
                    self.object_changed(&key);
                }
            }
            Notice::Authentication(scope, change) => {
                let effect = self.authentications.apply(scope, change, |row| row.key.clone());
                self.authentications_changed(effect);
            }
            Notice::ClusterAuthentication(change) => {
                let effect = self.cluster_authentications.apply(0, change, |row| row.key.clone());
                self.authentications_changed(effect);
            }
            Notice::Hpa(scope, change) => self.hpa_changed(scope, change),
            Notice::Target(kind, scope, change) => self.target_changed(&kind, scope, change),
            Notice::Blob(kind, scope, change) => self.blob_changed(kind, scope, change),
            Notice::Discovered(kind, discovered) => self.discovered(&kind, discovered),
            Notice::Rediscover(kind) => self.rediscover(&kind),
            Notice::Fetched(key, fetched) => self.fetched(&key, fetched),
            Notice::Refetch(key) => self.refetch(&key),
        }
        self.settle();
        out.append(&mut self.out);
    }

    /// Rows of an effect; the first list of a base watch may complete the base.
    fn rows<K>(&mut self, effect: Effect<K>) -> Vec<K> {
        match effect {
            Effect::Rows(keys) => keys,
            Effect::Listed(keys) => {
                self.complete_base();
                keys
            }
            Effect::Failing => {
                self.complete_base();
                Vec::new()
            }
        }
    }

    /// Before all objects, authentications and HPAs were listed once, nothing can be said about any of them: the object
    /// that comes last may be the one that holds a target.
    fn complete_base(&mut self) {
        let scopes = self.options.scopes();
        let all = |listed: &dyn Fn(Scope) -> bool| scopes.iter().all(|(scope, _)| listed(*scope));
        let authentications =
            |scope| self.authentications.is_listed(scope) || self.authentications.failing(scope).is_some();
        let cluster = self.cluster_authentications.is_listed(0) || self.cluster_authentications.failing(0).is_some();
        let complete = cluster
            && all(&|scope| self.objects.is_listed(scope))
            && all(&|scope| self.hpas.is_listed(scope))
            && all(&authentications);
        if complete && !self.based {
            self.based = true;
            let keys: Vec<WorkloadKey> = self.objects.keys().cloned().collect();
            for key in keys {
                self.object_changed(&key);
            }
        }
    }

    fn authentications_changed(&mut self, effect: Effect<AuthenticationKey>) {
        for key in self.rows(effect) {
            let users: Vec<WorkloadKey> = self.authentication_users.of(&key).cloned().collect();
            self.mark(users);
        }
    }

    /// To be worked out again at the end of this notice.
    fn mark(&mut self, keys: impl IntoIterator<Item = WorkloadKey>) {
        for key in keys {
            if self.dirty_set.insert(key.clone()) {
                self.dirty.push_back(key);
            }
        }
    }

    fn settle(&mut self) {
        if !self.based {
            return;
        }
        while let Some(key) = self.dirty.pop_front() {
            self.dirty_set.remove(&key);
            self.work_out(&key);
        }
        self.synced |= self.waiting.is_empty();
    }

    fn job(&mut self, job: Job) {
        self.out.push(Output::Job(job));
    }
}
