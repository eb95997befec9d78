//! Why something did not work: what a poll can fail with, and the one closed list of reasons that people see.
use crate::key::Text;
use std::fmt;
use std::time::Duration;

/// How a query failed, in the words of the contract (`failure-kind`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FailureKind {
    /// The trigger's parameters cannot work.
    Invalid,
    /// The source refused the credentials.
    Auth,
    /// The source could not be reached.
    Unreachable,
    /// The source did not answer in time.
    Timeout,
    /// The source, or our budget for it, asked us to wait.
    Throttled,
    /// The source has no such queue, key or series.
    NotFound,
    /// The source answered what is no usable value.
    BadResponse,
    /// Policy refused the request (egress, grants). Never counts against the source.
    Denied,
    /// The component failed: a trap, spent CPU or memory, no answer.
    Internal,
}

impl FailureKind {
    /// The word used in metrics, logs and JSON output.
    pub fn as_label(self) -> &'static str {
        match self {
            FailureKind::Invalid => "invalid",
            FailureKind::Auth => "auth",
            FailureKind::Unreachable => "unreachable",
            FailureKind::Timeout => "timeout",
            FailureKind::Throttled => "throttled",
            FailureKind::NotFound => "not-found",
            FailureKind::BadResponse => "bad-response",
            FailureKind::Denied => "denied",
            FailureKind::Internal => "internal",
        }
    }
}

/// Who has to act.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    /// The event source.
    Source,
    /// The component.
    Guest,
    /// Who wrote the trigger.
    User,
    /// The operator's policy.
    Policy,
}

/// A failed query. The message was cut to 256 bytes and cleaned of secrets and control characters by the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// How.
    pub kind: FailureKind,
    /// What to tell people.
    pub message: Text,
    /// When the source asked to be asked again.
    pub retry_after: Option<Duration>,
    /// Who has to act.
    pub blame: Blame,
}

impl Failure {
    /// A failure without a retry time, blamed on whom the kind usually names.
    pub fn new(kind: FailureKind, message: impl Into<Text>) -> Failure {
        let blame = match kind {
            FailureKind::Invalid => Blame::User,
            FailureKind::Denied => Blame::Policy,
            FailureKind::Internal => Blame::Guest,
            FailureKind::Auth
            | FailureKind::Unreachable
            | FailureKind::Timeout
            | FailureKind::Throttled
            | FailureKind::NotFound
            | FailureKind::BadResponse => Blame::Source,
        };
        Failure { kind, message: message.into(), retry_after: None, blame }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind.as_label(), self.message)
    }
}

/// The closed list of reasons: a condition's `reason`, an event's `reason` and a metric's label all come from here.
/// KEDA's words are kept where KEDA has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs, reason = "each name is the reason itself")]
pub enum Reason {
    // Ready
    ScaledObjectReady,
    ScaledObjectCheckFailed,
    TargetNotFound,
    TargetNotScalable,
    UnsupportedField,
    UnknownTriggerType,
    InvalidTrigger,
    AuthenticationNotFound,
    ComponentUnavailable,
    ConflictingScaledObject,
    ConflictingHpa,
    TriggerError,
    PartialTriggerError,
    ErrorGettingCurrentReplicas,
    // Active
    ScalerActive,
    ScalerNotActive,
    ScalerCooldown,
    UnknownState,
    // Fallback
    FallbackExists,
    NoFallbackFound,
    // Paused
    ScaledObjectPaused,
    ScaledObjectUnpaused,
    // HPAActive
    HPAActive,
    ScalingDisabled,
    HPAMetricsUnavailable,
    // Events only
    ScaledObjectDeleted,
    ScaledObjectUpdateFailed,
    KEDAScalersStarted,
    KEDAScalersStopped,
    KEDAScalerFailed,
    KEDAMetricSourceFailed,
    KEDAScaleTargetActivated,
    KEDAScaleTargetDeactivated,
    KEDAScaleTargetActivationFailed,
    KEDAScaleTargetDeactivationFailed,
}

impl Reason {
    /// The reason as conditions, events and metric labels show it.
    pub fn as_str(self) -> &'static str {
        match self {
            Reason::ScaledObjectReady => "ScaledObjectReady",
            Reason::ScaledObjectCheckFailed => "ScaledObjectCheckFailed",
            Reason::TargetNotFound => "TargetNotFound",
            Reason::TargetNotScalable => "TargetNotScalable",
            Reason::UnsupportedField => "UnsupportedField",
            Reason::UnknownTriggerType => "UnknownTriggerType",
            Reason::InvalidTrigger => "InvalidTrigger",
            Reason::AuthenticationNotFound => "AuthenticationNotFound",
            Reason::ComponentUnavailable => "ComponentUnavailable",
            Reason::ConflictingScaledObject => "ConflictingScaledObject",
            Reason::ConflictingHpa => "ConflictingHpa",
            Reason::TriggerError => "TriggerError",
            Reason::PartialTriggerError => "PartialTriggerError",
            Reason::ErrorGettingCurrentReplicas => "ErrorGettingCurrentReplicas",
            Reason::ScalerActive => "ScalerActive",
            Reason::ScalerNotActive => "ScalerNotActive",
            Reason::ScalerCooldown => "ScalerCooldown",
            Reason::UnknownState => "UnknownState",
            Reason::FallbackExists => "FallbackExists",
            Reason::NoFallbackFound => "NoFallbackFound",
            Reason::ScaledObjectPaused => "ScaledObjectPaused",
            Reason::ScaledObjectUnpaused => "ScaledObjectUnpaused",
            Reason::HPAActive => "HPAActive",
            Reason::ScalingDisabled => "ScalingDisabled",
            Reason::HPAMetricsUnavailable => "HPAMetricsUnavailable",
            Reason::ScaledObjectDeleted => "ScaledObjectDeleted",
            Reason::ScaledObjectUpdateFailed => "ScaledObjectUpdateFailed",
            Reason::KEDAScalersStarted => "KEDAScalersStarted",
            Reason::KEDAScalersStopped => "KEDAScalersStopped",
            Reason::KEDAScalerFailed => "KEDAScalerFailed",
            Reason::KEDAMetricSourceFailed => "KEDAMetricSourceFailed",
            Reason::KEDAScaleTargetActivated => "KEDAScaleTargetActivated",
            Reason::KEDAScaleTargetDeactivated => "KEDAScaleTargetDeactivated",
            Reason::KEDAScaleTargetActivationFailed => "KEDAScaleTargetActivationFailed",
            Reason::KEDAScaleTargetDeactivationFailed => "KEDAScaleTargetDeactivationFailed",
        }
    }

    /// Whether an event with this reason is a `Warning`.
    pub fn is_warning(self) -> bool {
        !matches!(
            self,
            Reason::ScaledObjectReady
                | Reason::ScaledObjectPaused
                | Reason::ScaledObjectUnpaused
                | Reason::ScalerActive
                | Reason::ScalerNotActive
                | Reason::ScalerCooldown
                | Reason::HPAActive
                | Reason::ScalingDisabled
                | Reason::NoFallbackFound
                | Reason::KEDAScalersStarted
                | Reason::KEDAScalersStopped
                | Reason::KEDAScaleTargetActivated
                | Reason::KEDAScaleTargetDeactivated
        )
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why an object cannot be served: Ready=False with this, and its HPA and replicas stay as they are.
/// The message names the field and the remedy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Fault {
    /// From the closed list.
    pub reason: Reason,
    /// The field and what to do about it.
    pub message: Text,
}

impl Fault {
    /// A fault.
    pub fn new(reason: Reason, message: impl Into<Text>) -> Fault {
        Fault { reason, message: message.into() }
    }
}
