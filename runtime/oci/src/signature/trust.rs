//! Whom keyless signatures go back to: the authority that certifies identities, the log that signatures were written to, and the
//! logs that certificates were written to.
use crate::key::PublicKey;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::CertificateDer;
use serde::Deserialize;

/// A `trusted_root.json` of Sigstore (media type `application/vnd.dev.sigstore.trustedroot+json`): what
/// `cosign trusted-root create` writes, or the public one. Nothing is fetched: what it holds is what counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustedRoot {
    pub(super) authorities: Vec<Authority>,
    /// Logs of signatures.
    pub(super) signatures: Vec<Log>,
    /// Logs of certificates; with none, none is wanted.
    pub(super) certificates: Vec<Log>,
}

/// Why a text is no trusted root.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TrustError {
    /// Another form.
    #[error("is no trusted_root.json of Sigstore: {0}")]
    Form(String),
    /// A part that is needed has nothing usable in it.
    #[error("names no {0}: without one no signature could be accepted")]
    Nothing(&'static str),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Authority {
    /// From the one that certifies to the root.
    pub(super) chain: Vec<CertificateDer<'static>>,
    pub(super) valid: Span,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Log {
    pub(super) id: Vec<u8>,
    pub(super) key: PublicKey,
    pub(super) valid: Span,
}

/// Seconds since 1970, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    start: i64,
    end: Option<i64>,
}

impl Span {
    pub(super) fn covers(self, second: i64) -> bool {
        self.start <= second && self.end.is_none_or(|end| second <= end)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct File {
    media_type: String,
    #[serde(default)]
    tlogs: Vec<FileLog>,
    #[serde(default)]
    certificate_authorities: Vec<FileAuthority>,
    #[serde(default)]
    ctlogs: Vec<FileLog>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FileLog {
    public_key: FileKey,
    log_id: FileId,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FileKey {
    raw_bytes: String,
    #[serde(default)]
    valid_for: FileSpan,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FileId {
    key_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FileAuthority {
    cert_chain: FileChain,
    #[serde(default)]
    valid_for: FileSpan,
}

#[derive(Deserialize)]
struct FileChain {
    certificates: Vec<FileCertificate>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FileCertificate {
    raw_bytes: String,
}

#[derive(Default, Deserialize)]
struct FileSpan {
    start: Option<String>,
    end: Option<String>,
}

fn form(why: impl ToString) -> TrustError {
    TrustError::Form(why.to_string())
}

impl TrustedRoot {
    /// Reads one.
    ///
    /// # Errors
    /// When it is of another form, or names no authority or no log whose signatures can be checked here. A key of another kind
    /// than ECDSA on P-256 is no error: it is of a log that our signatures are not in.
    pub fn parse(text: &str) -> Result<TrustedRoot, TrustError> {
        let file: File = serde_json::from_str(text).map_err(form)?;
        if !file.media_type.starts_with("application/vnd.dev.sigstore.trustedroot") {
            return Err(form("its mediaType is another"));
        }
        let authorities = file.certificate_authorities.into_iter().map(FileAuthority::checked);
        let root = TrustedRoot {
            authorities: authorities.collect::<Result<_, _>>()?,
            signatures: logs(file.tlogs)?,
            certificates: logs(file.ctlogs)?,
        };
        if root.authorities.is_empty() {
            return Err(TrustError::Nothing("certificateAuthorities"));
        }
        if root.signatures.is_empty() {
            return Err(TrustError::Nothing("tlogs with a key on P-256"));
        }
        Ok(root)
    }
}

impl FileAuthority {
    fn checked(self) -> Result<Authority, TrustError> {
        let chain = self.cert_chain.certificates.into_iter();
        let chain: Vec<_> =
            chain.map(|one| Ok(CertificateDer::from(bytes(&one.raw_bytes)?))).collect::<Result<_, TrustError>>()?;
        if chain.is_empty() {
            return Err(form("an authority without certificates"));
        }
        Ok(Authority { chain, valid: self.valid_for.checked()? })
    }
}

fn logs(files: Vec<FileLog>) -> Result<Vec<Log>, TrustError> {
    let mut logs = Vec::new();
    for file in files {
        let valid = file.public_key.valid_for.checked()?;
        let Ok(key) = PublicKey::from_der(&bytes(&file.public_key.raw_bytes)?) else { continue };
        logs.push(Log { id: bytes(&file.log_id.key_id)?, key, valid });
    }
    Ok(logs)
}

impl FileSpan {
    fn checked(self) -> Result<Span, TrustError> {
        let second = |text: String| Ok(text.parse::<jiff::Timestamp>().map_err(form)?.as_second());
        Ok(Span { start: self.start.map_or(Ok(i64::MIN), second)?, end: self.end.map(second).transpose()? })
    }
}

fn bytes(text: &str) -> Result<Vec<u8>, TrustError> {
    STANDARD.decode(text).map_err(form)
}
