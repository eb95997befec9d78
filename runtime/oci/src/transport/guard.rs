//! Names are resolved, and addresses that must not be reached are left out.
use super::Refusal;
use hyper_util::client::legacy::connect::dns::{GaiResolver, Name};
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use tower_service::Service;

/// The system's resolver behind a refusal.
#[derive(Clone)]
pub(super) struct Guarded(pub(super) Refusal);

impl Service<Name> for Guarded {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let refusal = self.0.clone();
        Box::pin(async move {
            let mut why = None;
            let mut allowed = Vec::new();
            for address in GaiResolver::new().call(name).await? {
                match refusal(address.ip()) {
                    Some(reason) => why = Some(reason),
                    None => allowed.push(address),
                }
            }
            match why {
                Some(why) if allowed.is_empty() => {
                    Err(io::Error::new(io::ErrorKind::PermissionDenied, format!("it is {why}, which is not reached")))
                }
                _ => Ok(allowed.into_iter()),
            }
        })
    }
}
