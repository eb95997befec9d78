//! Whom the external metrics API believes: the aggregation layer's certificate, and what the API server says of a user.
use tokio::sync::watch;
use windlass_cluster::{Client, access, front_proxy as cluster};
use windlass_core::port::BoxFuture;
use windlass_serve::{AccessReview, FrontProxy, ReviewError, User};

/// Asks the API server.
pub(crate) struct Review(pub(crate) Client);

impl AccessReview for Review {
    fn review<'a>(&'a self, user: &'a User) -> BoxFuture<'a, Result<bool, ReviewError>> {
        Box::pin(async move {
            let uid = user.uid.as_deref().unwrap_or_default();
            access::review(&self.0, &user.name, uid, &user.groups, &user.extra)
                .await
                .map_err(|error| ReviewError(error.to_string()))
        })
    }
}

/// The trust that the cluster's ConfigMap tells, as it changes.
pub(crate) fn front_proxy(client: &Client) -> watch::Receiver<FrontProxy> {
    let source = cluster::watch_front_proxy(client);
    let mut values = source.value.clone();
    let (tell, told) = watch::channel(FrontProxy::default());
    tokio::spawn(async move {
        // Kept: dropping it ends the watch.
        let _source = source;
        loop {
            let now = values.borrow_and_update().as_ref().map(FrontProxy::from_config_map);
            match now {
                None => {}
                Some(Ok(trust)) => {
                    tell.send_replace(trust);
                }
                Some(Err(error)) => tracing::error!(%error, "the aggregation layer's trust stays as it was"),
            }
            if values.changed().await.is_err() {
                return;
            }
        }
    });
    told
}
