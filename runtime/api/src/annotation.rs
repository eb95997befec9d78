//! Annotations, labels and the finalizer: the names that other programs see, and how their values are read.
use std::collections::BTreeMap;

/// Pauses the object.
pub const PAUSED: &str = "autoscaling.keda.sh/paused";
/// Pauses the object at a number of replicas.
pub const PAUSED_REPLICAS: &str = "autoscaling.keda.sh/paused-replicas";
/// Forbids to scale in.
pub const PAUSED_SCALE_IN: &str = "autoscaling.keda.sh/paused-scale-in";
/// Forbids to scale out.
pub const PAUSED_SCALE_OUT: &str = "autoscaling.keda.sh/paused-scale-out";
/// Treats the object as active.
pub const FORCE_ACTIVATION: &str = "autoscaling.keda.sh/force-activation";
/// Labels of the object that do not go to its HPA, joined by commas.
pub const HPA_EXCLUDED_LABELS: &str = "scaledobject.keda.sh/hpa-excluded-labels";
/// With `"true"` and a named HPA, an existing HPA of that name is taken over.
pub const TRANSFER_HPA_OWNERSHIP: &str = "scaledobject.keda.sh/transfer-hpa-ownership";
/// On an HPA: exactly `"false"` skips the check that no other HPA scales the same target.
pub const VALIDATE_HPA_OWNERSHIP: &str = "validations.keda.sh/hpa-ownership";
/// Ours: who turns metrics into 1..N replicas, `hpa` or `direct`.
pub const ENGINE: &str = "windlass.dev/engine";
/// Ours, on a TriggerAuthentication or ClusterTriggerAuthentication: the hosts that its secrets may go to.
pub const HOSTS: &str = windlass_core::binding::ANNOTATION;
/// Label of a ScaledObject and selector of its external metrics.
pub const OWNER_LABEL: &str = "scaledobject.keda.sh/name";
/// Finalizer of all objects of the group.
pub const FINALIZER: &str = "finalizer.keda.sh";

/// Annotations of ours, which do not go to the HPA (KEDA copies all annotations).
pub(crate) const OURS: &str = "windlass.dev/";
/// kubectl's memory of what was applied, which does not go to the HPA either: it describes another object.
pub(crate) const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// Whether a switch is on. As in KEDA, a value that is no Go boolean counts as on.
pub fn is_on(annotations: Option<&BTreeMap<String, String>>, name: &str) -> bool {
    let off = |value: &String| matches!(value.as_str(), "0" | "f" | "F" | "false" | "FALSE" | "False");
    annotations.and_then(|all| all.get(name)).is_some_and(|value| !off(value))
}
