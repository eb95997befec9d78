//! Annotations, labels and the finalizer: the names that other programs see, and how their values are read.
use std::collections::BTreeMap;
use windlass_core::Text;

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
/// Ours, before a trigger type, on a ScaledObject, a Namespace or the definition of ScaledObjects: the component that serves it.
pub const SCALER: &str = "windlass.dev/scaler.";
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

/// The components that annotations register, as written, by trigger type.
pub fn scalers(annotations: Option<&BTreeMap<String, String>>) -> BTreeMap<Text, Text> {
    let kind = |(name, value): (&String, &String)| Some((name.strip_prefix(SCALER)?.into(), value.trim().into()));
    annotations.into_iter().flatten().filter_map(kind).collect()
}

#[cfg(test)]
mod tests {
    use super::scalers;
    use std::collections::BTreeMap;

    #[test]
    fn components_are_registered_by_trigger_type() {
        let written = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let annotations = BTreeMap::from([
            written("windlass.dev/scaler.my-queue", " oci://registry.example/acme/my-queue:1\n"),
            written("windlass.dev/scaler", "nothing"),
            written("windlass.dev/engine", "hpa"),
            written("other.dev/scaler.my-queue", "nothing"),
        ]);
        let told = scalers(Some(&annotations));
        let expected = [("my-queue".into(), "oci://registry.example/acme/my-queue:1".into())];
        assert_eq!(told, BTreeMap::from(expected));
        assert!(scalers(None).is_empty());
    }
}
