//! May a user read external metrics? Asked of the API server with a SubjectAccessReview.
use crate::client::{Client, Path, parse};
use crate::error::Error;
use serde::Deserialize;
use serde_json::json;
use std::collections::BTreeMap;

#[derive(Deserialize)]
struct Review {
    status: ReviewStatus,
}

#[derive(Deserialize)]
struct ReviewStatus {
    #[serde(default)]
    allowed: bool,
    #[serde(default)]
    denied: bool,
}

/// Whether a user may list all external metrics of all namespaces. (A read of one is a `list` too: it names no object.)
/// The asker decides how long the answer counts.
///
/// # Errors
/// When the API server does not answer.
pub async fn review(
    client: &Client,
    user: &str,
    uid: &str,
    groups: &[String],
    extra: &BTreeMap<String, Vec<String>>,
) -> Result<bool, Error> {
    let review = json!({
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "metadata": {},
        "spec": {
            "user": user,
            "uid": uid,
            "groups": groups,
            "extra": extra,
            "resourceAttributes": {
                "group": "external.metrics.k8s.io",
                "version": "v1beta1",
                "resource": "*",
                "verb": "list",
            },
        },
    });
    let path = Path::new("authorization.k8s.io", "v1", "", "subjectaccessreviews");
    let answer: Review = parse("SubjectAccessReview", &client.urgent().create(&path, &review).await?)?;
    Ok(answer.status.allowed && !answer.status.denied)
}
