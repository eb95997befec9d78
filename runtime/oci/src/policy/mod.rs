//! Which components may run, registered by whom, signed by whom, and what they may reach beyond their trigger's own parameters.
mod file;
mod host;

pub use file::PolicyError;
pub use host::HostPattern;

use crate::key::PublicKey;
use crate::pattern::glob;
use crate::signature::{Identity, Requirement, TrustedRoot};
use crate::{Digest, Location, Reference};
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

/// Who registered a component, and so for whom it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Registrant {
    /// The cluster's administrator, for everybody.
    Cluster,
    /// A namespace or one of its objects, for itself.
    Namespace(String),
}

/// What the operator allows. The first rule that fits repository and registrant decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    signers: Signers,
    repositories: Vec<Rule>,
    files: Vec<PathBuf>,
    grants: Vec<Grant>,
}

/// Whom rules may name in `signedBy`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Signers {
    keys: BTreeMap<String, PublicKey>,
    identities: BTreeMap<String, Identity>,
    trusted: Option<Arc<TrustedRoot>>,
}

/// What a registration got.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Allowed {
    /// By what the artifact must be signed.
    pub requirement: Option<Requirement>,
    /// Whether a namespace's registration may stand before a type that the cluster serves.
    pub shadow: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Rule {
    pattern: String,
    cluster: bool,
    namespaces: Namespaces,
    shadow: bool,
    pinned: bool,
    signed_by: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Namespaces {
    All,
    Listed(Vec<String>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Grant {
    of: Of,
    hosts: Vec<HostPattern>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Of {
    Repository(String),
    Manifest(Digest),
}

impl Default for Policy {
    /// Without a policy the cluster's administrator may register pinned artifacts of any registry, and nobody else anything.
    fn default() -> Policy {
        let everything = Rule {
            pattern: "**".to_owned(),
            cluster: true,
            namespaces: Namespaces::Listed(Vec::new()),
            shadow: false,
            pinned: true,
            signed_by: Vec::new(),
        };
        Policy { signers: Signers::default(), repositories: vec![everything], files: Vec::new(), grants: Vec::new() }
    }
}

impl Policy {
    /// Whether a location may be registered, and on what condition.
    ///
    /// # Errors
    /// The refusal, which says which setting to change.
    pub fn allows(&self, location: &Location, registrant: &Registrant) -> Result<Allowed, String> {
        match location {
            Location::File(path) => {
                if *registrant != Registrant::Cluster {
                    return Err("a file is for the cluster's administrator alone: push it to a registry".to_owned());
                }
                // Names alone are compared: `..` is not followed to find out where it leads.
                let plain = path.components().all(|part| part != std::path::Component::ParentDir);
                if plain && self.files.iter().any(|folder| path.starts_with(folder)) {
                    return Ok(Allowed::default());
                }
                Err("the component policy allows no file there: add its folder to `files`".to_owned())
            }
            Location::Registry(reference) => self.allows_reference(reference, registrant),
        }
    }

    fn allows_reference(&self, reference: &Reference, registrant: &Registrant) -> Result<Allowed, String> {
        let name = reference.name();
        let mut near = None;
        for (index, rule) in self.repositories.iter().enumerate() {
            if !glob(&rule.pattern, &name) {
                continue;
            }
            if !rule.admits(registrant) {
                near = near.or(Some(index));
                continue;
            }
            if rule.pinned && reference.digest().is_none() {
                return Err(format!(
                    "the component policy wants a digest: write {reference}@sha256:…, or set repositories[{index}].pinned to false"
                ));
            }
            let shadow = rule.shadow;
            return Ok(Allowed { requirement: self.requirement(index, rule), shadow });
        }
        let setting = match (near, registrant) {
            (Some(index), Registrant::Cluster) => format!("set repositories[{index}].cluster to true"),
            (Some(index), Registrant::Namespace(namespace)) => {
                format!("add {namespace} to repositories[{index}].namespaces")
            }
            (None, Registrant::Cluster) => format!("add {name} to repositories, as `pattern`"),
            (None, Registrant::Namespace(namespace)) => {
                format!("add {name} to repositories, as `pattern` with `namespaces: [{namespace}]`")
            }
        };
        Err(format!("the component policy does not let {registrant} register it: {setting}"))
    }

    /// Hosts that a component may reach beyond what its trigger's own parameters name.
    pub fn grants<'a>(&'a self, reference: &Reference, manifest: Digest) -> impl Iterator<Item = &'a HostPattern> + 'a {
        let name = reference.name();
        let fits = move |grant: &&'a Grant| match &grant.of {
            Of::Repository(pattern) => glob(pattern, &name),
            Of::Manifest(digest) => *digest == manifest,
        };
        self.grants.iter().filter(fits).flat_map(|grant| &grant.hosts)
    }

    fn requirement(&self, index: usize, rule: &Rule) -> Option<Requirement> {
        if rule.signed_by.is_empty() {
            return None;
        }
        let wanted = format!(
            "the component policy's repositories[{index}].signedBy wants a signature by {}",
            rule.signed_by.join(" or ")
        );
        Some(self.signers.requirement(&rule.signed_by, wanted))
    }
}

impl Signers {
    fn know(&self, name: &str) -> bool {
        self.keys.contains_key(name) || self.identities.contains_key(name)
    }

    /// Any one of these; names that nobody has were refused when the policy was read.
    fn requirement(&self, names: &[String], wanted: String) -> Requirement {
        Requirement {
            keys: names.iter().filter_map(|name| self.keys.get(name).cloned()).collect(),
            identities: names.iter().filter_map(|name| self.identities.get(name).cloned()).collect(),
            trusted: self.trusted.clone(),
            wanted,
        }
    }
}

impl Rule {
    fn admits(&self, registrant: &Registrant) -> bool {
        match (registrant, &self.namespaces) {
            (Registrant::Cluster, _) => self.cluster,
            (Registrant::Namespace(_), Namespaces::All) => true,
            (Registrant::Namespace(name), Namespaces::Listed(patterns)) => {
                patterns.iter().any(|pattern| glob(pattern, name))
            }
        }
    }
}

impl fmt::Display for Registrant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Registrant::Cluster => f.write_str("the cluster's administrator"),
            Registrant::Namespace(namespace) => write!(f, "the namespace {namespace}"),
        }
    }
}

#[cfg(test)]
mod tests;
