//! The host of components, from flags.
use crate::args::{Components, Sources};
use anyhow::{Context, bail};
use prometheus_client::registry::Registry;
use std::sync::Arc;
use std::time::Duration;
use windlass_core::resolve::ProcessKey;
use windlass_host::{Budget, Egress, Host, HostOptions, Limits};
use windlass_pipeline::Clock;

/// Guest instances at the same time.
const INSTANCES: u32 = 128;

/// Whom scalers may reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// Never loopback: in a cluster that is our own pod.
    Cluster,
    /// Loopback too: local mode, tests, trying a scaler.
    Local,
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

/// What each event source may be asked.
fn budget(sources: &Sources) -> anyhow::Result<Budget> {
    let overrides = sources.source_budgets.iter().map(|text| text.parse().context("--source-budget"));
    Ok(Budget {
        rate: sources.source_rate,
        burst: sources.source_burst,
        in_flight: sources.source_in_flight as usize,
        queue: sources.source_queue as usize,
        queue_per_namespace: sources.source_namespace_queue as usize,
        connections: sources.source_connections as usize,
        breaker_failures: sources.source_breaker_failures,
        share_window: Duration::from_millis(sources.source_share_ms),
        overrides: overrides.collect::<Result<_, _>>()?,
        ..Budget::default()
    })
}

/// A host without components.
pub(crate) fn host(
    components: &Components,
    reach: Reach,
    clock: Clock,
    registry: &mut Registry,
) -> anyhow::Result<Host> {
    let denied =
        components.deny_egress.iter().map(|range| range.parse().context("--deny-egress")).collect::<Result<_, _>>()?;
    let host = Host::new(HostOptions {
        limits: Limits::default(),
        egress: Egress { allow_loopback: reach == Reach::Local, denied, ..Egress::default() },
        budget: budget(&components.sources)?,
        ca_dirs: components.ca_dirs.clone(),
        cache: components.cache.clone(),
        compiler: if components.compile_in_process { None } else { components.program() },
        clock: Arc::new(move || clock.now()),
        metrics: windlass_host::Metrics::new(registry),
        instances: INSTANCES,
    })?;
    Ok(host)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Flags {
        #[command(flatten)]
        sources: Sources,
    }

    #[test]
    fn the_flags_say_what_the_host_says() {
        let flags = Flags::parse_from(["windlass"]);
        assert_eq!(budget(&flags.sources).unwrap(), Budget::default());
        let one = "queue.example,rate=2";
        let flags =
            ["windlass", "--source-rate", "0.5", "--source-burst=7", "--source-share-ms=0", "--source-budget", one];
        let overrides = vec![one.parse().unwrap()];
        let set = Budget { rate: 0.5, burst: 7, share_window: Duration::ZERO, overrides, ..Budget::default() };
        assert_eq!(budget(&Flags::parse_from(flags).sources).unwrap(), set);
        assert!(budget(&Flags::parse_from(["windlass", "--source-budget", "queue.example"]).sources).is_err());
        for wrong in
            ["--source-rate=0", "--source-rate=nan", "--source-rate=-1", "--source-burst=0", "--source-queue=0"]
        {
            assert!(Flags::try_parse_from(["windlass", wrong]).is_err(), "{wrong}");
        }
    }
}
