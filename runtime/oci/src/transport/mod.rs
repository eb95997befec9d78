//! HTTP to registries: bounded in time, in bytes and in whom it reaches.
//!
//! The clients of the field read manifests, tokens and error pages without a bound, follow a layer's `urls`, and hide why a token
//! could not be had. A registry that a tenant names is not to be trusted with our memory, so these few requests are made here.
mod authorize;
mod guard;
mod session;

pub(crate) use session::{Ask, Session};

use crate::credential::Credential;
use crate::{Fault, Reference};
use bytes::Bytes;
use guard::Guarded;
use http_body_util::Full;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::GaiResolver;
use hyper_util::rt::TokioExecutor;
use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, RootCertStore};
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// Tells why an address may not be reached.
pub type Refusal = Arc<dyn Fn(IpAddr) -> Option<&'static str> + Send + Sync>;

/// How registries are reached.
pub struct TransportOptions {
    /// Further certificate authorities beside the machine's.
    pub authorities: Vec<CertificateDer<'static>>,
    /// Registries (`host[:port]`) that are asked without TLS. Loopback addresses always are.
    pub plain_http: BTreeSet<String>,
    /// Limit of each pull, push or verification as a whole.
    pub deadline: Duration,
    /// Addresses that are never reached. A registry's own address is exempt where it is written as loopback.
    pub refusal: Refusal,
}

impl Default for TransportOptions {
    fn default() -> TransportOptions {
        TransportOptions {
            authorities: Vec::new(),
            plain_http: BTreeSet::new(),
            deadline: Duration::from_secs(60),
            refusal: Arc::new(|_| None),
        }
    }
}

/// Connections to registries, shared by all sessions. No credential is kept here.
#[derive(Clone)]
pub struct Transport {
    /// To a registry on loopback, where somebody wrote so.
    local: Client<HttpsConnector<HttpConnector<GaiResolver>>, Full<Bytes>>,
    /// To all others, and to wherever a registry leads.
    client: Client<HttpsConnector<HttpConnector<Guarded>>, Full<Bytes>>,
    plain_http: Arc<BTreeSet<String>>,
    refusal: Refusal,
    deadline: Duration,
}

const CONNECT: Duration = Duration::from_secs(10);

impl Transport {
    /// A transport that trusts the machine's certificate authorities and those of the options.
    ///
    /// # Errors
    /// When TLS cannot be set up on this machine.
    pub fn new(options: TransportOptions) -> Result<Transport, rustls::Error> {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        roots.add_parsable_certificates(options.authorities);
        let tls = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let client = |http| {
            HttpsConnectorBuilder::new()
                .with_tls_config(tls.clone())
                .https_or_http()
                .enable_http1()
                .wrap_connector(http)
        };
        Ok(Transport {
            local: Client::builder(TokioExecutor::new()).build({
                let mut http = HttpConnector::new();
                http.enforce_http(false);
                http.set_connect_timeout(Some(CONNECT));
                client(http)
            }),
            client: Client::builder(TokioExecutor::new()).build({
                let mut http = HttpConnector::new_with_resolver(Guarded(options.refusal.clone()));
                http.enforce_http(false);
                http.set_connect_timeout(Some(CONNECT));
                HttpsConnectorBuilder::new()
                    .with_tls_config(tls.clone())
                    .https_or_http()
                    .enable_http1()
                    .wrap_connector(http)
            }),
            plain_http: Arc::new(options.plain_http),
            refusal: options.refusal,
            deadline: options.deadline,
        })
    }

    /// Whether a registry is asked without TLS.
    fn plain(&self, registry: &str) -> bool {
        loopback(registry) || self.plain_http.contains(registry)
    }

    /// Requests about one repository, by one user.
    pub(crate) fn session(&self, reference: &Reference, credential: Option<Credential>, access: Access) -> Session {
        Session::new(self.clone(), reference, credential, access)
    }

    /// Runs one operation as a whole within the deadline.
    pub(crate) async fn within<T>(&self, work: impl Future<Output = Result<T, Fault>>) -> Result<T, Fault> {
        let late = Fault::TimedOut { seconds: self.deadline.as_secs() };
        tokio::time::timeout(self.deadline, work).await.unwrap_or(Err(late))
    }
}

/// What a session may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    Pull,
    Push,
}

impl Access {
    /// As the token service calls it.
    fn scope(self) -> &'static str {
        match self {
            Access::Pull => "pull",
            Access::Push => "pull,push",
        }
    }

    fn word(self) -> &'static str {
        match self {
            Access::Pull => "pull",
            Access::Push => "push",
        }
    }
}

/// The host of an authority, without port and brackets.
fn host_of(authority: &str) -> &str {
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|digit| digit.is_ascii_digit()) => host,
        _ => authority,
    };
    host.trim_start_matches('[').trim_end_matches(']')
}

/// Whether an authority is written as a loopback address. A name that merely resolves to one is not.
fn loopback(authority: &str) -> bool {
    let host = host_of(authority);
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}
