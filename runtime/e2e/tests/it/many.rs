//! Five hundred objects on several kinds of sources, on a control plane of their own with Kubernetes' defaults: what the API
//! server and the sources are asked, counted. `cargo xtask bench ten-thousand` measures the same at larger sizes.
use crate::shared::LIMIT;
use crate::windlass::Windlass;
use anyhow::{Context, Result, bail};
use futures::{StreamExt, TryStreamExt};
use k8s_openapi::api::apps::v1::Deployment;
use kube::api::{Api, DynamicObject, ListParams, PostParams};
use kube::{Client, ResourceExt};
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashSet};
use std::time::Duration;
use windlass_e2e::{
    AuditEntry, AuditMark, ControlPlane, ControlPlaneOptions, Installed, Operator, OperatorOptions, Redis,
    RedisOptions, counted, install, until, wait_for_metrics_api,
};
use windlass_testkit::ScriptedHttp;

const COUNT: usize = 500;
const PER_NAMESPACE: usize = 50;
/// Different Prometheus queries. Half of them are at a source that is to fail: of 300 objects, so 30 % of all.
const QUERIES: usize = 50;
const FAILING: usize = 150;
const PERIOD_S: usize = 5;

struct Many {
    control_plane: ControlPlane,
    installed: Installed,
    _operator: Operator,
    client: Client,
    good: ScriptedHttp,
    bad: ScriptedHttp,
    api: ScriptedHttp,
    redis: Redis,
}

impl Many {
    async fn start() -> Result<Many> {
        let control_plane =
            ControlPlane::start(ControlPlaneOptions { workloads: false, ..ControlPlaneOptions::default() }).await?;
        let installed = install(&control_plane).await?;
        let arguments = vec![format!("--read-interval-s={PERIOD_S}")];
        let options = OperatorOptions { arguments, ..OperatorOptions::default() };
        let operator = Operator::start(&control_plane, &installed, options).await?;
        wait_for_metrics_api(&control_plane).await?;
        let client = control_plane.client().await?;
        let [good, bad, api] =
            [ScriptedHttp::start().await?, ScriptedHttp::start().await?, ScriptedHttp::start().await?];
        good.set_body(vector(5.0));
        bad.set_body(vector(0.0));
        api.set_value(5.0);
        let redis = Redis::start(RedisOptions::default()).await?;
        Ok(Many { control_plane, installed, _operator: operator, client, good, bad, api, redis })
    }

    fn objects(&self, namespace: Option<&str>) -> Api<DynamicObject> {
        crate::shared::objects(&self.client, namespace, "keda.sh/v1alpha1", "ScaledObject")
    }

    /// 60 % prometheus, 20 % redis, 10 % metrics-api, 10 % cron.
    fn scaled_object(&self, index: usize) -> Result<Value> {
        let (turn, place) = (index / 10, index % 10);
        let mut spec = json!({
            "scaleTargetRef": { "name": name(index) }, "pollingInterval": PERIOD_S, "cooldownPeriod": 300,
            "minReplicaCount": 1, "maxReplicaCount": 10,
        });
        let trigger = match place {
            0..=5 => {
                let query = (turn * 6 + place) % QUERIES;
                let source = if is_bad(index) { &self.bad } else { &self.good };
                spec["minReplicaCount"] = json!(i32::from(!is_bad(index)));
                json!({ "type": "prometheus", "metadata": {
                    "serverAddress": source.url(), "query": format!("sum(requests_{query}_total)"), "threshold": "5" } })
            }
            6 | 7 => {
                let list = format!("list-{index}");
                self.redis.push(&list, 5)?;
                json!({ "type": "redis", "metadata": {
                    "address": self.redis.address(), "listName": list, "listLength": "5" } })
            }
            8 => json!({ "type": "metrics-api", "metadata": {
                "url": format!("{}/{index}", self.api.url()), "valueLocation": "value", "targetValue": "5" } }),
            _ => json!({ "type": "cron", "metadata": {
                "timezone": "Etc/UTC", "start": "0 0 * * *", "end": "59 23 * * *", "desiredReplicas": "1" } }),
        };
        spec["triggers"] = json!([trigger]);
        Ok(json!({
            "apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject", "metadata": { "name": name(index) }, "spec": spec,
        }))
    }

    async fn create_all(&self) -> Result<()> {
        for first in (0..COUNT).step_by(PER_NAMESPACE) {
            let namespace = json!({ "metadata": { "name": namespace(first) } });
            let namespaces: Api<k8s_openapi::api::core::v1::Namespace> = Api::all(self.client.clone());
            namespaces.create(&PostParams::default(), &serde_json::from_value(namespace)?).await?;
        }
        let creations = (0..COUNT).map(|index| async move {
            let deployments: Api<Deployment> = Api::namespaced(self.client.clone(), &namespace(index));
            deployments.create(&PostParams::default(), &serde_json::from_value(deployment(index))?).await?;
            let object = serde_json::from_value(self.scaled_object(index)?)?;
            self.objects(Some(&namespace(index))).create(&PostParams::default(), &object).await?;
            anyhow::Ok(())
        });
        futures::stream::iter(creations).buffer_unordered(16).try_collect().await
    }

    async fn wait_ready(&self, status: &str, count: usize) -> Result<()> {
        self.wait_condition("Ready", status, count).await
    }

    /// Waits until so many have a status of a condition.
    async fn wait_condition(&self, kind: &str, status: &str, count: usize) -> Result<()> {
        until(&format!("{count} objects have {kind}={status}"), LIMIT, || async {
            let mut found = BTreeMap::<String, usize>::new();
            for object in self.objects(None).list(&ListParams::default()).await?.items {
                let conditions = object.data.pointer("/status/conditions").and_then(Value::as_array);
                let told = conditions.into_iter().flatten().find(|condition| condition["type"] == kind);
                *found.entry(told.map_or_else(String::new, |told| told["status"].to_string())).or_default() += 1;
            }
            if found.get(&format!("{status:?}")) != Some(&count) {
                tokio::time::sleep(Duration::from_millis(400)).await;
                bail!("{found:?}");
            }
            Ok(Some(()))
        })
        .await
    }

    /// Waits until nothing has been written for a moment: events come last.
    async fn wait_quiet(&self) -> Result<()> {
        for _ in 0..10 {
            let mark = self.control_plane.audit().mark().await?;
            tokio::time::sleep(Duration::from_secs(5)).await;
            if self.writes(mark).await?.is_empty() {
                return Ok(());
            }
        }
        bail!("it goes on writing")
    }

    async fn writes(&self, mark: AuditMark) -> Result<Vec<AuditEntry>> {
        let Installed { namespace, service_account, .. } = &self.installed;
        self.control_plane.audit().writes_since(mark, namespace, service_account).await
    }

    fn forget(&self) {
        [&self.good, &self.bad, &self.api].into_iter().for_each(ScriptedHttp::forget);
    }

    /// Requests, and different ones, since they were forgotten.
    fn requests(&self) -> (usize, usize) {
        let sources = [("good", &self.good), ("bad", &self.bad), ("api", &self.api)];
        let requests: Vec<(&str, String)> = sources
            .iter()
            .flat_map(|(name, source)| source.requests().into_iter().map(|request| (*name, request.target)))
            // A query names the moment that it is made for.
            .map(|(name, target)| (name, target.split("&time=").next().unwrap_or_default().to_owned()))
            .collect();
        (requests.len(), requests.iter().collect::<HashSet<_>>().len())
    }

    async fn replicas(&self, wanted: impl Fn(usize) -> bool) -> Result<Vec<i32>> {
        let deployments: Api<Deployment> = Api::all(self.client.clone());
        let list = deployments.list(&ListParams::default()).await?.items.into_iter();
        let of = |deployment: &Deployment| {
            let name = deployment.name_any();
            name.strip_prefix("web-").and_then(|index| index.parse().ok()).is_some_and(&wanted)
        };
        Ok(list.filter(of).map(|deployment| deployment.spec.replicas.unwrap_or(0)).collect())
    }
}

fn vector(value: f64) -> String {
    format!(
        r#"{{"status":"success","data":{{"resultType":"vector","result":[{{"metric":{{}},"value":[1700000000,"{value}"]}}]}}}}"#
    )
}

fn name(index: usize) -> String {
    format!("web-{index}")
}

fn namespace(index: usize) -> String {
    format!("many-{}", index / PER_NAMESPACE)
}

/// Whether an object asks the source that is to fail; it is at zero.
fn is_bad(index: usize) -> bool {
    let (turn, place) = (index / 10, index % 10);
    place < 6 && (turn * 6 + place) % QUERIES < QUERIES / 2
}

fn deployment(index: usize) -> Value {
    let labels = json!({ "app": name(index) });
    json!({
        "metadata": { "name": name(index) },
        "spec": {
            "replicas": i32::from(!is_bad(index)), "selector": { "matchLabels": labels },
            "template": {
                "metadata": { "labels": labels }, "spec": { "containers": [{ "name": "main", "image": "none" }] },
            },
        },
    })
}

#[tokio::test]
async fn five_hundred_objects_cost_what_changes() -> Result<()> {
    // No other test is to need the machine meanwhile.
    let _alone = Windlass::alone("many").await?;
    let many = Many::start().await?;
    assert_eq!((0..COUNT).filter(|index| is_bad(*index)).count(), FAILING);
    let mark = many.control_plane.audit().mark().await?;
    many.create_all().await.context("create")?;
    many.wait_ready("True", COUNT).await?;
    many.wait_quiet().await?;
    let counts = counted(&many.writes(mark).await?);
    let of = |what: &str| counts.get(what).copied().unwrap_or(0);
    assert_eq!(of("patch scaledobjects"), COUNT, "{counts:?}");
    assert_eq!(of("create horizontalpodautoscalers"), COUNT, "{counts:?}");
    assert_eq!(of("patch scaledobjects/status"), COUNT, "{counts:?}");

    // A minute of nothing: no write, and each question once a period, however many objects and namespaces ask it.
    many.forget();
    let mark = many.control_plane.audit().mark().await?;
    tokio::time::sleep(Duration::from_secs(60)).await;
    let (requests, distinct) = many.requests();
    assert_eq!(many.writes(mark).await?, []);
    assert_eq!(distinct, QUERIES + COUNT / 10);
    let periods = 60 / PERIOD_S;
    assert!(requests <= distinct * periods * 11 / 10, "{distinct} questions, {periods} periods: {requests} requests");
    assert!(requests >= distinct * (periods - 2), "{distinct} questions, {periods} periods: {requests} requests");

    // Thirty of a hundred fail: they say so, and later that their last values are too old; then nothing.
    let mark = many.control_plane.audit().mark().await?;
    many.bad.set_status(http::StatusCode::INTERNAL_SERVER_ERROR);
    many.wait_ready("False", FAILING).await?;
    many.wait_condition("Active", "Unknown", FAILING).await?;
    many.wait_quiet().await?;
    let counts = counted(&many.writes(mark).await?);
    assert_eq!(counts.get("patch scaledobjects/status"), Some(&(2 * FAILING)), "{counts:?}");
    let mark = many.control_plane.audit().mark().await?;
    tokio::time::sleep(Duration::from_secs(15)).await;
    assert_eq!(many.writes(mark).await?, []);
    assert!(many.replicas(is_bad).await?.iter().all(|replicas| *replicas == 0));
    assert!(many.replicas(|index| !is_bad(index)).await?.iter().all(|replicas| *replicas == 1));

    // The source is back and asks for a replica each: one write of it, and two beside.
    many.bad.set_body(vector(0.0));
    many.wait_ready("True", COUNT).await?;
    many.wait_quiet().await?;
    let mark = many.control_plane.audit().mark().await?;
    many.bad.set_body(vector(5.0));
    until("all that were at zero have a replica", LIMIT, || async {
        let replicas = many.replicas(is_bad).await?;
        let left = replicas.iter().filter(|replicas| **replicas == 0).count();
        if left > 0 { bail!("{left} have none") } else { Ok(Some(())) }
    })
    .await?;
    many.wait_quiet().await?;
    let counts = counted(&many.writes(mark).await?);
    let scales = counts.get("patch deployments/scale").copied().unwrap_or(0);
    assert_eq!(scales, FAILING, "{counts:?}");
    let others: usize = counts.values().sum::<usize>() - scales;
    assert!(others <= 2 * FAILING, "{counts:?}");
    Ok(())
}
