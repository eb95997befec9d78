//! Windlass on the shared control plane, as the service account of `deploy/`, and what tests ask of it.
use crate::shared::{self, LIMIT};
use anyhow::{Context, Result, anyhow, bail, ensure};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::core::v1::Event;
use kube::api::{Api, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams};
use kube::{Client, ResourceExt};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fmt::Debug;
use std::sync::Arc;
use tokio::sync::{OnceCell, OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock};
use windlass_e2e::{
    AuditEntry, AuditMark, ControlPlane, Folder, Installed, Operator, OperatorOptions, PodMetrics, components_copy,
    install, scaler, until, wait_for_metrics_api,
};
use windlass_testkit::guest::Guest;

/// The operator and what was installed for it. It ends with this program.
struct Running {
    control_plane: &'static ControlPlane,
    installed: Installed,
    operator: Arc<RwLock<Operator>>,
    pod_metrics: OnceCell<PodMetrics>,
    /// The operator's scalers, and its budgets of sources.
    folder: Folder,
}

async fn running() -> Result<&'static Running> {
    static RUNNING: OnceCell<Result<Running, String>> = OnceCell::const_new();
    let start = || async {
        let control_plane = shared::control_plane().await?;
        let installed = install(control_plane).await?;
        // The HPA controller of tests reads every second, and scales down after five.
        let folder = components_copy()?;
        // One that breaks down whenever it is asked.
        folder.write("e2e-trap.wasm", Guest::polling("e2e-trap", "unreachable").component())?;
        let budgets = folder.write(BUDGETS, "overrides: []\n")?;
        let policy = folder.write("policy.yaml", policy(&folder)?)?;
        let arguments = vec![
            "--read-interval-s=1".to_owned(),
            "--direct-downscale-stabilization-s=5".to_owned(),
            format!("--source-budgets={}", budgets.display()),
            format!("--component-policy={}", policy.display()),
            "--component-refresh-s=2".to_owned(),
        ];
        let scalers = Some(folder.path().to_owned());
        let options = OperatorOptions { arguments, scalers, ..OperatorOptions::default() };
        let operator = Operator::start(control_plane, &installed, options).await?;
        wait_for_metrics_api(control_plane).await?;
        let (operator, pod_metrics) = (Arc::new(RwLock::new(operator)), OnceCell::new());
        anyhow::Ok(Running { control_plane, installed, operator, pod_metrics, folder })
    };
    let running = RUNNING.get_or_init(|| async { start().await.map_err(|error| format!("{error:#}")) }).await;
    running.as_ref().map_err(|error| anyhow!("{error}"))
}

/// The file with the budgets of sources.
const BUDGETS: &str = "budgets.yaml";

/// Which components may be registered: everybody's of `open`, those of `signed` by the key `ours`, and so on.
fn policy(folder: &Folder) -> Result<String> {
    ensure!(scaler(folder, None, &["keygen", "ours"])?.ok, "no key");
    let key = std::fs::read_to_string(folder.file("ours.pub"))?;
    let policy = json!({
        "apiVersion": "windlass.dev/v1alpha1",
        "kind": "ComponentPolicy",
        "keys": { "ours": key },
        "repositories": [
            { "pattern": "127.0.0.1:*/open/**", "namespaces": "all", "pinned": false },
            { "pattern": "127.0.0.1:*/shadow/**", "namespaces": "all", "pinned": false, "shadow": true },
            { "pattern": "127.0.0.1:*/signed/**", "namespaces": "all", "pinned": false, "signedBy": ["ours"] },
            { "pattern": "127.0.0.1:*/theirs/**", "namespaces": ["theirs-*"], "pinned": false, "cluster": false },
            { "pattern": "127.0.0.1:*/pinned/**", "namespaces": "all" },
        ],
        "files": [folder.path()],
        "grants": [{ "pattern": "127.0.0.1:*/open/granted", "hosts": ["127.0.0.1"] }],
    });
    Ok(policy.to_string())
}

/// A test's view: a namespace of its own, beside other tests.
pub(crate) struct Windlass {
    pub(crate) client: Client,
    pub(crate) namespace: String,
    running: &'static Running,
    beside: Option<OwnedRwLockReadGuard<Operator>>,
}

/// The whole system for one test: no other test runs.
pub(crate) struct Alone {
    pub(crate) windlass: Windlass,
    pub(crate) operator: OwnedRwLockWriteGuard<Operator>,
}

impl Windlass {
    /// In a namespace of its own, while other tests run beside it.
    pub(crate) async fn beside(test: &str) -> Result<Windlass> {
        let running = running().await?;
        let beside = running.operator.clone().read_owned().await;
        beside.ensure_running()?;
        Windlass::new(test, running, Some(beside)).await
    }

    /// A further namespace of the same test. (A second turn beside others would wait for a test that wants to be alone, which
    /// waits for the first one.)
    pub(crate) async fn another(&self, test: &str) -> Result<Windlass> {
        Windlass::new(test, self.running, None).await
    }

    /// The same while no other test of Windlass runs: for counts that concern the whole cluster, and for restarts.
    pub(crate) async fn alone(test: &str) -> Result<Alone> {
        let running = running().await?;
        let operator = running.operator.clone().write_owned().await;
        let windlass = Windlass::new(test, running, None).await?;
        windlass.clear().await?;
        Ok(Alone { windlass, operator })
    }

    /// Deletes what earlier tests have left: their sources are gone, and their objects would go on telling so.
    async fn clear(&self) -> Result<()> {
        let all = self.objects_in(None, "keda.sh/v1alpha1", "ScaledObject");
        let namespaces: BTreeSet<String> =
            all.list(&ListParams::default()).await?.items.iter().filter_map(ResourceExt::namespace).collect();
        for namespace in namespaces {
            let objects = self.objects_in(Some(&namespace), "keda.sh/v1alpha1", "ScaledObject");
            objects.delete_collection(&DeleteParams::default(), &ListParams::default()).await?;
        }
        until("what earlier tests left is gone", LIMIT, || async {
            Ok(all.list(&ListParams::default()).await?.items.is_empty().then_some(()))
        })
        .await
    }

    async fn new(
        test: &str,
        running: &'static Running,
        beside: Option<OwnedRwLockReadGuard<Operator>>,
    ) -> Result<Windlass> {
        let client = running.control_plane.client().await?;
        let namespace = shared::namespace(&client, test).await?;
        Ok(Windlass { client, namespace, running, beside: beside })
    }

    pub(crate) fn control_plane(&self) -> &'static ControlPlane {
        self.running.control_plane
    }

    /// What metrics-server would serve, started by the first test that asks.
    pub(crate) async fn pod_metrics(&self) -> Result<&'static PodMetrics> {
        let running: &'static Running = self.running;
        running.pod_metrics.get_or_try_init(|| PodMetrics::start(running.control_plane)).await
    }

    /// The operator that runs for all tests.
    pub(crate) fn operator(&self) -> Result<&Operator> {
        self.beside.as_deref().context("only beside other tests")
    }

    /// Where the operator finds its scalers, and tests the key that the component policy knows.
    pub(crate) fn folder(&self) -> &'static Folder {
        &self.running.folder
    }

    /// The operator's own namespace.
    pub(crate) fn home(&self) -> &'static str {
        &self.running.installed.namespace
    }

    /// Gives one source a budget of its own, and waits until the operator goes by it. Only while no other test does.
    pub(crate) async fn set_budget(&self, source: &str, budget: &str) -> Result<()> {
        let operator = self.operator()?;
        let taken = || async {
            let (_, metrics) = operator.page("/metrics").await?;
            let line = "windlass_source_budget_reloads_total{result=\"taken\"} ";
            let count = metrics.lines().find_map(|found| found.strip_prefix(line)).unwrap_or("0");
            anyhow::Ok(count.parse::<f64>()?)
        };
        let before = taken().await?;
        let text = format!("overrides:\n- {{ source: \"{source}\", {budget} }}\n");
        self.running.folder.write(BUDGETS, text)?;
        until("the new budgets are taken", LIMIT, || async { Ok((taken().await? > before).then_some(())) }).await
    }

    /// Objects of one kind in the test's namespace.
    pub(crate) fn objects(&self, api_version: &str, kind: &str) -> Api<DynamicObject> {
        self.objects_in(Some(&self.namespace), api_version, kind)
    }

    /// Objects of one kind in a namespace, or in all of them and in none.
    pub(crate) fn objects_in(&self, namespace: Option<&str>, api_version: &str, kind: &str) -> Api<DynamicObject> {
        shared::objects(&self.client, namespace, api_version, kind)
    }

    pub(crate) fn scaled_objects(&self) -> Api<DynamicObject> {
        self.objects("keda.sh/v1alpha1", "ScaledObject")
    }

    pub(crate) fn hpas(&self) -> Api<HorizontalPodAutoscaler> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    pub(crate) fn deployments(&self) -> Api<Deployment> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// Applies an object as `kubectl apply --server-side` does.
    pub(crate) async fn apply(&self, object: Value) -> Result<DynamicObject> {
        let (api_version, kind) = (text(&object, "/apiVersion"), text(&object, "/kind"));
        let name = text(&object, "/metadata/name");
        let params = PatchParams::apply("tests").force();
        let applied = self.objects(&api_version, &kind).patch(&name, &params, &Patch::Apply(&object)).await;
        applied.with_context(|| format!("apply {kind} {name}"))
    }

    /// A ScaledObject `name` of the Deployment of that name.
    pub(crate) async fn scale(&self, name: &str, spec: Value) -> Result<DynamicObject> {
        self.scale_with(name, json!({}), spec).await
    }

    /// The same with metadata (labels, annotations).
    pub(crate) async fn scale_with(&self, name: &str, metadata: Value, spec: Value) -> Result<DynamicObject> {
        self.apply(scaled_object(name, metadata, spec)).await
    }

    pub(crate) async fn deployment(&self, name: &str, replicas: i32) -> Result<Deployment> {
        shared::deployment(&self.client, &self.namespace, name, replicas).await
    }

    /// Merges a patch into a ScaledObject.
    pub(crate) async fn edit(&self, name: &str, patch: Value) -> Result<()> {
        self.scaled_objects().patch(name, &PatchParams::default(), &Patch::Merge(&patch)).await?;
        Ok(())
    }

    pub(crate) async fn replicas(&self, name: &str) -> Result<i32> {
        let deployment = self.deployments().get(name).await?;
        deployment.spec.replicas.context("no replicas")
    }

    /// Waits until a Deployment is to have so many replicas.
    pub(crate) async fn wait_replicas(&self, name: &str, wanted: i32) -> Result<()> {
        let what = format!("{} of {name} are {wanted}", "spec.replicas");
        until(&what, LIMIT, || async {
            let now = self.replicas(name).await?;
            if now != wanted {
                bail!("{now}; {}", self.told(name).await?);
            }
            Ok(Some(()))
        })
        .await
    }

    /// Status, reason and message of a condition.
    pub(crate) async fn condition(&self, name: &str, kind: &str) -> Result<Option<(String, String, String)>> {
        let object = self.scaled_objects().get(name).await?;
        let conditions = object.data.pointer("/status/conditions").and_then(Value::as_array);
        let found = conditions.into_iter().flatten().find(|condition| condition["type"] == kind);
        Ok(found.map(|found| (text(found, "/status"), text(found, "/reason"), text(found, "/message"))))
    }

    /// Waits for a condition and gives its message.
    pub(crate) async fn wait_condition(&self, name: &str, kind: &str, status: &str, reason: &str) -> Result<String> {
        until(&format!("{name} has {kind}={status} by {reason}"), LIMIT, || async {
            match self.condition(name, kind).await? {
                Some((s, r, message)) if s == status && r == reason => Ok(Some(message)),
                found => bail!("{found:?}"),
            }
        })
        .await
    }

    /// Waits until an object is ready for scaling.
    pub(crate) async fn wait_ready(&self, name: &str) -> Result<()> {
        self.wait_condition(name, "Ready", "True", "ScaledObjectReady").await.map(drop)
    }

    /// An object's status as one line, for messages.
    async fn told(&self, name: &str) -> Result<String> {
        let object = self.scaled_objects().get_opt(name).await?;
        let status = object.map(|object| object.data["status"].clone()).unwrap_or_default();
        Ok(format!("status {status}"))
    }

    /// The HPA of an object, once it is there.
    pub(crate) async fn wait_hpa(&self, name: &str) -> Result<HorizontalPodAutoscaler> {
        until(&format!("the HPA {name} is there"), LIMIT, || async { Ok(self.hpas().get_opt(name).await?) }).await
    }

    /// What the external metrics API answers through the API server: the code, and the value in thousandths.
    pub(crate) async fn metric(&self, metric: &str, object: &str) -> Result<(u16, Option<String>)> {
        let uri = format!(
            "/apis/external.metrics.k8s.io/v1beta1/namespaces/{}/{metric}?labelSelector=scaledobject.keda.sh%2Fname%3D{object}",
            self.namespace
        );
        match self.client.request::<Value>(http::Request::get(uri).body(Vec::new())?).await {
            Ok(list) => {
                let items = list["items"].as_array().context("no items")?;
                let [item] = items.as_slice() else { bail!("{} items", items.len()) };
                Ok((200, Some(text(item, "/value"))))
            }
            Err(kube::Error::Api(status)) => Ok((status.code, None)),
            Err(error) => Err(error.into()),
        }
    }

    /// Reasons of the events about an object.
    pub(crate) async fn events(&self, name: &str) -> Result<Vec<(String, String)>> {
        let events: Api<Event> = Api::namespaced(self.client.clone(), &self.namespace);
        let about = ListParams::default().fields(&format!("involvedObject.name={name}"));
        let events = events.list(&about).await?.items.into_iter();
        Ok(events.map(|event| (event.reason.unwrap_or_default(), event.message.unwrap_or_default())).collect())
    }

    /// Waits for an event about an object, and gives its message.
    pub(crate) async fn wait_event(&self, name: &str, reason: &str) -> Result<String> {
        until(&format!("an event {reason} about {name}"), LIMIT, || async {
            let events = self.events(name).await?;
            match events.iter().find(|(known, _)| known == reason) {
                Some((_, message)) => Ok(Some(message.clone())),
                None => bail!("{events:?}"),
            }
        })
        .await
    }

    /// What the operator wrote since a mark, but for its record of components: those of earlier tests go some time after them.
    pub(crate) async fn writes(&self, mark: AuditMark) -> Result<Vec<AuditEntry>> {
        let Installed { namespace, service_account, .. } = &self.running.installed;
        let mut writes = self.control_plane().audit().writes_since(mark, namespace, service_account).await?;
        writes.retain(|write| write.name != "windlass-components");
        Ok(writes)
    }

    /// Deletes a ScaledObject and waits until it is gone.
    pub(crate) async fn delete(&self, name: &str) -> Result<()> {
        let objects = self.scaled_objects();
        objects.delete(name, &DeleteParams::default()).await?;
        until(&format!("{name} is gone"), LIMIT, || async { Ok(objects.get_opt(name).await?.is_none().then_some(())) })
            .await
    }

    /// A Secret.
    pub(crate) async fn secret(&self, name: &str, values: Value) -> Result<()> {
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": { "name": name }, "stringData": values,
        });
        self.apply(secret).await.map(drop)
    }

    /// A TriggerAuthentication with parameters from a Secret's keys of the same names.
    pub(crate) async fn authentication(&self, name: &str, secret: &str, parameters: &[&str]) -> Result<()> {
        let reference = |parameter: &&str| json!({ "parameter": parameter, "name": secret, "key": parameter });
        let references: Vec<Value> = parameters.iter().map(reference).collect();
        let authentication = json!({
            "apiVersion": "keda.sh/v1alpha1", "kind": "TriggerAuthentication", "metadata": { "name": name },
            "spec": { "secretTargetRef": references },
        });
        self.apply(authentication).await.map(drop)
    }

    /// Creates an object whose creation the API server must refuse, and gives its words.
    pub(crate) async fn refused(&self, object: Value) -> Result<String> {
        let (api_version, kind) = (text(&object, "/apiVersion"), text(&object, "/kind"));
        let object: DynamicObject = serde_json::from_value(object)?;
        let name = object.name_any();
        match self.objects(&api_version, &kind).create(&PostParams::default(), &object).await {
            Err(kube::Error::Api(status)) => Ok(status.message),
            Err(error) => Err(error.into()),
            Ok(_) => bail!("the API server took {name}"),
        }
    }
}

/// A ScaledObject of the Deployment of its name, unless the spec names another target.
pub(crate) fn scaled_object(name: &str, mut metadata: Value, mut spec: Value) -> Value {
    metadata["name"] = json!(name);
    if spec["scaleTargetRef"].is_null() {
        spec["scaleTargetRef"] = json!({ "name": name });
    }
    json!({ "apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject", "metadata": metadata, "spec": spec })
}

/// A trigger that reads `{"value": …}` from a scripted source.
pub(crate) fn metrics_api(url: &str, target: &str) -> Value {
    json!({ "type": "metrics-api", "metadata": { "url": url, "valueLocation": "value", "targetValue": target } })
}

/// Stabilisation of one second: the HPA's own default of five minutes would be most of a test.
pub(crate) fn quick_down() -> Value {
    json!({ "horizontalPodAutoscalerConfig": { "behavior": { "scaleDown": { "stabilizationWindowSeconds": 1 } } } })
}

/// The text at a place of an object; empty when there is none.
pub(crate) fn text(value: &Value, pointer: &str) -> String {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// Sees a fact hold for a while.
pub(crate) async fn holds<T: PartialEq + Debug, F: Future<Output = Result<T>>>(
    seconds: u64,
    expected: T,
    mut fact: impl FnMut() -> F,
) -> Result<()> {
    for _ in 0..seconds * 4 {
        let now = fact().await?;
        if now != expected {
            bail!("{now:?}, and it was to stay {expected:?}");
        }
        tokio::time::sleep(std::time::Duration::from_millis(250)).await;
    }
    Ok(())
}
