//! Components that annotations register: of the cluster (the definition of ScaledObjects, a ConfigMap) and of namespaces.
use crate::client::{Client, Path};
use crate::error::Error;
use crate::watch::{Change, follow};
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Secret, ServiceAccount};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::Api;
use kube::core::{ObjectMeta, PartialObjectMeta};
use kube::runtime::watcher::Config;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::str::FromStr;
use tokio::sync::watch;
use windlass_api::annotation;
use windlass_core::Text;

/// The definition whose annotations are for everybody.
pub(crate) const DEFINITION: &str = "scaledobjects.keda.sh";
/// The ServiceAccount of a namespace whose pull secrets its components are pulled with.
pub(crate) const SERVICE_ACCOUNT: &str = "default";
/// Key of a pull secret.
const PULL_SECRET: &str = ".dockerconfigjson";
/// Pull secrets of a ServiceAccount that are read.
const MOST_PULL_SECRETS: usize = 8;

/// References by trigger type, as written.
type Table = BTreeMap<Text, Text>;

/// Where a table of registrations is: a ConfigMap of trigger types and references.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableName {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl FromStr for TableName {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<TableName, &'static str> {
        match text.split_once('/') {
            Some((namespace, name)) if !namespace.is_empty() && !name.is_empty() && !name.contains('/') => {
                Ok(TableName { namespace: namespace.to_owned(), name: name.to_owned() })
            }
            _ => Err("write NAMESPACE/NAME of a ConfigMap"),
        }
    }
}

/// What is registered beside the objects' own annotations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Registrations {
    /// By annotations of the definition.
    definition: Table,
    /// By the ConfigMap.
    table: Table,
    /// By annotations of namespaces that have any.
    namespaces: HashMap<Text, Table>,
    /// What has not been listed yet.
    awaited: HashSet<&'static str>,
}

impl Registrations {
    /// Whether all of them are known.
    pub fn known(&self) -> bool {
        self.awaited.is_empty()
    }

    /// The cluster's reference for a trigger type: an annotation goes before the table.
    pub fn cluster(&self, kind: &str) -> Option<&Text> {
        self.definition.get(kind).or_else(|| self.table.get(kind))
    }

    /// The namespaces in which something is registered otherwise than `before`; `None`: the cluster's registrations are.
    pub fn differ(&self, before: &Registrations) -> Option<Vec<Text>> {
        if (&self.definition, &self.table) != (&before.definition, &before.table) {
            return None;
        }
        let names: BTreeSet<&Text> = self.namespaces.keys().chain(before.namespaces.keys()).collect();
        let differs = |name: &&Text| self.namespaces.get(*name) != before.namespaces.get(*name);
        Some(names.into_iter().filter(differs).cloned().collect())
    }

    /// A namespace's reference for a trigger type.
    pub fn namespace(&self, namespace: &str, kind: &str) -> Option<&Text> {
        self.namespaces.get(namespace)?.get(kind)
    }
}

/// Watches registrations for as long as somebody looks.
pub fn watch_registrations(client: &Client, table: TableName) -> watch::Receiver<Registrations> {
    let awaited = HashSet::from(["definition", "namespaces", "table"]);
    let (told, seen) = watch::channel(Registrations { awaited, ..Registrations::default() });
    let kube = &client.kube;
    let named = |name: &str| Config::default().fields(&format!("metadata.name={name}"));

    let definitions: Api<PartialObjectMeta<CustomResourceDefinition>> = Api::all(kube.clone());
    let read = |object: PartialObjectMeta<CustomResourceDefinition>| annotated(&object.metadata);
    watch_one(client, definitions, named(DEFINITION), "customresourcedefinitions", read, &told, definition);
    let namespaces: Api<PartialObjectMeta<Namespace>> = Api::all(kube.clone());
    let read = |object: PartialObjectMeta<Namespace>| annotated(&object.metadata);
    watch_one(client, namespaces, Config::default(), "namespaces", read, &told, namespace);
    let tables: Api<ConfigMap> = Api::namespaced(kube.clone(), &table.namespace);
    let read = |object: ConfigMap| {
        let written = object.data.unwrap_or_default().into_iter();
        Some((object.metadata.name?.into(), written.map(|(kind, to)| (kind.into(), to.trim().into())).collect()))
    };
    watch_one(client, tables, named(&table.name), "configmaps", read, &told, config_map);
    seen
}

fn annotated(metadata: &ObjectMeta) -> Option<(Text, Table)> {
    Some((metadata.name.as_deref()?.into(), annotation::scalers(metadata.annotations.as_ref())))
}

/// What one watch tells, kept until a list is whole.
type Row = Change<(Text, Table)>;

fn watch_one<K>(
    client: &Client,
    api: Api<K>,
    config: Config,
    resource: &'static str,
    read: impl Fn(K) -> Option<(Text, Table)> + Send + Sync + 'static,
    told: &watch::Sender<Registrations>,
    take: fn(&mut Registrations, &mut HashMap<Text, Table>, Row) -> bool,
) where
    K: kube::Resource + Clone + serde::de::DeserializeOwned + std::fmt::Debug + Send + Sync + 'static,
{
    let (metrics, told) = (client.metrics.clone(), told.clone());
    tokio::spawn(async move {
        let mut listed = HashMap::new();
        let emit = |change| {
            told.send_if_modified(|now| take(now, &mut listed, change));
            std::future::ready(!told.is_closed())
        };
        follow(api, config, resource, &metrics, read, emit).await;
    });
}

/// The table that one object of a name gives, told by a change: none while a list is not whole.
fn single(listed: &mut HashMap<Text, Table>, change: Row) -> Option<Table> {
    match change {
        Change::Began => listed.clear(),
        Change::Listed((name, table)) => drop(listed.insert(name, table)),
        Change::Put((_, table)) => return Some(table),
        Change::Gone(_) => return Some(Table::new()),
        Change::Done => return Some(listed.drain().map(|(_, table)| table).next().unwrap_or_default()),
        Change::Failing(_) => {}
    }
    None
}

/// Tools that apply the definition again drop annotations: what is lost stays, with a warning, until the operator starts again.
fn definition(now: &mut Registrations, listed: &mut HashMap<Text, Table>, change: Row) -> bool {
    let Some(mut table) = single(listed, change) else { return false };
    for (kind, reference) in &now.definition {
        if !table.contains_key(kind) {
            tracing::warn!(
                trigger = &**kind,
                reference = &**reference,
                "the annotation of {DEFINITION} that registers it is gone; it stays registered until the operator starts again"
            );
            table.insert(kind.clone(), reference.clone());
        }
    }
    replace(&mut now.definition, table) | now.awaited.remove("definition")
}

fn config_map(now: &mut Registrations, listed: &mut HashMap<Text, Table>, change: Row) -> bool {
    let Some(table) = single(listed, change) else { return false };
    replace(&mut now.table, table) | now.awaited.remove("table")
}

fn namespace(now: &mut Registrations, listed: &mut HashMap<Text, Table>, change: Row) -> bool {
    match change {
        Change::Began => listed.clear(),
        Change::Listed((_, table)) if table.is_empty() => {}
        Change::Listed((name, table)) => drop(listed.insert(name, table)),
        Change::Done => return replace(&mut now.namespaces, std::mem::take(listed)) | now.awaited.remove("namespaces"),
        Change::Put((name, table)) if !table.is_empty() => {
            return now.namespaces.insert(name, table.clone()).is_none_or(|before| before != table);
        }
        Change::Put((name, _)) | Change::Gone((name, _)) => return now.namespaces.remove(&name).is_some(),
        Change::Failing(_) => {}
    }
    false
}

fn replace<T: PartialEq>(now: &mut T, next: T) -> bool {
    let changed = *now != next;
    *now = next;
    changed
}

/// The pull secrets (Docker's `config.json`) of a namespace's ServiceAccount `default`. One that is missing or of another type is
/// left out, as the kubelet does.
///
/// # Errors
/// When the API server cannot be asked.
pub async fn pull_secrets(client: &Client, namespace: &str) -> Result<Vec<Vec<u8>>, Error> {
    let path = |resource| Path::new("", "v1", namespace, resource);
    let account: ServiceAccount = match client.get("ServiceAccount", &path("serviceaccounts"), SERVICE_ACCOUNT).await {
        Err(Error::NotFound) => return Ok(Vec::new()),
        read => read?,
    };
    let mut found = Vec::new();
    for reference in account.image_pull_secrets.unwrap_or_default().into_iter().take(MOST_PULL_SECRETS) {
        let secret: Secret = match client.get("Secret", &path("secrets"), &reference.name).await {
            Err(Error::NotFound) => continue,
            read => read?,
        };
        found.extend(secret.data.and_then(|mut data| data.remove(PULL_SECRET)).map(|bytes| bytes.0));
    }
    Ok(found)
}
