//! By what the API server's aggregation layer is known: its client certificate's authority and names, and its headers.
use crate::client::Client;
use crate::watch::{Change, follow};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube::runtime::watcher;
use std::collections::BTreeMap;
use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};

/// Where the API server publishes it.
const NAMESPACE: &str = "kube-system";
const NAME: &str = "extension-apiserver-authentication";

/// The ConfigMap, as long as this is kept.
#[derive(Debug)]
pub struct FrontProxyWatch {
    /// Its data; `None`: not known yet. When it is deleted, what it said last counts.
    pub value: watch::Receiver<Option<BTreeMap<String, String>>>,
    _stop: DropGuard,
}

/// Watches the ConfigMap.
pub fn watch_front_proxy(client: &Client) -> FrontProxyWatch {
    let (sender, value) = watch::channel(None);
    let stop = CancellationToken::new();
    let api: Api<ConfigMap> = Api::namespaced(client.kube.clone(), NAMESPACE);
    let (metrics, cancelled) = (client.metrics.clone(), stop.clone());
    // By name, since that is all that a reader of this ConfigMap may do.
    let config = watcher::Config::default().fields(&format!("metadata.name={NAME}"));
    tokio::spawn(async move {
        let emit = |change| {
            if let Change::Listed(map) | Change::Put(map) = change {
                sender.send_if_modified(|known| {
                    let changed = known.as_ref() != Some(&map);
                    *known = Some(map);
                    changed
                });
            }
            std::future::ready(true)
        };
        let read = |map: ConfigMap| Some(map.data.unwrap_or_default());
        cancelled.run_until_cancelled(follow(api, config, "configmaps", &metrics, read, emit)).await
    });
    FrontProxyWatch { value, _stop: stop.drop_guard() }
}
