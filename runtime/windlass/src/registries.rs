//! How registries are reached, from flags.
use anyhow::Context;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use std::path::PathBuf;
use std::time::Duration;
use windlass_oci::{Refusal, Transport, TransportOptions};

/// Connections to registries.
///
/// # Errors
/// When a certificate cannot be read, or TLS cannot be set up.
pub(crate) fn transport<'a>(
    ca_dirs: &[PathBuf],
    plain_http: impl Iterator<Item = &'a String>,
    deadline: Duration,
    refusal: Refusal,
) -> anyhow::Result<Transport> {
    Ok(Transport::new(TransportOptions {
        authorities: authorities(ca_dirs)?,
        plain_http: plain_http.map(|host| host.to_ascii_lowercase()).collect(),
        deadline,
        refusal,
    })?)
}

fn authorities(folders: &[PathBuf]) -> anyhow::Result<Vec<CertificateDer<'static>>> {
    let mut found = Vec::new();
    for folder in folders {
        for entry in std::fs::read_dir(folder).with_context(|| folder.display().to_string())? {
            let path = entry?.path();
            if path.is_file() {
                let certificates = CertificateDer::pem_file_iter(&path).with_context(|| path.display().to_string())?;
                found.extend(certificates.flatten());
            }
        }
    }
    Ok(found)
}
