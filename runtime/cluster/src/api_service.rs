//! The APIService of the external metrics API: its `caBundle` says which authority our certificate is of.
use crate::client::{Client, Path};
use crate::error::Error;
use k8s_openapi::ByteString;
use k8s_openapi::kube_aggregator::pkg::apis::apiregistration::v1::APIService;
use serde_json::json;

/// Its name.
pub const NAME: &str = "v1beta1.external.metrics.k8s.io";

/// Sets the `caBundle` (PEM), when it is not that already. Gives whether it was written.
///
/// # Errors
/// [`Error::NotFound`] when there is no such APIService; others when it cannot be read or written.
pub async fn set_ca_bundle(client: &Client, bundle: &[u8]) -> Result<bool, Error> {
    let path = Path::new("apiregistration.k8s.io", "v1", "", "apiservices");
    let stored: APIService = client.get("APIService", &path, NAME).await?;
    let current = stored.spec.and_then(|spec| spec.ca_bundle);
    if current.is_some_and(|ByteString(bytes)| bytes == bundle) {
        return Ok(false);
    }
    let patch = json!({
        "metadata": { "resourceVersion": stored.metadata.resource_version },
        "spec": { "caBundle": ByteString(bundle.to_vec()) },
    });
    client.merge(&path, NAME, &patch).await?;
    Ok(true)
}
