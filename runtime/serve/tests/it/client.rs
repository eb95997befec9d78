//! A client as the aggregation layer is one: TLS with or without a client certificate, HTTP/2 or HTTP/1.1.
use crate::pki::Client;
use crate::server::{HOST, TestServer};
use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Longer than anything takes; a test that waits so long has failed.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Http {
    One,
    Two,
}

enum Sender {
    One(http1::SendRequest<Empty<Bytes>>),
    Two(http2::SendRequest<Empty<Bytes>>),
}

pub(crate) struct Connection {
    sender: Sender,
    /// The server's certificate.
    pub(crate) shown: CertificateDer<'static>,
}

#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) code: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Reply {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// A Status object; checks what all of them have in common.
    pub(crate) fn status(&self) -> Value {
        let status = self.json();
        assert_eq!(self.headers["content-type"], "application/json");
        assert_eq!((&status["kind"], &status["apiVersion"]), (&"Status".into(), &"v1".into()));
        assert_eq!((&status["status"], &status["code"]), (&"Failure".into(), &self.code.as_u16().into()));
        assert!(!self.headers.contains_key("retry-after"));
        status
    }

    pub(crate) fn message(&self) -> String {
        self.status()["message"].as_str().unwrap().to_owned()
    }
}

pub(crate) async fn tls(
    server: &TestServer,
    ca_pem: &str,
    client: Option<&Client>,
    http: Http,
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(ca_pem.as_bytes()) {
        roots.add(certificate.unwrap()).unwrap();
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    let mut config = match client {
        Some(client) => builder.with_client_auth_cert(client.chain.clone(), client.key()).unwrap(),
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = vec![if http == Http::Two { b"h2".to_vec() } else { b"http/1.1".to_vec() }];
    let stream = TcpStream::connect(server.address).await?;
    TlsConnector::from(Arc::new(config)).connect(ServerName::try_from(HOST).unwrap(), stream).await
}

impl Connection {
    pub(crate) async fn open(server: &TestServer, client: Option<&Client>, http: Http) -> Connection {
        Connection::trusting(server, &server.bundle.ca_pem, client, http).await
    }

    pub(crate) async fn trusting(server: &TestServer, ca_pem: &str, client: Option<&Client>, http: Http) -> Connection {
        let stream = tokio::time::timeout(DEADLINE, tls(server, ca_pem, client, http)).await.unwrap().unwrap();
        let shown = stream.get_ref().1.peer_certificates().unwrap()[0].clone().into_owned();
        let sender = match http {
            Http::One => {
                let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
                tokio::spawn(connection);
                Sender::One(sender)
            }
            Http::Two => {
                let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
                tokio::spawn(connection);
                Sender::Two(sender)
            }
        };
        Connection { sender, shown }
    }

    pub(crate) async fn send(&mut self, method: Method, path: &str, headers: &[(&str, &str)]) -> Reply {
        self.try_send(method, path, headers).await.unwrap()
    }

    pub(crate) async fn try_send(
        &mut self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
    ) -> hyper::Result<Reply> {
        let uri = match self.sender {
            Sender::One(_) => path.to_owned(),
            Sender::Two(_) => format!("https://{HOST}{path}"),
        };
        let mut request = Request::builder().method(method).uri(uri).header("host", HOST);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Empty::new()).unwrap();
        let asked = async {
            let reply = match &mut self.sender {
                Sender::One(sender) => {
                    sender.ready().await?;
                    sender.send_request(request).await?
                }
                Sender::Two(sender) => {
                    sender.ready().await?;
                    sender.send_request(request).await?
                }
            };
            let (head, body) = reply.into_parts();
            Ok(Reply { code: head.status, headers: head.headers, body: body.collect().await?.to_bytes() })
        };
        tokio::time::timeout(DEADLINE, asked).await.unwrap()
    }

    pub(crate) async fn get(&mut self, path: &str, headers: &[(&str, &str)]) -> Reply {
        self.send(Method::GET, path, headers).await
    }

    /// As the API server asks on behalf of the HPA controller.
    pub(crate) async fn read(&mut self, path: &str) -> Reply {
        self.get(path, HPA).await
    }
}

pub(crate) const HPA: &[(&str, &str)] = &[
    ("accept", "application/json, */*"),
    ("x-remote-user", "system:serviceaccount:kube-system:horizontal-pod-autoscaler"),
    ("x-remote-group", "system:serviceaccounts"),
    ("x-remote-group", "system:authenticated"),
    ("x-remote-extra-authentication.kubernetes.io%2Fcredential-id", "JTI=1"),
];

/// As the API server probes and discovers.
pub(crate) const AGGREGATOR: &[(&str, &str)] =
    &[("x-remote-user", "system:kube-aggregator"), ("x-remote-group", "system:masters")];
