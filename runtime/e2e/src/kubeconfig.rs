//! Kubeconfigs, as values and as files.
use crate::Identity;
use anyhow::Result;
use kube::config::Kubeconfig;
use serde_json::{Value, json};

/// Who a kubeconfig is for.
pub(crate) enum Credential<'a> {
    /// A client certificate.
    Certificate(&'a Identity),
    /// A bearer token.
    Token(&'a str),
}

/// A kubeconfig with one context.
pub(crate) fn kubeconfig(server: &str, authority: &str, credential: &Credential<'_>) -> Result<Kubeconfig> {
    let user = match credential {
        Credential::Certificate(identity) => json!({
            "client-certificate-data": base64(&identity.certificate),
            "client-key-data": base64(&identity.key),
        }),
        Credential::Token(token) => json!({ "token": token }),
    };
    let document: Value = json!({
        "apiVersion": "v1", "kind": "Config",
        "clusters": [{ "name": "windlass", "cluster": { "server": server, "certificate-authority-data": base64(authority) } }],
        "users": [{ "name": "user", "user": user }],
        "contexts": [{ "name": "windlass", "context": { "cluster": "windlass", "user": "user" } }],
        "current-context": "windlass",
    });
    Ok(serde_json::from_value(document)?)
}

/// The text of a kubeconfig file. JSON is YAML; secrets are written out, so the file is for its owner alone.
pub(crate) fn text(kubeconfig: &Kubeconfig) -> Result<String> {
    Ok(serde_yaml::to_string(kubeconfig)?)
}

/// Base64 as kubeconfigs and `caBundle` have it.
pub(crate) fn base64(text: &str) -> String {
    let bytes = k8s_openapi::ByteString(text.as_bytes().to_vec());
    match serde_json::to_value(bytes) {
        Ok(Value::String(encoded)) => encoded,
        _ => String::new(),
    }
}
