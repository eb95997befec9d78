//! Signatures as cosign 3 stores them: a bundle of Sigstore (media type `application/vnd.dev.sigstore.bundle.v0.3+json`) in an
//! artifact that refers to the signed one. It is read into the same parts that the older form has.
use super::keyless::Evidence;
use super::{Form, Signed};
use crate::key;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde::de::IgnoredAny;

/// Media type of a bundle, but for its version.
pub(super) const TYPE: &str = "application/vnd.dev.sigstore.bundle";
/// Type of the payload that is read: a statement of in-toto.
pub(super) const STATEMENT: &str = "application/vnd.in-toto+json";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Bundle {
    verification_material: Material,
    dsse_envelope: Envelope,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Material {
    certificate: Option<Certificate>,
    #[serde(default)]
    x509_certificate_chain: Option<Chain>,
    #[serde(default)]
    tlog_entries: Vec<Entry>,
}

#[derive(Deserialize)]
struct Chain {
    certificates: Vec<Certificate>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Certificate {
    raw_bytes: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    log_index: Number,
    log_id: Id,
    #[serde(default)]
    integrated_time: Number,
    inclusion_promise: Option<Promise>,
    canonicalized_body: String,
    #[serde(rename = "kindVersion")]
    _kind: IgnoredAny,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Id {
    key_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Promise {
    signed_entry_timestamp: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope {
    payload: String,
    payload_type: String,
    signatures: Vec<Signature>,
}

#[derive(Deserialize)]
struct Signature {
    sig: String,
}

/// A 64-bit number, which the JSON of protocol buffers writes as a text.
#[derive(Default, Deserialize)]
#[serde(untagged)]
enum Number {
    Text(String),
    Number(i64),
    #[default]
    None,
}

impl Number {
    fn value(&self) -> Option<i64> {
        match self {
            Number::Text(text) => text.parse().ok(),
            Number::Number(number) => Some(*number),
            Number::None => None,
        }
    }
}

/// The signature in a bundle; `None`: it is of another form, and its neighbour may be one.
pub(super) fn read(bytes: &[u8]) -> Option<Signed> {
    let Bundle { verification_material, dsse_envelope } = serde_json::from_slice(bytes).ok()?;
    let [signature] = dsse_envelope.signatures.as_slice() else { return None };
    if dsse_envelope.payload_type != STATEMENT {
        return None;
    }
    let leaf = verification_material.certificate.as_ref();
    let chain = verification_material.x509_certificate_chain.iter().flat_map(|chain| &chain.certificates);
    let mut certificates = leaf.into_iter().chain(chain);
    let pem = |certificate: &Certificate| Some(key::pem("CERTIFICATE", &STANDARD.decode(&certificate.raw_bytes).ok()?));
    let evidence = match certificates.next() {
        None => None,
        Some(leaf) => Some(Evidence {
            certificate: pem(leaf)?,
            chain: certificates.filter_map(pem).collect(),
            bundle: verification_material.tlog_entries.first().and_then(promised).unwrap_or_default(),
        }),
    };
    Some(Signed {
        form: Form::Statement,
        payload: STANDARD.decode(&dsse_envelope.payload).ok()?,
        signature: STANDARD.decode(&signature.sig).ok()?,
        evidence,
    })
}

/// An entry of the log with the log's word for it, in the older form; `None`: the log gave none, as its second version does not.
fn promised(entry: &Entry) -> Option<String> {
    let id = STANDARD.decode(&entry.log_id.key_id).ok()?;
    let told = serde_json::json!({
        "SignedEntryTimestamp": entry.inclusion_promise.as_ref()?.signed_entry_timestamp,
        "Payload": {
            "body": entry.canonicalized_body,
            "integratedTime": entry.integrated_time.value()?,
            "logIndex": entry.log_index.value()?,
            "logID": crate::digest::hex(&id),
        },
    });
    Some(told.to_string())
}
