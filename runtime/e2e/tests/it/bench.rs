//! `windlass bench`: measured, interrupted and refused, on the operator that runs for all tests.
use crate::shared::LIMIT;
use crate::windlass::{Windlass, text};
use anyhow::{Context, Result, bail, ensure};
use k8s_openapi::api::core::v1::{Namespace, ServiceAccount};
use kube::Api;
use kube::api::PostParams;
use serde_json::{Value, json};
use std::path::Path;
use windlass_e2e::{Folder, operator_program, until};

fn command(kubeconfig: &Path, namespace: &str, more: &[&str]) -> Result<tokio::process::Command> {
    let mut command = tokio::process::Command::new(operator_program()?);
    command.arg("bench").arg("--kubeconfig").arg(kubeconfig).args(["--namespace", namespace]).args(more);
    command.env_remove("KUBECONFIG").kill_on_drop(true);
    command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    Ok(command)
}

fn figure(report: &Value, name: &str) -> Result<f64> {
    let figures = report["figures"].as_array().context("no figures")?;
    let found = figures.iter().find(|figure| figure["name"] == name);
    found.and_then(|figure| figure["value"].as_f64()).with_context(|| format!("no figure {name}: {report}"))
}

/// Whether a namespace is gone, or on its way.
async fn is_gone(windlass: &Windlass, namespace: &str) -> Result<bool> {
    let found = Api::<Namespace>::all(windlass.client.clone()).get_opt(namespace).await?;
    Ok(found.is_none_or(|namespace| namespace.metadata.deletion_timestamp.is_some()))
}

#[tokio::test]
async fn it_measures_and_leaves_nothing_behind() -> Result<()> {
    let windlass = Windlass::beside("bench").await?;
    let folder = Folder::for_run("bench")?;
    let (page, before) = (folder.file("report.html"), folder.file("report.json"));
    let work =
        ["--objects=20", "--sources=4", "--interval-s=2", "--duration-s=8", "--readers=4", "--output=json", "--wake"];
    let page_flag = format!("--html={}", page.display());
    let ran = command(windlass.control_plane().kubeconfig(), "bench-run", &[&work[..], &[&page_flag]].concat())?;
    let output = { ran }.output().await?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let report: Value = serde_json::from_slice(&output.stdout)?;
    assert_eq!(figure(&report, "objects that are not Ready")?, 0.0);
    assert_eq!(figure(&report, "reads without a value")?, 0.0);
    assert!(figure(&report, "reads through the API server")? > 5.0);
    // One request an object and period, from sources that answer within 30 ms; values are as old as that at most.
    let each = figure(&report, "requests per object and pollingInterval")?;
    assert!((0.7..1.4).contains(&each), "{each}");
    assert!(figure(&report, "age of values when read, p50")? < 3.0);
    assert_eq!(figure(&report, "ScaledObjects written to meanwhile")?, 0.0);
    assert_eq!(figure(&report, "objects that did not wake")?, 0.0);
    assert!(figure(&report, "from work to the first replica, p50")? > 0.0);
    assert_eq!(report["series"].as_array().map(Vec::len), Some(5));
    let html = std::fs::read_to_string(&page)?;
    assert_eq!(html.matches("<svg").count(), 5);
    assert!(is_gone(&windlass, "bench-run").await?);

    // Another run, with failing sources, beside the first one.
    std::fs::write(&before, &output.stdout)?;
    let compare = format!("--compare={}", before.display());
    let more = ["--objects=5", "--interval-s=1", "--duration-s=3", "--failures=1", "--ready-s=3", &compare];
    let output = command(windlass.control_plane().kubeconfig(), "bench-again", &more)?.output().await?;
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(output.status.success(), "{told}{}", String::from_utf8_lossy(&output.stderr));
    for words in ["BEFORE", "RATIO", "reads without a value: HTTP 503"] {
        assert!(told.contains(words), "{words}: {told}");
    }
    assert!(is_gone(&windlass, "bench-again").await?);
    Ok(())
}

#[tokio::test]
async fn interrupted_it_cleans_up() -> Result<()> {
    let windlass = Windlass::beside("bench-stop").await?;
    let more = ["--objects=10", "--duration-s=300", "--interval-s=5"];
    let mut running = command(windlass.control_plane().kubeconfig(), "bench-stopped", &more)?.spawn()?;
    let objects: Api<ServiceAccount> = Api::namespaced(windlass.client.clone(), "bench-stopped");
    until("its namespace is there", LIMIT, || async {
        // Any list tells: there is none in a namespace that is not.
        objects.list(&Default::default()).await?;
        Ok((!is_gone(&windlass, "bench-stopped").await?).then_some(()))
    })
    .await?;
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    let process = running.id().context("it has ended")?;
    rustix::process::kill_process(
        rustix::process::Pid::from_raw(i32::try_from(process)?).context("no process")?,
        rustix::process::Signal::INT,
    )?;
    let ended = tokio::time::timeout(LIMIT, running.wait()).await??;
    assert_eq!(ended.code(), Some(130));
    assert!(is_gone(&windlass, "bench-stopped").await?);
    Ok(())
}

#[tokio::test]
async fn without_rights_it_says_which_and_makes_nothing() -> Result<()> {
    let windlass = Windlass::beside("bench-rights").await?;
    let account = serde_json::from_value(json!({ "metadata": { "name": "nobody" } }))?;
    let accounts: Api<ServiceAccount> = Api::namespaced(windlass.client.clone(), &windlass.namespace);
    accounts.create(&PostParams::default(), &account).await?;
    let kubeconfig = windlass.control_plane().kubeconfig_for_service_account(&windlass.namespace, "nobody").await?;
    let output = command(&kubeconfig, "bench-refused", &["--objects=1"])?.output().await?;
    let told = String::from_utf8_lossy(&output.stderr);
    for words in ["not allowed:", "create namespaces", "create scaledobjects.keda.sh", "--kubeconfig"] {
        assert!(told.contains(words), "{words}: {told}");
    }
    assert!(!output.status.success());
    assert!(is_gone(&windlass, "bench-refused").await?);

    // A namespace of somebody else is left alone.
    let output =
        command(windlass.control_plane().kubeconfig(), &windlass.namespace, &["--objects=1"])?.output().await?;
    let told = String::from_utf8_lossy(&output.stderr);
    ensure!(told.contains("exists: name another by --namespace"), "{told}");
    if is_gone(&windlass, &windlass.namespace).await? {
        bail!("{} was deleted", text(&json!({ "namespace": windlass.namespace }), "/namespace"));
    }
    Ok(())
}
