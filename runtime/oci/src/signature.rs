//! Signatures as cosign stores them: "simple signing" payloads as layers of an artifact beside the signed one, under the tag
//! `sha256-<digits>.sig`; or bundles, in artifacts that refer to it.
mod bundle;
mod keyless;
#[cfg(test)]
mod tests;
mod trust;

pub use keyless::Identity;
pub use trust::{TrustError, TrustedRoot};

use crate::artifact::{Descriptor, Manifest};
use crate::key::{PrivateKey, PublicKey};
use crate::registry::Repository;
use crate::{Digest, Fault, Reference};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use keyless::Evidence;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

const PAYLOAD_TYPE: &str = "application/vnd.dev.cosign.simplesigning.v1+json";
const SIGNATURE: &str = "dev.cosignproject.cosign/signature";
const CERTIFICATE: &str = "dev.sigstore.cosign/certificate";
const CHAIN: &str = "dev.sigstore.cosign/chain";
const BUNDLE: &str = "dev.sigstore.cosign/bundle";
const TYPE: &str = "cosign container image signature";
/// What a statement says of its subject: it is signed.
const SIGNED: &str = "https://sigstore.dev/cosign/sign/v1";
/// So many signatures of one artifact are looked at.
const MOST: usize = 16;
const PAYLOAD_LIMIT: u64 = 64 * 1024;

/// One signature and what it signs, as stored; nothing about it is checked yet.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub(crate) struct Signed {
    #[serde(default)]
    pub(crate) form: Form,
    #[serde(with = "base64_text")]
    pub(crate) payload: Vec<u8>,
    #[serde(with = "base64_text")]
    pub(crate) signature: Vec<u8>,
    /// Of a keyless one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) evidence: Option<Evidence>,
}

/// What is signed, and how it says so.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Form {
    /// The payload itself, "simple signing".
    #[default]
    Simple,
    /// A statement of in-toto, in an envelope (DSSE).
    Statement,
}

/// A statement of in-toto, as far as it says what is signed.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Statement {
    subject: Vec<Subject>,
    predicate_type: String,
}

#[derive(Deserialize)]
struct Subject {
    digest: BTreeMap<String, String>,
}

/// What a component must be signed by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirement {
    /// Any one of these,
    pub keys: Vec<PublicKey>,
    /// or of these,
    pub identities: Vec<Identity>,
    /// by the word of what this names. With none, no identity is believed.
    pub trusted: Option<Arc<TrustedRoot>>,
    /// Who wants it, for messages: `the policy's repositories[0].signedBy wants a signature by acme`.
    pub wanted: String,
}

#[derive(Deserialize, Serialize)]
struct Payload {
    critical: Critical,
    optional: Option<serde_json::Value>,
}

#[derive(Deserialize, Serialize)]
struct Critical {
    identity: Named,
    image: Image,
    r#type: String,
}

#[derive(Deserialize, Serialize)]
struct Named {
    #[serde(rename = "docker-reference")]
    reference: String,
}

#[derive(Deserialize, Serialize)]
struct Image {
    #[serde(rename = "docker-manifest-digest")]
    digest: String,
}

/// The tag of the signatures of a manifest.
pub(crate) fn tag(manifest: Digest) -> String {
    format!("sha256-{}.sig", manifest.hex())
}

/// Whether one of the signatures is by one of the keys or identities and of this manifest.
///
/// # Errors
/// `Unsigned`, `WrongKey`, `WrongIdentity`, `Unproven` or `OtherContent`.
pub(crate) fn check(signatures: &[Signed], manifest: Digest, requirement: &Requirement) -> Result<(), Fault> {
    if signatures.is_empty() {
        return Err(Fault::Unsigned { required: requirement.wanted.clone() });
    }
    // Of several reasons the one that is nearest to a good signature is told.
    let (mut moved, mut other) = (None, None);
    for signed in signatures {
        if let Err(fault) = requirement.accepts(signed) {
            other = other.or(fault);
            continue;
        }
        // Now it is what the key's owner wrote.
        match signed.of(manifest) {
            Ok(()) => return Ok(()),
            Err(what) => moved = Some(crate::words::short(&what)),
        }
    }
    Err(match (moved, other) {
        (Some(signed), _) => Fault::OtherContent { signed },
        (None, Some(fault)) => fault,
        (None, None) => Fault::WrongKey { count: signatures.len(), required: requirement.wanted.clone() },
    })
}

impl Signed {
    /// What the signature is of, byte for byte: for an envelope its pre-authentication encoding.
    fn message(&self) -> Vec<u8> {
        match self.form {
            Form::Simple => self.payload.clone(),
            Form::Statement => {
                let kind = bundle::STATEMENT;
                let head = format!("DSSEv1 {} {kind} {} ", kind.len(), self.payload.len());
                [head.as_bytes(), &self.payload].concat()
            }
        }
    }

    /// Whether it is of a manifest; if not, of what.
    fn of(&self, manifest: Digest) -> Result<(), String> {
        let signed = match self.form {
            Form::Simple => {
                let Payload { critical, .. } =
                    serde_json::from_slice(&self.payload).map_err(|_| "no payload of cosign".to_owned())?;
                if critical.r#type != TYPE {
                    return Err(critical.r#type);
                }
                vec![critical.image.digest]
            }
            Form::Statement => {
                let statement: Statement =
                    serde_json::from_slice(&self.payload).map_err(|_| "no statement of in-toto".to_owned())?;
                if statement.predicate_type != SIGNED {
                    return Err(statement.predicate_type);
                }
                let digest = |subject: &Subject| Some(format!("sha256:{}", subject.digest.get("sha256")?));
                statement.subject.iter().filter_map(digest).collect()
            }
        };
        if signed.iter().any(|digest| digest.parse() == Ok(manifest)) { Ok(()) } else { Err(signed.join(" ")) }
    }
}

impl Requirement {
    /// Wants a signature by nobody yet: the words say who wants it, and by whom.
    pub fn wanted(words: impl Into<String>) -> Requirement {
        Requirement { keys: Vec::new(), identities: Vec::new(), trusted: None, wanted: words.into() }
    }

    /// Whether a signature is by whom it has to be; if it is keyless and not, why.
    fn accepts(&self, signed: &Signed) -> Result<(), Option<Fault>> {
        let message = signed.message();
        if self.keys.iter().any(|key| key.verifies(&message, &signed.signature)) {
            return Ok(());
        }
        let (Some(evidence), Some(trusted)) = (&signed.evidence, &self.trusted) else { return Err(None) };
        if self.identities.is_empty() {
            return Err(None);
        }
        let required = || self.wanted.clone();
        match keyless::signer(signed, evidence, trusted) {
            Err(why) => Err(Some(Fault::Unproven { why, required: required() })),
            Ok(signer) if self.identities.iter().any(|identity| identity.covers(&signer)) => Ok(()),
            Ok(signer) => Err(Some(Fault::WrongIdentity { found: signer.to_string(), required: required() })),
        }
    }
}

/// The signatures of a manifest that its repository holds.
pub(crate) async fn fetch(repository: &Repository, manifest: Digest) -> Result<Vec<Signed>, Fault> {
    let mut signatures = Vec::new();
    let Some(stored) = stored(repository, manifest).await? else { return Ok(signatures) };
    for layer in stored.layers.iter().filter(|layer| layer.media_type == PAYLOAD_TYPE).take(MOST) {
        let Some(signature) = layer.annotations.get(SIGNATURE) else { continue };
        // One that is no base64 is no signature, and its neighbour may be one.
        let Ok(signature) = STANDARD.decode(signature) else { continue };
        let payload = repository.blob(layer.sha256()?, "signature", PAYLOAD_LIMIT).await?;
        let text = |name| layer.annotations.get(name).cloned();
        let evidence = text(CERTIFICATE).map(|certificate| {
            let (chain, bundle) = (text(CHAIN).unwrap_or_default(), text(BUNDLE).unwrap_or_default());
            Evidence { certificate, chain, bundle }
        });
        signatures.push(Signed { form: Form::Simple, payload: payload.to_vec(), signature, evidence });
    }
    Ok(signatures)
}

/// The bundles of a manifest that its repository holds.
pub(crate) async fn fetch_bundles(repository: &Repository, manifest: Digest) -> Result<Vec<Signed>, Fault> {
    let mut signatures = Vec::new();
    for referrer in repository.referrers(manifest, bundle::TYPE, MOST).await? {
        let (_, bytes) = repository.manifest(&repository.reference().pinned(referrer)).await?;
        let stored = Manifest::read(&bytes)?;
        for layer in stored.layers.iter().filter(|layer| layer.media_type.starts_with(bundle::TYPE)).take(1) {
            let bytes = repository.blob(layer.sha256()?, "signature", PAYLOAD_LIMIT).await?;
            signatures.extend(bundle::read(&bytes));
        }
    }
    Ok(signatures)
}

/// Signs a manifest: one more layer in its artifact of signatures.
pub(crate) async fn add(repository: &Repository, manifest: Digest, key: &PrivateKey) -> Result<(), Fault> {
    let payload = payload(repository.reference(), manifest)?;
    let signature = key.sign(&payload).map_err(|error| Fault::File(error.to_string()))?;
    let mut layers = stored(repository, manifest).await?.map(|stored| stored.layers).unwrap_or_default();
    let mut layer = Descriptor::of(PAYLOAD_TYPE, &payload);
    layer.annotations.insert(SIGNATURE.to_owned(), STANDARD.encode(signature));
    layers.push(layer);
    let digests: Vec<&str> = layers.iter().map(|layer| layer.digest.as_str()).collect();
    // The image configuration that cosign writes, byte for byte but for the digests.
    let config = serde_json::json!({
        "architecture": "", "created": "0001-01-01T00:00:00Z", "history": vec![serde_json::json!({ "created": "0001-01-01T00:00:00Z" }); layers.len()],
        "os": "", "rootfs": { "type": "layers", "diff_ids": digests }, "config": {},
    });
    let config = json(&config)?;
    let artifact =
        Manifest::new(Descriptor::of("application/vnd.oci.image.config.v1+json", &config), layers, BTreeMap::new());
    repository.put_blob(payload.into()).await?;
    repository.put_blob(config.into()).await?;
    let to = repository.reference().tagged(tag(manifest));
    repository.put_manifest(&to, json(&artifact)?.into()).await?;
    Ok(())
}

async fn stored(repository: &Repository, manifest: Digest) -> Result<Option<Manifest>, Fault> {
    match repository.manifest(&repository.reference().tagged(tag(manifest))).await {
        Ok((_, bytes)) => Manifest::read(&bytes).map(Some),
        Err(Fault::NotFound { .. }) => Ok(None),
        Err(fault) => Err(fault),
    }
}

fn payload(reference: &Reference, manifest: Digest) -> Result<Vec<u8>, Fault> {
    json(&Payload {
        critical: Critical {
            identity: Named { reference: reference.name() },
            image: Image { digest: manifest.to_string() },
            r#type: TYPE.to_owned(),
        },
        optional: None,
    })
}

fn json(value: &impl Serialize) -> Result<Vec<u8>, Fault> {
    serde_json::to_vec(value).map_err(|error| Fault::File(error.to_string()))
}

/// Bytes as base64 in JSON.
mod base64_text {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        STANDARD.decode(String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}
