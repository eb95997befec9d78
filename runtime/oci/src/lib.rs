//! Components as OCI artifacts: where they come from, and which of them may run.
//!
//! ```text
//! oci://host/repository:tag@digest ──► policy: who may register this, signed by whom, pinned?
//!        │                                 │
//!        ▼                                 ▼
//!   transport ── registry ── artifact ── signature ── cache ──► a verified component
//! ```
//!
//! [`Store`] does the work, [`Policy`] decides, and nothing here knows what a component does. A registry is trusted with nothing: not
//! with time, bytes, redirects, nor with what it says that it sends.
mod artifact;
mod cache;
mod credential;
mod digest;
mod error;
mod helper;
mod key;
mod pattern;
mod policy;
mod reference;
mod registry;
mod signature;
mod store;
mod transport;
mod words;

pub use artifact::{About, COMPONENT_LIMIT, CONFIG_TYPE, LAYER_TYPE};
pub use cache::Cache;
pub use credential::{Credential, CredentialError, Credentials};
pub use digest::{Digest, NotADigest};
pub use error::{Error, Fault};
pub use helper::HelperError;
pub use key::{KeyError, PrivateKey, PublicKey};
pub use policy::{Allowed, HostPattern, Policy, PolicyError, Registrant};
pub use reference::{Location, Reference, ReferenceError};
pub use signature::{Identity, Requirement, TrustError, TrustedRoot};
pub use store::{Pull, Pulled, Resolved, Store};
pub use transport::{Refusal, Transport, TransportOptions};
