//! A Secret of our own namespace that keeps what has to outlive this process: our certificates.
use crate::client::{Client, Path, version_of};
use crate::error::Error;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret as SecretObject;
use serde_json::json;
use std::collections::BTreeMap;

/// A kept Secret.
pub struct Kept {
    /// Values by key.
    pub data: BTreeMap<String, Vec<u8>>,
    /// Its resource version.
    pub version: String,
}

/// Shows keys, never values.
impl std::fmt::Debug for Kept {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let keys: Vec<&String> = self.data.keys().collect();
        f.debug_struct("Kept").field("keys", &keys).field("version", &self.version).finish()
    }
}

fn path(namespace: &str) -> Path {
    Path::new("", "v1", namespace, "secrets")
}

/// Reads it. `None`: there is none.
///
/// # Errors
/// When it cannot be read.
pub async fn load(client: &Client, namespace: &str, name: &str) -> Result<Option<Kept>, Error> {
    match client.get::<SecretObject>("Secret", &path(namespace), name).await {
        Ok(secret) => Ok(Some(Kept {
            data: secret.data.unwrap_or_default().into_iter().map(|(key, ByteString(bytes))| (key, bytes)).collect(),
            version: secret.metadata.resource_version.unwrap_or_default(),
        })),
        Err(Error::NotFound) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Stores it: creates it where there is none (`version` is `None`), else changes the given keys of the version that was
/// read. Gives the new version.
///
/// # Errors
/// [`Error::Exists`] or [`Error::Conflict`] when somebody else was faster: load again. Others when it cannot be written.
pub async fn store(
    client: &Client,
    namespace: &str,
    name: &str,
    data: &BTreeMap<String, Vec<u8>>,
    version: Option<&str>,
) -> Result<String, Error> {
    let data: BTreeMap<&str, ByteString> =
        data.iter().map(|(key, bytes)| (key.as_str(), ByteString(bytes.clone()))).collect();
    let answer = match version {
        None => {
            let secret = json!({
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": { "name": name, "namespace": namespace },
                "type": "Opaque",
                "data": data,
            });
            client.create(&path(namespace), &secret).await?
        }
        Some(version) => {
            let patch = json!({ "metadata": { "resourceVersion": version }, "data": data });
            client.merge(&path(namespace), name, &patch).await?
        }
    };
    version_of(&answer).ok_or(Error::Unreadable("Secret"))
}
