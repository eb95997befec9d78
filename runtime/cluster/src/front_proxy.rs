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

/// What the ConfigMap says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FrontProxy {
    /// Authorities of the front proxy's client certificate, PEM. Empty: no request can be trusted.
    pub client_ca: String,
    /// Common names of that certificate; empty: any.
    pub allowed_names: Vec<String>,
    /// Headers with the user's name, the first that is set counts.
    pub username_headers: Vec<String>,
    /// Headers with the user's uid.
    pub uid_headers: Vec<String>,
    /// Headers with the user's groups.
    pub group_headers: Vec<String>,
    /// Prefixes of headers with more about the user.
    pub extra_header_prefixes: Vec<String>,
}

impl FrontProxy {
    /// Reads it. A list that cannot be read is empty.
    fn read(data: &BTreeMap<String, String>) -> FrontProxy {
        let list = |key: &str| -> Vec<String> {
            data.get(key).and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
        };
        FrontProxy {
            client_ca: data.get("requestheader-client-ca-file").cloned().unwrap_or_default(),
            allowed_names: list("requestheader-allowed-names"),
            username_headers: list("requestheader-username-headers"),
            uid_headers: list("requestheader-uid-headers"),
            group_headers: list("requestheader-group-headers"),
            extra_header_prefixes: list("requestheader-extra-headers-prefix"),
        }
    }
}

/// The ConfigMap, as long as this is kept.
#[derive(Debug)]
pub struct FrontProxyWatch {
    /// What it says; `None`: not known yet. When it is deleted, what it said last counts.
    pub value: watch::Receiver<Option<FrontProxy>>,
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
        let read = |map: ConfigMap| Some(FrontProxy::read(&map.data.unwrap_or_default()));
        cancelled.run_until_cancelled(follow(api, config, "configmaps", &metrics, read, emit)).await
    });
    FrontProxyWatch { value, _stop: stop.drop_guard() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_json() {
        let data = BTreeMap::from([
            ("requestheader-client-ca-file".to_owned(), "PEM".to_owned()),
            ("requestheader-allowed-names".to_owned(), r#"["front-proxy-client"]"#.to_owned()),
            ("requestheader-username-headers".to_owned(), r#"["X-Remote-User"]"#.to_owned()),
            ("requestheader-group-headers".to_owned(), "not json".to_owned()),
        ]);
        let read = FrontProxy::read(&data);
        assert_eq!(read.client_ca, "PEM");
        assert_eq!(read.allowed_names, ["front-proxy-client"]);
        assert_eq!(read.username_headers, ["X-Remote-User"]);
        assert!(read.group_headers.is_empty());
    }
}
