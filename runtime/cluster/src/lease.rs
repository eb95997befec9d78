//! The Lease that KEDA's operator elects by: whoever holds it acts, so that KEDA and we never act together.
use crate::client::{Client, Path};
use crate::error::Error;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::json;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// The name of KEDA's Lease.
pub const NAME: &str = "operator.keda.sh";

/// How to hold the Lease.
#[derive(Clone, Debug)]
pub struct LeaseOptions {
    /// Its namespace: that of KEDA's operator.
    pub namespace: String,
    /// Our identity; differs between processes.
    pub identity: String,
    /// For how long it is held without renewal.
    pub duration: Duration,
    /// How often it is renewed, or, by who does not hold it, tried.
    pub renew: Duration,
}

impl LeaseOptions {
    /// 15 s, renewed every 4 s.
    pub fn new(namespace: impl Into<String>, identity: impl Into<String>) -> LeaseOptions {
        LeaseOptions {
            namespace: namespace.into(),
            identity: identity.into(),
            duration: Duration::from_secs(15),
            renew: Duration::from_secs(4),
        }
    }
}

/// The Lease, as long as this is kept.
#[derive(Debug)]
pub struct Lease {
    /// Whether we hold it. Once true and false again, this process has to stop acting: others may have begun.
    pub held: watch::Receiver<bool>,
    stop: CancellationToken,
    ended: tokio::task::JoinHandle<()>,
}

impl Lease {
    /// Starts trying.
    pub fn hold(client: Client, options: LeaseOptions) -> Lease {
        let (sender, held) = watch::channel(false);
        let stop = CancellationToken::new();
        let ended = tokio::spawn(run(client.urgent(), options, sender, stop.clone()));
        Lease { held, stop, ended }
    }

    /// Stops, and gives the Lease back so that the next one need not wait for its end.
    pub async fn release(self, deadline: Duration) {
        self.stop.cancel();
        let _ = tokio::time::timeout(deadline, self.ended).await;
    }
}

#[derive(Deserialize)]
struct Stored {
    metadata: Metadata,
    #[serde(default)]
    spec: Spec,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    resource_version: String,
}

#[derive(Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Spec {
    holder_identity: Option<String>,
    lease_duration_seconds: Option<u64>,
    renew_time: Option<String>,
    acquire_time: Option<String>,
    lease_transitions: Option<i64>,
}

/// What another holder's Lease said, and since when by our clock: the clocks of others are not compared with ours.
struct Observed {
    spec: Spec,
    since: Instant,
}

async fn run(client: Client, options: LeaseOptions, held: watch::Sender<bool>, stop: CancellationToken) {
    let mut observed: Option<Observed> = None;
    let mut renewed: Option<Instant> = None;
    loop {
        // The time before the request counts: the API server stores it later.
        let begun = Instant::now();
        let attempt = tokio::time::timeout(options.renew.saturating_mul(2), attempt(&client, &options, &mut observed));
        let Some(result) = stop.run_until_cancelled(attempt).await else { break };
        match result {
            Ok(Ok(true)) => {
                renewed = Some(begun);
                set(&held, true);
            }
            // Somebody else has it, without doubt.
            Ok(Ok(false)) => {
                renewed = None;
                set(&held, false);
            }
            Ok(Err(error)) => tracing::warn!(%error, "the Lease could not be renewed"),
            Err(_) => tracing::warn!("the Lease could not be renewed in time"),
        }
        // Two thirds: what was begun while it was held has to end before somebody else may begin.
        if renewed.is_some_and(|at| at.elapsed() > options.duration.mul_f64(0.66)) {
            renewed = None;
            set(&held, false);
        }
        if stop.run_until_cancelled(tokio::time::sleep(options.renew)).await.is_none() {
            break;
        }
    }
    if *held.borrow() {
        set(&held, false);
        if let Err(error) = give_back(&client, &options).await {
            tracing::warn!(%error, "the Lease could not be given back");
        }
    }
}

fn set(held: &watch::Sender<bool>, value: bool) {
    held.send_if_modified(|held| std::mem::replace(held, value) != value);
}

fn path(options: &LeaseOptions) -> Path {
    Path::new("coordination.k8s.io", "v1", &options.namespace, "leases")
}

fn now() -> String {
    format!("{:.6}", Timestamp::now())
}

/// Takes or renews the Lease. `false`: somebody else has it.
async fn attempt(client: &Client, options: &LeaseOptions, observed: &mut Option<Observed>) -> Result<bool, Error> {
    let stored = match client.get::<Stored>("Lease", &path(options), NAME).await {
        Ok(stored) => stored,
        Err(Error::NotFound) => return create(client, options).await,
        Err(error) => return Err(error),
    };
    let holder = stored.spec.holder_identity.clone().filter(|holder| !holder.is_empty());
    let ours = holder.as_deref() == Some(&options.identity);
    if !ours && holder.is_some() {
        let known = observed.as_ref().filter(|observed| observed.spec == stored.spec).map(|observed| observed.since);
        let since = known.unwrap_or_else(Instant::now);
        let duration = Duration::from_secs(stored.spec.lease_duration_seconds.unwrap_or(options.duration.as_secs()));
        *observed = Some(Observed { spec: stored.spec.clone(), since });
        if since.elapsed() < duration {
            return Ok(false);
        }
    }
    let transitions = stored.spec.lease_transitions.unwrap_or_default() + i64::from(!ours);
    let now = now();
    let acquired = if ours { stored.spec.acquire_time } else { Some(now.clone()) };
    let patch = json!({
        "metadata": { "resourceVersion": stored.metadata.resource_version },
        "spec": {
            "holderIdentity": options.identity,
            "leaseDurationSeconds": options.duration.as_secs(),
            "acquireTime": acquired,
            "renewTime": now,
            "leaseTransitions": transitions,
        },
    });
    match client.merge(&path(options), NAME, &patch).await {
        Ok(_) => Ok(true),
        // Somebody else was faster. (When it was ours, what that means is seen at the next look.)
        Err(Error::Conflict) if !ours => Ok(false),
        Err(error) => Err(error),
    }
}

async fn create(client: &Client, options: &LeaseOptions) -> Result<bool, Error> {
    let now = now();
    let lease = json!({
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": { "name": NAME, "namespace": options.namespace },
        "spec": {
            "holderIdentity": options.identity,
            "leaseDurationSeconds": options.duration.as_secs(),
            "acquireTime": now,
            "renewTime": now,
            "leaseTransitions": 0,
        },
    });
    match client.create(&path(options), &lease).await {
        Ok(_) => Ok(true),
        Err(Error::Exists) => Ok(false),
        Err(error) => Err(error),
    }
}

/// As client-go does: nobody holds it, and it ends in a second.
async fn give_back(client: &Client, options: &LeaseOptions) -> Result<(), Error> {
    let stored: Stored = client.get("Lease", &path(options), NAME).await?;
    if stored.spec.holder_identity.as_deref() != Some(&options.identity) {
        return Ok(());
    }
    let patch = json!({
        "metadata": { "resourceVersion": stored.metadata.resource_version },
        "spec": { "holderIdentity": "", "leaseDurationSeconds": 1, "renewTime": now() },
    });
    client.merge(&path(options), NAME, &patch).await.map(drop)
}
