//! Which component serves a trigger: the nearest registration, where the policy allows it. Pure.
//!
//! A registration that the policy refuses is not passed over: whoever wrote it wants that component and no other, so the object
//! says what is in its way.
use windlass_oci::{Location, Policy, Registrant, Requirement};

/// What is registered for a trigger type, seen from one object.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Written<'a> {
    /// On the object.
    pub(super) object: Option<&'a str>,
    /// On its namespace.
    pub(super) namespace: Option<&'a str>,
    /// For the whole cluster.
    pub(super) cluster: Option<&'a str>,
    /// The type is one of a component that came with the operator.
    pub(super) bundled: bool,
}

/// A registration that counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Registration {
    /// Whose it is, and so for whom.
    pub(super) registrant: Registrant,
    /// Where the component is.
    pub(super) location: Location,
    /// By what it must be signed.
    pub(super) requirement: Option<Requirement>,
}

impl Registration {
    /// What its location names never changes.
    pub(super) fn settled(&self) -> bool {
        matches!(&self.location, Location::Registry(reference) if reference.digest().is_some())
    }
}

/// The registration that serves a trigger of a namespace; none: what came with the operator. `shared`: the trigger uses a
/// ClusterTriggerAuthentication.
///
/// # Errors
/// Why the nearest registration may not serve it, and which setting to change.
pub(super) fn choose(
    policy: &Policy,
    namespace: &str,
    kind: &str,
    written: Written<'_>,
    shared: bool,
) -> Result<Option<Registration>, String> {
    let own = || Registrant::Namespace(namespace.to_owned());
    let (at, registrant, text) = match written {
        Written { object: Some(text), .. } => ("the object", own(), text),
        Written { namespace: Some(text), .. } => ("its namespace", own(), text),
        Written { cluster: Some(text), .. } => ("the cluster", Registrant::Cluster, text),
        _ => return Ok(None),
    };
    let told = |why: String| format!("windlass.dev/scaler.{kind} of {at}: {why}");
    let location: Location = text.parse().map_err(|error: windlass_oci::ReferenceError| told(error.to_string()))?;
    let allowed = policy.allows(&location, &registrant).map_err(told)?;
    if registrant != Registrant::Cluster {
        if (written.bundled || written.cluster.is_some()) && !allowed.shadow {
            return Err(told(format!(
                "the cluster serves '{kind}' already: take another type, or let the component policy say `shadow: true` for it"
            )));
        }
        if shared {
            return Err(told(
                "a component of a namespace receives nothing of a ClusterTriggerAuthentication: use a TriggerAuthentication"
                    .to_owned(),
            ));
        }
    }
    Ok(Some(Registration { registrant, location, requirement: allowed.requirement }))
}

#[cfg(test)]
mod tests;
