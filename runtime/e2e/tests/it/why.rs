//! `windlass why`: what the operator tells of an object through the API server, and the limits that bite.
use crate::shared::LIMIT;
use crate::windlass::{Windlass, metrics_api, text};
use anyhow::{Context, Result, ensure};
use http::StatusCode;
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::api::{Api, PostParams};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Output;
use windlass_e2e::{operator_program, until};
use windlass_testkit::ScriptedHttp;

async fn why(kubeconfig: &Path, object: &str, more: &[&str]) -> Result<Output> {
    let mut command = tokio::process::Command::new(operator_program()?);
    command.args(["why", object, "--kubeconfig"]).arg(kubeconfig).args(more).env_remove("KUBECONFIG");
    command.output().await.context("windlass why")
}

async fn told(windlass: &Windlass, name: &str) -> Result<Value> {
    let object = format!("{}/{name}", windlass.namespace);
    let output = why(windlass.control_plane().kubeconfig(), &object, &["--output=json"]).await?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// The limits that bite.
fn limits(told: &Value) -> Vec<String> {
    let limits = told["limits"].as_array().into_iter().flatten();
    // No pod becomes ready here, unless a test says so.
    limits.map(|limit| text(limit, "/limit")).filter(|limit| limit != "pods-not-ready").collect()
}

#[tokio::test]
async fn the_limit_that_bites_is_told_with_the_inputs() -> Result<()> {
    let windlass = Windlass::beside("why").await?;
    let source = ScriptedHttp::start().await?;
    source.set_value(50.0);
    let spec = |more: Value| {
        let mut spec =
            json!({ "pollingInterval": 1, "maxReplicaCount": 3, "triggers": [metrics_api(&source.url(), "5")] });
        spec.as_object_mut().into_iter().for_each(|spec| spec.extend(more.as_object().cloned().unwrap_or_default()));
        spec
    };
    windlass.deployment("web", 0).await?;
    windlass.scale("web", spec(json!({}))).await?;
    windlass.wait_replicas("web", 3).await?;
    let found = until("the HPA has read it twice, and wants more than it may", LIMIT, || async {
        let found = told(&windlass, "web").await?;
        let read = found["triggers"][0]["metrics"][0]["readGapMs"].as_u64().is_some();
        Ok((read && limits(&found).iter().any(|limit| limit == "hpa-bounds")).then_some(found))
    })
    .await?;
    assert_eq!(limits(&found), ["max-replicas", "hpa-bounds"], "{found}");
    assert_eq!((&found["replicas"], &found["max"], &found["engine"]), (&json!(3), &json!(3), &json!("hpa")));
    assert_eq!((&found["activity"], &found["ready"][0]), (&json!("active"), &json!("True")));
    let metric = &found["triggers"][0]["metrics"][0];
    assert_eq!((&metric["value"], &metric["target"], &metric["average"]), (&json!("50"), &json!("5"), &json!(true)));
    assert_eq!(found["hpa"]["desired"], 3);

    // For people.
    let object = format!("{}/web", windlass.namespace);
    let page = why(windlass.control_plane().kubeconfig(), &object, &[]).await?;
    let page = String::from_utf8_lossy(&page.stdout).into_owned();
    for words in ["Deployment/web: 3 replicas", "(0 to 3)", "s0-metric-api-value", "5 a replica", "max-replicas: "] {
        assert!(page.contains(words), "{words}: {page}");
    }

    // No work, and then a source that fails.
    source.set_value(0.0);
    until("it cools down", LIMIT, || async {
        Ok((limits(&told(&windlass, "web").await?) == ["cooldown"]).then_some(()))
    })
    .await?;
    source.set_status(StatusCode::SERVICE_UNAVAILABLE);
    let found = until("it says that it fails", LIMIT, || async {
        let found = told(&windlass, "web").await?;
        let failing = limits(&found).iter().any(|limit| limit == "not-ready" || limit == "trigger-failing");
        Ok(failing.then_some(found))
    })
    .await?;
    assert!(text(&found, "/triggers/0/trouble").contains("503"), "{found}");

    // Scaled by Windlass itself: no HPA is asked for, nor missed.
    source.set_status(StatusCode::OK);
    source.set_value(50.0);
    windlass.deployment("direct", 0).await?;
    let direct = json!({ "annotations": { "windlass.dev/engine": "direct" } });
    windlass.scale_with("direct", direct, spec(json!({}))).await?;
    windlass.wait_replicas("direct", 3).await?;
    let found = told(&windlass, "direct").await?;
    assert_eq!((&found["engine"], &found["hpa"]), (&json!("direct"), &Value::Null));
    assert_eq!(limits(&found), ["max-replicas"], "{found}");
    Ok(())
}

#[tokio::test]
async fn who_may_not_read_metrics_is_told_nothing() -> Result<()> {
    let windlass = Windlass::beside("why-rights").await?;
    let kubeconfig = windlass.control_plane().kubeconfig();
    let missing = why(kubeconfig, &format!("{}/none", windlass.namespace), &[]).await?;
    let message = String::from_utf8_lossy(&missing.stderr).into_owned();
    assert!(!missing.status.success() && message.contains("no ScaledObject"), "{message}");
    let nonsense = why(kubeconfig, "a/b/c", &[]).await?;
    assert!(String::from_utf8_lossy(&nonsense.stderr).contains("NAMESPACE/NAME"));

    let accounts: Api<ServiceAccount> = Api::namespaced(windlass.client.clone(), &windlass.namespace);
    let account: ServiceAccount = serde_json::from_value(json!({ "metadata": { "name": "nobody" } }))?;
    accounts.create(&PostParams::default(), &account).await?;
    let theirs = windlass.control_plane().kubeconfig_for_service_account(&windlass.namespace, "nobody").await?;
    let refused = why(&theirs, &format!("{}/none", windlass.namespace), &[]).await?;
    let message = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && message.contains("orbidden"), "{message}");
    Ok(())
}
