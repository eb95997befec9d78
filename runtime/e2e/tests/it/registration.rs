//! Components that annotations register: from a real registry into a running operator, and back out of it.
use crate::shared::LIMIT;
use crate::windlass::{Alone, Windlass, holds, metrics_api, text};
use anyhow::{Context, Result, bail, ensure};
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use windlass_e2e::{Folder, Registry, RegistryAccess, scaler, until};
use windlass_testkit::guest::{Ask, Declared, Guest};

/// A component of a trigger type that always answers with a number.
fn answering(kind: &str, value: u32) -> Guest {
    Guest::polling(kind, format!("(call $ready (i32.const 0) (f64.const {value}))"))
}

/// Pushes a component; the artifact, pinned.
fn push(folder: &Folder, login: Option<&Value>, guest: &Guest, reference: &str) -> Result<String> {
    push_as(folder, login, &folder.write("push.wasm", guest.component())?, reference)
}

/// Pushes a file to a registry that is open to everybody.
pub(crate) fn push_file(folder: &Folder, file: &Path, reference: &str) -> Result<String> {
    push_as(folder, None, file, reference)
}

fn push_as(folder: &Folder, login: Option<&Value>, file: &Path, reference: &str) -> Result<String> {
    let pushed = scaler(folder, login, &["push", &file.display().to_string(), reference, "--output=json"])?;
    ensure!(pushed.ok, "{}", pushed.text);
    Ok(text(&pushed.told, "/reference"))
}

fn spec(kind: &str) -> Value {
    json!({ "pollingInterval": 1, "cooldownPeriod": 2, "triggers": [{ "type": kind, "metadata": {} }] })
}

/// Metadata that registers a component for an object.
pub(crate) fn registering(kind: &str, reference: &str) -> Value {
    json!({ "annotations": { (format!("windlass.dev/scaler.{kind}")): reference } })
}

/// Annotates an object of the whole cluster.
async fn annotate(
    windlass: &Windlass,
    (api_version, kind): (&str, &str),
    name: &str,
    annotations: Value,
) -> Result<()> {
    let objects = windlass.objects_in(None, api_version, kind);
    let patch = json!({ "metadata": { "annotations": annotations } });
    objects.patch(name, &PatchParams::default(), &Patch::Merge(patch)).await?;
    Ok(())
}

const NAMESPACE: (&str, &str) = ("v1", "Namespace");
const DEFINITION: (&str, &str) = ("apiextensions.k8s.io/v1", "CustomResourceDefinition");

/// What the operator records of the component that a reference names for a namespace.
async fn record(windlass: &Windlass, reference: &str) -> Result<Value> {
    let maps = windlass.objects_in(Some(windlass.home()), "v1", "ConfigMap");
    let map = maps.get("windlass-components").await?;
    let rows: Vec<Value> = serde_json::from_str(&text(&map.data, "/data/components.json"))?;
    let of = |row: &Value| row["namespace"] == *windlass.namespace && row["reference"] == reference;
    rows.into_iter().find(of).context("not recorded")
}

#[tokio::test]
async fn a_private_component_serves_is_swapped_while_it_does_and_survives_its_registry() -> Result<()> {
    let windlass = Windlass::beside("private").await?;
    let mut registry = Registry::start(RegistryAccess::Basic).await?;
    let login = registry.docker_config(Registry::PASSWORD);
    let reference = registry.reference("open/counter:1");
    let push = |guest: &Guest| push(registry.folder(), Some(&login), guest, &reference);
    let first = push(&answering("counter", 2))?;
    windlass.deployment("web", 0).await?;
    windlass.scale_with("web", registering("counter", &reference), spec("counter")).await?;
    let message = windlass.wait_condition("web", "Ready", "False", "ComponentUnavailable").await?;
    for words in [&*reference, "spec.triggers[0].type", "there are none for it", "pull secret"] {
        assert!(message.contains(words), "{words}: {message}");
    }

    // The pull secret of the namespace's ServiceAccount.
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "login" },
        "type": "kubernetes.io/dockerconfigjson", "stringData": { ".dockerconfigjson": login.to_string() },
    });
    windlass.apply(secret).await?;
    let account = json!({
        "apiVersion": "v1", "kind": "ServiceAccount", "metadata": { "name": "default" },
        "imagePullSecrets": [{ "name": "login" }],
    });
    windlass.apply(account).await?;
    windlass.wait_replicas("web", 2).await?;
    windlass.wait_ready("web").await?;
    let row = until("it is recorded", LIMIT, || async { Ok(Some(record(&windlass, &reference).await?)) }).await?;
    assert!(first.ends_with(&text(&row, "/artifact")), "{first}: {row}");
    assert_eq!((&row["state"], &row["triggers"]), (&json!("Serving"), &json!(["counter"])));

    // What people ask.
    let kubeconfig = windlass.control_plane().kubeconfig().display().to_string();
    let listed = scaler(
        registry.folder(),
        None,
        &["list", "--namespace", &windlass.namespace, "--kubeconfig", &kubeconfig, "--output=json"],
    )?;
    let served = &listed.told[0];
    assert_eq!(
        (&served["name"], &served["type"], &served["ready"]),
        (&json!("web"), &json!("counter"), &json!("True"))
    );
    assert_eq!(served["component"], row, "{}", listed.text);

    // A newer one: every read in between has a value, the old or the new one.
    let (done, reads) = (AtomicBool::new(false), async |done: &AtomicBool| {
        let mut seen = Vec::new();
        while !done.load(Ordering::Relaxed) {
            seen.push(windlass.metric("s0-value", "web").await?);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        anyhow::Ok(seen)
    });
    let swap = async {
        push(&answering("counter", 4))?;
        let swapped = windlass.wait_replicas("web", 4).await;
        done.store(true, Ordering::Relaxed);
        swapped
    };
    let (seen, swapped) = tokio::join!(reads(&done), swap);
    swapped?;
    let (old, new) = ((200, Some("2".to_owned())), (200, Some("4".to_owned())));
    for read in &seen? {
        assert!(*read == old || *read == new, "{read:?}");
    }

    // One that wants more than its triggers say is not taken, and the object says why.
    let mut demanding = answering("counter", 9);
    let parameter = Declared { name: "queue".into(), shape: 0, doc: "which".into(), required: true, secrecy: 0 };
    demanding.parameters.push(parameter);
    push(&demanding)?;
    let message = until("the new one is not taken", LIMIT, || async {
        match windlass.condition("web", "Ready").await? {
            Some((status, _, message)) if message.contains("stays with its component") => Ok(Some((status, message))),
            other => bail!("{other:?}"),
        }
    })
    .await?;
    assert_eq!(message.0, "True");
    for words in ["trigger 0", "queue", "new and required", "spec.triggers[0]", "/web"] {
        assert!(message.1.contains(words), "{words}: {}", message.1);
    }
    holds(3, 4, || windlass.replicas("web")).await?;
    push(&answering("counter", 6))?;
    windlass.wait_replicas("web", 6).await?;
    windlass.wait_ready("web").await?;
    until("nothing is held back any more", LIMIT, || async {
        let (_, _, message) = windlass.condition("web", "Ready").await?.unwrap_or_default();
        Ok((!message.contains("stays with")).then_some(()))
    })
    .await?;

    // Without the registry it goes on; what was never fetched cannot be had.
    registry.kill()?;
    windlass.deployment("new", 3).await?;
    windlass.scale_with("new", registering("other", &registry.reference("open/other:1")), spec("other")).await?;
    let message = windlass.wait_condition("new", "Ready", "False", "ComponentUnavailable").await?;
    assert!(message.contains("no connection to"), "{message}");
    holds(4, 6, || windlass.replicas("web")).await?;
    windlass.wait_ready("web").await
}

#[tokio::test]
async fn the_nearest_registration_serves_and_none_of_another_namespace() -> Result<()> {
    let windlass = Windlass::beside("theirs").await?;
    let other = windlass.another("not-them").await?;
    let registry = Registry::start(RegistryAccess::Open).await?;
    let at = |rest: &str| registry.reference(rest);
    for (rest, kind, value) in [
        ("open/all:1", "near", 2),
        ("theirs/own:1", "near", 3),
        ("open/object:1", "near", 4),
        ("theirs/mine:1", "mine", 5),
    ] {
        push(registry.folder(), None, &answering(kind, value), &at(rest))?;
    }
    for of in [&windlass, &other] {
        for name in ["own", "object", "mine"] {
            of.deployment(name, 0).await?;
        }
        of.scale("own", spec("near")).await?;
        of.scale("mine", spec("mine")).await?;
    }
    // For everybody: by the definition of ScaledObjects.
    annotate(&windlass, DEFINITION, "scaledobjects.keda.sh", json!({ "windlass.dev/scaler.near": at("open/all:1") }))
        .await?;
    windlass.wait_replicas("own", 2).await?;
    other.wait_replicas("own", 2).await?;
    // For a namespace; before the cluster's only where the policy lets it.
    let theirs =
        json!({ "windlass.dev/scaler.near": at("theirs/own:1"), "windlass.dev/scaler.mine": at("theirs/mine:1") });
    annotate(&windlass, NAMESPACE, &windlass.namespace, theirs).await?;
    windlass.wait_replicas("mine", 5).await?;
    let message = windlass.wait_condition("own", "Ready", "False", "ComponentUnavailable").await?;
    assert!(message.contains("shadow: true"), "{message}");
    assert_eq!(windlass.replicas("own").await?, 2, "unknown changes nothing");
    push(registry.folder(), None, &answering("near", 3), &at("shadow/own:1"))?;
    annotate(&windlass, NAMESPACE, &windlass.namespace, json!({ "windlass.dev/scaler.near": at("shadow/own:1") }))
        .await?;
    windlass.wait_replicas("own", 3).await?;
    // For an object.
    push(registry.folder(), None, &answering("near", 4), &at("shadow/object:1"))?;
    windlass.scale_with("object", registering("near", &at("shadow/object:1")), spec("near")).await?;
    windlass.wait_replicas("object", 4).await?;
    assert_eq!(windlass.replicas("own").await?, 3);
    // Nothing of that is anybody else's.
    let message = other.wait_condition("mine", "Ready", "False", "UnknownTriggerType").await?;
    assert!(message.contains("mine"), "{message}");
    assert_eq!(other.replicas("own").await?, 2);

    // An annotation that is lost, as tools that apply the definition again lose it, changes nothing.
    annotate(&windlass, DEFINITION, "scaledobjects.keda.sh", json!({ "windlass.dev/scaler.near": null })).await?;
    holds(3, 2, || other.replicas("own")).await?;
    other.wait_ready("own").await?;
    // A namespace's own is taken back by taking the annotation away.
    annotate(&windlass, NAMESPACE, &windlass.namespace, json!({ "windlass.dev/scaler.near": null })).await?;
    windlass.wait_replicas("own", 2).await
}

#[tokio::test]
async fn what_may_not_be_registered_is_refused_by_its_object() -> Result<()> {
    let windlass = Windlass::beside("refusals").await?;
    let registry = Registry::start(RegistryAccess::Open).await?;
    let source = windlass_testkit::ScriptedHttp::start().await?;
    source.set_value(2.0);
    let folder = registry.folder();
    let at = |rest: &str| registry.reference(rest);
    let put = |rest: &str, kind: &str| push(folder, None, &answering(kind, 3), &at(rest));
    for rest in ["open/mine:1", "theirs/mine:1", "pinned/mine:1", "signed/none:1", "signed/wrong:1", "signed/changed:1"]
    {
        put(rest, "mine")?;
    }
    put("open/cron:1", "cron")?;
    let run = |arguments: &[&str]| scaler(folder, None, arguments);
    ensure!(run(&["keygen", "stranger"])?.ok, "no key");
    ensure!(run(&["sign", &at("signed/wrong:1"), "--key=stranger.key"])?.ok, "not signed");
    let ours = windlass.folder().file("ours.key").display().to_string();
    ensure!(run(&["sign", &at("signed/changed:1"), "--key", &ours])?.ok, "not signed");
    put("signed/good:1", "mine")?;
    ensure!(run(&["sign", &at("signed/good:1"), "--key", &ours])?.ok, "not signed");
    // Signed, and then changed within the registry.
    let mut changed = answering("mine", 3);
    changed.name = "changed".to_owned();
    push(folder, None, &changed, &at("signed/changed:1"))?;
    // No scaler of this contract, and one that imports what nobody grants.
    folder.write("empty.wasm", wat::parse_str("(component)")?)?;
    ensure!(run(&["push", &folder.file("empty.wasm").display().to_string(), &at("open/empty:1")])?.ok, "not pushed");
    let greedy = wat::parse_str(r#"(component (import "wasi:filesystem/types@0.2.0" (instance)))"#)?;
    folder.write("greedy.wasm", greedy)?;
    ensure!(run(&["push", &folder.file("greedy.wasm").display().to_string(), &at("open/greedy:1")])?.ok, "not pushed");

    let cluster_authentication = json!({
        "apiVersion": "keda.sh/v1alpha1", "kind": "ClusterTriggerAuthentication", "metadata": { "name": "refusals" },
        "spec": { "secretTargetRef": [{ "parameter": "password", "name": "refusals", "key": "password" }] },
    });
    let all = windlass.objects_in(None, "keda.sh/v1alpha1", "ClusterTriggerAuthentication");
    all.patch("refusals", &PatchParams::apply("tests"), &Patch::Apply(&cluster_authentication)).await?;
    let shared = json!({ "type": "mine", "metadata": {},
        "authenticationRef": { "name": "refusals", "kind": "ClusterTriggerAuthentication" } });

    // The secret is there, and would be read: it is only that this component may not have it.
    let secrets = windlass.objects_in(Some(windlass.home()), "v1", "Secret");
    let secret = json!({ "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "refusals" }, "stringData": { "password": "x" } });
    secrets.patch("refusals", &PatchParams::apply("tests"), &Patch::Apply(&secret)).await?;

    let plain = |kind: &str| json!({ "type": kind, "metadata": {} });
    let file = format!("file://{}", windlass.folder().file("cron.wasm").display());
    let cases: Vec<(&str, Value, String, &[&str])> = vec![
        ("another-team", plain("mine"), at("theirs/mine:1"), &["repositories[3].namespaces", "add refusals-"]),
        ("nobody", plain("mine"), at("elsewhere/mine:1"), &["add 127.0.0.1:", "to repositories"]),
        ("unpinned", plain("mine"), at("pinned/mine:1"), &["wants a digest", "repositories[4].pinned"]),
        ("unsigned", plain("mine"), at("signed/none:1"), &["not signed", "repositories[2].signedBy", "ours"]),
        ("stranger", plain("mine"), at("signed/wrong:1"), &["none of its 1 signatures is by an accepted key"]),
        ("changed", plain("mine"), at("signed/changed:1"), &["not signed"]),
        ("bundled", plain("cron"), at("open/cron:1"), &["serves 'cron' already", "shadow: true"]),
        ("a-file", plain("mine"), file, &["administrator alone"]),
        ("no-reference", plain("mine"), "open/mine:1".to_owned(), &["write oci://"]),
        ("no-tag", plain("mine"), at("open/mine:2"), &["no such manifest"]),
        ("no-scaler", plain("mine"), at("open/empty:1"), &["open/empty:1"]),
        ("greedy", plain("mine"), at("open/greedy:1"), &["open/greedy:1", "wasi:filesystem"]),
        ("secrets", shared, at("open/mine:1"), &["nothing of a ClusterTriggerAuthentication"]),
    ];
    windlass.deployment("good", 0).await?;
    windlass.scale("good", json!({ "pollingInterval": 1, "triggers": [metrics_api(&source.url(), "1")] })).await?;
    for (name, trigger, reference, _) in &cases {
        windlass.deployment(name, 3).await?;
        let spec = json!({ "pollingInterval": 1, "cooldownPeriod": 1, "triggers": [trigger] });
        windlass.scale_with(name, registering(&text(trigger, "/type"), reference), spec).await?;
    }
    for (name, _, _, words) in &cases {
        let message = windlass.wait_condition(name, "Ready", "False", "ComponentUnavailable").await?;
        for word in *words {
            assert!(message.contains(word), "{name}: {message}: does not say {word}");
        }
        assert_eq!(windlass.wait_event(name, "ScaledObjectCheckFailed").await?, message, "{name}");
    }
    windlass.wait_replicas("good", 2).await?;
    for (name, ..) in &cases {
        assert_eq!(windlass.replicas(name).await?, 3, "{name}");
    }
    // Another type than it serves; and what is signed and listed serves.
    windlass.deployment("misnamed", 3).await?;
    windlass.scale_with("misnamed", registering("yours", &at("open/mine:1")), spec("yours")).await?;
    let message = windlass.wait_condition("misnamed", "Ready", "False", "UnknownTriggerType").await?;
    assert!(message.contains("windlass.dev/scaler.mine"), "{message}");
    windlass.deployment("signed", 0).await?;
    windlass.scale_with("signed", registering("mine", &at("signed/good:1")), spec("mine")).await?;
    windlass.wait_replicas("signed", 3).await
}

/// A component with a source of its own, which no trigger names: the operator's policy lets it reach that, from one repository.
#[tokio::test]
async fn a_host_that_no_trigger_names_is_the_policys_to_grant() -> Result<()> {
    let windlass = Windlass::beside("granted").await?;
    let registry = Registry::start(RegistryAccess::Open).await?;
    let source = windlass_testkit::ScriptedHttp::start().await?;
    source.set_value(1.0);
    let mut guest = Guest::new("own-source");
    guest.endpoints = vec![(None, "127.0.0.1".to_owned(), source.address().port())];
    // The status, 200, is its value.
    guest.metrics = Some(vec![("value".to_owned(), 100.0, 0.0)]);
    let asks = guest.requests(&[Ask { target: "/".to_owned(), ..Ask::default() }]);
    guest.poll = format!("(call $ask (i32.const {}) (i32.const {}))", asks.at, asks.length);
    for (name, rest) in [("granted", "open/granted:1"), ("stranger", "open/stranger:1")] {
        push(registry.folder(), None, &guest, &registry.reference(rest))?;
        windlass.deployment(name, 0).await?;
        let metadata = registering("own-source", &registry.reference(rest));
        windlass.scale_with(name, metadata, spec("own-source")).await?;
    }
    windlass.wait_replicas("granted", 2).await?;
    let message = windlass.wait_condition("stranger", "Ready", "False", "InvalidTrigger").await?;
    assert!(message.contains("`grants` of the component policy"), "{message}");
    assert_eq!(windlass.replicas("stranger").await?, 0);
    Ok(())
}

#[tokio::test]
async fn after_a_restart_without_the_registry_all_is_as_it_was_and_nothing_is_written() -> Result<()> {
    let Alone { windlass, mut operator } = Windlass::alone("cached").await?;
    let mut registry = Registry::start(RegistryAccess::Open).await?;
    let reference = registry.reference("open/table:1");
    push(registry.folder(), None, &answering("table", 3), &reference)?;
    // The cluster's table.
    let table = json!({ "data": { "table": reference } });
    let maps = windlass.objects_in(Some(windlass.home()), "v1", "ConfigMap");
    let object = json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "windlass-scalers" }, "data": table["data"] });
    maps.patch("windlass-scalers", &PatchParams::apply("tests").force(), &Patch::Apply(&object)).await?;
    windlass.deployment("web", 0).await?;
    windlass.scale("web", spec("table")).await?;
    windlass.wait_replicas("web", 3).await?;
    windlass.wait_ready("web").await?;
    tokio::time::sleep(Duration::from_secs(3)).await;

    registry.kill()?;
    operator.stop().await?;
    let mark = windlass.control_plane().audit().mark().await?;
    operator.resume().await?;
    until("it is asked again", LIMIT, || async {
        Ok((windlass.metric("s0-value", "web").await? == (200, Some("3".to_owned()))).then_some(()))
    })
    .await?;
    holds(5, 3, || windlass.replicas("web")).await?;
    let ours = windlass.writes(mark).await?.into_iter().filter(|write| write.namespace == windlass.namespace);
    assert_eq!(ours.collect::<Vec<_>>(), []);
    windlass.wait_ready("web").await
}
