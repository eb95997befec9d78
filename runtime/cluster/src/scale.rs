//! The `/scale` of a target, as far as it is read.
use crate::client::{Client, Path, parse, request_error};
use crate::error::Error;
use serde::Deserialize;
use windlass_core::Text;

/// What it says.
pub(crate) struct Scale {
    /// Its resource version.
    pub(crate) version: Text,
    /// Replicas that are wanted.
    pub(crate) spec: u32,
    /// Replicas that there are.
    pub(crate) current: u32,
    /// Which pods are the target's; none where the kind does not say.
    pub(crate) selector: Option<String>,
}

/// Reads it.
///
/// # Errors
/// When the API server does not give it.
pub(crate) async fn read(client: &Client, targets: &Path, name: &str) -> Result<Scale, Error> {
    let request = kube::core::Request::new(targets.as_str()).get_subresource("scale", name).map_err(request_error)?;
    let stored: Stored = parse("scale", &client.send(request).await?)?;
    let count = |replicas| u32::try_from(replicas).unwrap_or(0);
    Ok(Scale {
        version: stored.metadata.resource_version.into(),
        spec: count(stored.spec.replicas),
        current: count(stored.status.replicas),
        selector: stored.status.selector.filter(|selector| !selector.is_empty()),
    })
}

#[derive(Deserialize)]
struct Stored {
    metadata: Metadata,
    #[serde(default)]
    spec: Spec,
    #[serde(default)]
    status: Status,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    #[serde(default)]
    resource_version: String,
}

#[derive(Default, Deserialize)]
struct Spec {
    #[serde(default)]
    replicas: i64,
}

#[derive(Default, Deserialize)]
struct Status {
    #[serde(default)]
    replicas: i64,
    selector: Option<String>,
}
