//! Our own certificate authority and serving certificate, as the Secret that holds them.
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rcgen::string::Ia5String;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, SanType,
};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;
use thiserror::Error;
use windlass_core::{Secret, Wall};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// How long certificates are valid and how early they are replaced; the defaults are KEDA's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// Of the authority.
    pub authority: Duration,
    /// Of the serving certificate.
    pub serving: Duration,
    /// What ends within this time is replaced.
    pub look_ahead: Duration,
}

impl Default for Validity {
    fn default() -> Validity {
        Validity { authority: 3650 * DAY, serving: 365 * DAY, look_ahead: 90 * DAY }
    }
}

/// Why certificates cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CertificateError {
    /// The Secret lacks a key.
    #[error("the certificate Secret has no {0}")]
    Missing(&'static str),
    /// What is under this key of the Secret is not PEM of the right kind.
    #[error("{0} of the certificate Secret is malformed")]
    Malformed(&'static str),
    /// The private key is not that of the certificate.
    #[error("tls.key of the certificate Secret does not belong to its tls.crt")]
    Mismatch,
    /// A certificate could not be made, for instance for a name that none can have.
    #[error("cannot make a certificate: {0}")]
    Generate(String),
}

impl From<rcgen::Error> for CertificateError {
    fn from(error: rcgen::Error) -> CertificateError {
        CertificateError::Generate(error.to_string())
    }
}

/// An authority with the serving certificate that it signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bundle {
    /// What clients shall trust, PEM: the authority in use, then former ones that have not ended. This is the APIService's
    /// `caBundle`.
    pub ca_pem: String,
    /// Key of the authority in use, PEM.
    pub ca_key: Secret,
    /// The serving certificate, PEM.
    pub cert_pem: String,
    /// Its key, PEM.
    pub key: Secret,
}

impl Bundle {
    /// The keys of the Secret's data: those that KEDA's have.
    pub const SECRET_KEYS: [&'static str; 4] = ["ca.crt", "ca.key", "tls.crt", "tls.key"];

    /// Makes an authority and a certificate for the given DNS names or IP addresses.
    ///
    /// # Errors
    /// When a name can stand in no certificate.
    pub fn generate(names: &[String], validity: Validity, now: Wall) -> Result<Bundle, CertificateError> {
        let ca_key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let ca = authority(&ca_key, validity, now)?;
        Bundle::sign(ca.clone(), ca, ca_key, names, validity, now)
    }

    /// Signs a serving certificate by the authority `ca`, of which `ca_pem` is the first.
    fn sign(
        ca: String,
        ca_pem: String,
        ca_key: KeyPair,
        names: &[String],
        validity: Validity,
        now: Wall,
    ) -> Result<Bundle, CertificateError> {
        let ca_key_pem = Secret::new(ca_key.serialize_pem());
        let issuer = Issuer::from_ca_cert_pem(&ca, ca_key)?;
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let certificate = serving(names, validity, now)?.signed_by(&key, &issuer)?;
        Ok(Bundle { ca_pem, ca_key: ca_key_pem, cert_pem: certificate.pem(), key: Secret::new(key.serialize_pem()) })
    }

    /// Whether the authority or the certificate ends within the look-ahead, or the certificate lacks one of `names`.
    ///
    /// # Errors
    /// When a certificate cannot be read.
    pub fn needs_rotation(&self, names: &[String], validity: Validity, now: Wall) -> Result<bool, CertificateError> {
        let horizon = now + validity.look_ahead;
        let authority_ends = ends(first(&self.ca_pem, "ca.crt")?.as_ref(), "ca.crt")?;
        let serving = first(&self.cert_pem, "tls.crt")?;
        let covered = covers(&serving, names)?;
        Ok(authority_ends <= horizon || ends(&serving, "tls.crt")? <= horizon || !covered)
    }

    /// A bundle with a new serving certificate. The authority stays while it outlives the new certificate by the look-ahead;
    /// else a new one is made, and `ca_pem` carries both.
    ///
    /// The order for the caller: store the new bundle, patch the APIService with its `ca_pem`, and only then show the new
    /// certificate ([`crate::ServingCertificate::replace`]); so a client never meets a certificate that it cannot verify.
    ///
    /// # Errors
    /// When the old bundle cannot be read or a name can stand in no certificate.
    pub fn rotate(&self, names: &[String], validity: Validity, now: Wall) -> Result<Bundle, CertificateError> {
        let current = first(&self.ca_pem, "ca.crt")?;
        if ends(&current, "ca.crt")? > now + validity.serving + validity.look_ahead {
            let ca_key = KeyPair::from_pem(self.ca_key.expose()).map_err(|_| CertificateError::Malformed("ca.key"))?;
            let ca = pem(&current);
            return Bundle::sign(ca, self.ca_pem.clone(), ca_key, names, validity, now);
        }
        let ca_key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let ca = authority(&ca_key, validity, now)?;
        let mut ca_pem = ca.clone();
        for former in certificates(&self.ca_pem, "ca.crt")? {
            if ends(&former, "ca.crt")? > now {
                ca_pem.push_str(&pem(&former));
            }
        }
        Bundle::sign(ca, ca_pem, ca_key, names, validity, now)
    }

    /// Reads the data of the Secret and checks that it can serve.
    ///
    /// # Errors
    /// When something is missing, malformed, or does not belong together.
    pub fn from_secret(data: &BTreeMap<String, Vec<u8>>) -> Result<Bundle, CertificateError> {
        let text = |name: &'static str| {
            let bytes = data.get(name).filter(|bytes| !bytes.is_empty()).ok_or(CertificateError::Missing(name))?;
            String::from_utf8(bytes.clone()).map_err(|_| CertificateError::Malformed(name))
        };
        let [ca, ca_key, cert, key] = Bundle::SECRET_KEYS;
        let bundle = Bundle {
            ca_pem: text(ca)?,
            ca_key: Secret::new(text(ca_key)?),
            cert_pem: text(cert)?,
            key: Secret::new(text(key)?),
        };
        first(&bundle.ca_pem, "ca.crt")?;
        KeyPair::from_pem(bundle.ca_key.expose()).map_err(|_| CertificateError::Malformed("ca.key"))?;
        crate::ServingCertificate::new(&bundle)?;
        Ok(bundle)
    }

    /// The data of the Secret.
    pub fn to_secret(&self) -> BTreeMap<String, Vec<u8>> {
        let texts = [self.ca_pem.as_str(), self.ca_key.expose(), &self.cert_pem, self.key.expose()];
        Bundle::SECRET_KEYS.iter().zip(texts).map(|(name, text)| (name.to_string(), text.as_bytes().to_vec())).collect()
    }

    /// When the serving certificate ends.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn ends(&self) -> Result<Wall, CertificateError> {
        ends(&first(&self.cert_pem, "tls.crt")?, "tls.crt")
    }
}

fn authority(key: &KeyPair, validity: Validity, now: Wall) -> Result<String, CertificateError> {
    let mut params = CertificateParams::default();
    // Every authority has a name of its own, so that verifiers do not try one's key on another's signature.
    params.distinguished_name = named(&format!("windlass-ca-{}", now.0));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
    set_validity(&mut params, now, validity.authority);
    Ok(params.self_signed(key)?.pem())
}

fn serving(names: &[String], validity: Validity, now: Wall) -> Result<CertificateParams, CertificateError> {
    let mut params = CertificateParams::default();
    params.distinguished_name = named("windlass-metrics-apiserver");
    params.subject_alt_names = names
        .iter()
        .map(|name| match name.parse::<IpAddr>() {
            Ok(address) => Ok(SanType::IpAddress(address)),
            Err(_) => Ia5String::try_from(name.as_str()).map(SanType::DnsName),
        })
        .collect::<Result<_, _>>()?;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    set_validity(&mut params, now, validity.serving);
    Ok(params)
}

fn named(name: &str) -> DistinguishedName {
    let mut names = DistinguishedName::new();
    names.push(DnType::OrganizationName, "windlass");
    names.push(DnType::CommonName, name);
    names
}

/// Valid from an hour ago, so that clocks may differ.
fn set_validity(params: &mut CertificateParams, now: Wall, lasts: Duration) {
    let now = rcgen::date_time_ymd(1970, 1, 1) + Duration::from_millis(u64::try_from(now.0).unwrap_or(0));
    params.not_before = now - Duration::from_secs(60 * 60);
    params.not_after = now + lasts;
}

fn certificates(pem: &str, name: &'static str) -> Result<Vec<CertificateDer<'static>>, CertificateError> {
    CertificateDer::pem_slice_iter(pem.as_bytes())
        .collect::<Result<_, _>>()
        .map_err(|_| CertificateError::Malformed(name))
}

fn first(pem: &str, name: &'static str) -> Result<CertificateDer<'static>, CertificateError> {
    certificates(pem, name)?.into_iter().next().ok_or(CertificateError::Malformed(name))
}

fn parse<'a>(der: &'a [u8], name: &'static str) -> Result<X509Certificate<'a>, CertificateError> {
    x509_parser::parse_x509_certificate(der).map(|(_, parsed)| parsed).map_err(|_| CertificateError::Malformed(name))
}

fn ends(der: &[u8], name: &'static str) -> Result<Wall, CertificateError> {
    Ok(Wall(parse(der, name)?.validity().not_after.timestamp().saturating_mul(1000)))
}

fn covers(der: &[u8], names: &[String]) -> Result<bool, CertificateError> {
    let parsed = parse(der, "tls.crt")?;
    let extension = parsed.subject_alternative_name().map_err(|_| CertificateError::Malformed("tls.crt"))?;
    let held = extension.map(|extension| &extension.value.general_names[..]).unwrap_or_default();
    Ok(names.iter().all(|name| {
        held.iter().any(|held| match (held, name.parse::<IpAddr>()) {
            (GeneralName::DNSName(held), Err(_)) => held.eq_ignore_ascii_case(name),
            (GeneralName::IPAddress(held), Ok(IpAddr::V4(wanted))) => *held == wanted.octets(),
            (GeneralName::IPAddress(held), Ok(IpAddr::V6(wanted))) => *held == wanted.octets(),
            _ => false,
        })
    }))
}

/// Lines of 64 characters, as PEM wants them.
fn pem(der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let mut pem = String::from("-----BEGIN CERTIFICATE-----\n");
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let (line, tail) = rest.split_at(rest.len().min(64));
        pem.push_str(line);
        pem.push('\n');
        rest = tail;
    }
    pem.push_str("-----END CERTIFICATE-----\n");
    pem
}
