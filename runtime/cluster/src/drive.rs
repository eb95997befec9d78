//! Runs the index: watches and reads on one side, the pipeline on the other.
use crate::client::Client;
use crate::fetch::{discover, fetch};
use crate::index::{GroupKind, Index, IndexOptions, Job, Notice, Output, Scope};
use crate::usage::Readers;
use crate::watch::{
    AuthenticationRow, BlobKind, Change, HpaRow, MetadataRow, ObjectRow, RawObject, Replicated, Slim, follow, pause,
};
use crate::write::Strangers;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use kube::Api;
use kube::core::DeserializeGuard;
use kube::discovery::ApiResource;
use kube::runtime::watcher::Config;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio_util::sync::CancellationToken;
use windlass_api::{ClusterTriggerAuthentication, TriggerAuthentication};
use windlass_core::{IntakeMsg, Msg, Text};

/// Notices that may wait for the index.
const NOTICES: usize = 4096;
/// Reads at the same time.
const READS: usize = 16;
/// First pause before a kind that cannot be scaled is looked up again; it doubles up to 64 times this.
const REDISCOVER: Duration = Duration::from_secs(15);

/// What the index' task needs.
pub(crate) struct Drive {
    pub(crate) client: Client,
    pub(crate) options: IndexOptions,
    pub(crate) intake: mpsc::Sender<IntakeMsg>,
    pub(crate) inbox: mpsc::Sender<Msg>,
    pub(crate) readers: Readers,
    pub(crate) strangers: Strangers,
    pub(crate) synced: watch::Sender<bool>,
    pub(crate) stop: CancellationToken,
}

impl Drive {
    /// Starts the base watches and the index.
    pub(crate) fn start(self) {
        let (notices, incoming) = mpsc::channel(NOTICES);
        let hands = Hands {
            client: self.client.clone(),
            notices,
            stop: self.stop.clone(),
            reads: Arc::new(Semaphore::new(READS)),
        };
        hands.watch_base(&self.options);
        let stop = self.stop.clone();
        tokio::spawn(async move { stop.run_until_cancelled(self.run(hands, incoming)).await });
    }

    async fn run(mut self, hands: Hands, mut incoming: mpsc::Receiver<Notice>) {
        let mut index = Index::new(self.options.clone(), self.client.metrics.clone());
        let mut out = Vec::new();
        while let Some(notice) = incoming.recv().await {
            index.handle(notice, &mut out);
            for output in out.drain(..) {
                let open = match output {
                    Output::Intake(message) => {
                        self.readers.follow(&message);
                        self.intake.send(message).await.is_ok()
                    }
                    Output::Seen(message) => self.inbox.send(message).await.is_ok(),
                    Output::Strangers(key, names) => {
                        self.strangers.set(key, names);
                        true
                    }
                    Output::Job(job) => {
                        hands.take(job, &self.options);
                        true
                    }
                };
                if !open {
                    return;
                }
            }
            if index.is_synced() && !*self.synced.borrow() {
                tracing::info!("all objects are known");
                self.synced.send_replace(true);
            }
        }
    }
}

/// Does the index' jobs.
#[derive(Clone)]
struct Hands {
    client: Client,
    notices: mpsc::Sender<Notice>,
    stop: CancellationToken,
    reads: Arc<Semaphore>,
}

impl Hands {
    fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        let stop = self.stop.clone();
        tokio::spawn(async move { stop.run_until_cancelled(work).await });
    }

    fn watch_base(&self, options: &IndexOptions) {
        for (scope, namespace) in options.scopes() {
            let objects: Api<RawObject> = api(&self.client, &namespace);
            let engine = options.engine;
            let read = move |raw| ObjectRow::read(raw, engine);
            self.watch(objects, "scaledobjects", read, move |change| Notice::Object(scope, change));
            let authentications: Api<DeserializeGuard<TriggerAuthentication>> = api(&self.client, &namespace);
            let read = |guard: DeserializeGuard<TriggerAuthentication>| match &guard.0 {
                Ok(object) => AuthenticationRow::new(&object.metadata, Ok(&object.spec)),
                Err(bad) => AuthenticationRow::new(&bad.metadata, Err(&bad.error)),
            };
            let notice = move |change| Notice::Authentication(scope, change);
            self.watch(authentications, "triggerauthentications", read, notice);
            let hpas: Api<DeserializeGuard<HorizontalPodAutoscaler>> = api(&self.client, &namespace);
            let read = |guard: DeserializeGuard<HorizontalPodAutoscaler>| HpaRow::read(guard.0.as_ref().ok()?);
            self.watch(hpas, "horizontalpodautoscalers", read, move |change| Notice::Hpa(scope, change));
        }
        let cluster: Api<DeserializeGuard<ClusterTriggerAuthentication>> = Api::all(self.client.kube.clone());
        let read = |guard: DeserializeGuard<ClusterTriggerAuthentication>| match &guard.0 {
            Ok(object) => AuthenticationRow::new(&object.metadata, Ok(&object.spec.0)),
            Err(bad) => AuthenticationRow::new(&bad.metadata, Err(&bad.error)),
        };
        self.watch(cluster, "clustertriggerauthentications", read, Notice::ClusterAuthentication);
    }

    fn watch<K, T>(
        &self,
        api: Api<K>,
        resource: &str,
        read: impl Fn(K) -> Option<T> + Send + Sync + 'static,
        notice: impl Fn(Change<T>) -> Notice + Send + Sync + 'static,
    ) where
        K: kube::Resource + Clone + serde::de::DeserializeOwned + std::fmt::Debug + Send + Sync + 'static,
        T: Send + 'static,
    {
        let (notices, metrics, resource) = (self.notices.clone(), self.client.metrics.clone(), resource.to_owned());
        self.spawn(async move {
            let emit = |change| {
                let notice = notice(change);
                let notices = &notices;
                async move { notices.send(notice).await.is_ok() }
            };
            follow(api, Config::default(), &resource, &metrics, read, emit).await;
        });
    }

    fn take(&self, job: Job, options: &IndexOptions) {
        match job {
            Job::Discover(kind, version) => self.discover(kind, version),
            Job::RediscoverLater(kind, failures) => {
                let longer = 1_u32.checked_shl(failures.saturating_sub(1).min(6)).unwrap_or(64);
                self.later(REDISCOVER.saturating_mul(longer), Notice::Rediscover(kind));
            }
            Job::WatchTargets(kind, resource) => {
                for (scope, namespace) in options.scopes() {
                    self.watch_targets(kind.clone(), &resource, scope, &namespace);
                }
            }
            Job::WatchBlobs(kind) => {
                for (scope, namespace) in options.blob_scopes() {
                    self.watch_blobs(kind, scope, &namespace);
                }
            }
            Job::Fetch(key, resource) => {
                let hands = self.clone();
                self.spawn(async move {
                    let Ok(_permit) = hands.reads.acquire().await else { return };
                    let fetched = fetch(&hands.client, &key, resource.as_ref()).await;
                    let _ = hands.notices.send(Notice::Fetched(key, fetched)).await;
                });
            }
            Job::RefetchLater(key, failures) => self.later(pause(failures), Notice::Refetch(key)),
        }
    }

    fn discover(&self, kind: GroupKind, version: Text) {
        let hands = self.clone();
        self.spawn(async move {
            let discovered = discover(&hands.client, &kind, &version).await;
            let _ = hands.notices.send(Notice::Discovered(kind, discovered)).await;
        });
    }

    fn later(&self, pause: Duration, notice: Notice) {
        let notices = self.notices.clone();
        self.spawn(async move {
            tokio::time::sleep(pause).await;
            let _ = notices.send(notice).await;
        });
    }

    fn watch_targets(&self, kind: GroupKind, resource: &ApiResource, scope: Scope, namespace: &str) {
        let plural = resource.plural.clone();
        if kind.tells_replicas() {
            let api: Api<Replicated> = dynamic(&self.client, resource, namespace);
            let notice = move |change| Notice::Target(kind.clone(), scope, change);
            self.watch(api, &plural, MetadataRow::of_replicated, notice);
        } else {
            let api: Api<Slim> = dynamic(&self.client, resource, namespace);
            let notice = move |change| Notice::Target(kind.clone(), scope, change);
            self.watch(api, &plural, MetadataRow::of_slim, notice);
        }
    }

    fn watch_blobs(&self, kind: BlobKind, scope: Scope, namespace: &str) {
        let resource = kind.resource();
        let api: Api<Slim> = dynamic(&self.client, &resource, namespace);
        self.watch(api, &resource.plural, MetadataRow::of_slim, move |change| Notice::Blob(kind, scope, change));
    }
}

fn api<K>(client: &Client, namespace: &str) -> Api<K>
where
    K: kube::Resource<DynamicType = (), Scope = kube::core::NamespaceResourceScope>,
{
    if namespace.is_empty() { Api::all(client.kube.clone()) } else { Api::namespaced(client.kube.clone(), namespace) }
}

fn dynamic<K>(client: &Client, resource: &ApiResource, namespace: &str) -> Api<K>
where
    K: kube::Resource<DynamicType = ApiResource, Scope = kube::core::DynamicResourceScope>,
{
    if namespace.is_empty() {
        Api::all_with(client.kube.clone(), resource)
    } else {
        Api::namespaced_with(client.kube.clone(), namespace, resource)
    }
}
