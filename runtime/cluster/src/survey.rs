//! What a person at a terminal asks of the API server, once: objects with their triggers, and what serves them.
use crate::client::{Client, ClientOptions};
use crate::error::Error;
use crate::metrics::Metrics;
use http::Request;
use k8s_openapi::api::autoscaling::v2::{HorizontalPodAutoscaler, HorizontalPodAutoscalerCondition};
use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
use kube::api::{ApiResource, DynamicObject, GroupVersionKind, ListParams};
use kube::core::PartialObjectMeta;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::PathBuf;
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

/// Connects for a few questions, as a kubeconfig says, or as whoever runs this may.
///
/// # Errors
/// When there is no usable configuration.
pub async fn connect(kubeconfig: Option<PathBuf>) -> Result<Client, Error> {
    let options = ClientOptions { kubeconfig, ..ClientOptions::default() };
    Client::connect(&options, Metrics::new(&mut Default::default())).await
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

/// What an HPA says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Autoscaler {
    /// Its name.
    pub name: String,
    /// The replicas that it wants; none: it has not said yet.
    pub desired: Option<i32>,
    /// Its conditions.
    pub conditions: Vec<Told>,
}

/// A condition.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Told {
    /// Its type.
    #[serde(rename = "type")]
    pub kind: String,
    /// `True`, `False` or `Unknown`.
    pub status: String,
    /// A word.
    pub reason: String,
    /// For people.
    pub message: String,
}

/// The HPA of a ScaledObject, by the name that its status has; `None`: there is none.
///
/// # Errors
/// When it cannot be read.
pub async fn autoscaler(client: &Client, namespace: &str, object: &str) -> Result<Option<Autoscaler>, Error> {
    let read = scaled_objects(&client.kube, Some(namespace)).get_opt(object).await.map_err(Error::from)?;
    let name = read.as_ref().and_then(|read| read.data["status"]["hpaName"].as_str()).filter(|name| !name.is_empty());
    let Some(name) = name else { return Ok(None) };
    let autoscalers: Api<HorizontalPodAutoscaler> = Api::namespaced(client.kube.clone(), namespace);
    let Some(found) = autoscalers.get_opt(name).await.map_err(Error::from)? else { return Ok(None) };
    let status = found.status.unwrap_or_default();
    let told = |condition: HorizontalPodAutoscalerCondition| Told {
        kind: condition.type_,
        status: condition.status,
        reason: condition.reason.unwrap_or_default(),
        message: condition.message.unwrap_or_default(),
    };
    let conditions: Vec<Told> = status.conditions.unwrap_or_default().into_iter().map(told).collect();
    let desired = (!conditions.is_empty()).then_some(status.desired_replicas);
    Ok(Some(Autoscaler { name: name.to_owned(), desired, conditions }))
}

/// What the operator behind the external metrics API tells of a ScaledObject, as JSON.
///
/// # Errors
/// When it cannot be asked. `None`: it knows no such object, or another adapter is behind that API.
pub async fn explanation(client: &Client, namespace: &str, object: &str) -> Result<Option<String>, Error> {
    let path = format!("/apis/external.metrics.k8s.io/v1beta1/namespaces/{namespace}/scaledobjects/{object}/why");
    let request = Request::get(path).body(Vec::new()).map_err(|error| kube::Error::HttpError(error.into()))?;
    match client.kube.request_text(request).await.map_err(Error::from) {
        Ok(told) => Ok(Some(told)),
        Err(Error::NotFound) => Ok(None),
        Err(error) => Err(error),
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
