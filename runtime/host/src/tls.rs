//! TLS to sources: what a query's own parameters say, on top of the roots of the machine and of the operator.
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use sha2::{Digest as _, Sha256};
use std::path::PathBuf;
use std::sync::Arc;
use windlass_core::failure::{Failure, FailureKind};
use windlass_core::query::{ResolvedTrigger, Tls};

fn invalid(message: impl Into<windlass_core::Text>) -> Failure {
    Failure::new(FailureKind::Invalid, message)
}

/// The authorities that every query trusts.
#[derive(Debug)]
pub(crate) struct Roots {
    store: RootCertStore,
    provider: Arc<CryptoProvider>,
}

impl Roots {
    /// The machine's authorities and those of the operator's folders. Files that are no PEM are skipped with a warning.
    pub(crate) fn load(folders: &[PathBuf]) -> Roots {
        let mut store = RootCertStore::empty();
        let native = rustls_native_certs::load_native_certs();
        store.add_parsable_certificates(native.certs);
        for folder in folders {
            let Ok(files) = std::fs::read_dir(folder) else {
                tracing::warn!(folder = %folder.display(), "cannot read the folder of certificate authorities");
                continue;
            };
            for file in files.flatten().map(|entry| entry.path()).filter(|path| path.is_file()) {
                match CertificateDer::pem_file_iter(&file) {
                    Ok(certificates) => {
                        store.add_parsable_certificates(certificates.flatten());
                    }
                    Err(error) => tracing::warn!(file = %file.display(), %error, "not a PEM file of authorities"),
                }
            }
        }
        Roots { store, provider: Arc::new(rustls::crypto::ring::default_provider()) }
    }

    /// The configuration of one query's connections.
    ///
    /// # Errors
    /// `Invalid`, naming the parameter whose material cannot be used; never the material.
    pub(crate) fn client(
        &self,
        tls: &Tls,
        trigger: &ResolvedTrigger,
        alpn: &[&[u8]],
    ) -> Result<Arc<ClientConfig>, Failure> {
        let builder = ClientConfig::builder_with_provider(self.provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(|error| Failure::new(FailureKind::Internal, error.to_string()))?;
        let material = |name: &Option<windlass_core::Text>| {
            name.as_ref().and_then(|name| trigger.values.get(name).map(|value| (name.clone(), value.text.expose())))
        };
        let verified = if tls.verify {
            let mut store = self.store.clone();
            if let Some((name, pem)) = material(&tls.ca) {
                let before = store.len();
                store.add_parsable_certificates(CertificateDer::pem_slice_iter(pem.as_bytes()).flatten());
                if store.len() == before {
                    return Err(invalid(format!("{name}: holds no PEM certificate")));
                }
            }
            builder.with_root_certificates(store)
        } else {
            builder.dangerous().with_custom_certificate_verifier(Arc::new(Unverified(self.provider.clone())))
        };
        let mut config = match (material(&tls.certificate), material(&tls.key)) {
            (Some((name, certificate)), Some((key_name, key))) => {
                let chain: Vec<_> = CertificateDer::pem_slice_iter(certificate.as_bytes()).flatten().collect();
                if chain.is_empty() {
                    return Err(invalid(format!("{name}: holds no PEM certificate")));
                }
                if tls.key_password.as_ref().is_some_and(|p| trigger.values.contains_key(p)) {
                    return Err(invalid(format!(
                        "{key_name}: encrypted keys are not supported; give the key without a password"
                    )));
                }
                let key = PrivateKeyDer::from_pem_slice(key.as_bytes())
                    .map_err(|_| invalid(format!("{key_name}: holds no PEM private key")))?;
                verified
                    .with_client_auth_cert(chain, key)
                    .map_err(|_| invalid(format!("{name}: does not fit {key_name}")))?
            }
            (None, None) => verified.with_no_client_auth(),
            (Some((name, _)), None) => return Err(invalid(format!("{name}: is set without its key"))),
            (None, Some((name, _))) => return Err(invalid(format!("{name}: is set without its certificate"))),
        };
        config.alpn_protocols = alpn.iter().map(|protocol| protocol.to_vec()).collect();
        Ok(Arc::new(config))
    }
}

/// A hash over the material itself: two queries may name it by one name and mean different things.
pub(crate) fn material(tls: &Tls, trigger: &ResolvedTrigger) -> [u8; 32] {
    let mut hash = Sha256::new();
    for name in [&tls.ca, &tls.certificate, &tls.key, &tls.key_password] {
        let value = name.as_ref().and_then(|name| trigger.values.get(name));
        let text = value.map_or("", |value| value.text.expose());
        hash.update([u8::from(value.is_some())]);
        hash.update((text.len() as u64).to_le_bytes());
        hash.update(text);
    }
    hash.finalize().into()
}

/// The name that the peer's certificate must carry.
pub(crate) fn server_name(tls: &Tls, host: &str) -> Result<ServerName<'static>, Failure> {
    let name = tls.server_name.as_deref().unwrap_or(host);
    let name = name.trim_start_matches('[').trim_end_matches(']');
    ServerName::try_from(name.to_owned())
        .map_err(|_| invalid(format!("{name}: not a name that a certificate can carry")))
}

/// For users who said `unsafeSsl`: any certificate will do. The connection is private, but with whom is not known.
#[derive(Debug)]
struct Unverified(Arc<CryptoProvider>);

impl ServerCertVerifier for Unverified {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
