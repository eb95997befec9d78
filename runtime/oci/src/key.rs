//! Keys of signatures: ECDSA on P-256 with SHA-256, in the PEM forms of openssl and cosign.
use base64::Engine as _;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair, UnparsedPublicKey,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{PrivatePkcs8KeyDer, SubjectPublicKeyInfoDer};
use std::fmt;

/// What stands before the point in the DER of a P-256 public key (RFC 5480): the algorithm and its curve.
const P256: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce,
    0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];

/// Why a text is no key. The text is not repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// No public key in it.
    #[error("holds no public key in PEM (-----BEGIN PUBLIC KEY-----): cosign.pub, or `openssl ec -in KEY -pubout`")]
    NoPublicKey,
    /// Another algorithm.
    #[error("is not an ECDSA key on the curve P-256, which cosign's are")]
    OtherAlgorithm,
    /// No private key in it.
    #[error("holds no private key in PEM (-----BEGIN PRIVATE KEY-----): `windlass scaler keygen` makes one")]
    NoPrivateKey,
    /// The older form of openssl.
    #[error("is an EC PRIVATE KEY: convert it by `openssl pkcs8 -topk8 -nocrypt -in KEY -out NEW`")]
    Sec1,
    /// A key with a password, as `cosign generate-key-pair` makes.
    #[error("is encrypted: sign with `cosign sign --key` instead, or use a key without a password from a secret store")]
    Encrypted,
    /// The system gave no randomness.
    #[error("the system gave no randomness")]
    NoRandomness,
}

/// A key that verifies.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey {
    point: Vec<u8>,
}

/// A key that signs.
pub struct PrivateKey {
    pair: EcdsaKeyPair,
}

impl PublicKey {
    /// Reads a PEM public key.
    ///
    /// # Errors
    /// When it is none on P-256.
    pub fn from_pem(pem: &str) -> Result<PublicKey, KeyError> {
        let der = SubjectPublicKeyInfoDer::from_pem_slice(pem.as_bytes()).map_err(|_| KeyError::NoPublicKey)?;
        PublicKey::from_der(&der)
    }

    /// Reads a `SubjectPublicKeyInfo`.
    ///
    /// # Errors
    /// When it is none on P-256.
    pub fn from_der(der: &[u8]) -> Result<PublicKey, KeyError> {
        let point = der.strip_prefix(&P256).filter(|point| point.len() == 65 && point.first() == Some(&4));
        Ok(PublicKey { point: point.ok_or(KeyError::OtherAlgorithm)?.to_vec() })
    }

    /// The key as PEM.
    pub fn to_pem(&self) -> String {
        pem("PUBLIC KEY", &[&P256, self.point.as_slice()].concat())
    }

    /// Whether this key made the signature (ASN.1) of the message.
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, &self.point).verify(message, signature).is_ok()
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", crate::Digest::of(&self.point))
    }
}

impl PrivateKey {
    /// Reads a PEM private key in PKCS#8 without a password.
    ///
    /// # Errors
    /// When it is none, or in a form that we do not read; the text says how to convert it.
    pub fn from_pem(pem: &str) -> Result<PrivateKey, KeyError> {
        if pem.contains("ENCRYPTED") {
            return Err(KeyError::Encrypted);
        }
        if pem.contains("BEGIN EC PRIVATE KEY") {
            return Err(KeyError::Sec1);
        }
        let der = PrivatePkcs8KeyDer::from_pem_slice(pem.as_bytes()).map_err(|_| KeyError::NoPrivateKey)?;
        let pair =
            EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, der.secret_pkcs8_der(), &SystemRandom::new());
        Ok(PrivateKey { pair: pair.map_err(|_| KeyError::OtherAlgorithm)? })
    }

    /// A new key, as PEM.
    ///
    /// # Errors
    /// When the system gives no randomness.
    pub fn generate() -> Result<String, KeyError> {
        let der = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &SystemRandom::new());
        Ok(pem("PRIVATE KEY", der.map_err(|_| KeyError::NoRandomness)?.as_ref()))
    }

    /// The other half.
    pub fn public(&self) -> PublicKey {
        PublicKey { point: self.pair.public_key().as_ref().to_vec() }
    }

    /// Signs a message: ASN.1.
    ///
    /// # Errors
    /// When the system gives no randomness.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        let signature = self.pair.sign(&SystemRandom::new(), message).map_err(|_| KeyError::NoRandomness)?;
        Ok(signature.as_ref().to_vec())
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PrivateKey of {:?}", self.public())
    }
}

pub(crate) fn pem(label: &str, der: &[u8]) -> String {
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    let lines: Vec<&str> = text.as_bytes().chunks(64).filter_map(|line| std::str::from_utf8(line).ok()).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_signs_and_its_other_half_alone_verifies() {
        let key = PrivateKey::from_pem(&PrivateKey::generate().unwrap()).unwrap();
        let other = PrivateKey::from_pem(&PrivateKey::generate().unwrap()).unwrap();
        let signature = key.sign(b"payload").unwrap();
        let public = PublicKey::from_pem(&key.public().to_pem()).unwrap();
        assert!(public.verifies(b"payload", &signature));
        assert!(!public.verifies(b"Payload", &signature) && !other.public().verifies(b"payload", &signature));
        assert!(!public.verifies(b"payload", b"") && !public.verifies(b"payload", &signature[1..]));
    }

    /// Made by `openssl ecparam -name prime256v1 -genkey`, `openssl ec -pubout` and `printf payload | openssl dgst -sha256 -sign`.
    #[test]
    fn keys_and_signatures_of_openssl_are_understood() {
        let (public, signature) = include_str!("key/openssl.txt").trim_end().rsplit_once('\n').unwrap();
        let key = PublicKey::from_pem(public).unwrap();
        assert_eq!(key.to_pem().trim_end(), public);
        let signature = base64::engine::general_purpose::STANDARD.decode(signature).unwrap();
        assert!(key.verifies(b"payload", &signature));
    }

    #[test]
    fn other_forms_are_named() {
        let private = |pem: &str| PrivateKey::from_pem(pem).unwrap_err();
        assert_eq!(private("-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----"), KeyError::Encrypted);
        assert_eq!(private("-----BEGIN EC PRIVATE KEY-----"), KeyError::Sec1);
        assert_eq!(private("nothing"), KeyError::NoPrivateKey);
        assert_eq!(PublicKey::from_pem("nothing"), Err(KeyError::NoPublicKey));
        assert_eq!(PublicKey::from_pem(&pem("PUBLIC KEY", b"other")), Err(KeyError::OtherAlgorithm));
    }
}
