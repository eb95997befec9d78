//! What the operator tells of one object: the last decision with its inputs. A form of its own, so that an older command line
//! understands a newer operator: what is added is optional.
use serde::{Deserialize, Serialize};
use std::time::Duration;
use windlass_core::board::Readers;
use windlass_core::decide::{Activity, Because};
use windlass_core::view::{MetricView, TriggerView, View};
use windlass_core::workload::{Aim, Engine};
use windlass_core::write::Tri;
use windlass_core::{Board, MetricKey, Now, WorkloadKey};

/// An object. Times are milliseconds; values and targets are quantities as the HPA has them.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Explanation {
    pub(crate) namespace: String,
    pub(crate) name: String,
    /// `Deployment/web`.
    pub(crate) target: String,
    pub(crate) engine: Scaling,
    /// Bounds of its replicas; `idle`: where they rest without work.
    pub(crate) min: u32,
    pub(crate) max: u32,
    pub(crate) idle: Option<u32>,
    /// Replicas that the target is to have; none: not known.
    pub(crate) replicas: Option<u32>,
    pub(crate) ready_replicas: Option<u32>,
    /// What the last decision set; none: it left them.
    pub(crate) wanted: Option<u32>,
    /// `active`, `inactive`, `unknown` or `waiting`.
    pub(crate) activity: Option<String>,
    /// Why, in words.
    pub(crate) because: Option<String>,
    /// Milliseconds of the cooldown that are left.
    pub(crate) cooldown_ms: Option<u64>,
    /// It is paused, in whole or in one direction.
    pub(crate) paused: bool,
    /// Status, reason and message of its Ready condition.
    pub(crate) ready: [String; 3],
    pub(crate) triggers: Vec<Trigger>,
}

/// Who scales it between one and many.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Scaling {
    #[default]
    Hpa,
    Direct,
}

/// A trigger of it.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Trigger {
    pub(crate) index: u16,
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) metrics: Vec<Metric>,
    /// Age of its last value.
    pub(crate) age_ms: Option<u64>,
    /// Why it has no value that counts.
    pub(crate) trouble: Option<String>,
    /// Polls in a row that failed.
    pub(crate) failures: u32,
    /// How often it is asked, and when next.
    pub(crate) period_ms: Option<u64>,
    pub(crate) next_poll_ms: Option<u64>,
}

/// A metric of it.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Metric {
    pub(crate) name: String,
    pub(crate) value: Option<String>,
    pub(crate) target: String,
    /// The target is for each replica, not for all together.
    pub(crate) average: bool,
    pub(crate) active: Option<bool>,
    /// How long ago it was read through the metrics API, and how long before that.
    pub(crate) read_ms: Option<u64>,
    pub(crate) read_gap_ms: Option<u64>,
}

fn ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

impl Explanation {
    /// What is known of an object, and how its metrics are read.
    pub(crate) fn of(view: &View, board: &Board, now: Now) -> Explanation {
        let WorkloadKey { namespace, name, .. } = &view.key;
        let readers = |metric: &MetricView| {
            let key = MetricKey { namespace: namespace.clone(), object: name.clone(), metric: metric.name.clone() };
            board.readers(&key, now.mono)
        };
        let because = view.because.as_ref();
        let left = match because {
            Some(Because::Cooldown { until, .. }) => Some(u64::try_from(until.0 - now.wall.0).unwrap_or(0)),
            _ => None,
        };
        let paused = |because: &Because| {
            use Because::{Paused, PausedAt, ScaleInPaused, ScaleOutPaused};
            matches!(because, Paused | PausedAt { .. } | ScaleInPaused | ScaleOutPaused)
        };
        Explanation {
            namespace: namespace.to_string(),
            name: name.to_string(),
            target: view.target.to_string(),
            engine: match view.engine {
                Engine::Hpa => Scaling::Hpa,
                Engine::Direct => Scaling::Direct,
            },
            min: view.bounds.min,
            max: view.bounds.max,
            idle: view.bounds.idle,
            replicas: view.replicas,
            ready_replicas: view.ready,
            wanted: view.wanted,
            activity: view.activity.map(|activity| word(activity).to_owned()),
            because: because.map(ToString::to_string),
            cooldown_ms: left,
            paused: because.is_some_and(paused),
            ready: [
                status(view.health.status).to_owned(),
                view.health.reason.to_string(),
                view.health.message.to_string(),
            ],
            triggers: view.triggers.iter().map(|trigger| Trigger::of(trigger, readers)).collect(),
        }
    }
}

fn status(status: Tri) -> &'static str {
    match status {
        Tri::Yes => "True",
        Tri::No => "False",
        Tri::Unknown => "Unknown",
    }
}

fn word(activity: Activity) -> &'static str {
    match activity {
        Activity::Active => "active",
        Activity::Inactive => "inactive",
        Activity::Unknown => "unknown",
        Activity::Waiting => "waiting",
    }
}

impl Trigger {
    fn of(view: &TriggerView, readers: impl Fn(&MetricView) -> Readers) -> Trigger {
        let failed = || view.failure.as_ref().map(|failure| failure.message.to_string());
        let metric = |metric: &MetricView| {
            let Readers { ago_ms, gap_ms } = readers(metric);
            Metric {
                name: metric.name.to_string(),
                value: metric.value.map(|value| value.to_string()),
                target: metric.target.to_string(),
                average: metric.aim == Aim::Average,
                active: metric.active,
                read_ms: ago_ms,
                read_gap_ms: gap_ms,
            }
        };
        Trigger {
            index: view.index,
            kind: view.kind.to_string(),
            metrics: view.metrics.iter().map(metric).collect(),
            age_ms: view.age.map(ms),
            trouble: view.fault.as_ref().map(ToString::to_string).or_else(failed),
            failures: view.failures,
            period_ms: view.period.map(ms),
            next_poll_ms: view.next_poll.map(ms),
        }
    }
}
