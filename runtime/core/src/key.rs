//! Names and identities.
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// A shared immutable text: names are stored once and cloned as a pointer.
pub type Text = Arc<str>;

/// What kind of object describes a workload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WorkloadKind {
    /// `keda.sh/v1alpha1` ScaledObject.
    ScaledObject,
    /// `keda.sh/v1alpha1` ScaledJob.
    ScaledJob,
}

/// The name of a workload: the object that describes it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WorkloadKey {
    /// Kind of the object.
    pub kind: WorkloadKind,
    /// Its namespace, which is also its isolation domain.
    pub namespace: Text,
    /// Its name.
    pub name: Text,
}

impl WorkloadKey {
    /// The key of a ScaledObject.
    pub fn scaled_object(namespace: impl Into<Text>, name: impl Into<Text>) -> WorkloadKey {
        WorkloadKey { kind: WorkloadKind::ScaledObject, namespace: namespace.into(), name: name.into() }
    }
}

/// `namespace/name`.
impl fmt::Display for WorkloadKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// What is scaled. `resource` is the plural that the API server's discovery told (empty in local mode).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TargetRef {
    /// API group; empty for the core group.
    pub group: Text,
    /// API version.
    pub version: Text,
    /// Kind, for instance `Deployment`.
    pub kind: Text,
    /// Plural resource name, for instance `deployments`.
    pub resource: Text,
    /// Name, in the workload's namespace.
    pub name: Text,
}

impl TargetRef {
    /// `group/version`, or the version alone in the core group.
    pub fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.to_string() } else { format!("{}/{}", self.group, self.version) }
    }
}

/// sha256 of a component's bytes. The identity of a scaler.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(pub [u8; 32]);

/// `sha256:` and 64 hexadecimal digits.
impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sha256:")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A keyed hash of values. Two equal ones stand for equal values; nothing can be read back from it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint(pub [u8; 32]);

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().take(4).try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// The name of an external metric as the HPA asks for it: `s<trigger index>-<name>`. The only place that knows the form.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MetricName {
    /// Index of the trigger in the ScaledObject.
    pub trigger: u16,
    /// The name that the scaler gave, already normalised.
    pub name: Text,
}

impl MetricName {
    /// From a scaler's name, normalised as KEDA does: `/ . : % ( )` become `-`.
    pub fn new(trigger: u16, name: &str) -> MetricName {
        let name: String =
            name.chars().map(|c| if matches!(c, '/' | '.' | ':' | '%' | '(' | ')') { '-' } else { c }).collect();
        MetricName { trigger, name: name.into() }
    }
}

impl fmt::Display for MetricName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s{}-{}", self.trigger, self.name)
    }
}

/// The text was not of the form `s<index>-<name>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a metric name has the form s<trigger index>-<name>")]
pub struct NotAMetricName;

impl FromStr for MetricName {
    type Err = NotAMetricName;
    fn from_str(text: &str) -> Result<MetricName, NotAMetricName> {
        let (index, name) = text.strip_prefix('s').and_then(|rest| rest.split_once('-')).ok_or(NotAMetricName)?;
        let trigger = index.parse().map_err(|_| NotAMetricName)?;
        Ok(MetricName { trigger, name: name.into() })
    }
}
