//! From a ScaledObject to what the core works on: defaults, bounds, and a refusal that names the field for whatever
//! cannot be done. Pure.
mod behavior;
mod trigger;

use crate::annotation;
use crate::scaled_object::{ScaledObject, ScaledObjectSpec};
use std::collections::BTreeMap;
use std::time::Duration;
use windlass_core::workload::{Bounds, Engine, Hold, HpaOptions, Pause};
use windlass_core::{Declared, Fault, Reason, TargetRef, Text, Wall, WorkloadKey};

/// The longest name that fits into a label, where KEDA puts the names of ScaledObject and HPA.
const LONGEST_NAME: usize = 63;
/// `pollingInterval` when it is not set, in seconds.
const POLLING_INTERVAL_S: i64 = 30;
/// `cooldownPeriod` when it is not set, in seconds.
const COOLDOWN_PERIOD_S: i64 = 300;
/// `maxReplicaCount` when it is not set.
const MAX_REPLICAS: u32 = 100;

/// Lowers an object whose engine is an HPA unless it says otherwise.
///
/// # Errors
/// When the object as a whole cannot be served. The message names the field and the remedy.
pub fn lower(object: &ScaledObject) -> Result<Declared, Fault> {
    lower_for(object, Engine::Hpa)
}

/// Lowers an object; `unset` is the engine of one that names none.
///
/// # Errors
/// When the object as a whole cannot be served. The message names the field and the remedy.
pub fn lower_for(object: &ScaledObject, unset: Engine) -> Result<Declared, Fault> {
    let name = object.metadata.name.as_deref().unwrap_or_default();
    let namespace = object.metadata.namespace.as_deref().filter(|n| !n.is_empty()).unwrap_or("default");
    if name.is_empty() {
        return Err(refused("metadata.name: is not set; give the object a name"));
    }
    if name.len() > LONGEST_NAME {
        return Err(refused(format!(
            "metadata.name: has {} characters; use at most {LONGEST_NAME}, since it becomes the label {}",
            name.len(),
            annotation::OWNER_LABEL
        )));
    }
    let spec = &object.spec;
    let annotations = object.metadata.annotations.as_ref();
    supported(spec)?;
    let (engine, triggers) = (engine(annotations, unset)?, trigger::lower(&spec.triggers)?);
    Ok(Declared {
        key: WorkloadKey::scaled_object(namespace, name),
        uid: object.metadata.uid.as_deref().unwrap_or_default().into(),
        generation: object.metadata.generation.unwrap_or_default(),
        created: Wall(object.metadata.creation_timestamp.as_ref().map_or(0, |time| time.0.as_millisecond())),
        labels: labels(object),
        annotations: hpa_annotations(annotations),
        target: target(spec)?,
        env_container: spec
            .scale_target_ref
            .env_source_container_name
            .as_deref()
            .filter(|n| !n.is_empty())
            .map(Text::from),
        bounds: bounds(spec)?,
        poll: seconds("spec.pollingInterval", spec.polling_interval, POLLING_INTERVAL_S, 1)?,
        cooldown: seconds("spec.cooldownPeriod", spec.cooldown_period, COOLDOWN_PERIOD_S, 0)?,
        initial_cooldown: seconds("spec.initialCooldownPeriod", spec.initial_cooldown_period, 0, 0)?,
        triggers,
        pause: pause(annotations)?,
        force_active: annotation::is_on(annotations, annotation::FORCE_ACTIVATION),
        hpa: hpa(name, spec, annotations)?,
        engine,
        restore_original: spec
            .advanced
            .as_ref()
            .and_then(|advanced| advanced.restore_to_original_replica_count)
            .unwrap_or(false),
    })
}

fn refused(message: impl Into<Text>) -> Fault {
    Fault::new(Reason::ScaledObjectCheckFailed, message)
}

/// Refuses what is accepted by the schema but not implemented yet: nothing is ignored silently.
fn supported(spec: &ScaledObjectSpec) -> Result<(), Fault> {
    let unsupported = |field: &str| {
        Err(Fault::new(
            Reason::UnsupportedField,
            format!("{field}: not supported yet; remove it or keep this object on KEDA"),
        ))
    };
    if spec.fallback.is_some() {
        return unsupported("spec.fallback");
    }
    let Some(modifiers) = spec.advanced.as_ref().and_then(|advanced| advanced.scaling_modifiers.as_ref()) else {
        return Ok(());
    };
    let fields = [
        ("formula", &modifiers.formula),
        ("target", &modifiers.target),
        ("activationTarget", &modifiers.activation_target),
    ];
    for (field, value) in fields {
        if value.as_deref().is_some_and(|text| !text.is_empty()) {
            return unsupported(&format!("spec.advanced.scalingModifiers.{field}"));
        }
    }
    Ok(())
}

fn target(spec: &ScaledObjectSpec) -> Result<TargetRef, Fault> {
    let reference = &spec.scale_target_ref;
    if reference.name.is_empty() {
        return Err(refused("spec.scaleTargetRef.name: is empty; name the workload to scale"));
    }
    let set = |value: &Option<String>| value.clone().filter(|text| !text.is_empty());
    let api_version = set(&reference.api_version).unwrap_or_else(|| "apps/v1".into());
    let (group, version) = api_version.split_once('/').unwrap_or(("", &api_version));
    if version.is_empty() || version.contains('/') {
        return Err(refused(format!(
            "spec.scaleTargetRef.apiVersion: '{api_version}' is not of the form group/version; write for instance apps/v1"
        )));
    }
    Ok(TargetRef {
        group: group.into(),
        version: version.into(),
        kind: set(&reference.kind).unwrap_or_else(|| "Deployment".into()).into(),
        resource: "".into(),
        name: reference.name.as_str().into(),
    })
}

/// A number of replicas, at least `least`.
fn replicas(field: &str, value: Option<i64>, least: u32) -> Result<Option<u32>, Fault> {
    let Some(value) = value else { return Ok(None) };
    // The HPA's fields are int32.
    match i32::try_from(value).ok().and_then(|small| u32::try_from(small).ok()).filter(|count| *count >= least) {
        Some(count) => Ok(Some(count)),
        None => Err(refused(format!("{field}: is {value}; use a number from {least} to {}", i32::MAX))),
    }
}

/// A duration in seconds, at least `least`.
fn seconds(field: &str, value: Option<i64>, initial: i64, least: u32) -> Result<Duration, Fault> {
    let value = value.unwrap_or(initial);
    match i32::try_from(value).ok().and_then(|small| u32::try_from(small).ok()).filter(|count| *count >= least) {
        Some(count) => Ok(Duration::from_secs(count.into())),
        None => Err(refused(format!("{field}: is {value}; use a number of seconds from {least} to {}", i32::MAX))),
    }
}

fn bounds(spec: &ScaledObjectSpec) -> Result<Bounds, Fault> {
    let min = replicas("spec.minReplicaCount", spec.min_replica_count, 0)?;
    let max = replicas("spec.maxReplicaCount", spec.max_replica_count, 1)?.unwrap_or(MAX_REPLICAS);
    let idle = replicas("spec.idleReplicaCount", spec.idle_replica_count, 0)?;
    // KEDA checks against the HPA's minimum, at least 1, as soon as minReplicaCount is written, even as 0.
    let checked = min.map_or(0, |min| min.max(1));
    if checked > max {
        return Err(refused(format!(
            "spec.minReplicaCount: {checked} is greater than maxReplicaCount {max}; lower it or raise maxReplicaCount"
        )));
    }
    if let Some(idle) = idle.filter(|idle| *idle >= checked) {
        return Err(refused(format!(
            "spec.idleReplicaCount: {idle} must be less than minReplicaCount {}; raise minReplicaCount or remove idleReplicaCount",
            min.map_or_else(|| "(not set)".into(), |min| min.to_string())
        )));
    }
    Ok(Bounds { min: min.unwrap_or(0), max, idle })
}

fn pause(annotations: Option<&BTreeMap<String, String>>) -> Result<Pause, Fault> {
    let all = match annotations.and_then(|all| all.get(annotation::PAUSED_REPLICAS)) {
        Some(value) => match value.parse::<i32>().ok().and_then(|count| u32::try_from(count).ok()) {
            Some(count) => Some(Hold::At(count)),
            None => {
                return Err(refused(format!(
                    "metadata.annotations['{}']: '{value}' is no number of replicas; write for instance \"0\"",
                    annotation::PAUSED_REPLICAS
                )));
            }
        },
        None => annotation::is_on(annotations, annotation::PAUSED).then_some(Hold::Here),
    };
    Ok(Pause {
        all,
        scale_in: annotation::is_on(annotations, annotation::PAUSED_SCALE_IN),
        scale_out: annotation::is_on(annotations, annotation::PAUSED_SCALE_OUT),
    })
}

fn engine(annotations: Option<&BTreeMap<String, String>>, unset: Engine) -> Result<Engine, Fault> {
    match annotations.and_then(|all| all.get(annotation::ENGINE)).map(String::as_str) {
        None => Ok(unset),
        Some("hpa") => Ok(Engine::Hpa),
        Some("direct") => Ok(Engine::Direct),
        Some(other) => Err(refused(format!(
            "metadata.annotations['{}']: '{other}' is no engine; use hpa or direct",
            annotation::ENGINE
        ))),
    }
}

fn hpa(
    name: &str,
    spec: &ScaledObjectSpec,
    annotations: Option<&BTreeMap<String, String>>,
) -> Result<HpaOptions, Fault> {
    const FIELD: &str = "spec.advanced.horizontalPodAutoscalerConfig";
    let config = spec.advanced.as_ref().and_then(|advanced| advanced.horizontal_pod_autoscaler_config.as_ref());
    let written = config.and_then(|config| config.name.clone()).filter(|name| !name.is_empty());
    let transfer = annotations.and_then(|all| all.get(annotation::TRANSFER_HPA_OWNERSHIP)).is_some_and(|v| v == "true");
    if transfer && written.is_none() {
        return Err(refused(format!(
            "{FIELD}.name: is not set; with the annotation {} name the HPA to take over",
            annotation::TRANSFER_HPA_OWNERSHIP
        )));
    }
    let named = written.is_some();
    let hpa_name = written.unwrap_or_else(|| format!("keda-hpa-{name}"));
    if hpa_name.len() > LONGEST_NAME {
        return Err(refused(format!(
            "{FIELD}.name: the HPA's name '{hpa_name}' has {} characters; set a name of at most {LONGEST_NAME}",
            hpa_name.len()
        )));
    }
    let behavior = config.and_then(|config| config.behavior.as_ref());
    let behavior = behavior.map(|written| behavior::lower(&format!("{FIELD}.behavior"), written)).transpose()?;
    Ok(HpaOptions { name: hpa_name.into(), named, behavior })
}

/// The object's labels but for those that it excludes. Names in the list are compared as they are, without trimming.
fn labels(object: &ScaledObject) -> BTreeMap<Text, Text> {
    let excluded = object.metadata.annotations.as_ref().and_then(|all| all.get(annotation::HPA_EXCLUDED_LABELS));
    let excluded: Vec<&str> = excluded.map(|list| list.split(',').collect()).unwrap_or_default();
    let labels = object.metadata.labels.iter().flatten();
    let mut labels = texts(labels.filter(|(name, _)| !excluded.contains(&name.as_str())));
    // Every object gets this label from us. It counts as there from the start: else the HPA would be written twice.
    if !excluded.contains(&annotation::OWNER_LABEL) {
        let name = object.metadata.name.as_deref().unwrap_or_default();
        labels.insert(annotation::OWNER_LABEL.into(), name.into());
    }
    labels
}

fn hpa_annotations(annotations: Option<&BTreeMap<String, String>>) -> BTreeMap<Text, Text> {
    let kept = |name: &str| name != annotation::LAST_APPLIED && !name.starts_with(annotation::OURS);
    texts(annotations.into_iter().flatten().filter(|(name, _)| kept(name)))
}

fn texts<'a>(pairs: impl Iterator<Item = (&'a String, &'a String)>) -> BTreeMap<Text, Text> {
    pairs.map(|(name, value)| (name.as_str().into(), value.as_str().into())).collect()
}
