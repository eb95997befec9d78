//! Windlass installed from `deploy/` as users install it, except that the operator is a process of this machine: the
//! APIService leads to its port through a Service of type ExternalName.
use crate::ControlPlane;
use crate::folder::repository;
use crate::kubeconfig::base64;
use crate::wait::until;
use anyhow::{Context, Result, bail};
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use k8s_openapi::kube_aggregator::pkg::apis::apiregistration::v1::APIService;
use kube::api::{Api, ListParams, Patch, PatchParams};
use serde::Deserialize;
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// The name of the APIService that the HPA controller reads external metrics from.
pub const METRICS_API: &str = "v1beta1.external.metrics.k8s.io";

const LIMIT: Duration = Duration::from_secs(60);

/// What was installed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installed {
    /// The operator's namespace.
    pub namespace: String,
    /// Its service account there.
    pub service_account: String,
    /// The Service there through which the API server reaches it.
    pub service: String,
}

/// Applies the namespace, `deploy/crds/` and `deploy/rbac.yaml` with kubectl as an administrator does, and waits until the API
/// server serves the new types. Applying again changes nothing.
///
/// # Errors
/// When a manifest is refused; the text has what kubectl says.
pub async fn install(control_plane: &ControlPlane) -> Result<Installed> {
    let deploy = repository().join("deploy");
    let installed = Installed::read(&deploy)?;
    // One after the other: what is in a namespace comes after the namespace.
    for manifest in ["base/namespace.yaml", "crds", "rbac.yaml"] {
        let mut command = control_plane.kubectl();
        command.args(["apply", "--server-side", "-f"]).arg(deploy.join(manifest));
        tokio::task::spawn_blocking(move || run(&mut command)).await??;
    }
    wait_for_types(control_plane).await?;
    Ok(installed)
}

/// Registers the external metrics API at a port of 127.0.0.1. Its certificate must be good for `SERVICE.NAMESPACE.svc`, signed
/// by `authority` (PEM); without one, somebody else has to fill in `caBundle`.
///
/// # Errors
/// When the API server refuses it.
pub async fn register_metrics_api(
    control_plane: &ControlPlane,
    namespace: &str,
    service: &str,
    port: u16,
    authority: Option<&str>,
) -> Result<()> {
    register_api(control_plane, METRICS_API, namespace, service, port, authority).await
}

/// The same for any API, by its name `VERSION.GROUP`.
pub(crate) async fn register_api(
    control_plane: &ControlPlane,
    api: &str,
    namespace: &str,
    service: &str,
    port: u16,
    authority: Option<&str>,
) -> Result<()> {
    let client = control_plane.client().await?;
    let params = PatchParams::apply("windlass-e2e").force();
    let metadata = json!({ "name": service, "namespace": namespace });
    let target = json!({
        "apiVersion": "v1", "kind": "Service", "metadata": metadata,
        "spec": { "type": "ExternalName", "externalName": "localhost" },
    });
    let services: Api<Service> = Api::namespaced(client.clone(), namespace);
    services.patch(service, &params, &Patch::Apply(&target)).await?;
    let (group_version, group) = api.split_once('.').unwrap_or_default();
    let mut registration = json!({
        "apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService", "metadata": { "name": api },
        "spec": {
            "group": group, "version": group_version, "groupPriorityMinimum": 100, "versionPriority": 100,
            "service": { "name": service, "namespace": namespace, "port": port },
        },
    });
    if let Some(authority) = authority {
        registration["spec"]["caBundle"] = Value::String(base64(authority));
    }
    let registrations: Api<APIService> = Api::all(client);
    registrations.patch(api, &params, &Patch::Apply(&registration)).await?;
    Ok(())
}

/// Waits until the API server finds the external metrics API available.
///
/// # Errors
/// When it does not in time; the text has its reason.
pub async fn wait_for_metrics_api(control_plane: &ControlPlane) -> Result<()> {
    let registrations: Api<APIService> = Api::all(control_plane.client().await?);
    until("the external metrics API is available", LIMIT, || async {
        let registration = registrations.get(METRICS_API).await?;
        let conditions = registration.status.and_then(|status| status.conditions).unwrap_or_default();
        let available = conditions.into_iter().find(|condition| condition.type_ == "Available");
        let Some(available) = available else { return Ok(None) };
        if available.status != "True" {
            bail!("{}", available.message.or(available.reason).unwrap_or_default());
        }
        Ok(Some(()))
    })
    .await
}

/// Runs a command; its output is told when it fails.
pub(crate) fn run(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("cannot start {command:?}"))?;
    if !output.status.success() {
        bail!("{command:?}: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

impl Installed {
    /// The names, as the manifests have them.
    fn read(deploy: &Path) -> Result<Installed> {
        let registration = object(&deploy.join("base/apiservice.yaml"), "APIService")?;
        let account = object(&deploy.join("rbac.yaml"), "ServiceAccount")?;
        let text = |value: &Value, what: &str| value.as_str().map(str::to_owned).with_context(|| format!("no {what}"));
        Ok(Installed {
            namespace: text(&account["metadata"]["namespace"], "namespace in the ServiceAccount of rbac.yaml")?,
            service_account: text(&account["metadata"]["name"], "name in the ServiceAccount of rbac.yaml")?,
            service: text(&registration["spec"]["service"]["name"], "service in apiservice.yaml")?,
        })
    }
}

/// The first object of a kind in a manifest.
fn object(manifest: &Path, kind: &str) -> Result<Value> {
    let text = std::fs::read_to_string(manifest).with_context(|| format!("cannot read {}", manifest.display()))?;
    for document in serde_yaml::Deserializer::from_str(&text) {
        let document = Value::deserialize(document)?;
        if document["kind"] == kind {
            return Ok(document);
        }
    }
    bail!("{} has no {kind}", manifest.display())
}

async fn wait_for_types(control_plane: &ControlPlane) -> Result<()> {
    let definitions: Api<CustomResourceDefinition> = Api::all(control_plane.client().await?);
    until("the API server serves the new types", LIMIT, || async {
        let list = definitions.list(&ListParams::default()).await?;
        let established = |definition: &CustomResourceDefinition| {
            let conditions = definition.status.iter().flat_map(|status| status.conditions.iter().flatten());
            conditions.clone().any(|condition| condition.type_ == "Established" && condition.status == "True")
        };
        Ok((!list.items.is_empty() && list.items.iter().all(established)).then_some(()))
    })
    .await
}
