//! The whole edge, started and stopped.
use crate::client::Client;
use crate::drive::Drive;
use crate::event::Events;
use crate::index::IndexOptions;
use crate::lane::{LaneOptions, Lanes};
use crate::usage::Readers;
use crate::write::{Strangers, Writes};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use windlass_core::port::Writer;
use windlass_core::workload::Engine;
use windlass_core::{IntakeMsg, Msg, Text};

/// Which authentications have to be bound to hosts by the annotation `windlass.dev/hosts`; triggers that refer to others are
/// refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RequireBound {
    /// None.
    #[default]
    None,
    /// ClusterTriggerAuthentications.
    Cluster,
    /// All.
    All,
}

impl RequireBound {
    /// Whether it holds for an authentication of this kind.
    pub(crate) fn of(self, cluster: bool) -> bool {
        match self {
            RequireBound::None => false,
            RequireBound::Cluster => cluster,
            RequireBound::All => true,
        }
    }
}

/// How the edge works.
#[derive(Clone, Debug)]
pub struct Options {
    /// Namespaces to watch; empty: all.
    pub namespaces: Vec<Text>,
    /// Where ClusterTriggerAuthentications find their Secrets and ConfigMaps.
    pub cluster_object_namespace: Text,
    /// Which authentications have to be bound to hosts.
    pub require_bound: RequireBound,
    /// The engine of objects that name none.
    pub engine: Engine,
    /// How often pods' use is read for an object in the direct engine that asks for it.
    pub usage_interval: Duration,
    /// Name of this process in events, for instance of its pod.
    pub instance: String,
    /// Limits of the lanes of writes.
    pub lanes: LaneOptions,
}

impl Options {
    /// All namespaces, with cluster-wide authentications of `namespace`.
    pub fn new(namespace: impl Into<Text>) -> Options {
        Options {
            namespaces: Vec::new(),
            cluster_object_namespace: namespace.into(),
            require_bound: RequireBound::None,
            engine: Engine::Hpa,
            usage_interval: Duration::from_secs(15),
            instance: "windlass-operator".into(),
            lanes: LaneOptions::default(),
        }
    }
}

/// The running edge.
pub struct Cluster {
    /// Takes writes.
    pub writer: Arc<dyn Writer>,
    /// Turns true once everything that was there at the start has been handed on.
    pub synced: watch::Receiver<bool>,
    lanes: Lanes,
    watches: CancellationToken,
    writes: CancellationToken,
}

impl Cluster {
    /// Starts watching and writing. Objects go to `intake`; what the API server holds, and ends of writes, to `inbox`.
    /// Both are waited for when they are full: the watches then stand still.
    pub fn start(
        client: Client,
        options: Options,
        intake: mpsc::Sender<IntakeMsg>,
        inbox: mpsc::Sender<Msg>,
    ) -> Cluster {
        let (watches, writes) = (CancellationToken::new(), CancellationToken::new());
        let strangers = Strangers::default();
        let (budget, metrics) = (client.budget.clone(), client.metrics.clone());
        let sender =
            Writes { client: client.clone(), events: Events::new(&options.instance), strangers: strangers.clone() };
        let lanes = Lanes::start(Arc::new(sender), budget, options.lanes, inbox.clone(), metrics, writes.clone());
        let (synced_sender, synced) = watch::channel(false);
        let namespaces = options.namespaces.into_iter().filter(|namespace| !namespace.is_empty()).collect();
        let index = IndexOptions {
            namespaces,
            cluster_namespace: options.cluster_object_namespace,
            require_bound: options.require_bound,
            engine: options.engine,
        };
        let readers = Readers::new(client.clone(), inbox.clone(), options.usage_interval, watches.clone());
        let (synced_sender, stop) = (synced_sender, watches.clone());
        Drive { client, options: index, intake, inbox, readers, strangers, synced: synced_sender, stop }.start();
        Cluster { writer: Arc::new(lanes.clone()), synced, lanes, watches, writes }
    }

    /// Stops watching, sends the writes that wait, and gives the number of those that were left at the deadline.
    pub async fn shutdown(self, deadline: Duration) -> usize {
        self.watches.cancel();
        let left = self.lanes.flush(deadline).await;
        self.writes.cancel();
        left
    }
}

impl std::fmt::Debug for Cluster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cluster").field("synced", &*self.synced.borrow()).finish_non_exhaustive()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.watches.cancel();
        self.writes.cancel();
    }
}
