//! Connections to sources: made through the one choke point of egress, kept by the host, and never shared between
//! components, namespaces, endpoints or credentials.
use crate::budget::Verdict;
use crate::egress::Egress;
use crate::tls::{Roots, server_name};
use crate::traffic::{Counted, Traffic};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use windlass_core::failure::{Failure, FailureKind};
use windlass_core::query::{Domain, Endpoint, Question};
use windlass_core::{Digest, Fingerprint};

/// What must be equal for two queries to use one connection.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct PoolKey {
    pub(crate) component: Digest,
    pub(crate) domain: Domain,
    /// By name: what a name resolves to is no right of another name's.
    pub(crate) endpoint: Endpoint,
    /// What the names in `endpoint.tls` stand for.
    pub(crate) material: Option<[u8; 32]>,
    /// A rotated secret never meets an old login.
    pub(crate) secrets: Fingerprint,
}

impl PoolKey {
    pub(crate) fn of(question: &Question, endpoint: &Endpoint) -> PoolKey {
        PoolKey {
            component: question.component,
            domain: question.trigger.domain.clone(),
            endpoint: endpoint.clone(),
            material: endpoint.tls.as_ref().map(|tls| crate::tls::material(tls, &question.trigger)),
            secrets: question.secrets,
        }
    }
}

/// How connections are made.
#[derive(Debug)]
pub(crate) struct Dialer {
    pub(crate) egress: Egress,
    pub(crate) roots: Roots,
    pub(crate) traffic: Traffic,
}

/// A connection, plain or over TLS.
#[derive(Debug)]
pub(crate) enum Stream {
    Plain(Counted),
    Tls(Box<TlsStream<Counted>>),
}

/// How far a connection came that was not made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// The name and the address.
    Connect,
    /// TLS, in which the query's own parameters have a say.
    Tls,
}

/// A connection that was not made.
#[derive(Clone, Debug)]
pub(crate) struct Undialled {
    pub(crate) stage: Stage,
    pub(crate) failure: Failure,
}

impl Undialled {
    /// What it says about the source; nothing, when it was our own doing.
    pub(crate) fn verdict(&self) -> Option<Verdict> {
        match (self.failure.kind, self.stage) {
            (FailureKind::Unreachable | FailureKind::Timeout, Stage::Connect) => Some(Verdict::Unconnected),
            (FailureKind::Unreachable | FailureKind::Timeout, Stage::Tls) => Some(Verdict::Failed),
            _ => None,
        }
    }
}

impl Dialer {
    /// Connects to an endpoint; over TLS unless it is upgraded later.
    pub(crate) async fn dial(
        &self,
        endpoint: &Endpoint,
        config: Option<Arc<rustls::ClientConfig>>,
    ) -> Result<Stream, Undialled> {
        let at = |stage| move |failure| Undialled { stage, failure };
        let stream = self.egress.connect(&endpoint.host, endpoint.port).await.map_err(at(Stage::Connect))?;
        let stream = self.traffic.opened(stream);
        match (config, &endpoint.tls) {
            (Some(config), Some(tls)) if !tls.upgrade => {
                secure(stream, config, tls, &endpoint.host).await.map_err(at(Stage::Tls))
            }
            _ => Ok(Stream::Plain(stream)),
        }
    }
}

/// Puts TLS on a connection.
pub(crate) async fn secure(
    stream: Counted,
    config: Arc<rustls::ClientConfig>,
    tls: &windlass_core::query::Tls,
    host: &str,
) -> Result<Stream, Failure> {
    let name = server_name(tls, host)?;
    let stream = TlsConnector::from(config)
        .connect(name, stream)
        .await
        .map_err(|error| Failure::new(FailureKind::Unreachable, format!("TLS with {host} failed: {error}")))?;
    Ok(Stream::Tls(Box::new(stream)))
}

impl Stream {
    /// Whether HTTP/2 was agreed on.
    pub(crate) fn is_http2(&self) -> bool {
        match self {
            Stream::Plain(_) => false,
            Stream::Tls(stream) => stream.get_ref().1.alpn_protocol() == Some(b"h2"),
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<std::io::Result<()>> {
        match self.get_mut() {
            Stream::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Stream::Tls(stream) => Pin::new(stream.as_mut()).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<std::io::Result<usize>> {
        match self.get_mut() {
            Stream::Plain(stream) => Pin::new(stream).poll_write(cx, data),
            Stream::Tls(stream) => Pin::new(stream.as_mut()).poll_write(cx, data),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        match self.get_mut() {
            Stream::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Stream::Tls(stream) => Pin::new(stream.as_mut()).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        match self.get_mut() {
            Stream::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Stream::Tls(stream) => Pin::new(stream.as_mut()).poll_shutdown(cx),
        }
    }
}
