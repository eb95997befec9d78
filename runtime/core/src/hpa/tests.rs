use super::*;
use crate::failure::{Fault, Reason};
use crate::key::{MetricName, TargetRef, WorkloadKey};
use crate::milli::Milli;
use crate::query::{QueryPlan, ResolvedTrigger};
use crate::resolve::{ProcessKey, question};
use crate::scaler::Scaler;
use crate::time::Wall;
use crate::workload::{Aim, Bounds, Declared, Engine, HpaOptions, Metric, Pause, ResourceTarget, ResourceTrigger};
use std::sync::Arc;
use std::time::Duration;

fn external(index: u16, names: &[&str], aim: Aim) -> Trigger {
    let scaler = Scaler {
        digest: crate::key::Digest([0; 32]),
        name: "sample".into(),
        version: "1".into(),
        triggers: Vec::new(),
        parameters: Vec::new(),
        open_ended: false,
        needs: Vec::new(),
    };
    let resolved = ResolvedTrigger {
        kind: "sample".into(),
        domain: "shop".into(),
        values: BTreeMap::new(),
        extras: BTreeMap::new(),
        identity: None,
        owner: None,
        bound: None,
        granted: None,
    };
    let plan = QueryPlan { metrics: None, endpoints: Vec::new(), group: "".into(), requests: 1 };
    let metric = |name: &&str| Metric { name: MetricName::new(index, name), target: Milli(5000), activation: 0.0 };
    Trigger::External {
        index,
        question: Arc::new(question(&ProcessKey::new([0; 32]), &scaler, resolved, plan)),
        metrics: names.iter().map(metric).collect(),
        aim,
        cached: false,
    }
}

fn resource(index: u16, resource: &str, container: Option<&str>) -> Trigger {
    let target = ResourceTarget::Utilization(60);
    let resource = ResourceTrigger { resource: resource.into(), container: container.map(Text::from), target };
    Trigger::Resource { index, resource }
}

fn workload(triggers: Vec<Trigger>) -> Workload {
    let declared = Declared {
        key: WorkloadKey::scaled_object("shop", "orders"),
        uid: "u".into(),
        generation: 1,
        created: Wall(0),
        labels: BTreeMap::from([("team".into(), "blue".into()), ("app.kubernetes.io/part-of".into(), "shop".into())]),
        annotations: BTreeMap::from([("note".into(), "n".into())]),
        target: TargetRef {
            group: "apps".into(),
            version: "v1".into(),
            kind: "Deployment".into(),
            resource: "deployments".into(),
            name: "orders".into(),
        },
        env_container: None,
        bounds: Bounds { min: 0, max: 10, idle: None },
        poll: Duration::from_secs(30),
        cooldown: Duration::from_secs(300),
        initial_cooldown: Duration::ZERO,
        triggers: Vec::new(),
        pause: Pause::default(),
        force_active: false,
        hpa: HpaOptions { name: "keda-hpa-orders".into(), named: false, behavior: None },
        engine: Engine::Hpa,
        restore_original: false,
        components: Default::default(),
    };
    Workload { declared: Arc::new(declared), triggers, fault: None, held_back: Vec::new() }
}

fn changed(mut workload: Workload, change: impl FnOnce(&mut Declared)) -> Workload {
    change(Arc::make_mut(&mut workload.declared));
    workload
}

/// The shape as the API server would give it back.
fn stored(shape: &HpaShape) -> HpaSeen {
    let mut shape = shape.clone();
    shape.behavior = shape.behavior.as_ref().map(defaulted);
    shape.target.resource = "".into();
    HpaSeen { shape, owner: Some("u".into()), version: "1".into(), scaling_active: None }
}

fn one() -> Workload {
    workload(vec![external(0, &["m"], Aim::Average)])
}

#[test]
fn a_shape_is_kedas() {
    let triggers = vec![
        resource(0, "memory", None),
        external(1, &["b", "a"], Aim::Value),
        resource(2, "cpu", Some("main")),
        external(3, &["c"], Aim::Average),
    ];
    let shape = shape(&workload(triggers)).unwrap();
    assert_eq!((&*shape.name, shape.min, shape.max), ("keda-hpa-orders", 1, 10));
    let metrics: Vec<String> = shape
        .metrics
        .iter()
        .map(|metric| match metric {
            HpaMetric::External { name, object, target, aim } => format!("{name} {object} {target} {aim:?}"),
            HpaMetric::Resource(resource) => resource.resource.to_string(),
            HpaMetric::Foreign(text) => text.to_string(),
        })
        .collect();
    assert_eq!(
        metrics,
        ["cpu", "s1-b orders 5 Value", "s1-a orders 5 Value", "s3-c orders 5 Average", "memory"],
        "sorted by type, in the order of the triggers otherwise"
    );
    let label = |key: &str| shape.labels.get(key).map(|value| &**value);
    assert_eq!(label("app.kubernetes.io/name"), Some("keda-hpa-orders"));
    assert_eq!(label("app.kubernetes.io/managed-by"), Some("keda-operator"));
    assert_eq!(label("app.kubernetes.io/part-of"), Some("shop"), "the object's own labels win");
    assert_eq!(label("team"), Some("blue"));
    assert!(label("app.kubernetes.io/version").is_some());
    assert_eq!(shape.annotations.len(), 1);
    assert_eq!(shape.behavior, None);
}

#[test]
fn a_long_name_makes_a_label_that_is_allowed() {
    let name = format!("{}..-{}", "a".repeat(60), "b".repeat(20));
    let shape = shape(&changed(one(), |declared| declared.hpa.name = name.as_str().into())).unwrap();
    assert_eq!(&*shape.name, name);
    assert_eq!(&*shape.labels["app.kubernetes.io/name"], "a".repeat(60));
}

#[test]
fn what_cannot_be_told_in_full_has_no_shape() {
    let unusable = Trigger::Unusable { index: 1, fault: Fault::new(Reason::UnknownTriggerType, "nobody") };
    let known = external(0, &["m"], Aim::Average);
    assert!(shape(&workload(vec![known.clone()])).is_some());
    assert_eq!(shape(&workload(Vec::new())), None);
    assert_eq!(shape(&workload(vec![known.clone(), unusable])), None);
    assert_eq!(shape(&workload(vec![known, external(1, &[], Aim::Average)])), None);
    let mut broken = one();
    broken.fault = Some(Fault::new(Reason::TargetNotFound, "gone"));
    assert_eq!(shape(&broken), None);
}

#[test]
fn a_paused_direction_is_disabled_and_the_rest_stays() {
    let rules = ScalingRules { stabilization_s: Some(60), ..ScalingRules::default() };
    let paused = changed(one(), |declared| {
        declared.pause.scale_in = true;
        declared.hpa.behavior = Some(Behavior { scale_up: None, scale_down: Some(rules.clone()) });
    });
    let behavior = shape(&paused).unwrap().behavior.unwrap();
    assert_eq!(behavior.scale_up, None);
    assert_eq!(behavior.scale_down, Some(ScalingRules { select: Some(SelectPolicy::Disabled), ..rules }));
    let out = shape(&changed(one(), |declared| declared.pause.scale_out = true)).unwrap().behavior.unwrap();
    assert_eq!(out.scale_up.and_then(|rules| rules.select), Some(SelectPolicy::Disabled));
    assert_eq!(out.scale_down, None);
}

#[test]
fn what_the_api_server_filled_in_is_no_difference() {
    let behaviors = [
        None,
        Some(Behavior::default()),
        Some(Behavior { scale_up: Some(ScalingRules::default()), scale_down: None }),
        Some(Behavior {
            scale_up: None,
            scale_down: Some(ScalingRules {
                stabilization_s: Some(0),
                policies: Some(vec![ScalingPolicy { percent: true, value: 10, period_s: 60 }]),
                ..ScalingRules::default()
            }),
        }),
    ];
    for behavior in behaviors {
        let wanted = shape(&changed(one(), |declared| declared.hpa.behavior = behavior.clone())).unwrap();
        assert!(!differs(&wanted, &stored(&wanted)), "{behavior:?}");
    }
}

#[test]
fn defaults_are_those_of_autoscaling_v2() {
    let filled = defaulted(&Behavior::default());
    let (up, down) = (filled.scale_up.clone().unwrap(), filled.scale_down.clone().unwrap());
    let policy = |percent, value| ScalingPolicy { percent, value, period_s: 15 };
    assert_eq!(up.policies, Some(vec![policy(false, 4), policy(true, 100)]));
    assert_eq!((up.stabilization_s, up.select), (Some(0), Some(SelectPolicy::Max)));
    assert_eq!(down.policies, Some(vec![policy(true, 100)]));
    assert_eq!((down.stabilization_s, down.select), (None, Some(SelectPolicy::Max)));
    assert_eq!(defaulted(&filled), filled);
}

#[test]
fn additions_of_others_and_the_order_of_metrics_are_no_difference() {
    let wanted = shape(&workload(vec![external(0, &["a"], Aim::Average), external(1, &["b"], Aim::Average)])).unwrap();
    let mut seen = stored(&wanted);
    seen.shape.labels.insert("theirs".into(), "x".into());
    seen.shape.annotations.insert("theirs".into(), "x".into());
    seen.shape.metrics.reverse();
    assert!(!differs(&wanted, &seen));
}

#[test]
fn every_change_is_a_difference() {
    let wanted = shape(&changed(one(), |declared| {
        declared.hpa.behavior = Some(Behavior { scale_up: Some(ScalingRules::default()), scale_down: None });
    }))
    .unwrap();
    type Change = fn(&mut HpaShape);
    let changes: Vec<(&str, Change)> = vec![
        ("min", |shape| shape.min = 2),
        ("max", |shape| shape.max = 2),
        ("target", |shape| shape.target.name = "other".into()),
        ("version", |shape| shape.target.version = "v2".into()),
        ("metric target", |shape| {
            if let HpaMetric::External { target, .. } = &mut shape.metrics[0] {
                target.0 += 1;
            }
        }),
        ("metric twice", |shape| shape.metrics.push(shape.metrics[0].clone())),
        ("metric gone", |shape| shape.metrics.clear()),
        ("metric foreign", |shape| shape.metrics[0] = HpaMetric::Foreign("Pods".into())),
        ("label gone", |shape| shape.labels.clear()),
        ("label other", |shape| {
            shape.labels.insert("team".into(), "red".into());
        }),
        ("annotation gone", |shape| shape.annotations.clear()),
        ("behaviour gone", |shape| shape.behavior = None),
        ("window", |shape| {
            shape.behavior.get_or_insert_default().scale_up.get_or_insert_default().stabilization_s = Some(9);
        }),
    ];
    for (name, change) in changes {
        let mut seen = stored(&wanted);
        change(&mut seen.shape);
        assert!(differs(&wanted, &seen), "{name}");
    }
}
