//! Where a component is: `oci://host[:port]/repository[:tag][@sha256:…]`, or `file://` and an absolute path.
use crate::Digest;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// Where a component comes from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Location {
    /// A registry.
    Registry(Reference),
    /// A file of this machine, for development.
    File(PathBuf),
}

/// An artifact in a registry.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Reference {
    registry: String,
    repository: String,
    tag: Option<String>,
    digest: Option<Digest>,
}

/// Why a text is no reference. The text is repeated unless it may hold credentials.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReferenceError {
    /// Neither `oci://` nor `file://`.
    #[error("{0}: write oci://HOST/REPOSITORY[:TAG][@sha256:…] for a registry, or file:///PATH for a file")]
    Scheme(String),
    /// `user:password@host`.
    #[error(
        "credentials do not belong into a reference: write oci://HOST/REPOSITORY, and give them as a pull secret or in \
         Docker's config.json"
    )]
    Credentials,
    /// No registry before the first slash.
    #[error("{0}: names no registry: write oci://HOST/REPOSITORY, with a dot or a port in HOST, or localhost")]
    NoRegistry(String),
    /// Not a reference of the field's grammar.
    #[error(
        "{0}: {1}: a repository is in lower case with . _ - and /, a tag of at most 128 letters, digits, . _ and -"
    )]
    Grammar(String, String),
    /// Another algorithm than SHA-256.
    #[error("{0}: the digest after @ is {NotADigest}", NotADigest = crate::digest::NotADigest)]
    Digest(String),
    /// A relative path.
    #[error("{0}: give an absolute path, as file:///opt/scalers/my-queue.wasm")]
    RelativePath(String),
}

impl FromStr for Location {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Location, ReferenceError> {
        if let Some(path) = text.strip_prefix("file://") {
            let path = PathBuf::from(path);
            return if path.is_absolute() {
                Ok(Location::File(path))
            } else {
                Err(ReferenceError::RelativePath(text.to_owned()))
            };
        }
        text.parse().map(Location::Registry)
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Location::Registry(reference) => reference.fmt(f),
            Location::File(path) => write!(f, "file://{}", path.display()),
        }
    }
}

impl FromStr for Reference {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Reference, ReferenceError> {
        let Some(rest) = text.strip_prefix("oci://") else {
            let hidden = text.split_once('@').is_some_and(|(before, _)| before.contains("://"));
            return Err(if hidden { ReferenceError::Credentials } else { ReferenceError::Scheme(text.to_owned()) });
        };
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        if host.contains('@') {
            return Err(ReferenceError::Credentials);
        }
        if path.is_empty() || !(host.contains(['.', ':']) || host == "localhost") {
            return Err(ReferenceError::NoRegistry(text.to_owned()));
        }
        let digest = match path.split_once('@') {
            None => None,
            Some((_, digest)) => Some(digest.parse().map_err(|_| ReferenceError::Digest(text.to_owned()))?),
        };
        let read = oci_spec::distribution::Reference::from_str(rest)
            .map_err(|error| ReferenceError::Grammar(text.to_owned(), error.to_string()))?;
        // Without a tag the grammar's own default would hide that a digest stands alone.
        let named = path.split('@').next().is_some_and(|name| name.contains(':'));
        let tag = if named || digest.is_none() { read.tag().map(str::to_owned) } else { None };
        Ok(Reference { registry: host.to_ascii_lowercase(), repository: read.repository().to_owned(), tag, digest })
    }
}

impl Reference {
    /// `host[:port]`, in lower case.
    pub fn registry(&self) -> &str {
        &self.registry
    }

    /// The repository within the registry.
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// Registry and repository, as a policy's patterns see it.
    pub fn name(&self) -> String {
        format!("{}/{}", self.registry, self.repository)
    }

    /// The tag; `latest` where neither a tag nor a digest was written.
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// The digest of the manifest, where it is pinned.
    pub fn digest(&self) -> Option<Digest> {
        self.digest
    }

    /// The same, pinned to a manifest.
    #[must_use]
    pub fn pinned(&self, digest: Digest) -> Reference {
        Reference { digest: Some(digest), ..self.clone() }
    }

    /// Another tag of the same repository.
    pub(crate) fn tagged(&self, tag: String) -> Reference {
        Reference { tag: Some(tag), digest: None, ..self.clone() }
    }

    /// What a registry is asked for: the digest where there is one, else the tag.
    pub(crate) fn asked(&self) -> String {
        match (&self.digest, &self.tag) {
            (Some(digest), _) => digest.to_string(),
            (None, tag) => tag.clone().unwrap_or_else(|| "latest".to_owned()),
        }
    }

    /// The host that serves the registry's API: Docker Hub's has another name than its images.
    pub(crate) fn host(&self) -> &str {
        if matches!(self.registry.as_str(), "docker.io" | "index.docker.io") {
            "registry-1.docker.io"
        } else {
            &self.registry
        }
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "oci://{}/{}", self.registry, self.repository)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        match &self.digest {
            Some(digest) => write!(f, "@{digest}"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests;
