//! The edge under test, and objects for it.
use crate::server::ApiServer;
use prometheus_client::registry::Registry;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::sync::mpsc;
use windlass_cluster::{Client, ClientOptions, Cluster, Metrics, Options};
use windlass_core::workload::Intake;
use windlass_core::write::{HpaSeen, RecordSeen, TargetSeen, WriteKind, WriteResult};
use windlass_core::{IntakeMsg, Msg, Seen, WorkloadKey};

pub(crate) const OBJECTS: &str = "keda.sh/v1alpha1/scaledobjects";
pub(crate) const AUTHENTICATIONS: &str = "keda.sh/v1alpha1/triggerauthentications";
pub(crate) const CLUSTER_AUTHENTICATIONS: &str = "keda.sh/v1alpha1/clustertriggerauthentications";
pub(crate) const DEPLOYMENTS: &str = "apps/v1/deployments";
pub(crate) const HPAS: &str = "autoscaling/v2/horizontalpodautoscalers";
pub(crate) const SECRETS: &str = "v1/secrets";

pub(crate) fn client(server: &ApiServer) -> Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let config = kube::Config::new(server.url.parse().unwrap());
    Client::new(config, &ClientOptions::default(), Metrics::new(&mut Registry::default())).unwrap()
}

pub(crate) struct Edge {
    pub(crate) server: ApiServer,
    pub(crate) cluster: Cluster,
    pub(crate) intake: mpsc::Receiver<IntakeMsg>,
    pub(crate) inbox: mpsc::Receiver<Msg>,
}

const PATIENCE: Duration = Duration::from_secs(20);

impl Edge {
    pub(crate) async fn start(server: ApiServer) -> Edge {
        Edge::start_with(server, Options::new("windlass")).await
    }

    pub(crate) async fn start_with(server: ApiServer, options: Options) -> Edge {
        let (intake_sender, intake) = mpsc::channel(1000);
        let (inbox_sender, inbox) = mpsc::channel(1000);
        let cluster = Cluster::start(client(&server), options, intake_sender, inbox_sender);
        Edge { server, cluster, intake, inbox }
    }

    pub(crate) async fn synced(&mut self) {
        tokio::time::timeout(PATIENCE, self.cluster.synced.wait_for(|synced| *synced)).await.unwrap().unwrap();
    }

    /// The next message of the intake.
    pub(crate) async fn next(&mut self) -> IntakeMsg {
        tokio::time::timeout(PATIENCE, self.intake.recv()).await.unwrap().unwrap()
    }

    pub(crate) async fn put(&mut self) -> Intake {
        match self.next().await {
            IntakeMsg::Put(intake) => *intake,
            other => panic!("{other:?}"),
        }
    }

    async fn seen<T>(&mut self, pick: impl Fn(Msg) -> Option<T>) -> T {
        loop {
            let message = tokio::time::timeout(PATIENCE, self.inbox.recv()).await.unwrap().unwrap();
            if let Some(found) = pick(message) {
                return found;
            }
        }
    }

    pub(crate) async fn target(&mut self) -> TargetSeen {
        self.seen(|message| match message {
            Msg::Seen(_, Seen::Target(target)) => Some(target),
            _ => None,
        })
        .await
    }

    pub(crate) async fn record(&mut self) -> RecordSeen {
        self.seen(|message| match message {
            Msg::Seen(_, Seen::Record(record)) => Some(record),
            _ => None,
        })
        .await
    }

    pub(crate) async fn hpa(&mut self) -> Option<HpaSeen> {
        self.seen(|message| match message {
            Msg::Seen(_, Seen::Hpa(hpa)) => Some(hpa),
            _ => None,
        })
        .await
    }

    pub(crate) async fn ack(&mut self) -> (WorkloadKey, WriteKind, WriteResult) {
        self.seen(|message| match message {
            Msg::Ack(key, kind, result) => Some((key, kind, result)),
            _ => None,
        })
        .await
    }

    /// Nothing more comes, after everything that was begun had time to end.
    pub(crate) async fn quiet(&mut self) {
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert!(self.intake.try_recv().is_err());
        if let Ok(message) = self.inbox.try_recv() {
            panic!("{message:?}");
        }
    }

    /// The same, of the intake alone.
    pub(crate) async fn quiet_intake(&mut self) {
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert!(self.intake.try_recv().is_err());
    }

    /// Takes all that has come so far.
    pub(crate) async fn drain(&mut self) -> (Vec<IntakeMsg>, Vec<Msg>) {
        tokio::time::sleep(Duration::from_millis(200)).await;
        let (mut intake, mut inbox) = (vec![], vec![]);
        while let Ok(message) = self.intake.try_recv() {
            intake.push(message);
        }
        while let Ok(message) = self.inbox.try_recv() {
            inbox.push(message);
        }
        (intake, inbox)
    }
}

pub(crate) fn object(name: &str, target: &str) -> Value {
    json!({
        "apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject",
        "metadata": {
            "namespace": "shop", "name": name, "uid": format!("uid-{name}"), "generation": 1,
            "creationTimestamp": "2026-01-01T00:00:00Z",
        },
        "spec": {
            "scaleTargetRef": { "name": target },
            "triggers": [{ "type": "queue", "metadata": { "address": "a:1", "length": "5" } }],
        },
    })
}

pub(crate) fn deployment(name: &str, replicas: u32) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": { "namespace": "shop", "name": name, "uid": format!("d-{name}"), "generation": 1 },
        "spec": {
            "replicas": replicas,
            "template": { "spec": { "containers": [
                { "name": "main", "env": [{ "name": "ADDRESS", "value": "b:2" }] },
            ]}},
        },
        "status": { "replicas": replicas, "readyReplicas": replicas },
    })
}

pub(crate) fn hpa(name: &str, target: &str, owner: Option<&str>) -> Value {
    let owners = owner.map(|uid| {
        json!([{ "apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject", "name": "x", "uid": uid, "controller": true }])
    });
    json!({
        "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler",
        "metadata": { "namespace": "shop", "name": name, "ownerReferences": owners },
        "spec": {
            "scaleTargetRef": { "apiVersion": "apps/v1", "kind": "Deployment", "name": target },
            "minReplicas": 1, "maxReplicas": 10, "metrics": [],
        },
    })
}

pub(crate) fn key(name: &str) -> WorkloadKey {
    WorkloadKey::scaled_object("shop", name)
}
