//! What is kept of an object.
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use kube::core::{DynamicResourceScope, ObjectMeta};
use kube::discovery::ApiResource;
use kube::{Resource, ResourceExt};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use std::borrow::Cow;
use std::sync::Arc;
use windlass_api::scaled_object::ScaledObjectStatus;
use windlass_api::{References, ScaledObject, TriggerAuthenticationSpec, annotation};
use windlass_core::workload::{Declared, Engine};
use windlass_core::write::{HpaSeen, RecordSeen};
use windlass_core::{Fault, Reason, Text, WorkloadKey};

/// A ScaledObject as it comes: one that cannot be read does not end the stream.
#[derive(Clone, Debug)]
pub(crate) struct RawObject {
    metadata: ObjectMeta,
    read: Result<Box<ScaledObject>, Unread>,
}

/// What is left of an object that cannot be read.
#[derive(Clone, Debug)]
struct Unread {
    error: String,
    status: Option<Box<ScaledObjectStatus>>,
}

impl<'de> Deserialize<'de> for RawObject {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<RawObject, D::Error> {
        let mut value = Value::deserialize(deserializer)?;
        let metadata =
            value.get("metadata").map(ObjectMeta::deserialize).transpose().map_err(serde::de::Error::custom)?;
        let status = value.as_object_mut().and_then(|object| object.remove("status"));
        let status = status.and_then(|status| ScaledObjectStatus::deserialize(status).ok());
        let read = match ScaledObject::deserialize(value) {
            Ok(mut object) => {
                object.status = status;
                object.metadata.managed_fields = None;
                Ok(Box::new(object))
            }
            Err(error) => Err(Unread { error: error.to_string(), status: status.map(Box::new) }),
        };
        let mut metadata = metadata.unwrap_or_default();
        metadata.managed_fields = None;
        Ok(RawObject { metadata, read })
    }
}

impl Resource for RawObject {
    type DynamicType = ();
    type Scope = <ScaledObject as Resource>::Scope;

    fn kind((): &()) -> Cow<'_, str> {
        ScaledObject::kind(&())
    }
    fn group((): &()) -> Cow<'_, str> {
        ScaledObject::group(&())
    }
    fn version((): &()) -> Cow<'_, str> {
        ScaledObject::version(&())
    }
    fn plural((): &()) -> Cow<'_, str> {
        ScaledObject::plural(&())
    }
    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }
    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

/// What is kept of a ScaledObject.
#[derive(Clone, Debug)]
pub(crate) struct ObjectRow {
    pub(crate) key: WorkloadKey,
    pub(crate) uid: Text,
    pub(crate) generation: i64,
    pub(crate) deleting: bool,
    pub(crate) lowered: Result<Arc<Declared>, Fault>,
    pub(crate) record: RecordSeen,
    /// Finalizers of others: they stay when ours comes and goes.
    pub(crate) strangers: Vec<String>,
    /// It may take over an HPA of the name that it wrote.
    pub(crate) may_adopt: bool,
}

impl ObjectRow {
    /// `engine`: of an object that names none.
    pub(crate) fn read(raw: RawObject, engine: Engine) -> Option<ObjectRow> {
        let RawObject { metadata, read } = raw;
        let key = WorkloadKey::scaled_object(metadata.namespace.as_deref()?, metadata.name.as_deref()?);
        let adopts = annotation::TRANSFER_HPA_OWNERSHIP;
        let annotations = metadata.annotations.as_ref();
        let adopts = annotations.and_then(|all| all.get(adopts)).is_some_and(|value| value == "true");
        let strangers =
            metadata.finalizers.iter().flatten().filter(|name| *name != annotation::FINALIZER).cloned().collect();
        let (lowered, record) = match read {
            Ok(object) => {
                (windlass_api::lower_for(&object, engine).map(Arc::new), windlass_api::status::record(&object))
            }
            Err(unread) => {
                let text = format!("the object cannot be read: {}; correct it", crate::error::cut(&unread.error, 256));
                // Its status is known all the same: what it says already is not written again.
                let object = ScaledObject {
                    metadata: metadata.clone(),
                    spec: Default::default(),
                    status: unread.status.map(|status| *status),
                };
                let fault = Fault::new(Reason::ScaledObjectCheckFailed, text);
                (Err(fault), windlass_api::status::record(&object))
            }
        };
        Some(ObjectRow {
            key,
            uid: metadata.uid.as_deref().unwrap_or_default().into(),
            generation: metadata.generation.unwrap_or_default(),
            deleting: metadata.deletion_timestamp.is_some(),
            may_adopt: adopts && lowered.as_ref().is_ok_and(|declared| declared.hpa.named),
            lowered,
            record,
            strangers,
        })
    }
}

/// Name of a TriggerAuthentication, or, in no namespace, of a ClusterTriggerAuthentication.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct AuthenticationKey {
    pub(crate) namespace: Text,
    pub(crate) name: Text,
}

/// What is kept of an authentication.
#[derive(Clone, Debug)]
pub(crate) struct AuthenticationRow {
    pub(crate) key: AuthenticationKey,
    pub(crate) references: Result<References, Fault>,
}

impl AuthenticationRow {
    pub(crate) fn new(meta: &ObjectMeta, spec: Result<&TriggerAuthenticationSpec, &str>) -> Option<AuthenticationRow> {
        let name = meta.name.as_deref()?;
        let references = match spec {
            Ok(spec) => windlass_api::references(name, meta.annotations.as_ref(), spec),
            Err(error) => Err(Fault::new(
                Reason::AuthenticationNotFound,
                format!("authentication '{name}' cannot be read: {}; correct it", crate::error::cut(error, 256)),
            )),
        };
        let namespace = meta.namespace.as_deref().unwrap_or_default().into();
        Some(AuthenticationRow { key: AuthenticationKey { namespace, name: name.into() }, references })
    }
}

/// What is kept of an HPA.
#[derive(Clone, Debug)]
pub(crate) struct HpaRow {
    pub(crate) namespace: Text,
    pub(crate) seen: HpaSeen,
    /// It does not mind others on its target.
    pub(crate) tolerant: bool,
}

impl HpaRow {
    pub(crate) fn read(hpa: &HorizontalPodAutoscaler) -> Option<HpaRow> {
        let ownership = annotation::VALIDATE_HPA_OWNERSHIP;
        Some(HpaRow {
            namespace: hpa.metadata.namespace.as_deref()?.into(),
            tolerant: hpa.annotations().get(ownership).is_some_and(|value| value == "false"),
            seen: windlass_api::hpa::from_kubernetes(hpa),
        })
    }
}

/// Reads of an object's metadata what is needed here, and skips the rest (`managedFields` is most of it).
fn slim<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ObjectMeta, D::Error> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Needed {
        name: Option<String>,
        namespace: Option<String>,
        resource_version: Option<String>,
        generation: Option<i64>,
    }
    let needed = Needed::deserialize(deserializer)?;
    Ok(ObjectMeta {
        name: needed.name,
        namespace: needed.namespace,
        resource_version: needed.resource_version,
        generation: needed.generation,
        ..ObjectMeta::default()
    })
}

/// A Deployment or StatefulSet, trimmed while it is read.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Replicated {
    #[serde(deserialize_with = "slim")]
    metadata: ObjectMeta,
    #[serde(default)]
    spec: Wanted,
    #[serde(default)]
    status: Had,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
struct Wanted {
    replicas: Option<i64>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Had {
    replicas: i64,
    ready_replicas: i64,
}

/// Any object, of which the API server sends the metadata only.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Slim {
    #[serde(deserialize_with = "slim")]
    metadata: ObjectMeta,
}

macro_rules! dynamic {
    ($type:ident, $metadata_only:expr) => {
        impl Resource for $type {
            type DynamicType = ApiResource;
            type Scope = DynamicResourceScope;

            fn kind(dt: &ApiResource) -> Cow<'_, str> {
                dt.kind.as_str().into()
            }
            fn group(dt: &ApiResource) -> Cow<'_, str> {
                dt.group.as_str().into()
            }
            fn version(dt: &ApiResource) -> Cow<'_, str> {
                dt.version.as_str().into()
            }
            fn plural(dt: &ApiResource) -> Cow<'_, str> {
                dt.plural.as_str().into()
            }
            fn metadata_api() -> bool {
                $metadata_only
            }
            fn meta(&self) -> &ObjectMeta {
                &self.metadata
            }
            fn meta_mut(&mut self) -> &mut ObjectMeta {
                &mut self.metadata
            }
        }
    };
}
dynamic!(Replicated, false);
dynamic!(Slim, true);

/// Replicas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ReplicaRow {
    pub(crate) spec: u32,
    pub(crate) current: u32,
    pub(crate) ready: u32,
}

/// What is kept of an object of which little is needed.
#[derive(Clone, Debug)]
pub(crate) struct MetadataRow {
    pub(crate) namespace: Text,
    pub(crate) name: Text,
    pub(crate) version: Text,
    pub(crate) generation: i64,
    /// Where the watch tells it.
    pub(crate) replicas: Option<ReplicaRow>,
}

fn count(number: i64) -> u32 {
    u32::try_from(number).unwrap_or(0)
}

impl MetadataRow {
    fn new(meta: ObjectMeta, replicas: Option<ReplicaRow>) -> Option<MetadataRow> {
        Some(MetadataRow {
            namespace: meta.namespace?.into(),
            name: meta.name?.into(),
            version: meta.resource_version.unwrap_or_default().into(),
            generation: meta.generation.unwrap_or_default(),
            replicas,
        })
    }

    pub(crate) fn of_replicated(object: Replicated) -> Option<MetadataRow> {
        let replicas = ReplicaRow {
            // The API server fills this in; a stored object always has it.
            spec: count(object.spec.replicas.unwrap_or(1)),
            current: count(object.status.replicas),
            ready: count(object.status.ready_replicas),
        };
        MetadataRow::new(object.metadata, Some(replicas))
    }

    pub(crate) fn of_slim(object: Slim) -> Option<MetadataRow> {
        MetadataRow::new(object.metadata, None)
    }
}

/// Secret or ConfigMap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum BlobKind {
    Secret,
    ConfigMap,
}

impl BlobKind {
    pub(crate) fn resource(self) -> ApiResource {
        let (kind, plural) = match self {
            BlobKind::Secret => ("Secret", "secrets"),
            BlobKind::ConfigMap => ("ConfigMap", "configmaps"),
        };
        ApiResource {
            group: String::new(),
            version: "v1".into(),
            api_version: "v1".into(),
            kind: kind.into(),
            plural: plural.into(),
        }
    }
}

/// Name of a Secret or ConfigMap.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct BlobKey {
    pub(crate) kind: BlobKind,
    pub(crate) namespace: Text,
    pub(crate) name: Text,
}
