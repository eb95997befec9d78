//! The host of components, from flags.
use crate::args::Components;
use crate::budgets::Budgets;
use anyhow::{Context, bail};
use prometheus_client::registry::Registry;
use std::sync::Arc;
use windlass_core::resolve::ProcessKey;
use windlass_host::{Denial, Egress, Host, HostOptions};
use windlass_pipeline::Clock;

/// Whom scalers may reach.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reach {
    /// Loopback too: local mode, tests, trying a scaler. In a cluster that is our own pod.
    pub(crate) loopback: bool,
    /// Nobody of these.
    pub(crate) closed: Vec<Denial>,
}

impl Reach {
    /// Sources of this machine too.
    pub(crate) fn local() -> Reach {
        Reach { loopback: true, closed: Vec::new() }
    }
}

/// The key of this process's fingerprints: random, never stored.
pub(crate) fn process_key() -> anyhow::Result<ProcessKey> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|error| anyhow::anyhow!("no randomness: {error}"))?;
    Ok(ProcessKey::new(bytes))
}

/// Loads every component of the folder. One that cannot be loaded is logged and left out: its triggers say so.
pub(crate) async fn load(host: &Arc<Host>, components: &Components) -> anyhow::Result<()> {
    let folder = components.folder();
    let loaded = host.load_directory(&folder).await.with_context(|| {
        format!(
            "no scalers in {}: build them with `cargo xtask scalers`, or name their folder by --scalers",
            folder.display()
        )
    })?;
    if loaded == 0 {
        bail!(
            "no scalers in {}: build them with `cargo xtask scalers`, or name their folder by --scalers",
            folder.display()
        );
    }
    Ok(())
}

/// A host without components. Must be called within a tokio runtime.
pub(crate) fn host(
    components: &Components,
    reach: Reach,
    clock: Clock,
    registry: &mut Registry,
) -> anyhow::Result<Arc<Host>> {
    let (budgets, budget) = Budgets::new(&components.sources, registry)?;
    let host = Arc::new(Host::new(HostOptions {
        limits: crate::limits::limits(&components.guests, &components.compilation),
        egress: egress(components, reach)?,
        budget,
        ca_dirs: components.ca_dirs.clone(),
        cache: components.cache.clone(),
        compiler: if components.compile_in_process { None } else { components.program() },
        clock: Arc::new(move || clock.now()),
        metrics: windlass_host::Metrics::new(registry),
        instances: components.guests.guest_instances,
    })?);
    budgets.follow(&host);
    Ok(host)
}

fn egress(components: &Components, reach: Reach) -> anyhow::Result<Egress> {
    let mut denied = reach.closed;
    for range in &components.deny_egress {
        denied.push(range.parse().context("--deny-egress")?);
    }
    let allowed = components.allow_egress.iter().map(|range| range.parse().context("--allow-egress"));
    let allowed = allowed.collect::<Result<_, _>>()?;
    Ok(Egress { allow_loopback: reach.loopback, allowed, denied, ..Egress::default() })
}
