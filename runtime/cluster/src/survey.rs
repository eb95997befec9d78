//! What a person at a terminal asks of the API server, once: objects with their triggers, and what serves them.
use crate::client::Client;
use crate::error::Error;
use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
use kube::api::{ApiResource, DynamicObject, GroupVersionKind, ListParams};
use kube::core::PartialObjectMeta;
use serde_json::Value;
use std::collections::BTreeMap;
use windlass_api::annotation;
use windlass_core::Text;

/// Objects of one page.
const PAGE: u32 = 500;

/// A ScaledObject, as far as its components are concerned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Surveyed {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// The types of its triggers.
    pub triggers: Vec<String>,
    /// What it registers for itself, by trigger type.
    pub components: BTreeMap<Text, Text>,
    /// Status, reason and message of its Ready condition.
    pub ready: Option<[String; 3]>,
}

/// The ScaledObjects of a namespace, or of all.
///
/// # Errors
/// When they cannot be listed.
pub async fn survey(client: &Client, namespace: Option<&str>) -> Result<Vec<Surveyed>, Error> {
    let objects = scaled_objects(&client.kube, namespace);
    let (mut surveyed, mut page) = (Vec::new(), ListParams::default().limit(PAGE));
    loop {
        let listed = objects.list(&page).await.map_err(Error::from)?;
        surveyed.extend(listed.items.into_iter().map(read));
        match listed.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => page = page.continue_token(&token),
            None => return Ok(surveyed),
        }
    }
}

/// ScaledObjects of a namespace, or of all.
pub(crate) fn scaled_objects(kube: &kube::Client, namespace: Option<&str>) -> Api<DynamicObject> {
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk("keda.sh", "v1alpha1", "ScaledObject"));
    match namespace {
        Some(namespace) => Api::namespaced_with(kube.clone(), namespace, &resource),
        None => Api::all_with(kube.clone(), &resource),
    }
}

/// Status, reason and message of an object's Ready condition.
pub(crate) fn ready(object: &DynamicObject) -> Option<[String; 3]> {
    let conditions = object.data["status"]["conditions"].as_array()?;
    let ready = conditions.iter().rfind(|condition| condition["type"] == "Ready")?;
    Some(["status", "reason", "message"].map(|field| text(ready, field)))
}

fn text(value: &Value, field: &str) -> String {
    value[field].as_str().unwrap_or_default().to_owned()
}

fn read(object: DynamicObject) -> Surveyed {
    let triggers = object.data["spec"]["triggers"].as_array().into_iter().flatten();
    Surveyed {
        triggers: triggers.map(|trigger| text(trigger, "type")).collect(),
        ready: ready(&object),
        components: annotation::scalers(object.metadata.annotations.as_ref()),
        namespace: object.metadata.namespace.unwrap_or_default(),
        name: object.metadata.name.unwrap_or_default(),
    }
}

/// What namespaces register by annotation, by namespace and trigger type.
///
/// # Errors
/// When they cannot be listed.
pub async fn namespaces(client: &Client) -> Result<BTreeMap<String, BTreeMap<Text, Text>>, Error> {
    let namespaces: Api<Namespace> = Api::all(client.kube.clone());
    let listed = namespaces.list_metadata(&ListParams::default()).await.map_err(Error::from)?;
    let read = |object: PartialObjectMeta<Namespace>| {
        (object.metadata.name.unwrap_or_default(), annotation::scalers(object.metadata.annotations.as_ref()))
    };
    Ok(listed.items.into_iter().map(read).filter(|(_, components)| !components.is_empty()).collect())
}
