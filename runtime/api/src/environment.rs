//! The environment of a target's container, as the kubelet would make it: what `<parameter>FromEnv` may name.
//! Pure: the caller fetches what [`needs`] lists.
use crate::reference::{Fetched, Needs};
use k8s_openapi::api::core::v1::{Container, EnvVarSource, PodSpec};
use std::collections::BTreeMap;
use windlass_core::{Fault, Reason, Secret, Text};

/// The container whose environment counts: the one of that name, or the first.
///
/// # Errors
/// When there is no such container.
pub fn container<'a>(pod: &'a PodSpec, name: Option<&str>) -> Result<&'a Container, Fault> {
    let found = match name.filter(|name| !name.is_empty()) {
        Some(name) => pod.containers.iter().find(|container| container.name == name),
        None => pod.containers.first(),
    };
    found.ok_or_else(|| {
        Fault::new(
            Reason::ScaledObjectCheckFailed,
            match name {
                Some(name) => format!(
                    "spec.scaleTargetRef.envSourceContainerName: the target has no container '{name}'; name one of its containers"
                ),
                None => "spec.scaleTargetRef: the target has no containers; scale an object with a pod template".into(),
            },
        )
    })
}

/// Secrets and ConfigMaps that the container's environment takes values from, in its own namespace.
pub fn needs(container: &Container) -> Needs {
    let mut needs = Needs::default();
    for source in container.env_from.iter().flatten() {
        needs.secrets.extend(source.secret_ref.iter().map(|reference| Text::from(reference.name.as_str())));
        needs.config_maps.extend(source.config_map_ref.iter().map(|reference| Text::from(reference.name.as_str())));
    }
    for source in container.env.iter().flatten().filter_map(|variable| variable.value_from.as_ref()) {
        needs.secrets.extend(source.secret_key_ref.iter().map(|reference| Text::from(reference.name.as_str())));
        needs.config_maps.extend(source.config_map_key_ref.iter().map(|reference| Text::from(reference.name.as_str())));
    }
    needs
}

/// The environment of a container. `fieldRef`, `resourceFieldRef` and `fileKeyRef` are known to a running pod alone and
/// are left out.
///
/// # Errors
/// When an object that is not optional does not exist: a pod would not start either.
pub fn environment(container: &Container, fetched: &Fetched) -> Result<BTreeMap<Text, Secret>, Fault> {
    let mut variables: BTreeMap<Text, Secret> = BTreeMap::new();
    for source in container.env_from.iter().flatten() {
        let prefix = source.prefix.as_deref().unwrap_or_default();
        let (kind, name, optional, objects) = match (&source.config_map_ref, &source.secret_ref) {
            (Some(map), _) => ("ConfigMap", &map.name, map.optional, &fetched.config_maps),
            (None, Some(secret)) => ("Secret", &secret.name, secret.optional, &fetched.secrets),
            (None, None) => continue,
        };
        match objects.get(name.as_str()) {
            Some(values) => {
                variables.extend(values.iter().map(|(key, value)| (format!("{prefix}{key}").into(), value.clone())));
            }
            None if optional == Some(true) => {}
            None => return Err(missing(container, "envFrom", kind, name)),
        }
    }
    for variable in container.env.iter().flatten() {
        let value = match (variable.value.as_deref().filter(|text| !text.is_empty()), &variable.value_from) {
            (Some(text), _) => Some(Secret::new(expand(text, &variables))),
            (None, Some(source)) => from_source(container, source, fetched)?,
            (None, None) => Some(Secret::new("")),
        };
        if let Some(value) = value {
            variables.insert(variable.name.as_str().into(), value);
        }
    }
    Ok(variables)
}

fn missing(container: &Container, place: &str, kind: &str, name: &str) -> Fault {
    Fault::new(
        Reason::AuthenticationNotFound,
        format!(
            "the environment of the target's container '{}' cannot be read: {place}: there is no {kind} '{name}'; create it",
            container.name
        ),
    )
}

fn from_source(container: &Container, source: &EnvVarSource, fetched: &Fetched) -> Result<Option<Secret>, Fault> {
    let (kind, name, key, optional, objects) = match (&source.secret_key_ref, &source.config_map_key_ref) {
        (Some(secret), _) => ("Secret", &secret.name, &secret.key, secret.optional, &fetched.secrets),
        (None, Some(map)) => ("ConfigMap", &map.name, &map.key, map.optional, &fetched.config_maps),
        (None, None) => return Ok(None),
    };
    match objects.get(name.as_str()) {
        // A key that is missing leaves the variable empty, as in KEDA.
        Some(values) => Ok(Some(values.get(key.as_str()).cloned().unwrap_or_else(|| Secret::new("")))),
        None if optional == Some(true) => Ok(None),
        None => Err(missing(container, "env", kind, name)),
    }
}

/// `$(VAR)` of a variable that was set before becomes its value; any other stays as it is; `$$` becomes `$`.
fn expand(text: &str, variables: &BTreeMap<Text, Secret>) -> String {
    let mut expanded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        let (before, from) = rest.split_at(at);
        expanded.push_str(before);
        let after = &from[1..];
        rest = match after.as_bytes().first() {
            Some(b'$') => {
                expanded.push('$');
                &after[1..]
            }
            Some(b'(') => match after.split_once(')') {
                Some((opened, tail)) => {
                    match variables.get(&opened[1..]) {
                        Some(value) => expanded.push_str(value.expose()),
                        None => expanded.extend(["$", opened, ")"]),
                    }
                    tail
                }
                None => {
                    expanded.push('$');
                    after
                }
            },
            _ => {
                expanded.push('$');
                after
            }
        };
    }
    expanded.push_str(rest);
    expanded
}
