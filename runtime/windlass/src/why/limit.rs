//! What keeps an object's replicas from following its metrics: the limits that bite, the hardest first. Pure.
use super::explanation::{Explanation, Metric, Scaling, Trigger};
use serde::Serialize;
use windlass_api::quantity::Quantity;
use windlass_cluster::survey::Autoscaler;

/// The HPA controller's own period, and how much later a read counts as late: another half of it, since reads of several metrics
/// follow one another.
const PERIOD_MS: u64 = 15_000;
const LATE_MS: u64 = 22_500;

/// A limit that bites.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Limit {
    /// One word of a closed list, for scripts.
    pub(crate) limit: &'static str,
    /// What it does.
    pub(crate) says: String,
    /// What to do about it, where something can be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) remedy: Option<String>,
}

fn limit(limit: &'static str, says: impl Into<String>, remedy: Option<&str>) -> Limit {
    Limit { limit, says: says.into(), remedy: remedy.map(str::to_owned) }
}

/// All that bite.
pub(crate) fn limits(object: &Explanation, autoscaler: Option<&Autoscaler>) -> Vec<Limit> {
    let mut all = Vec::new();
    let [ready, reason, message] = &object.ready;
    if object.paused {
        let remedy = "remove the annotations autoscaling.keda.sh/paused…";
        all.push(limit("paused", object.because.clone().unwrap_or_default(), Some(remedy)));
    } else if ready == "False" {
        all.push(limit("not-ready", format!("{reason}: {message}"), None));
    }
    // What the Ready condition tells already is not told again.
    let troubled = object.triggers.iter().filter_map(|trigger| Some((trigger, trigger.trouble.as_ref()?)));
    for (trigger, trouble) in troubled.filter(|(_, trouble)| !message.contains(&***trouble)) {
        let says = format!(
            "trigger {} ({}) has no value that counts, {} failures in a row: {trouble}",
            trigger.index, trigger.kind, trigger.failures
        );
        all.push(limit("trigger-failing", says, None));
    }
    if object.activity.as_deref() == Some("waiting") {
        all.push(limit("waiting", "not all triggers have answered for the first time", None));
    }
    if let Some(left) = object.cooldown_ms {
        let says = format!("there is no work, and the cooldown has {} left", seconds(left));
        all.push(limit("cooldown", says, Some("spec.cooldownPeriod")));
    }
    all.extend(bounds(object));
    if object.engine == Scaling::Hpa && object.activity.as_deref() == Some("active") && !object.paused {
        all.extend(late(object));
        all.extend(autoscaler.into_iter().flat_map(told));
        if autoscaler.is_none() && ready != "False" {
            all.push(limit("no-hpa", "its HorizontalPodAutoscaler is not there, or may not be read", None));
        }
    }
    if let (Some(replicas), Some(running)) = (object.replicas, object.ready_replicas)
        && running < replicas
    {
        let says = format!("{running} of {replicas} replicas are ready: the rest is up to Kubernetes");
        all.push(limit("pods-not-ready", says, Some("kubectl describe its pods: quota, nodes, images, probes")));
    }
    all
}

/// The object's own bounds.
fn bounds(object: &Explanation) -> Option<Limit> {
    let replicas = object.replicas.filter(|_| object.activity.as_deref() == Some("active"))?;
    (replicas >= object.max && object.triggers.iter().any(|trigger| wants_more(trigger, replicas))).then(|| {
        let says = format!("maxReplicaCount {} is reached, and a metric is above its target", object.max);
        limit("max-replicas", says, Some("spec.maxReplicaCount"))
    })
}

/// Whether a metric is above its target with so many replicas.
fn wants_more(trigger: &Trigger, replicas: u32) -> bool {
    trigger.metrics.iter().any(|metric| {
        let number = |text: &str| Some(text.parse::<Quantity>().ok()?.as_milli()?.0 as f64);
        let Some((value, target)) = metric.value.as_deref().and_then(number).zip(number(&metric.target)) else {
            return false;
        };
        value > target * if metric.average { f64::from(replicas) } else { 1.0 }
    })
}

/// Whether the HPA controller comes round too seldom. Its client's budget is for everything that it does, two requests a metric
/// and HPA; 20 a second by default, so that some 150 HPAs with a metric each are all that it looks at every 15 s.
fn late(object: &Explanation) -> Option<Limit> {
    let metrics = object.triggers.iter().flat_map(|trigger| &trigger.metrics).filter(|metric| metric.value.is_some());
    // The last gap, or the one that is still going on.
    let gap = |metric: &Metric| metric.read_ms.max(metric.read_gap_ms);
    let metrics: Vec<_> = metrics.collect();
    let longest = metrics.iter().filter_map(|metric| gap(metric)).max();
    let remedy = "raise kube-controller-manager's --kube-api-qps and --kube-api-burst (20 and 30 by default) and \
                  --concurrent-horizontal-pod-autoscaler-syncs, or annotate windlass.dev/engine: direct";
    match longest {
        Some(gap) if gap > LATE_MS => {
            let says = format!(
                "the HPA controller reads its metric every {}, and every {} when it is not behind: it has more HPAs than its \
                 client's budget lets it look at",
                seconds(gap),
                seconds(PERIOD_MS)
            );
            Some(limit("hpa-controller-behind", says, Some(remedy)))
        }
        None if !metrics.is_empty() => {
            let says = "the HPA controller has not read its metric yet";
            Some(limit("hpa-controller-behind", says, Some(remedy)))
        }
        _ => None,
    }
}

/// What the HPA says of itself.
fn told(autoscaler: &Autoscaler) -> Vec<Limit> {
    let conditions = autoscaler.conditions.iter();
    let bites = conditions.filter_map(|condition| {
        let name = match (&*condition.kind, &*condition.status, &*condition.reason) {
            ("ScalingLimited", "True", "TooManyReplicas" | "TooFewReplicas") => "hpa-bounds",
            ("ScalingLimited", "True", _) => "hpa-policy",
            ("AbleToScale", "True", "ScaleDownStabilized" | "ScaleUpStabilized") => "hpa-stabilization",
            ("AbleToScale" | "ScalingActive", "False", _) => "hpa-failing",
            _ => return None,
        };
        Some(limit(name, format!("the HPA: {} ({})", condition.message, condition.reason), None))
    });
    bites.collect()
}

/// For people.
pub(super) fn seconds(ms: u64) -> String {
    match ms {
        0..10_000 => format!("{}.{} s", ms / 1000, ms % 1000 / 100),
        10_000..120_000 => format!("{} s", ms / 1000),
        _ => format!("{} min", ms / 60_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use windlass_cluster::survey::Told;

    fn object() -> Explanation {
        let metric = Metric {
            name: "s0-queue".into(),
            value: Some("50".into()),
            target: "5".into(),
            average: true,
            active: Some(true),
            read_ms: Some(3_000),
            read_gap_ms: Some(15_004),
        };
        let trigger = Trigger { kind: "redis".into(), metrics: vec![metric], ..Trigger::default() };
        Explanation {
            max: 20,
            replicas: Some(10),
            ready_replicas: Some(10),
            activity: Some("active".into()),
            ready: ["True".into(), "ScaledObjectReady".into(), "ready".into()],
            triggers: vec![trigger],
            ..Explanation::default()
        }
    }

    fn hpa(conditions: &[[&str; 4]]) -> Autoscaler {
        let told = |[kind, status, reason, message]: &[&str; 4]| Told {
            kind: (*kind).into(),
            status: (*status).into(),
            reason: (*reason).into(),
            message: (*message).into(),
        };
        Autoscaler { conditions: conditions.iter().map(told).collect(), ..Autoscaler::default() }
    }

    fn names(object: &Explanation, autoscaler: Option<&Autoscaler>) -> Vec<&'static str> {
        limits(object, autoscaler).iter().map(|limit| limit.limit).collect()
    }

    #[test]
    fn nothing_bites_when_all_is_well() {
        let fine = hpa(&[
            ["AbleToScale", "True", "ReadyForNewScale", "recommended size matches current size"],
            ["ScalingActive", "True", "ValidMetricFound", "found"],
            ["ScalingLimited", "False", "DesiredWithinRange", "within"],
        ]);
        assert_eq!(limits(&object(), Some(&fine)), []);
    }

    #[test]
    fn each_limit_is_told() {
        let fine = hpa(&[]);
        let with = |change: fn(&mut Explanation)| {
            let mut changed = object();
            change(&mut changed);
            names(&changed, Some(&fine))
        };
        assert_eq!(with(|o| o.triggers[0].metrics[0].read_gap_ms = Some(97_000)), ["hpa-controller-behind"]);
        assert_eq!(with(|o| o.triggers[0].metrics[0].read_ms = Some(40_000)), ["hpa-controller-behind"]);
        let never = |o: &mut Explanation| {
            (o.triggers[0].metrics[0].read_ms, o.triggers[0].metrics[0].read_gap_ms) = (None, None);
        };
        assert_eq!(with(never), ["hpa-controller-behind"]);
        // It does not read what it need not.
        assert_eq!(
            with(|o| (o.engine, o.triggers[0].metrics[0].read_ms) = (Scaling::Direct, None)),
            Vec::<&str>::new()
        );
        assert_eq!(with(|o| (o.max, o.replicas) = (9, Some(9))), ["max-replicas"]);
        assert_eq!(with(|o| (o.max, o.replicas) = (10, Some(10))), Vec::<&str>::new(), "it has what it wants");
        assert_eq!(with(|o| o.ready_replicas = Some(4)), ["pods-not-ready"]);
        assert_eq!(with(|o| (o.activity, o.cooldown_ms) = (Some("inactive".into()), Some(9_000))), ["cooldown"]);
        assert_eq!(with(|o| o.paused = true), ["paused"]);
        assert_eq!(with(|o| o.triggers[0].trouble = Some("refused".into())), ["trigger-failing"]);
        let told = |o: &mut Explanation| {
            o.ready = ["False".into(), "TriggerError".into(), "trigger 0: refused".into()];
            o.triggers[0].trouble = Some("refused".into());
        };
        assert_eq!(with(told), ["not-ready"], "once");
        assert_eq!(names(&object(), None), ["no-hpa"]);
        let bites = hpa(&[
            ["AbleToScale", "True", "ScaleDownStabilized", "recent recommendations were higher"],
            ["ScalingActive", "False", "FailedGetExternalMetric", "no value"],
            ["ScalingLimited", "True", "ScaleUpLimit", "faster than the policy"],
        ]);
        assert_eq!(names(&object(), Some(&bites)), ["hpa-stabilization", "hpa-failing", "hpa-policy"]);
    }
}
