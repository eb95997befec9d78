//! The least that could answer: TLS, HTTP, and one body that is always the same. What reads of real metrics cost is
//! measured against it, in the same run and by the same client.
use anyhow::{Context, Result};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::path::PathBuf;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// Arguments of the program's own child.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// PEM file with its certificate
    #[arg(long)]
    certificate: PathBuf,
    /// PEM file with its key
    #[arg(long)]
    key: PathBuf,
    /// Port of 127.0.0.1
    #[arg(long)]
    port: u16,
    /// What it answers
    #[arg(long)]
    body: String,
}

/// Answers until it is killed.
///
/// # Errors
/// When it cannot listen.
pub async fn run(arguments: Arguments) -> Result<()> {
    let chain = CertificateDer::pem_file_iter(&arguments.certificate)?.collect::<Result<Vec<_>, _>>()?;
    let key = PrivateKeyDer::from_pem_file(&arguments.key)?;
    let mut config = ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind(("127.0.0.1", arguments.port)).await.context("cannot listen")?;
    let body = Bytes::from(arguments.body);
    loop {
        let (stream, _) = listener.accept().await?;
        let _ = stream.set_nodelay(true);
        let (acceptor, body) = (acceptor.clone(), body.clone());
        tokio::spawn(async move {
            let Ok(stream) = acceptor.accept(stream).await else { return };
            let service = hyper::service::service_fn(move |_: Request<Incoming>| {
                let answer =
                    Response::builder().header("content-type", "application/json").body(Full::new(body.clone()));
                async move { answer }
            });
            let server = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
            let _ = server.serve_connection(TokioIo::new(stream), service).await;
        });
    }
}
