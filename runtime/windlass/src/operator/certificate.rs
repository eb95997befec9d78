//! Our own certificates: kept in a Secret, told to the aggregation layer, and renewed in time.
use crate::args::Operator as Arguments;
use anyhow::Context;
use std::time::Duration;
use windlass_cluster::{Client, Error, api_service, certificate as secret};
use windlass_pipeline::Clock;
use windlass_serve::{Bundle, ServingCertificate, Validity};

/// How often the certificate's age is looked at.
const LOOK: Duration = Duration::from_secs(12 * 3600);
/// After a failure it is looked at again this soon.
const AGAIN: Duration = Duration::from_secs(5);
/// How often it is tried at the start before we give up.
const TRIES: u32 = 5;

struct Keeper {
    client: Client,
    namespace: String,
    secret: String,
    names: Vec<String>,
    patch: bool,
    clock: Clock,
}

/// The serving certificate, and the future that keeps it fresh.
///
/// # Errors
/// When there is none and none can be stored.
pub(crate) async fn keep(
    client: &Client,
    arguments: &Arguments,
    clock: Clock,
) -> anyhow::Result<(ServingCertificate, impl Future<Output = ()> + Send + 'static)> {
    let Arguments { service, namespace, .. } = arguments;
    let keeper = Keeper {
        client: client.clone(),
        namespace: namespace.clone(),
        secret: arguments.cert_secret.clone(),
        names: vec![
            service.clone(),
            format!("{service}.{namespace}"),
            format!("{service}.{namespace}.svc"),
            format!("{service}.{namespace}.svc.cluster.local"),
        ],
        patch: arguments.apiservice_patching,
        clock,
    };
    let mut tries = 0;
    let bundle = loop {
        match keeper.bundle().await {
            Ok(bundle) => break bundle,
            Err(error) if tries < TRIES => {
                tries += 1;
                tracing::warn!(error = format!("{error:#}"), "no certificate yet; trying again");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            Err(error) => return Err(error.context("the serving certificate")),
        }
    };
    let serving = ServingCertificate::new(&bundle)?;
    let shown = serving.clone();
    let rotation = async move {
        let mut current = bundle;
        // The APIService may come after us: telling it is tried until it is done, and only then is a new certificate
        // shown, so that no client meets one that it cannot verify.
        loop {
            let next = keeper.bundle().await.unwrap_or_else(|error| {
                tracing::warn!(error = format!("{error:#}"), "the certificate cannot be looked at");
                current.clone()
            });
            let told = keeper.tell(&next).await;
            match &told {
                Ok(()) if next == current => {}
                Ok(()) => match shown.replace(&next) {
                    Ok(()) => current = next,
                    Err(error) => tracing::error!(%error, "the new certificate cannot be used"),
                },
                Err(error) => {
                    tracing::warn!(error = format!("{error:#}"), "the APIService's caBundle is not set; trying again");
                }
            }
            tokio::time::sleep(if told.is_ok() { LOOK } else { AGAIN }).await;
        }
    };
    Ok((serving, rotation))
}

impl Keeper {
    /// The stored bundle, made or renewed when it has to be. Two processes that do so at once agree on the first one's.
    async fn bundle(&self) -> anyhow::Result<Bundle> {
        let now = self.clock.now().wall;
        let validity = Validity::default();
        let kept = secret::load(&self.client, &self.namespace, &self.secret).await?;
        let stored = kept.as_ref().and_then(|kept| Bundle::from_secret(&kept.data).ok());
        let next = match &stored {
            Some(bundle) if !bundle.needs_rotation(&self.names, validity, now)? => return Ok(bundle.clone()),
            Some(bundle) => bundle.rotate(&self.names, validity, now)?,
            None => Bundle::generate(&self.names, validity, now)?,
        };
        let version = kept.as_ref().map(|kept| kept.version.as_str());
        match secret::store(&self.client, &self.namespace, &self.secret, &next.to_secret(), version).await {
            Ok(_) => Ok(next),
            Err(Error::Conflict) => {
                let kept = secret::load(&self.client, &self.namespace, &self.secret).await?;
                let kept = kept.context("the Secret was there and is gone")?;
                Ok(Bundle::from_secret(&kept.data)?)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Tells the aggregation layer whom to trust; a write only when it knows otherwise.
    async fn tell(&self, bundle: &Bundle) -> anyhow::Result<()> {
        if self.patch {
            api_service::set_ca_bundle(&self.client, bundle.ca_pem.as_bytes()).await?;
        }
        Ok(())
    }
}
