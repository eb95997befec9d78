//! From names to addresses.
use std::fmt;
use std::io;
use std::net::IpAddr;
use windlass_core::port::BoxFuture;

/// Finds the addresses of names. Every connection asks it once, and dials one of the addresses that it told.
pub trait Resolver: Send + Sync + fmt::Debug {
    /// The addresses of a name, the preferred one first.
    ///
    /// # Errors
    /// When there are none.
    fn resolve(&self, name: &str) -> BoxFuture<'static, io::Result<Vec<IpAddr>>>;
}

/// The machine's own.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemResolver;

impl Resolver for SystemResolver {
    fn resolve(&self, name: &str) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
        let name = name.to_owned();
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            Ok(found.map(|address| address.ip()).collect())
        })
    }
}
