//! From a registration to a component of the host: credentials of whoever registered it, the registry, the host.
use super::choice::Registration;
use std::sync::Arc;
use windlass_cluster::{Client, pull_secrets};
use windlass_core::Text;
use windlass_core::scaler::Scaler;
use windlass_host::Host;
use windlass_oci::{Credential, Credentials, Digest, Location, Pull, Reference, Registrant, Store};

/// Loads components.
pub(super) struct Loader {
    pub(super) host: Arc<Host>,
    pub(super) store: Store,
    pub(super) client: Client,
    /// Our own namespace, whose pull secrets are the cluster's.
    pub(super) home: String,
}

/// A component as it was loaded.
#[derive(Clone)]
pub(super) struct Loaded {
    pub(super) scaler: Arc<Scaler>,
    /// Digest of the artifact's manifest; none: a file.
    pub(super) manifest: Option<Digest>,
    /// Its bytes, until it serves.
    pub(super) bytes: Option<Vec<u8>>,
}

impl Loaded {
    /// As it is kept.
    pub(super) fn kept(self) -> Loaded {
        Loaded { bytes: None, ..self }
    }
}

/// Why there is no component.
pub(super) struct Failed {
    pub(super) why: Text,
    /// The same may work later without anybody changing anything.
    pub(super) transient: bool,
}

fn lasting(why: impl Into<Text>) -> Failed {
    Failed { why: why.into(), transient: false }
}

fn told(error: &windlass_oci::Error) -> Failed {
    Failed { why: error.to_string().into(), transient: error.fault.transient() }
}

impl Loader {
    /// Loads what a registration names now; none: it is what `serves` already.
    pub(super) async fn load(
        &self,
        registration: &Registration,
        serves: Option<&Loaded>,
    ) -> Result<Option<Loaded>, Failed> {
        let (bytes, manifest) = match &registration.location {
            Location::File(path) => {
                let read = tokio::fs::read(path).await;
                let named = |error| lasting(format!("file://{}: {error}", path.display()));
                (read.map_err(named)?, None)
            }
            Location::Registry(reference) => {
                let known = serves.and_then(|loaded| loaded.manifest);
                let Some((bytes, manifest)) = self.pull(registration, reference, known).await? else { return Ok(None) };
                (bytes, Some(manifest))
            }
        };
        let prepared = self.host.prepare(bytes.clone()).await;
        let scaler = prepared.map_err(|error| lasting(format!("{}: {error}", registration.location)))?;
        if serves.is_some_and(|loaded| loaded.scaler.digest == scaler.digest) {
            return Ok(None);
        }
        Ok(Some(Loaded { scaler, manifest, bytes: Some(bytes) }))
    }

    /// The component's bytes and its manifest's digest, unless that is `known`.
    async fn pull(
        &self,
        registration: &Registration,
        reference: &Reference,
        known: Option<Digest>,
    ) -> Result<Option<(Vec<u8>, Digest)>, Failed> {
        let pull = Pull {
            reference: reference.clone(),
            credential: self.credential(reference, &registration.registrant).await,
            registrant: registration.registrant.clone(),
            requirement: registration.requirement.clone(),
        };
        if known.is_some() {
            let resolved = self.store.resolve(&pull).await.map_err(|error| told(&error))?;
            if let Some(stale) = resolved.stale {
                return Err(Failed { why: format!("{reference}: {stale}").into(), transient: true });
            }
            if known == Some(resolved.manifest) {
                return Ok(None);
            }
        }
        let pulled = self.store.pull(&pull).await.map_err(|error| told(&error))?;
        if let Some(stale) = &pulled.resolved.stale {
            tracing::warn!(%reference, %stale, "what the tag last named is taken from the cache");
        }
        Ok(Some((pulled.bytes.to_vec(), pulled.resolved.manifest)))
    }

    /// What the registrant's own namespace is to that registry: never what another is.
    async fn credential(&self, reference: &Reference, registrant: &Registrant) -> Option<Credential> {
        let namespace = match registrant {
            Registrant::Cluster => &self.home,
            Registrant::Namespace(namespace) => namespace,
        };
        let secrets = pull_secrets(&self.client, namespace).await.unwrap_or_else(|error| {
            tracing::warn!(namespace, %error, "its pull secrets cannot be read; pulling without");
            Vec::new()
        });
        let mut all = Credentials::default();
        for secret in secrets {
            match Credentials::from_docker_config(&secret) {
                Ok(credentials) => all.extend(credentials),
                Err(error) => tracing::warn!(namespace, %error, "a pull secret cannot be used"),
            }
        }
        all.written(reference).cloned()
    }
}
