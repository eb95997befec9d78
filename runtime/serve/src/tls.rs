//! TLS: a serving certificate that can be replaced while connections live, and client certificates that are taken as they
//! come and judged later, by the trust of that moment.
use crate::certificate::{Bundle, CertificateError};
use arc_swap::ArcSwap;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{DigitallySignedStruct, DistinguishedName, ServerConfig, SignatureScheme};
use std::sync::Arc;

/// The certificate that is shown to clients. Clones share it; connections that exist keep the one they began with.
#[derive(Clone, Debug)]
pub struct ServingCertificate {
    current: Arc<ArcSwap<CertifiedKey>>,
}

impl ServingCertificate {
    /// Starts with the certificate of a bundle.
    ///
    /// # Errors
    /// When certificate and key cannot be read or do not belong together.
    pub fn new(bundle: &Bundle) -> Result<ServingCertificate, CertificateError> {
        Ok(ServingCertificate { current: Arc::new(ArcSwap::from_pointee(certified_key(bundle)?)) })
    }

    /// Shows another certificate from now on.
    ///
    /// # Errors
    /// When certificate and key cannot be read or do not belong together; then the old one stays.
    pub fn replace(&self, bundle: &Bundle) -> Result<(), CertificateError> {
        self.current.store(Arc::new(certified_key(bundle)?));
        Ok(())
    }
}

impl ResolvesServerCert for ServingCertificate {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current.load_full())
    }
}

fn certified_key(bundle: &Bundle) -> Result<CertifiedKey, CertificateError> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(bundle.cert_pem.as_bytes()).collect();
    let chain = chain.map_err(|_| CertificateError::Malformed("tls.crt"))?;
    let key = PrivateKeyDer::from_pem_slice(bundle.key.expose().as_bytes())
        .map_err(|_| CertificateError::Malformed("tls.key"))?;
    CertifiedKey::from_der(chain, key, &ring::default_provider()).map_err(|_| CertificateError::Mismatch)
}

/// The server's side of TLS 1.2 and 1.3, with HTTP/2 and HTTP/1.1.
///
/// Sessions are not resumed: connections live long, and each handshake shall prove that the peer holds its key.
///
/// # Errors
/// When the TLS library refuses its own defaults.
pub fn server_config(certificate: ServingCertificate) -> Result<Arc<ServerConfig>, rustls::Error> {
    let provider = Arc::new(ring::default_provider());
    let clients = Arc::new(AnyClient::new(&provider));
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_client_cert_verifier(clients)
        .with_cert_resolver(Arc::new(certificate));
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(Arc::new(config))
}

/// Takes any client certificate whose key the client holds, or none. Whether it is trusted is decided per request (see
/// [`crate::Authenticator`]), since probes come without one and the trusted authorities change under living connections.
#[derive(Debug)]
struct AnyClient {
    algorithms: WebPkiSupportedAlgorithms,
}

impl AnyClient {
    fn new(provider: &CryptoProvider) -> AnyClient {
        AnyClient { algorithms: provider.signature_verification_algorithms }
    }
}

impl ClientCertVerifier for AnyClient {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(message, cert, dss, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(message, cert, dss, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
