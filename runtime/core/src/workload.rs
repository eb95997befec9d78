//! What a user asked for, in the core's words: what `api` lowers a ScaledObject into, and what `step` works on.
use crate::binding::Binding;
use crate::failure::Fault;
use crate::key::{MetricName, TargetRef, Text, WorkloadKey};
use crate::milli::Milli;
use crate::query::Question;
use crate::secret::Secret;
use crate::time::Wall;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Bounds on replicas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// `minReplicaCount`, default 0. The HPA's minimum is at least 1.
    pub min: u32,
    /// `maxReplicaCount`, default 100.
    pub max: u32,
    /// `idleReplicaCount`.
    pub idle: Option<u32>,
}

/// Pause annotations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pause {
    /// `autoscaling.keda.sh/paused` or `/paused-replicas`.
    pub all: Option<Hold>,
    /// `autoscaling.keda.sh/paused-scale-in`.
    pub scale_in: bool,
    /// `autoscaling.keda.sh/paused-scale-out`.
    pub scale_out: bool,
}

/// Where a paused workload is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hold {
    /// At the replicas it has.
    Here,
    /// At this many.
    At(u32),
}

/// Whether a target is a value per replica or for all of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Aim {
    /// `AverageValue`: the value divided by the replicas.
    #[default]
    Average,
    /// `Value`.
    Value,
}

/// Which direction a policy chooses among several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the words of autoscaling/v2")]
pub enum SelectPolicy {
    Max,
    Min,
    Disabled,
}

/// One scaling policy of `autoscaling/v2`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScalingPolicy {
    /// `Percent` rather than `Pods`.
    pub percent: bool,
    /// Pods or per cent.
    pub value: i32,
    /// `periodSeconds`.
    pub period_s: i32,
}

/// `HPAScalingRules` of `autoscaling/v2`; what is `None` was not written by the user.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScalingRules {
    /// `stabilizationWindowSeconds`.
    pub stabilization_s: Option<i32>,
    /// `selectPolicy`.
    pub select: Option<SelectPolicy>,
    /// `policies`.
    pub policies: Option<Vec<ScalingPolicy>>,
    /// `tolerance`, in thousandths.
    pub tolerance: Option<Milli>,
}

/// `behavior` of `autoscaling/v2`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Behavior {
    /// `scaleUp`.
    pub scale_up: Option<ScalingRules>,
    /// `scaleDown`.
    pub scale_down: Option<ScalingRules>,
}

/// What the user wrote about the HPA.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HpaOptions {
    /// `advanced.horizontalPodAutoscalerConfig.name`, or `keda-hpa-<name>`.
    pub name: Text,
    /// The user wrote the name, and so may adopt an existing HPA with `scaledobject.keda.sh/transfer-hpa-ownership`.
    pub named: bool,
    /// `behavior`.
    pub behavior: Option<Behavior>,
}

/// Who turns metrics into 1..N replicas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// A HorizontalPodAutoscaler.
    Hpa,
    /// We ourselves, by the HPA's algorithm.
    Direct,
}

/// `authenticationRef` of a trigger.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AuthenticationRef {
    /// Name.
    pub name: Text,
    /// A ClusterTriggerAuthentication.
    pub cluster: bool,
}

/// A `cpu` or `memory` trigger: a resource metric of the HPA, never asked by us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourceTrigger {
    /// `cpu` or `memory`.
    pub resource: Text,
    /// `metadata.containerName`: a `ContainerResource` metric.
    pub container: Option<Text>,
    /// The target.
    pub target: ResourceTarget,
}

/// Target of a resource metric.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ResourceTarget {
    /// Per cent of the request.
    Utilization(i32),
    /// A quantity per pod, in its canonical text.
    AverageValue(Text),
}

/// A trigger as the user wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeclaredTrigger {
    /// Its index in the object.
    pub index: u16,
    /// `type`.
    pub kind: Text,
    /// `name`.
    pub name: Option<Text>,
    /// What it asks.
    pub ask: Ask,
    /// `authenticationRef`.
    pub authentication: Option<AuthenticationRef>,
}

/// What a declared trigger asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// An event source.
    External {
        /// `metadata`, as written.
        metadata: BTreeMap<Text, Text>,
        /// `metricType`.
        aim: Aim,
        /// `useCachedMetrics`.
        cached: bool,
    },
    /// The HPA's own resource metrics.
    Resource(ResourceTrigger),
}

/// A ScaledObject, lowered: everything that decisions need, nothing of Kubernetes' types. Pure data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Declared {
    /// Namespace and name.
    pub key: WorkloadKey,
    /// The object's uid (empty in local mode).
    pub uid: Text,
    /// The object's generation.
    pub generation: i64,
    /// When it was created.
    pub created: Wall,
    /// Its labels (they go to the HPA but for the excluded ones, which `api` has already left out).
    pub labels: BTreeMap<Text, Text>,
    /// Its annotations that go to the HPA.
    pub annotations: BTreeMap<Text, Text>,
    /// What is scaled. `resource` may be empty until discovery told it.
    pub target: TargetRef,
    /// `envSourceContainerName`.
    pub env_container: Option<Text>,
    /// Bounds.
    pub bounds: Bounds,
    /// `pollingInterval`, default 30 s.
    pub poll: Duration,
    /// `cooldownPeriod`, default 300 s.
    pub cooldown: Duration,
    /// `initialCooldownPeriod`, default 0.
    pub initial_cooldown: Duration,
    /// The triggers, in their order.
    pub triggers: Vec<DeclaredTrigger>,
    /// Pause annotations.
    pub pause: Pause,
    /// `autoscaling.keda.sh/force-activation`.
    pub force_active: bool,
    /// The HPA.
    pub hpa: HpaOptions,
    /// Who scales 1..N.
    pub engine: Engine,
    /// `restoreToOriginalReplicaCount`.
    pub restore_original: bool,
}

/// Material for one trigger's resolution, read from the cluster: values by name. Secrets all, for one type's sake.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Material {
    /// Environment of the target's container: what `<parameter>FromEnv` may name.
    pub environment: Arc<BTreeMap<Text, Secret>>,
    /// Parameters of the TriggerAuthentication.
    pub authentication: BTreeMap<Text, Secret>,
    /// Provider of its pod identity.
    pub identity: Option<Text>,
    /// The hosts that the TriggerAuthentication is bound to.
    pub bound: Option<Arc<Binding>>,
    /// The authentication could not be read; the trigger is unusable.
    pub fault: Option<Fault>,
}

/// What the cluster (or a file, in local mode) hands over for one object: the intake of the pipeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Intake {
    /// The lowered object.
    pub declared: Arc<Declared>,
    /// One entry per trigger, same order.
    pub materials: Vec<Material>,
    /// The object as a whole cannot be served (target not scalable, a conflict): Ready=False, nothing else is touched.
    pub fault: Option<Fault>,
}

/// A trigger that `step` works on.
#[derive(Clone, Debug, PartialEq)]
pub enum Trigger {
    /// Asks an event source.
    External {
        /// Index in the object.
        index: u16,
        /// What is asked.
        question: Arc<Question>,
        /// The metrics of the HPA, one per metric of the plan.
        metrics: Vec<Metric>,
        /// Average or value.
        aim: Aim,
        /// `useCachedMetrics`: polled at `pollingInterval` even when active.
        cached: bool,
    },
    /// `cpu` or `memory`.
    Resource {
        /// Index in the object.
        index: u16,
        /// The metric.
        resource: ResourceTrigger,
    },
    /// Cannot be asked: unknown type, invalid parameters, component not ready, authentication missing.
    Unusable {
        /// Index in the object.
        index: u16,
        /// Why.
        fault: Fault,
    },
}

/// One external metric of a workload.
#[derive(Clone, Debug, PartialEq)]
pub struct Metric {
    /// Name with its `s<index>-` prefix.
    pub name: MetricName,
    /// Target.
    pub target: Milli,
    /// Activation threshold: active when the value is greater.
    pub activation: f64,
}

/// A workload, prepared: declared, resolved and configured. The unit that enters the core.
#[derive(Clone, Debug, PartialEq)]
pub struct Workload {
    /// What the user asked for.
    pub declared: Arc<Declared>,
    /// Its triggers, in their order.
    pub triggers: Vec<Trigger>,
    /// It cannot be served as a whole; Ready=False, HPA and replicas stay as they are (invariant 11).
    pub fault: Option<Fault>,
}
