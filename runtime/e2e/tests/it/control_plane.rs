//! The control plane itself: that tests built on it mean something.
use crate::shared::{self, LIMIT};
use anyhow::Result;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, Pod, ServiceAccount};
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::config::Kubeconfig;
use serde_json::json;
use windlass_e2e::until;

#[tokio::test]
async fn pods_become_ready_and_go() -> Result<()> {
    let control_plane = shared::control_plane().await?;
    let client = control_plane.client().await?;
    let namespace = shared::namespace(&client, "pods").await?;
    shared::deployment(&client, &namespace, "web", 3).await?;
    let deployments: Api<Deployment> = Api::namespaced(client.clone(), &namespace);
    until("three pods are ready", LIMIT, || async {
        let status = deployments.get("web").await?.status.unwrap_or_default();
        Ok((status.ready_replicas == Some(3)).then_some(()))
    })
    .await?;
    let none = json!({ "spec": { "replicas": 0 } });
    deployments.patch_scale("web", &PatchParams::default(), &Patch::Merge(&none)).await?;
    let pods: Api<Pod> = Api::namespaced(client.clone(), &namespace);
    until("all pods are gone", LIMIT, || async {
        Ok(pods.list(&ListParams::default()).await?.items.is_empty().then_some(()))
    })
    .await?;
    let namespaces: Api<k8s_openapi::api::core::v1::Namespace> = Api::all(client);
    namespaces.delete(&namespace, &DeleteParams::default()).await?;
    until("the namespace is gone", LIMIT, || async {
        Ok(namespaces.get_opt(&namespace).await?.is_none().then_some(()))
    })
    .await
}

#[tokio::test]
async fn audit_tells_who_wrote_what() -> Result<()> {
    let control_plane = shared::control_plane().await?;
    let client = control_plane.client().await?;
    let namespace = shared::namespace(&client, "audit").await?;
    let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), &namespace);
    accounts
        .create(&PostParams::default(), &serde_json::from_value(json!({ "metadata": { "name": "writer" } }))?)
        .await?;
    let kubectl = |verb: &str, kind: &str| {
        let account = format!("--serviceaccount={namespace}:writer");
        let mut command = control_plane.kubectl();
        command.args(["create", kind, "writer", "-n", &namespace]);
        command.arg(if kind == "role" { "--resource=configmaps" } else { "--role=writer" });
        command.arg(if kind == "role" { format!("--verb={verb}") } else { account });
        command.status()
    };
    assert!(kubectl("create,get", "role")?.success());
    assert!(kubectl("", "rolebinding")?.success());

    let kubeconfig = control_plane.kubeconfig_for_service_account(&namespace, "writer").await?;
    let config = kube::Config::from_custom_kubeconfig(Kubeconfig::read_from(kubeconfig)?, &Default::default()).await?;
    let maps: Api<ConfigMap> = Api::namespaced(kube::Client::try_from(config)?, &namespace);
    let audit = control_plane.audit();
    let mark = audit.mark().await?;
    assert_eq!(audit.writes_since(mark, &namespace, "writer").await?, []);

    // A read is no write; a refused write is one.
    maps.get_opt("one").await?;
    maps.create(&PostParams::default(), &serde_json::from_value(json!({ "metadata": { "name": "one" } }))?).await?;
    let refused = maps.delete("one", &DeleteParams::default()).await;
    assert!(refused.is_err_and(|error| matches!(error, kube::Error::Api(status) if status.code == 403)));
    let writes = audit.writes_since(mark, &namespace, "writer").await?;
    let told: Vec<_> =
        writes.iter().map(|entry| (entry.verb.as_str(), entry.target(), entry.name.as_str(), entry.code)).collect();
    assert_eq!(
        told,
        [("create", "configmaps".to_owned(), "one", 201), ("delete", "configmaps".to_owned(), "one", 403)]
    );
    let mark = audit.mark().await?;
    assert_eq!(audit.writes_since(mark, &namespace, "writer").await?, []);
    Ok(())
}
