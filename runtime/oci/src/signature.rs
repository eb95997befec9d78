//! Signatures as cosign stores them: "simple signing" payloads as layers of an artifact beside the signed one, under the tag
//! `sha256-<digits>.sig`.
use crate::artifact::{Descriptor, Manifest};
use crate::key::{PrivateKey, PublicKey};
use crate::registry::Repository;
use crate::{Digest, Fault, Reference};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

const PAYLOAD_TYPE: &str = "application/vnd.dev.cosign.simplesigning.v1+json";
const SIGNATURE: &str = "dev.cosignproject.cosign/signature";
const TYPE: &str = "cosign container image signature";
/// So many signatures of one artifact are looked at.
const MOST: usize = 16;
const PAYLOAD_LIMIT: u64 = 64 * 1024;

/// One signature and what it signs, as stored; nothing about it is checked yet.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub(crate) struct Signed {
    #[serde(with = "base64_text")]
    pub(crate) payload: Vec<u8>,
    #[serde(with = "base64_text")]
    pub(crate) signature: Vec<u8>,
}

/// What a component must be signed by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirement {
    /// Any one of these.
    pub keys: Vec<PublicKey>,
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
    identity: Identity,
    image: Image,
    r#type: String,
}

#[derive(Deserialize, Serialize)]
struct Identity {
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

/// Whether one of the signatures is by one of the keys and of this manifest.
///
/// # Errors
/// `Unsigned`, `WrongKey` or `OtherContent`.
pub(crate) fn check(signatures: &[Signed], manifest: Digest, requirement: &Requirement) -> Result<(), Fault> {
    if signatures.is_empty() {
        return Err(Fault::Unsigned { required: requirement.wanted.clone() });
    }
    let mut other = None;
    for signed in signatures {
        if !requirement.keys.iter().any(|key| key.verifies(&signed.payload, &signed.signature)) {
            continue;
        }
        // Now it is what the key's owner wrote.
        match serde_json::from_slice::<Payload>(&signed.payload) {
            Ok(payload) if payload.critical.r#type != TYPE => {
                other = Some(crate::words::short(&payload.critical.r#type))
            }
            Ok(payload) if payload.critical.image.digest.parse() == Ok(manifest) => return Ok(()),
            Ok(payload) => other = Some(crate::words::short(&payload.critical.image.digest)),
            Err(_) => other = Some("no payload of cosign".to_owned()),
        }
    }
    Err(match other {
        Some(signed) => Fault::OtherContent { signed },
        None => Fault::WrongKey { count: signatures.len(), required: requirement.wanted.clone() },
    })
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
        signatures.push(Signed { payload: payload.to_vec(), signature });
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
            identity: Identity { reference: reference.name() },
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

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> PrivateKey {
        PrivateKey::from_pem(&PrivateKey::generate().unwrap()).unwrap()
    }

    fn signed(key: &PrivateKey, payload: Vec<u8>) -> Signed {
        let signature = key.sign(&payload).unwrap();
        Signed { payload, signature }
    }

    #[test]
    fn each_way_of_being_wrong_has_its_own_error() {
        let reference = "oci://registry.example/q".parse().unwrap();
        let (ours, theirs, manifest) = (key(), key(), Digest::of(b"manifest"));
        let requirement = Requirement { keys: vec![ours.public()], wanted: "the policy wants it".to_owned() };
        let good = signed(&ours, payload(&reference, manifest).unwrap());
        let by_other = signed(&theirs, payload(&reference, manifest).unwrap());
        let of_other = signed(&ours, payload(&reference, Digest::of(b"other")).unwrap());
        let tampered = Signed { payload: payload(&reference, manifest).unwrap(), ..of_other.clone() };
        let words = signed(&ours, b"{}".to_vec());
        let check = |signatures: &[&Signed]| {
            check(&signatures.iter().map(|one| (*one).clone()).collect::<Vec<_>>(), manifest, &requirement)
        };
        assert_eq!(check(&[&good]), Ok(()));
        assert_eq!(check(&[&by_other, &of_other, &tampered, &good]), Ok(()));
        assert!(matches!(check(&[]), Err(Fault::Unsigned { .. })));
        assert!(matches!(check(&[&by_other, &tampered]), Err(Fault::WrongKey { count: 2, .. })));
        assert!(matches!(check(&[&by_other, &of_other]), Err(Fault::OtherContent { .. })));
        assert!(matches!(check(&[&words]), Err(Fault::OtherContent { .. })));
    }

    #[test]
    fn the_payload_is_cosigns() {
        let text = payload(&"oci://registry.example/acme/q:1".parse().unwrap(), Digest::of(b"")).unwrap();
        let expected = concat!(
            r#"{"critical":{"identity":{"docker-reference":"registry.example/acme/q"},"#,
            r#""image":{"docker-manifest-digest":"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},"#,
            r#""type":"cosign container image signature"},"optional":null}"#
        );
        assert_eq!(String::from_utf8(text).unwrap(), expected);
    }
}
