//! One key of a ConfigMap.
use crate::client::{Client, Path};
use crate::error::Error;
use k8s_openapi::api::core::v1::ConfigMap;
use serde_json::json;

fn path(namespace: &str) -> Path {
    Path::new("", "v1", namespace, "configmaps")
}

/// Reads it. `None`: there is none.
///
/// # Errors
/// When it cannot be read.
pub async fn read(client: &Client, namespace: &str, name: &str, key: &str) -> Result<Option<String>, Error> {
    match client.get::<ConfigMap>("ConfigMap", &path(namespace), name).await {
        Ok(map) => Ok(map.data.and_then(|mut data| data.remove(key))),
        Err(Error::NotFound) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Writes it, making the ConfigMap where there is none.
///
/// # Errors
/// When the API server does not take it.
pub async fn write(client: &Client, namespace: &str, name: &str, key: &str, text: &str) -> Result<(), Error> {
    let patch = json!({ "data": { key: text } });
    match client.merge(&path(namespace), name, &patch).await {
        Err(Error::NotFound) => {}
        answer => return answer.map(drop),
    }
    let object = json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": { "name": name, "namespace": namespace },
        "data": { key: text },
    });
    client.create(&path(namespace), &object).await.map(drop)
}
