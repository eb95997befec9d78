//! `windlass operator`: the stages, wired. One constructor a stage; every rule is elsewhere.
mod certificate;
mod reach;
pub(crate) mod registration;
mod trust;

use crate::args::Operator as Arguments;
use crate::components::{self, Reach};
use crate::signals::interrupted;
use crate::why::Explainer;
use anyhow::Context;
use prometheus_client::registry::Registry;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use windlass_cluster::{Client, ClientOptions, Cluster, Lease, LeaseOptions, Options, RequireBound};
use windlass_core::{Board, Core, Now};
use windlass_host::Host;
use windlass_pipeline::{Again, Clock, Drive, Keda, Prepare, Watcher};
use windlass_serve::{
    Access, AccessOptions, Authenticator, ExternalMetrics, Gate, Health, Limits, Readiness, serve_health, server_config,
};

/// The core counts as stuck when it has not handled a message for so long.
const STUCK: Duration = Duration::from_secs(120);

/// Runs the command.
pub(crate) fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let ended = runtime.block_on(operator(arguments));
    // Dropping the runtime would wait for work that blocks a thread, however long that takes.
    runtime.shutdown_background();
    ended
}

/// What all stages share.
struct Common {
    arguments: Arguments,
    clock: Clock,
    board: Arc<Board>,
    readiness: Arc<Readiness>,
    shutdown: CancellationToken,
}

async fn operator(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let mut registry = Registry::default();
    let shutdown = CancellationToken::new();
    stop_on_signal(&shutdown)?;
    let common = Common {
        arguments,
        clock: Clock::start(),
        board: Arc::new(Board::new()),
        readiness: Arc::new(Readiness::default()),
        shutdown,
    };
    let synced = common.readiness.gate("sync");
    let client = client(&common, &mut registry).await?;
    let mut pipeline = windlass_pipeline::Metrics::new(&mut registry);
    if common.arguments.keda_metrics {
        let keda = Keda::new(None);
        registry.register_collector(Box::new(keda.clone()));
        pipeline = pipeline.with_keda(keda);
    }
    let served = windlass_serve::Metrics::new(&mut registry);

    // Both listeners first: a taken port is told at once, and health answers while the rest comes up.
    let plain = listen(&common.arguments.metrics_bind_address, "--metrics-bind-address").await?;
    let secure = listen(&common.arguments.secure_bind_address, "--secure-bind-address").await?;
    let listeners = [plain.local_addr()?, secure.local_addr()?];
    let closed = reach::closed(&common.arguments, &client, &listeners).await;
    let reach = Reach { loopback: common.arguments.allow_loopback, closed };
    let host = components::host(&common.arguments.components, reach.clone(), common.clock, &mut registry)?;
    // Before the core runs there is nothing that could be stuck: waiting for the lease is no fault.
    let (alive, beat) = watch::channel(None);
    let clock = common.clock;
    let alive_now = move || beat.borrow().is_none_or(|beat: Now| clock.now().mono.since(beat.mono) < STUCK);
    let health = Health { readiness: common.readiness.clone(), alive: Box::new(alive_now), registry };
    let health = tokio::spawn(serve_health(plain, Arc::new(health), Limits::default(), common.shutdown.clone()));

    let loaded = components::load(&host, &common.arguments.components);
    let Some(loaded) = common.shutdown.run_until_cancelled(loaded).await else { return Ok(stopped_early()) };
    loaded?;
    let lease = lease(&common, &client).await?;
    if common.shutdown.is_cancelled() {
        // Nothing was begun, and without the lease nothing may be.
        if let Some(lease) = lease {
            lease.release(share(&common, 1)).await;
        }
        return Ok(stopped_early());
    }
    let explainer = Arc::new(Explainer::new(common.board.clone(), common.clock));
    let api = serve(&common, &client, secure, served, explainer.clone()).await?;
    let (inbox, messages) = windlass_pipeline::inbox();
    let (intake_sender, intake) = mpsc::channel(windlass_pipeline::INTAKE);
    let again = Again::default();
    let scalers = registered(&common, &client, reach, &host, again.clone())?;
    let cluster = Cluster::start(client, cluster_options(&common), intake_sender, inbox.clone());
    let key = Arc::new(components::process_key()?);
    let stage = Prepare { scalers: scalers.clone(), key, again, metrics: pipeline.clone() };
    let (known, prepared) = (common.readiness.gate("registrations"), inbox.clone());
    tokio::spawn(async move {
        scalers.known().await;
        known.open();
        windlass_pipeline::prepare(stage, intake, prepared).await;
    });
    let settings = common.arguments.settings();
    let core = Core::new(settings, common.board.clone());
    let drive =
        Drive { core, clock: common.clock, poller: host.clone(), writer: cluster.writer.clone(), metrics: pipeline };
    let (driver, watcher) = drive.driver(messages);
    explainer.ask(watcher.clone());
    tokio::spawn(driver.run());
    tokio::spawn(watcher.clone().beat(alive, common.clock));
    tokio::spawn(open_when(cluster.synced.clone(), synced));

    tracing::info!(namespace = %common.arguments.namespace, "running");
    tokio::select! {
        () = common.shutdown.cancelled() => tracing::info!("stopping"),
        () = lost(lease.as_ref()) => tracing::error!("the lease was lost; stopping, since another may act now"),
    }
    common.shutdown.cancel();
    let drained = async {
        let (_, _, _) = tokio::join!(stop(&common, watcher, cluster, lease), api, health);
    };
    if tokio::time::timeout(share(&common, 4), drained).await.is_err() {
        tracing::error!(
            seconds = common.arguments.shutdown_s,
            "not drained within --shutdown-s; what is left is given up"
        );
    }
    Ok(ExitCode::SUCCESS)
}

fn stopped_early() -> ExitCode {
    tracing::info!("stopped before anything was begun");
    ExitCode::SUCCESS
}

/// So many quarters of the time that a shutdown may take.
fn share(common: &Common, quarters: u32) -> Duration {
    Duration::from_secs(common.arguments.shutdown_s) * quarters / 4
}

/// SIGTERM and Ctrl-C stop.
fn stop_on_signal(shutdown: &CancellationToken) -> anyhow::Result<()> {
    let (interrupted, shutdown) = (interrupted()?, shutdown.clone());
    tokio::spawn(async move {
        interrupted.await;
        shutdown.cancel();
    });
    Ok(())
}

async fn listen(address: &str, flag: &str) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| format!("{flag} {address}"))
}

fn registered(
    common: &Common,
    client: &Client,
    reach: Reach,
    host: &Arc<Host>,
    again: Again,
) -> anyhow::Result<Arc<registration::Registered>> {
    let arguments = &common.arguments;
    registration::start(registration::Parts {
        arguments: &arguments.registration,
        client: client.clone(),
        host: host.clone(),
        egress: components::egress(&arguments.components, reach)?,
        cache: arguments.components.cache.clone(),
        home: &arguments.namespace,
        again,
    })
}

async fn client(common: &Common, registry: &mut Registry) -> anyhow::Result<Client> {
    let options = ClientOptions {
        kubeconfig: common.arguments.kubeconfig.clone(),
        qps: common.arguments.kube_api_qps,
        burst: common.arguments.kube_api_burst,
        ..ClientOptions::default()
    };
    Ok(Client::connect(&options, windlass_cluster::Metrics::new(registry)).await?)
}

fn cluster_options(common: &Common) -> Options {
    let arguments = &common.arguments;
    let named = arguments.watch_namespaces.iter().map(|name| name.trim()).filter(|name| !name.is_empty());
    Options {
        namespaces: named.map(Into::into).collect(),
        cluster_object_namespace: arguments.cluster_object_namespace.as_deref().unwrap_or(&arguments.namespace).into(),
        usage_interval: Duration::from_secs(arguments.read_interval_s.max(1)),
        require_bound: match arguments.require_bound_credentials {
            crate::args::RequireBound::None => RequireBound::None,
            crate::args::RequireBound::Cluster => RequireBound::Cluster,
            crate::args::RequireBound::All => RequireBound::All,
        },
        engine: arguments.engine.into(),
        instance: arguments.instance(),
        ..Options::new(arguments.namespace.as_str())
    }
}

/// Waits for the lease, when we act by one: until then another does.
async fn lease(common: &Common, client: &Client) -> anyhow::Result<Option<Lease>> {
    if !common.arguments.leader_elect {
        return Ok(None);
    }
    let options = LeaseOptions::new(common.arguments.namespace.as_str(), common.arguments.instance());
    let lease = Lease::hold(client.clone(), options);
    let mut held = lease.held.clone();
    tracing::info!("waiting for the lease");
    tokio::select! {
        waited = held.wait_for(|held| *held) => { waited.context("the lease")?; }
        () = common.shutdown.cancelled() => {}
    }
    Ok(Some(lease))
}

/// Ends when a lease that was held is lost; never without one.
async fn lost(lease: Option<&Lease>) {
    match lease {
        Some(lease) => {
            let _ = lease.held.clone().wait_for(|held| !*held).await;
        }
        None => std::future::pending().await,
    }
}

/// The external metrics API, on its own task until shutdown.
async fn serve(
    common: &Common,
    client: &Client,
    listener: TcpListener,
    metrics: windlass_serve::Metrics,
    explainer: Arc<Explainer>,
) -> anyhow::Result<tokio::task::JoinHandle<()>> {
    let (certificate, rotation) = certificate::keep(client, &common.arguments, common.clock).await?;
    tokio::spawn(common.shutdown.clone().run_until_cancelled_owned(rotation));
    let clock = common.clock;
    let clock: windlass_serve::Clock = Arc::new(move || clock.now());
    let review = trust::Review(client.clone());
    let access = Access::new(review, clock.clone(), metrics.clone(), AccessOptions::default());
    let authenticator = Authenticator::new(trust::front_proxy(client));
    let api =
        ExternalMetrics::new(common.board.clone(), clock, authenticator, access, common.readiness.clone(), metrics);
    let api = api.explained_by(explainer);
    let config = server_config(certificate)?;
    let served = windlass_serve::serve(listener, config, Arc::new(api), Limits::default(), common.shutdown.clone());
    Ok(tokio::spawn(served))
}

async fn open_when(mut synced: watch::Receiver<bool>, gate: Gate) {
    if synced.wait_for(|synced| *synced).await.is_ok() {
        gate.open();
        tracing::info!("synced");
    }
}

/// What would be lost is written, within half of the time for a shutdown; a quarter is left for the lease, so that writes
/// that hang do not keep the next holder waiting.
async fn stop(common: &Common, core: Watcher, cluster: Cluster, lease: Option<Lease>) {
    if tokio::time::timeout(share(common, 1), core.flush()).await.is_err() {
        tracing::warn!("the core did not say in time what is still to be written");
    }
    let left = cluster.shutdown(share(common, 2)).await;
    if left > 0 {
        tracing::warn!(left, "not all writes were sent in time");
    }
    if let Some(lease) = lease {
        lease.release(share(common, 1)).await;
    }
}
