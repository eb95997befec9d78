//! The direct engine beside the real HPA controller: the same sources, the same curves; and the way from one to the other.
use crate::shared::LIMIT;
use crate::windlass::{Windlass, holds, metrics_api};
use anyhow::{Context, Result, bail};
use futures::{StreamExt, TryStreamExt, future};
use k8s_openapi::api::apps::v1::Deployment;
use kube::ResourceExt;
use kube::api::{Api, WatchEvent, WatchParams};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use windlass_e2e::until;
use windlass_testkit::ScriptedHttp;

const ENGINES: [&str; 2] = ["hpa", "direct"];

/// The replicas that each Deployment of a namespace was ever to have, each change once.
struct Curves {
    seen: Arc<Mutex<BTreeMap<String, Vec<i32>>>>,
    task: tokio::task::JoinHandle<Result<()>>,
}

impl Curves {
    async fn watch(windlass: &Windlass) -> Result<Curves> {
        let deployments: Api<Deployment> = windlass.deployments();
        let seen: Arc<Mutex<BTreeMap<String, Vec<i32>>>> = Arc::default();
        let mut events = deployments.watch(&WatchParams::default().timeout(290), "0").await?.boxed();
        let curves = seen.clone();
        let task = tokio::spawn(async move {
            while let Some(event) = events.try_next().await? {
                let (WatchEvent::Added(deployment) | WatchEvent::Modified(deployment)) = event else { continue };
                let replicas = deployment.spec.replicas.context("no replicas")?;
                let mut curves = curves.lock().unwrap_or_else(PoisonError::into_inner);
                let curve = curves.entry(deployment.name_any()).or_default();
                if curve.last() != Some(&replicas) {
                    curve.push(replicas);
                }
            }
            bail!("the watch ended before the test")
        });
        Ok(Curves { seen, task })
    }

    fn of(&self, name: &str) -> Result<Vec<i32>> {
        if self.task.is_finished() {
            bail!("the watch has ended");
        }
        Ok(self.seen.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned().unwrap_or_default())
    }
}

impl Drop for Curves {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What the sources say from now on (`None`: an error), and the replicas that follow.
type Step = (&'static [Option<f64>], i32);

/// An object in two editions, and what happens to it.
struct Shape {
    name: &'static str,
    /// Replicas at first.
    first: i32,
    /// Target value of each trigger, and `metricType`.
    triggers: &'static [(&'static str, &'static str)],
    spec: Value,
    steps: &'static [Step],
    /// The whole curve; `None`: how fast pods become ready decides about it, and only the ends are compared.
    curve: Option<&'static [i32]>,
}

fn behavior(behavior: Value) -> Value {
    json!({ "minReplicaCount": 1, "advanced": { "horizontalPodAutoscalerConfig": { "behavior": behavior } } })
}

fn policy(kind: &str, value: i32, seconds: i32) -> Value {
    json!({ "policies": [{ "type": kind, "value": value, "periodSeconds": seconds }] })
}

fn shapes() -> Vec<Shape> {
    let one = |name, spec, steps, curve| Shape {
        name,
        first: 1,
        triggers: &[("5", "AverageValue")],
        spec,
        steps,
        curve: Some(curve),
    };
    vec![
        // Without a behaviour: at most twice as many each time; down when the highest of the window is gone.
        one(
            "plain",
            json!({ "minReplicaCount": 1 }),
            &[(&[Some(12.0)], 3), (&[Some(60.0)], 12), (&[Some(0.0)], 1)],
            &[1, 3, 6, 12, 1],
        ),
        one(
            "bounds",
            json!({ "minReplicaCount": 2, "maxReplicaCount": 5 }),
            &[(&[Some(99.0)], 5), (&[Some(1.0)], 2)],
            &[1, 2, 4, 5, 2],
        ),
        // 10.4 %, 9 % and 6 % off the target: the first is too far.
        one(
            "tolerance",
            json!({ "minReplicaCount": 1 }),
            &[(&[Some(25.0)], 5), (&[Some(27.0)], 5), (&[Some(23.5)], 5), (&[Some(27.6)], 6)],
            &[1, 4, 5, 6],
        ),
        one(
            "own-tolerance",
            behavior(json!({ "scaleUp": { "tolerance": "0.5" } })),
            &[(&[Some(7.4)], 1), (&[Some(8.0)], 2), (&[Some(14.9)], 2)],
            &[1, 2],
        ),
        one("up-pods", behavior(json!({ "scaleUp": policy("Pods", 2, 4) })), &[(&[Some(35.0)], 7)], &[1, 3, 5, 7]),
        one(
            "down-percent",
            behavior(
                json!({ "scaleDown": { "stabilizationWindowSeconds": 0, "policies": [{ "type": "Percent", "value": 50, "periodSeconds": 4 }] } }),
            ),
            &[(&[Some(40.0)], 8), (&[Some(3.0)], 1)],
            &[1, 5, 8, 4, 2, 1],
        ),
        one(
            "down-never",
            behavior(json!({ "scaleDown": { "selectPolicy": "Disabled" } })),
            &[(&[Some(20.0)], 4), (&[Some(1.0)], 4)],
            &[1, 4],
        ),
        one(
            "up-window",
            behavior(json!({ "scaleUp": { "stabilizationWindowSeconds": 3 } })),
            &[(&[Some(20.0)], 4), (&[Some(25.0)], 5)],
            &[1, 4, 5],
        ),
        Shape {
            // The unknown one may need the replicas; what is known may ask for more.
            triggers: &[("5", "AverageValue"), ("1", "AverageValue")],
            ..one(
                "one-fails",
                behavior(json!({ "scaleDown": { "stabilizationWindowSeconds": 0 } })),
                &[
                    (&[Some(5.0), Some(6.0)], 6),
                    (&[Some(5.0), None], 6),
                    (&[Some(40.0), None], 8),
                    (&[Some(5.0), None], 8),
                    (&[Some(5.0), Some(2.0)], 2),
                ],
                &[1, 5, 6, 8, 2],
            )
        },
        Shape {
            first: 0,
            ..one(
                "zero",
                json!({ "cooldownPeriod": 1 }),
                &[(&[Some(0.0)], 0), (&[Some(12.0)], 3), (&[Some(0.0)], 0)],
                &[0, 1, 3, 0],
            )
        },
        Shape {
            triggers: &[("10", "Value")],
            curve: None,
            ..one(
                "value",
                json!({ "minReplicaCount": 1, "maxReplicaCount": 6 }),
                &[(&[Some(30.0)], 6), (&[Some(10.5)], 6), (&[Some(0.0)], 1)],
                &[],
            )
        },
    ]
}

#[tokio::test]
async fn curves_are_those_of_the_hpa_controller() -> Result<()> {
    let windlass = Windlass::beside("direct").await?;
    let curves = Curves::watch(&windlass).await?;
    let shapes = shapes();
    let wrong: Vec<String> = future::join_all(shapes.iter().map(|shape| play(&windlass, &curves, shape)))
        .await
        .into_iter()
        .collect::<Result<Vec<_>>>()?
        .into_iter()
        .flatten()
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for shape in &shapes {
        assert!(windlass.hpas().get_opt(&format!("keda-hpa-{}-direct", shape.name)).await?.is_none(), "{}", shape.name);
    }
    Ok(())
}

/// A tolerance goes by the replicas that there are, and without any there is none: both engines would begin by scaling up.
async fn pods_are_there(windlass: &Windlass, name: &str, count: i32) -> Result<()> {
    until(&format!("{name} has {count} pods"), LIMIT, || async {
        let status = windlass.deployments().get(name).await?.status.unwrap_or_default();
        Ok((status.replicas.unwrap_or(0) == count).then_some(()))
    })
    .await
}

/// Plays a shape on both engines; what differed.
async fn play(windlass: &Windlass, curves: &Curves, shape: &Shape) -> Result<Option<String>> {
    let sources = future::try_join_all(shape.triggers.iter().map(|_| ScriptedHttp::start())).await?;
    for source in &sources {
        source.set_value(0.0);
    }
    let names = ENGINES.map(|engine| format!("{}-{engine}", shape.name));
    for (name, engine) in names.iter().zip(ENGINES) {
        windlass.deployment(name, shape.first).await?;
        pods_are_there(windlass, name, shape.first).await?;
        let mut spec = shape.spec.clone();
        spec["pollingInterval"] = json!(1);
        let triggers = sources.iter().zip(shape.triggers).map(|(source, (target, kind))| {
            let mut trigger = metrics_api(&source.url(), target);
            trigger["metricType"] = json!(kind);
            trigger
        });
        spec["triggers"] = triggers.collect();
        windlass.scale_with(name, json!({ "annotations": { "windlass.dev/engine": engine } }), spec).await?;
    }
    for name in &names {
        windlass.wait_ready(name).await?;
    }
    windlass.wait_hpa(&format!("keda-hpa-{}", names[0])).await?;
    for (place, (values, settled)) in shape.steps.iter().enumerate() {
        for (source, value) in sources.iter().zip(*values) {
            match value {
                Some(value) => {
                    source.set_value(*value);
                    source.set_status(http::StatusCode::OK);
                }
                None => source.set_status(http::StatusCode::INTERNAL_SERVER_ERROR),
            }
        }
        for name in &names {
            let place = || format!("{}: step {place}, {values:?}", shape.name);
            windlass.wait_replicas(name, *settled).await.with_context(place)?;
        }
        // Long enough for both to see what the sources say now.
        for name in &names {
            holds(2, *settled, || windlass.replicas(name)).await.with_context(|| format!("{name}: step {place}"))?;
        }
    }
    let [hpa, direct] = [curves.of(&names[0])?, curves.of(&names[1])?];
    let same = match shape.curve {
        Some(curve) => hpa == curve && direct == curve,
        None => hpa.first() == direct.first() && hpa.last() == direct.last(),
    };
    Ok((!same).then(|| format!("{}: hpa {hpa:?}, direct {direct:?}, expected {:?}", shape.name, shape.curve)))
}

#[tokio::test]
async fn changing_the_engine_moves_nothing() -> Result<()> {
    let alone = Windlass::alone("engines").await?;
    let windlass = &alone.windlass;
    let curves = Curves::watch(windlass).await?;
    let source = ScriptedHttp::start().await?;
    source.set_value(30.0);
    windlass.deployment("web", 1).await?;
    let spec = json!({ "pollingInterval": 1, "minReplicaCount": 1, "triggers": [metrics_api(&source.url(), "5")] });
    windlass.scale("web", spec).await?;
    windlass.wait_replicas("web", 6).await?;
    let engine = |engine: Value| json!({ "metadata": { "annotations": { "windlass.dev/engine": engine } } });
    for round in 0..2 {
        windlass.edit("web", engine(json!("direct"))).await?;
        until("the HPA is gone", LIMIT, || async {
            Ok(windlass.hpas().get_opt("keda-hpa-web").await?.is_none().then_some(()))
        })
        .await?;
        windlass.wait_ready("web").await?;
        holds(3, 6, || windlass.replicas("web")).await?;
        if round == 0 {
            // Nothing changes: nothing is written.
            let mark = windlass.control_plane().audit().mark().await?;
            holds(6, 6, || windlass.replicas("web")).await?;
            assert_eq!(windlass.writes(mark).await?, []);
        }
        windlass.edit("web", engine(Value::Null)).await?;
        until("the HPA scales", LIMIT, || async {
            let hpa = windlass.wait_hpa("keda-hpa-web").await?;
            let conditions = hpa.status.and_then(|status| status.conditions).unwrap_or_default();
            let scales = conditions.iter().any(|found| found.type_ == "ScalingActive" && found.status == "True");
            Ok(scales.then_some(()))
        })
        .await?;
        holds(3, 6, || windlass.replicas("web")).await?;
    }
    let curve = curves.of("web")?;
    assert_eq!(curve, [1, 4, 6], "changing the engine moved replicas");
    // It works on after all that.
    source.set_value(50.0);
    windlass.wait_replicas("web", 10).await
}

/// A `cpu` or `memory` trigger.
fn resource(kind: &str, metric_type: &str, value: &str) -> Value {
    json!({ "type": kind, "metricType": metric_type, "metadata": { "value": value } })
}

#[tokio::test]
async fn cpu_and_memory_are_read_as_the_hpa_controller_reads_them() -> Result<()> {
    let windlass = Windlass::beside("resources").await?;
    let pods = windlass.pod_metrics().await?;
    let curves = Curves::watch(&windlass).await?;
    let source = ScriptedHttp::start().await?;
    source.set_value(2.0);
    let behavior = behavior(json!({ "scaleDown": { "stabilizationWindowSeconds": 1 } }));
    let mib = |count: u64| count << 20;
    // Loads of all pods together in thousandths of cores and bytes, and the replicas that follow. Pods request 500m and 64Mi.
    type Load = (u64, u64, i32);
    let shapes: [(&str, Value, &[Load]); 4] = [
        // 60 % of 500m are 300m each.
        ("cpu", json!([resource("cpu", "Utilization", "60")]), &[(900, 0, 3), (1_780, 0, 6), (590, 0, 2)]),
        ("memory", json!([resource("memory", "AverageValue", "100Mi")]), &[(0, mib(390), 4), (0, mib(190), 2)]),
        (
            "container",
            json!([{ "type": "cpu", "metricType": "AverageValue", "metadata": { "value": "250m", "containerName": "main" } }]),
            &[(990, 0, 4)],
        ),
        // The source asks for two.
        (
            "beside",
            json!([resource("cpu", "Utilization", "60"), metrics_api(&source.url(), "1")]),
            &[(300, 0, 2), (1_490, 0, 5), (300, 0, 2)],
        ),
    ];
    for (name, triggers, _) in &shapes {
        for engine in ENGINES {
            let name = format!("{name}-{engine}");
            windlass.deployment(&name, 1).await?;
            pods_are_there(&windlass, &name, 1).await?;
            let mut spec = behavior.clone();
            spec["pollingInterval"] = json!(1);
            spec["triggers"] = triggers.clone();
            windlass.scale_with(&name, json!({ "annotations": { "windlass.dev/engine": engine } }), spec).await?;
            windlass.wait_ready(&name).await?;
        }
    }
    let play = async |name: &str, loads: &[Load]| -> Result<Option<String>> {
        let mut ends = Vec::new();
        for (cpu, memory, replicas) in loads {
            for engine in ENGINES {
                pods.set_load(&windlass.namespace, &format!("app={name}-{engine}"), *cpu, *memory);
            }
            for engine in ENGINES {
                windlass.wait_replicas(&format!("{name}-{engine}"), *replicas).await?;
            }
            for engine in ENGINES {
                let name = format!("{name}-{engine}");
                holds(3, *replicas, || windlass.replicas(&name)).await?;
            }
            ends.push(*replicas);
        }
        let [hpa, direct] = [curves.of(&format!("{name}-hpa"))?, curves.of(&format!("{name}-direct"))?];
        // In between, how fast pods start decides: the ends are the same, and no curve swings back.
        let swings = |curve: &[i32]| curve.windows(3).filter(|w| (w[1] > w[0]) != (w[2] > w[1])).count();
        let told = || format!("{name}: hpa {hpa:?}, direct {direct:?}, ends {ends:?}");
        Ok((swings(&hpa) != swings(&direct)).then(told))
    };
    let played = future::join_all(shapes.iter().map(|(name, _, loads)| play(name, loads))).await;
    let wrong: Vec<String> = played.into_iter().collect::<Result<Vec<_>>>()?.into_iter().flatten().collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));

    // What is not known any more scales nothing in, and is told once it lasts; the source goes on.
    pods.forget(&windlass.namespace, "app=beside-direct");
    source.set_value(4.0);
    windlass.wait_replicas("beside-direct", 4).await?;
    source.set_value(1.0);
    holds(5, 4, || windlass.replicas("beside-direct")).await?;
    let message = windlass.wait_condition("beside-direct", "Ready", "Unknown", "PartialTriggerError").await?;
    assert!(message.contains("trigger 0") && message.contains("cpu"), "{message}");
    pods.set_load(&windlass.namespace, "app=beside-direct", 300, 0);
    windlass.wait_ready("beside-direct").await?;
    windlass.wait_replicas("beside-direct", 1).await
}
