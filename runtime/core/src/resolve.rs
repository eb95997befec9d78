//! From what a user wrote to what a component is asked: parameters looked up, checked and brought into one form.
//!
//! The rules are those of KEDA's typed configuration. A declared parameter is looked up in the trigger's metadata, then
//! in the container's environment (`metadata.<name>FromEnv` names the variable), then in the TriggerAuthentication, as
//! far as its declaration allows; the first value that is not blank wins, and each place is asked for the parameter's
//! name and then for its aliases before the next one. Undeclared metadata is ignored unless the component is open ended.
//!
//! All problems of a trigger are reported at once, and no message repeats a value that may be a secret: only open values
//! that were written in the metadata are quoted, and only those of shapes that carry no credentials.
mod assemble;
mod identity;
#[cfg(test)]
mod tests;
mod value;

pub use assemble::{metrics, workload};
pub use identity::{ProcessKey, question};

use crate::key::{Text, WorkloadKey};
use crate::query::{Domain, Problem, ResolvedTrigger, Value};
use crate::scaler::{Origin, Parameter, Scaler, Secrecy};
use crate::secret::Secret;
use crate::workload::{Ask, DeclaredTrigger, Material};
use std::collections::{BTreeMap, BTreeSet};

/// The end of a metadata key that names an environment variable instead of carrying a value.
const FROM_ENV: &str = "FromEnv";

/// The need of a component that wants to know which object asks.
const NEEDS_OWNER: &str = "owner";

/// Resolves a trigger's parameters against its component's declaration.
///
/// `domain` and `owner` are the namespace and the object that the trigger belongs to; the owner is only handed on to
/// components that need it, since it makes their queries unshareable.
///
/// # Errors
/// Every problem found: a required parameter without a value, one that is no longer accepted, a value that is not of its
/// shape or not among the choices, or an authentication that could not be read.
pub fn resolve(
    scaler: &Scaler,
    trigger: &DeclaredTrigger,
    domain: &Domain,
    material: &Material,
    owner: &WorkloadKey,
) -> Result<ResolvedTrigger, Vec<Problem>> {
    let Ask::External { metadata, .. } = &trigger.ask else {
        return Err(vec![problem(None, "a resource metric has no event source to ask")]);
    };
    if let Some(fault) = &material.fault {
        return Err(vec![problem(None, fault.message.clone())]);
    }
    let sources = Sources { metadata, material };
    let mut values = BTreeMap::new();
    let mut problems = Vec::new();
    for parameter in &scaler.parameters {
        let found = match parameter.name.strip_suffix('*') {
            Some(prefix) => sources.find_prefixed(parameter, prefix),
            None => sources.find(parameter).into_iter().collect(),
        };
        match settle(parameter, &sources, found) {
            Ok(settled) => values.extend(settled),
            Err(more) => problems.extend(more),
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    Ok(ResolvedTrigger {
        kind: trigger.kind.clone(),
        domain: domain.clone(),
        values,
        extras: if scaler.open_ended { sources.extras(scaler) } else { BTreeMap::new() },
        identity: material.identity.clone(),
        owner: scaler.needs.iter().any(|need| &**need == NEEDS_OWNER).then(|| owner.clone()),
        bound: material.bound.clone(),
        granted: None,
    })
}

/// Where a value was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Metadata,
    Environment,
    Authentication,
    Default,
}

/// A value as it was found: trimmed, not yet checked.
struct Found {
    /// The name under which the component gets it.
    name: Text,
    text: Secret,
    place: Place,
}

/// Checks what was found for one parameter, falling back to its default.
fn settle(parameter: &Parameter, sources: &Sources<'_>, found: Vec<Found>) -> Result<Vec<(Text, Value)>, Vec<Problem>> {
    if let (Some(remedy), false) = (&parameter.deprecated, found.is_empty()) {
        return Err(vec![problem(Some(&parameter.name), format!("is no longer accepted: {remedy}"))]);
    }
    let mut found = found;
    if found.is_empty() {
        let initial = parameter.initial.as_deref().map(str::trim).filter(|text| !text.is_empty());
        match initial {
            Some(text) => {
                found.push(Found { name: parameter.name.clone(), text: Secret::new(text), place: Place::Default });
            }
            // What nobody may set any more cannot be missing either.
            None if parameter.required && parameter.deprecated.is_none() => {
                return Err(vec![problem(Some(&parameter.name), sources.missing(parameter))]);
            }
            None => return Ok(Vec::new()),
        }
    }
    let mut settled = Vec::with_capacity(found.len());
    let mut problems = Vec::new();
    for Found { name, text, place } in found {
        let quotable = parameter.secrecy == Secrecy::Open && matches!(place, Place::Metadata | Place::Default);
        match value::check(parameter, text.expose(), quotable) {
            Ok(text) => {
                let from_authentication = matches!(place, Place::Environment | Place::Authentication);
                settled.push((name, Value { text, secrecy: parameter.secrecy, from_authentication }));
            }
            Err(message) => problems.push(problem(Some(&name), message)),
        }
    }
    if problems.is_empty() { Ok(settled) } else { Err(problems) }
}

/// The places where values may be.
struct Sources<'a> {
    metadata: &'a BTreeMap<Text, Text>,
    material: &'a Material,
}

impl Sources<'_> {
    /// The value of a parameter, by the first of its names in the first place that has one.
    fn find(&self, parameter: &Parameter) -> Option<Found> {
        places(parameter.origin).find_map(|place| {
            names(parameter).find_map(|name| {
                let text = self.read(place, name)?;
                Some(Found { name: parameter.name.clone(), text, place })
            })
        })
    }

    /// The values of a prefix parameter: every name with that prefix, in the first place that has it.
    fn find_prefixed(&self, parameter: &Parameter, prefix: &str) -> Vec<Found> {
        let in_metadata = self.metadata.keys().filter(|key| key.starts_with(prefix)).flat_map(|key| {
            let plain = key.strip_suffix(FROM_ENV).filter(|_| parameter.origin.environment);
            [plain, parameter.origin.metadata.then_some(&**key)]
        });
        let in_authentication = self.material.authentication.keys().map(|key| Some(&**key));
        let in_authentication = in_authentication.filter(|_| parameter.origin.authentication);
        let candidates: BTreeSet<&str> = in_metadata
            .chain(in_authentication)
            .flatten()
            .filter(|name| name.strip_prefix(prefix).is_some_and(|rest| !rest.is_empty()))
            .filter(|name| !(parameter.origin.environment && name.ends_with(FROM_ENV)))
            .collect();
        candidates
            .into_iter()
            .filter_map(|name| {
                places(parameter.origin).find_map(|place| {
                    let text = self.read(place, name)?;
                    Some(Found { name: name.into(), text, place })
                })
            })
            .collect()
    }

    /// The value of this very name in one place, when it is not blank.
    fn read(&self, place: Place, name: &str) -> Option<Secret> {
        let text = match place {
            Place::Metadata => self.metadata.get(name).map(|text| &**text),
            Place::Environment => self.variable(name).and_then(|variable| self.in_environment(variable)),
            Place::Authentication => self.material.authentication.get(name).map(Secret::expose),
            Place::Default => None,
        };
        text.map(str::trim).filter(|text| !text.is_empty()).map(Secret::new)
    }

    /// The environment variable that the user named for a parameter.
    fn variable(&self, name: &str) -> Option<&str> {
        let key = format!("{name}{FROM_ENV}");
        self.metadata.get(key.as_str()).map(|variable| variable.trim()).filter(|variable| !variable.is_empty())
    }

    fn in_environment(&self, variable: &str) -> Option<&str> {
        self.material.environment.get(variable).map(Secret::expose)
    }

    /// What to do about a required parameter that has no value.
    fn missing(&self, parameter: &Parameter) -> String {
        let name = &parameter.name;
        let mut ways = Vec::new();
        if parameter.origin.metadata {
            ways.push(format!("set metadata.{name}"));
        }
        if parameter.origin.environment {
            ways.push(format!("name a variable of the target's container in metadata.{name}{FROM_ENV}"));
        }
        if parameter.origin.authentication {
            ways.push(format!("give `{name}` through an authenticationRef"));
        }
        let mut message = format!("is required: {}", ways.join(", or "));
        if let Some(variable) = names(parameter).find_map(|name| self.variable(name)) {
            if parameter.origin.environment {
                let variable: String = variable.chars().take(64).flat_map(char::escape_default).collect();
                message.push_str(&format!(" (the container's environment has no value for {variable})"));
            }
        } else if !parameter.origin.metadata && names(parameter).any(|name| self.metadata.contains_key(name)) {
            message.push_str(" (it is not read from metadata)");
        }
        message
    }

    /// Metadata that no parameter declares. As in KEDA's external scalers, a key that ends in `FromEnv` keeps its name
    /// and gets the variable's value; without a value it is left out.
    fn extras(&self, scaler: &Scaler) -> BTreeMap<Text, Secret> {
        let undeclared = self.metadata.iter().filter(|(key, _)| {
            !scaler.parameters.iter().any(|parameter| {
                let plain = key.strip_suffix(FROM_ENV).unwrap_or(key);
                match parameter.name.strip_suffix('*') {
                    Some(prefix) => key.starts_with(prefix),
                    None => names(parameter).any(|name| name == &***key || name == plain),
                }
            })
        });
        undeclared
            .filter_map(|(key, text)| {
                let text = if key.ends_with(FROM_ENV) { self.in_environment(text.trim())? } else { text };
                Some((key.clone(), Secret::new(text.trim())))
            })
            .filter(|(key, text)| !(key.ends_with(FROM_ENV) && text.expose().is_empty()))
            .collect()
    }
}

/// The places that a declaration allows, in the order in which they are asked.
fn places(origin: Origin) -> impl Iterator<Item = Place> {
    [
        (origin.metadata, Place::Metadata),
        (origin.environment, Place::Environment),
        (origin.authentication, Place::Authentication),
    ]
    .into_iter()
    .filter_map(|(allowed, place)| allowed.then_some(place))
}

/// A parameter's name, then its aliases.
fn names(parameter: &Parameter) -> impl Iterator<Item = &str> {
    std::iter::once(&*parameter.name).chain(parameter.aliases.iter().map(|alias| &**alias))
}

fn problem(parameter: Option<&Text>, message: impl Into<Text>) -> Problem {
    Problem { parameter: parameter.cloned(), message: message.into() }
}
