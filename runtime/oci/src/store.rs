//! Pull, push, sign and verify, each as a whole.
use crate::artifact::{About, Artifact, COMPONENT_LIMIT, Manifest};
use crate::cache::Cache;
use crate::key::PrivateKey;
use crate::policy::Registrant;
use crate::registry::Repository;
use crate::signature::{self, Requirement};
use crate::transport::{Access, Transport};
use crate::{Credential, Digest, Error, Fault, Reference};
use bytes::Bytes;
use std::sync::Arc;

/// Where components come from: registries, and what was pulled before.
#[derive(Clone)]
pub struct Store {
    transport: Transport,
    cache: Option<Arc<Cache>>,
}

/// Whose pull it is.
#[derive(Clone, Debug)]
pub struct Pull {
    /// The artifact.
    pub reference: Reference,
    /// Who we are there; none: anonymous.
    pub credential: Option<Credential>,
    /// Whose part of the cache it is in.
    pub registrant: Registrant,
    /// By what it must be signed.
    pub requirement: Option<Requirement>,
}

/// Which artifact a reference names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved {
    /// The reference, pinned.
    pub reference: Reference,
    /// Digest of the artifact's manifest.
    pub manifest: Digest,
    /// Digest of the component's bytes.
    pub component: Digest,
    /// Why the registry could not be asked, where this is what the tag last named.
    pub stale: Option<Fault>,
}

/// A pulled component.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pulled {
    /// Which artifact it is.
    pub resolved: Resolved,
    /// The component.
    pub bytes: Bytes,
}

impl Store {
    /// A store that keeps what it pulls in a cache, where it has one.
    pub fn new(transport: Transport, cache: Option<Arc<Cache>>) -> Store {
        Store { transport, cache }
    }

    /// Which artifact a reference names now. A pinned one that is cached asks nobody. When the registry cannot be asked, a tag is what
    /// it last was, and the answer says so.
    ///
    /// # Errors
    /// See [`Fault`].
    pub async fn resolve(&self, pull: &Pull) -> Result<Resolved, Error> {
        let repository = self.repository(pull);
        self.transport.within(self.resolved(&repository, pull)).await.map_err(|fault| fault.of(&pull.reference))
    }

    /// The component that a reference names: resolved, its signature checked, its bytes verified.
    ///
    /// # Errors
    /// See [`Fault`].
    pub async fn pull(&self, pull: &Pull) -> Result<Pulled, Error> {
        let repository = self.repository(pull);
        let work = async {
            let resolved = self.resolved(&repository, pull).await?;
            self.check(&repository, pull, resolved.manifest).await?;
            let bytes = self.component(&repository, pull, resolved.component).await?;
            Ok(Pulled { resolved, bytes })
        };
        self.transport.within(work).await.map_err(|fault| fault.of(&pull.reference))
    }

    /// Checks the signature of an artifact without its component. Nothing is required: then any reference that resolves is fine.
    ///
    /// # Errors
    /// See [`Fault`].
    pub async fn verify(&self, pull: &Pull) -> Result<Resolved, Error> {
        let repository = self.repository(pull);
        let work = async {
            let resolved = self.resolved(&repository, pull).await?;
            self.check(&repository, pull, resolved.manifest).await?;
            Ok(resolved)
        };
        self.transport.within(work).await.map_err(|fault| fault.of(&pull.reference))
    }

    /// Stores a component under the reference's tag, and tells it pinned.
    ///
    /// # Errors
    /// When the bytes are no component, or the registry refuses them.
    pub async fn push(
        &self,
        reference: &Reference,
        component: Bytes,
        about: &About,
        credential: Option<Credential>,
    ) -> Result<Reference, Error> {
        let work = async {
            if reference.digest().is_some() {
                return Err(Fault::Refused("push to a tag: the digest is the registry's answer".to_owned()));
            }
            let artifact = Artifact::of(&component, about)?;
            let repository = Repository::open(&self.transport, reference, credential, Access::Push);
            repository.put_blob(component).await?;
            repository.put_blob(artifact.config.into()).await?;
            repository.put_manifest(reference, artifact.manifest.into()).await
        };
        let digest = self.transport.within(work).await.map_err(|fault| fault.of(reference))?;
        Ok(reference.pinned(digest))
    }

    /// Signs what a reference names, and tells it pinned.
    ///
    /// # Errors
    /// When there is no such artifact, or the registry refuses the signature.
    pub async fn sign(
        &self,
        reference: &Reference,
        key: &PrivateKey,
        credential: Option<Credential>,
    ) -> Result<Reference, Error> {
        let work = async {
            let repository = Repository::open(&self.transport, reference, credential, Access::Push);
            let (digest, bytes) = repository.manifest(reference).await?;
            // Whatever else it is, it is not ours to sign.
            Manifest::read(&bytes)?.component()?;
            signature::add(&repository, digest, key).await?;
            Ok(digest)
        };
        let digest = self.transport.within(work).await.map_err(|fault| fault.of(reference))?;
        Ok(reference.pinned(digest))
    }

    fn repository(&self, pull: &Pull) -> Repository {
        Repository::open(&self.transport, &pull.reference, pull.credential.clone(), Access::Pull)
    }

    async fn resolved(&self, repository: &Repository, pull: &Pull) -> Result<Resolved, Fault> {
        let reference = &pull.reference;
        if let Some(digest) = reference.digest()
            && let Some(bytes) = self.cached(pull, move |cache, whose| cache.blob(whose, digest)).await
        {
            return resolution(reference, digest, &bytes, None);
        }
        match repository.manifest(reference).await {
            Ok((digest, bytes)) => {
                let resolved = resolution(reference, digest, &bytes, None)?;
                let (tag, kept) = (reference.clone(), bytes.clone());
                self.cached(pull, move |cache, whose| {
                    cache.put_blob(whose, &kept);
                    if tag.digest().is_none() {
                        cache.put_tag(whose, &tag, digest);
                    }
                    None::<()>
                })
                .await;
                Ok(resolved)
            }
            Err(fault) if fault.transient() => {
                let tag = reference.clone();
                let last = self.cached(pull, move |cache, whose| {
                    let digest = cache.tag(whose, &tag)?;
                    Some((digest, cache.blob(whose, digest)?))
                });
                match last.await {
                    Some((digest, bytes)) => resolution(reference, digest, &bytes, Some(fault)),
                    None => Err(fault),
                }
            }
            Err(fault) => Err(fault),
        }
    }

    /// Signatures that are cached and good need no registry; they are checked again with the keys of today.
    async fn check(&self, repository: &Repository, pull: &Pull, manifest: Digest) -> Result<(), Fault> {
        let Some(requirement) = &pull.requirement else { return Ok(()) };
        let cached = self.cached(pull, move |cache, whose| Some(cache.signatures(whose, manifest))).await;
        if cached.is_some_and(|signatures| signature::check(&signatures, manifest, requirement).is_ok()) {
            return Ok(());
        }
        let mut signatures = signature::fetch(repository, manifest).await?;
        if signature::check(&signatures, manifest, requirement).is_err() {
            signatures.extend(signature::fetch_bundles(repository, manifest).await?);
        }
        signature::check(&signatures, manifest, requirement)?;
        self.cached(pull, move |cache, whose| {
            cache.put_signatures(whose, manifest, &signatures);
            None::<()>
        })
        .await;
        Ok(())
    }

    async fn component(&self, repository: &Repository, pull: &Pull, digest: Digest) -> Result<Bytes, Fault> {
        if let Some(bytes) = self.cached(pull, move |cache, whose| cache.blob(whose, digest)).await {
            return Ok(bytes.into());
        }
        let bytes = repository.blob(digest, "component", COMPONENT_LIMIT).await?;
        let kept = bytes.clone();
        self.cached(pull, move |cache, whose| {
            cache.put_blob(whose, &kept);
            None::<()>
        })
        .await;
        Ok(bytes)
    }

    /// Work on the cache, where there is one: on a thread that may wait for the disk.
    async fn cached<T: Send + 'static>(
        &self,
        pull: &Pull,
        work: impl FnOnce(&Cache, &Registrant) -> Option<T> + Send + 'static,
    ) -> Option<T> {
        let (cache, registrant) = (self.cache.clone()?, pull.registrant.clone());
        tokio::task::spawn_blocking(move || work(&cache, &registrant)).await.ok()?
    }
}

fn resolution(reference: &Reference, digest: Digest, manifest: &[u8], stale: Option<Fault>) -> Result<Resolved, Fault> {
    let (component, _) = Manifest::read(manifest)?.component()?;
    Ok(Resolved { reference: reference.pinned(digest), manifest: digest, component, stale })
}
