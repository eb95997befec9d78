//! A policy as a file: YAML, strict.
use super::{Grant, Namespaces, Of, Policy, Rule, Signers};
use crate::key::PublicKey;
use crate::{Identity, TrustedRoot};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

/// What is wrong with a policy's text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// Not YAML of this form: an unknown field, a wrong type, a missing field.
    #[error("{0}")]
    Form(String),
    /// A field's value.
    #[error("{field}: {why}")]
    Field {
        /// Path of the field, as `repositories[0].signedBy[1]`.
        field: String,
        /// What is wrong, with the remedy.
        why: String,
    },
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct File {
    api_version: String,
    kind: String,
    #[serde(default)]
    keys: BTreeMap<String, String>,
    #[serde(default)]
    identities: BTreeMap<String, FileIdentity>,
    #[serde(default)]
    trusted_root: Option<String>,
    #[serde(default)]
    repositories: Vec<FileRule>,
    #[serde(default)]
    files: Vec<PathBuf>,
    #[serde(default)]
    grants: Vec<FileGrant>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct FileIdentity {
    issuer: String,
    subject: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct FileRule {
    pattern: String,
    #[serde(default = "yes")]
    cluster: bool,
    #[serde(default)]
    namespaces: FileNamespaces,
    #[serde(default)]
    shadow: bool,
    #[serde(default = "yes")]
    pinned: bool,
    #[serde(default)]
    signed_by: Vec<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum FileNamespaces {
    Word(String),
    Listed(Vec<String>),
}

impl Default for FileNamespaces {
    fn default() -> FileNamespaces {
        FileNamespaces::Listed(Vec::new())
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct FileGrant {
    #[serde(default)]
    pattern: Option<String>,
    #[serde(default)]
    digest: Option<String>,
    hosts: Vec<String>,
}

fn yes() -> bool {
    true
}

fn wrong(field: impl Into<String>, why: impl Into<String>) -> PolicyError {
    PolicyError::Field { field: field.into(), why: why.into() }
}

impl Policy {
    /// Reads a policy.
    ///
    /// # Errors
    /// When it is not of that form, or a value makes no sense; the text names the field.
    pub fn parse(text: &str) -> Result<Policy, PolicyError> {
        let file: File = serde_saphyr::from_str(text).map_err(|error| PolicyError::Form(error.to_string()))?;
        if file.api_version != "windlass.dev/v1alpha1" {
            return Err(wrong("apiVersion", "has to be windlass.dev/v1alpha1"));
        }
        if file.kind != "ComponentPolicy" {
            return Err(wrong("kind", "has to be ComponentPolicy"));
        }
        let mut keys = BTreeMap::new();
        for (name, pem) in file.keys {
            let key = PublicKey::from_pem(&pem).map_err(|error| wrong(format!("keys.{name}"), error.to_string()))?;
            keys.insert(name, key);
        }
        let mut identities = BTreeMap::new();
        for (name, identity) in file.identities {
            if keys.contains_key(&name) {
                return Err(wrong(format!("identities.{name}"), "a key has that name too: signedBy would mean both"));
            }
            let identity = identity.checked(&name)?;
            identities.insert(name, identity);
        }
        let trusted = file.trusted_root.map(|text| TrustedRoot::parse(&text)).transpose();
        let trusted = trusted.map_err(|error| wrong("trustedRoot", error.to_string()))?.map(Arc::new);
        if let (None, Some(name)) = (&trusted, identities.keys().next()) {
            let why = "wants `trustedRoot`, the trusted_root.json of Sigstore: without it no identity can be believed";
            return Err(wrong(format!("identities.{name}"), why));
        }
        let signers = Signers { keys, identities, trusted };
        let rules = file.repositories.into_iter().enumerate();
        let repositories = rules.map(|(index, rule)| rule.checked(index, &signers)).collect::<Result<_, _>>()?;
        for (index, folder) in file.files.iter().enumerate() {
            if !folder.is_absolute() {
                return Err(wrong(format!("files[{index}]"), "give an absolute path of a folder"));
            }
        }
        let grants = file.grants.into_iter().enumerate();
        let grants = grants.map(|(index, grant)| grant.checked(index)).collect::<Result<_, _>>()?;
        Ok(Policy { signers, repositories, files: file.files, grants })
    }
}

/// A pattern of registry and repository: with the registry's host in full, unless it is `**`.
fn pattern(field: &str, pattern: &str) -> Result<String, PolicyError> {
    let host = pattern.split('/').next().unwrap_or_default();
    if pattern.contains("://") || pattern.contains('@') {
        return Err(wrong(field, "write HOST/REPOSITORY without scheme, tag and digest, as registry.example/acme/**"));
    }
    if pattern != "**" && (host == pattern || host.contains("**") || host.is_empty()) {
        return Err(wrong(field, "begin with the registry's host and a slash, as registry.example/acme/**"));
    }
    Ok(pattern.to_owned())
}

impl FileRule {
    fn checked(self, index: usize, signers: &Signers) -> Result<Rule, PolicyError> {
        let field = |name: &str| format!("repositories[{index}].{name}");
        let namespaces = match self.namespaces {
            FileNamespaces::Listed(list) => Namespaces::Listed(list),
            FileNamespaces::Word(word) if word == "all" => Namespaces::All,
            FileNamespaces::Word(word) if word == "none" => Namespaces::Listed(Vec::new()),
            FileNamespaces::Word(_) => return Err(wrong(field("namespaces"), "is `all`, `none`, or a list of names")),
        };
        for (at, name) in self.signed_by.iter().enumerate() {
            if !signers.know(name) {
                let why = format!("there is no {name} in `keys`, nor in `identities`");
                return Err(wrong(field(&format!("signedBy[{at}]")), why));
            }
        }
        Ok(Rule {
            pattern: pattern(&field("pattern"), &self.pattern)?,
            cluster: self.cluster,
            namespaces,
            shadow: self.shadow,
            pinned: self.pinned,
            signed_by: self.signed_by,
        })
    }
}

impl FileIdentity {
    fn checked(self, name: &str) -> Result<Identity, PolicyError> {
        let field = |part: &str| format!("identities.{name}.{part}");
        if !self.issuer.starts_with("https://") && !self.issuer.starts_with("http://") {
            return Err(wrong(
                field("issuer"),
                "is the URL of who vouches, as https://token.actions.githubusercontent.com",
            ));
        }
        if self.issuer.contains('*') {
            return Err(wrong(field("issuer"), "is one URL, without `*`"));
        }
        if !self.subject.bytes().any(|c| c.is_ascii_alphanumeric()) {
            return Err(wrong(field("subject"), "would be anybody: name an address, or a URI with `*` in places"));
        }
        Ok(Identity { issuer: self.issuer, subject: self.subject })
    }
}

impl FileGrant {
    fn checked(self, index: usize) -> Result<Grant, PolicyError> {
        let field = |name: &str| format!("grants[{index}].{name}");
        let of = match (self.pattern, self.digest) {
            (Some(text), None) => Of::Repository(pattern(&field("pattern"), &text)?),
            (None, Some(digest)) => Of::Manifest(
                digest.parse().map_err(|error: crate::NotADigest| wrong(field("digest"), error.to_string()))?,
            ),
            _ => return Err(wrong(format!("grants[{index}]"), "name either `pattern` or `digest`")),
        };
        let hosts = self.hosts.iter().enumerate();
        let hosts = hosts
            .map(|(at, host)| host.parse().map_err(|why: &str| wrong(field(&format!("hosts[{at}]")), why)))
            .collect::<Result<_, _>>()?;
        Ok(Grant { of, hosts })
    }
}
