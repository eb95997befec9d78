//! Keyless signatures: made with a key that lived for minutes, whose certificate names who signed and who vouched for it
//! (Fulcio), and whose use was written to a public log (Rekor). Everything that is checked came with the signature or stands in
//! the trusted root: no service is asked.
//!
//! ```text
//! entry of the log ── signed by a trusted log? ──► when
//!       │ names the signature, the payload's hash and the certificate
//!       ▼
//! certificate ── by a trusted authority, valid then, for signing code, in a log of certificates? ──► who
//!       │ its key
//!       ▼
//! signature of the payload
//! ```
use super::trust::{Authority, TrustedRoot};
use super::{Form, Signed};
use crate::Digest;
use crate::digest::hex;
use crate::key::PublicKey;
use crate::pattern::glob;
use crate::words::short;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, UnixTime};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;
use webpki::{EndEntityCert, KeyUsage, anchor_from_trusted_cert};
use x509_cert::Certificate;
use x509_cert::der::asn1::{Any, ObjectIdentifier, Utf8StringRef};
use x509_cert::der::{Decode, Encode};
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::ext::pkix::{SignedCertificateTimestamp, SignedCertificateTimestampList, SubjectAltName};
use x509_cert::ext::{Extension, Extensions};

/// `id-kp-codeSigning`, without tag and length (RFC 5280, 4.2.1.12).
const CODE_SIGNING: [u8; 8] = [0x2b, 6, 1, 5, 5, 7, 3, 3];
/// Who vouched, as text without a type (Fulcio's first form).
const ISSUER_RAW: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.57264.1.1");
/// Who vouched, as a UTF-8 string.
const ISSUER: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.57264.1.8");
/// Timestamps of logs of certificates (RFC 6962, 3.3).
const TIMESTAMPS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.11129.2.4.2");

/// What comes with a keyless signature, as stored.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub(crate) struct Evidence {
    /// PEM.
    pub(crate) certificate: String,
    /// Those between it and the root, PEM.
    #[serde(default)]
    pub(crate) chain: String,
    /// The log's entry and its signature of it, JSON; empty: none.
    #[serde(default)]
    pub(crate) bundle: String,
}

/// Who may sign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Who vouches: the URL of the OpenID Connect issuer, exactly.
    pub issuer: String,
    /// Address or URI in the certificate: `*` for any characters but a slash, `**` for any at all.
    pub subject: String,
}

/// Who signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Signer {
    pub(super) issuer: String,
    pub(super) subjects: Vec<String>,
}

impl fmt::Display for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, by the word of {}", short(&self.subjects.join(" ")), short(&self.issuer))
    }
}

impl Identity {
    pub(super) fn covers(&self, signer: &Signer) -> bool {
        self.issuer == signer.issuer && signer.subjects.iter().any(|subject| glob(&self.subject, subject))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Bundle {
    signed_entry_timestamp: String,
    payload: Entry,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    body: String,
    integrated_time: i64,
    log_index: i64,
    #[serde(rename = "logID")]
    log_id: String,
}

/// An entry of the log, of the two kinds that cosign writes.
#[derive(Deserialize)]
#[serde(tag = "kind", content = "spec")]
enum Body {
    /// Of a payload itself.
    #[serde(rename = "hashedrekord")]
    Simple { data: Data, signature: BodySignature },
    /// Of a statement in an envelope.
    #[serde(rename = "dsse", rename_all = "camelCase")]
    Statement { payload_hash: Hash, signatures: Vec<EnvelopeSignature> },
}

#[derive(Deserialize)]
struct Data {
    hash: Hash,
}

#[derive(Deserialize)]
struct EnvelopeSignature {
    signature: String,
    verifier: String,
}

impl Body {
    /// Hash of the payload, signature and certificate that the entry is about.
    fn parts(&self) -> Option<(Form, &Hash, &str, &str)> {
        match self {
            Body::Simple { data, signature } => {
                Some((Form::Simple, &data.hash, &signature.content, &signature.public_key.content))
            }
            Body::Statement { payload_hash, signatures } => {
                let [one] = signatures.as_slice() else { return None };
                Some((Form::Statement, payload_hash, &one.signature, &one.verifier))
            }
        }
    }
}

#[derive(Deserialize)]
struct Hash {
    algorithm: String,
    value: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct BodySignature {
    content: String,
    public_key: BodyKey,
}

#[derive(Deserialize)]
struct BodyKey {
    content: String,
}

/// Who signed, when everything about the signature holds; else what does not.
pub(super) fn signer(signed: &Signed, evidence: &Evidence, root: &TrustedRoot) -> Result<Signer, &'static str> {
    let leaf =
        CertificateDer::from_pem_slice(evidence.certificate.as_bytes()).map_err(|_| "its certificate is no PEM")?;
    let at = logged(signed, &leaf, &evidence.bundle, root)?;
    let between: Vec<_> = CertificateDer::pem_slice_iter(evidence.chain.as_bytes()).filter_map(Result::ok).collect();
    let issuer = certified(&leaf, &between, at, root)?;
    let certificate = Certificate::from_der(&leaf).map_err(|_| "its certificate cannot be read")?;
    if !root.certificates.is_empty() && !certificate_logged(&certificate, &issuer, at, root) {
        return Err("its certificate is in no log of certificates of the trusted root");
    }
    let key = certificate.tbs_certificate().subject_public_key_info().to_der();
    let key = key.ok().and_then(|der| PublicKey::from_der(&der).ok());
    let key = key.ok_or("its certificate's key is not ECDSA on P-256, which cosign's are")?;
    if !key.verifies(&signed.message(), &signed.signature) {
        return Err("it was not made with its certificate's key");
    }
    identity(&certificate).ok_or("its certificate names nobody, or no issuer")
}

/// When the signature was written to the log, in seconds: by the word of a log that is trusted, about this signature.
fn logged(signed: &Signed, leaf: &CertificateDer<'_>, bundle: &str, root: &TrustedRoot) -> Result<i64, &'static str> {
    if bundle.is_empty() {
        return Err("no word of a log about when it was made came with it (of the log's second version none is read)");
    }
    let bundle: Bundle = serde_json::from_str(bundle).map_err(|_| "what it holds of the log cannot be read")?;
    let entry = bundle.payload;
    let log = root.signatures.iter().find(|log| hex(&log.id) == entry.log_id);
    let log = log.ok_or("it was written to a log that the trusted root does not name")?;
    // The canonical JSON of RFC 8785: names in order, no spaces. Only what base64 and hexadecimal digits are made of is put in.
    let plain = |text: &str| text.bytes().all(|c| c.is_ascii_alphanumeric() || matches!(c, b'+' | b'/' | b'='));
    if !plain(&entry.body) || !plain(&entry.log_id) {
        return Err("what it holds of the log cannot be read");
    }
    let canonical = format!(
        r#"{{"body":"{}","integratedTime":{},"logID":"{}","logIndex":{}}}"#,
        entry.body, entry.integrated_time, entry.log_id, entry.log_index
    );
    let promise = STANDARD.decode(&bundle.signed_entry_timestamp).unwrap_or_default();
    if !log.valid.covers(entry.integrated_time) || !log.key.verifies(canonical.as_bytes(), &promise) {
        return Err("the log did not sign what it holds of it");
    }
    let body = STANDARD.decode(&entry.body).ok().and_then(|body| serde_json::from_slice::<Body>(&body).ok());
    let body = body.as_ref().and_then(Body::parts);
    let (form, hash, signature, certificate) = body.ok_or("the log's entry is of another kind")?;
    let certificate = STANDARD.decode(certificate).unwrap_or_default();
    let same = form == signed.form
        && hash.algorithm == "sha256"
        && hash.value == Digest::of(&signed.payload).hex()
        && STANDARD.decode(signature).is_ok_and(|signature| signature == signed.signature)
        && CertificateDer::from_pem_slice(&certificate).is_ok_and(|logged| logged == *leaf);
    if !same {
        return Err("the log's entry is of another signature");
    }
    Ok(entry.integrated_time)
}

/// The certificate of whoever certified the leaf, when that goes back to an authority that was trusted then.
fn certified(
    leaf: &CertificateDer<'_>,
    between: &[CertificateDer<'_>],
    at: i64,
    root: &TrustedRoot,
) -> Result<Vec<u8>, &'static str> {
    let seconds = u64::try_from(at).map_err(|_| "it was made before 1970")?;
    let then = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
    let leaf = EndEntityCert::try_from(leaf).map_err(|_| "its certificate cannot be read")?;
    let certifies = |authority: &Authority| {
        let (anchor, own) = authority.chain.split_last()?;
        let between: Vec<_> = own.iter().chain(between).cloned().collect();
        let trusted = anchor_from_trusted_cert(anchor).ok()?;
        let usage = KeyUsage::required(&CODE_SIGNING);
        let trusted = [trusted];
        let path = leaf.verify_for_usage(webpki::ALL_VERIFICATION_ALGS, &trusted, &between, then, usage, None, None);
        let path = path.ok()?;
        let issuer = path.intermediate_certificates().next().map(|certificate| certificate.der().to_vec());
        Some(issuer.unwrap_or_else(|| anchor.to_vec()))
    };
    let mut authorities = root.authorities.iter().filter(|authority| authority.valid.covers(at));
    authorities
        .find_map(certifies)
        .ok_or("no authority of the trusted root certified it for that time and for signing code")
}

/// Whether a trusted log of certificates promised to hold this one.
fn certificate_logged(certificate: &Certificate, issuer: &[u8], at: i64, root: &TrustedRoot) -> bool {
    let Ok(Some((_, list))) = certificate.tbs_certificate().get_extension::<SignedCertificateTimestampList>() else {
        return false;
    };
    let Ok(timestamps) = list.parse_timestamps() else { return false };
    let Some((to_be_signed, issuer)) = without_timestamps(certificate).zip(key_hash(issuer)) else { return false };
    timestamps.iter().filter_map(|one| one.parse_timestamp().ok()).any(|timestamp| {
        let log = root.certificates.iter().find(|log| log.id == timestamp.log_id.key_id);
        log.is_some_and(|log| {
            let text = promised(&timestamp, &issuer, &to_be_signed);
            log.valid.covers(at) && log.key.verifies(&text, timestamp.signature.signature.as_slice())
        })
    })
}

/// What a log signs of a certificate: `digitally-signed struct` of RFC 6962, 3.2.
fn promised(timestamp: &SignedCertificateTimestamp, issuer: &[u8], to_be_signed: &[u8]) -> Vec<u8> {
    let extensions = timestamp.extensions.as_slice();
    // Three bytes of length, and two: what is written out was read with such lengths.
    let [_, length @ ..] = (to_be_signed.len() as u32).to_be_bytes();
    let mut text = vec![0, 0];
    text.extend(timestamp.timestamp.to_be_bytes());
    text.extend([0, 1]);
    text.extend(issuer);
    text.extend(length);
    text.extend(to_be_signed);
    text.extend((extensions.len() as u16).to_be_bytes());
    text.extend(extensions);
    text
}

/// What was signed before the logs' timestamps were put in: the same fields, byte for byte, without that extension.
fn without_timestamps(certificate: &Certificate) -> Option<Vec<u8>> {
    let whole = certificate.tbs_certificate().to_der().ok()?;
    let mut fields = Vec::<Any>::from_der(&whole).ok()?;
    let last = fields.last_mut()?;
    let mut extensions = Extensions::from_der(last.value()).ok()?;
    extensions.retain(|extension: &Extension| extension.extn_id != TIMESTAMPS);
    *last = Any::new(x509_cert::der::Tagged::tag(last), extensions.to_der().ok()?).ok()?;
    fields.to_der().ok()
}

fn key_hash(certificate: &[u8]) -> Option<[u8; 32]> {
    let certificate = Certificate::from_der(certificate).ok()?;
    Some(Digest::of(&certificate.tbs_certificate().subject_public_key_info().to_der().ok()?).bytes())
}

fn identity(certificate: &Certificate) -> Option<Signer> {
    let fields = certificate.tbs_certificate();
    let (_, names) = fields.get_extension::<SubjectAltName>().ok()??;
    let named = |name: &GeneralName| match name {
        GeneralName::Rfc822Name(address) => Some(address.as_str().to_owned()),
        GeneralName::UniformResourceIdentifier(uri) => Some(uri.as_str().to_owned()),
        _ => None,
    };
    let subjects: Vec<String> = names.0.iter().filter_map(named).collect();
    let value = |id| fields.extensions()?.iter().find(|one| one.extn_id == id).map(|one| one.extn_value.as_bytes());
    let typed = |der| Some(Utf8StringRef::from_der(der).ok()?.as_str().to_owned());
    let raw = |bytes: &[u8]| Some(std::str::from_utf8(bytes).ok()?.to_owned());
    let issuer = value(ISSUER).and_then(typed).or_else(|| value(ISSUER_RAW).and_then(raw))?;
    Some(Signer { issuer, subjects }).filter(|signer| !signer.subjects.is_empty())
}
