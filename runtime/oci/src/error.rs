//! What can go wrong between a reference and a component that may run. Each message names the reference and the remedy, and
//! never a credential, nor words of a registry, which might repeat one.
use crate::{Digest, Reference};

/// What went wrong with one reference.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reference}: {fault}")]
pub struct Error {
    /// What was asked for.
    pub reference: String,
    /// What came of it.
    pub fault: Fault,
}

/// The closed list of what can go wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// 401 without credentials.
    #[error(
        "the registry asks for credentials and there are none for it: log in (docker login), or name a pull secret"
    )]
    NoCredentials,
    /// 401 with credentials.
    #[error("the registry does not accept the credentials: renew the login or the pull secret")]
    Unauthorized,
    /// 403.
    #[error("the registry forbids it: the credentials lack the right to {action} this repository")]
    Forbidden {
        /// `pull` or `push`.
        action: &'static str,
    },
    /// 404.
    #[error("the registry has no such {what}: check repository, tag and digest")]
    NotFound {
        /// `manifest`, `blob` or `repository`.
        what: &'static str,
    },
    /// 429.
    #[error("the registry asks to wait (HTTP 429): use credentials with a higher limit, or a mirror")]
    Throttled,
    /// 5xx.
    #[error("the registry failed with HTTP {status}: it is asked again later")]
    Server {
        /// HTTP status.
        status: u16,
    },
    /// The deadline passed.
    #[error("the registry did not answer within {seconds} s: is it reachable from here?")]
    TimedOut {
        /// The deadline.
        seconds: u64,
    },
    /// No connection.
    #[error("no connection to {host}: {why}")]
    Unreachable {
        /// Whom.
        host: String,
        /// The system's word.
        why: String,
    },
    /// The registry sends us where we do not go.
    #[error("the registry leads to {to}, which is {why}")]
    Misled {
        /// Host and port.
        to: String,
        /// Why not.
        why: String,
    },
    /// The answer cannot be understood.
    #[error("the registry's answer is no answer of an OCI registry: {why}")]
    BadAnswer {
        /// What is wrong.
        why: String,
    },
    /// Not a WebAssembly component.
    #[error(
        "the artifact is {found}, not a WebAssembly component ({expected}): push it with `windlass scaler push` or `wkg oci \
         push`"
    )]
    MediaType {
        /// What it is.
        found: String,
        /// What it had to be.
        expected: &'static str,
    },
    /// Not one layer.
    #[error("the artifact has {0} layers, and a component is one: push it with `windlass scaler push`")]
    Layers(usize),
    /// Something else came than was asked for.
    #[error("the registry gave {actual} for {expected}: the content was changed, or the registry is broken")]
    DigestMismatch {
        /// Asked for.
        expected: Digest,
        /// Came.
        actual: Digest,
    },
    /// More than allowed.
    #[error("the {what} is larger than {limit} bytes")]
    TooLarge {
        /// `component`, `manifest`, `answer` …
        what: &'static str,
        /// The cap.
        limit: u64,
    },
    /// No signature at all.
    #[error("it is not signed, and {required}: sign it with `windlass scaler sign` or `cosign sign`")]
    Unsigned {
        /// By what a signature is required, and by whom.
        required: String,
    },
    /// Signatures, none of them by an accepted key.
    #[error("none of its {count} signatures is by an accepted key, and {required}")]
    WrongKey {
        /// How many there are.
        count: usize,
        /// By what a signature is required, and by whom.
        required: String,
    },
    /// A keyless signature by somebody else.
    #[error("it is signed by {found}, and {required}")]
    WrongIdentity {
        /// Whom its certificate names, and who vouches for that.
        found: String,
        /// By what a signature is required, and by whom.
        required: String,
    },
    /// A keyless signature about which something does not hold.
    #[error("its keyless signature cannot be accepted: {why}; and {required}")]
    Unproven {
        /// What does not hold.
        why: &'static str,
        /// By what a signature is required, and by whom.
        required: String,
    },
    /// A valid signature of something else.
    #[error("its signature is good but for other content ({signed}): somebody moved it here; do not use it")]
    OtherContent {
        /// What was signed.
        signed: String,
    },
    /// The policy says no.
    #[error("{0}")]
    Refused(String),
    /// Not a component, or not readable.
    #[error("{0}")]
    File(String),
}

impl Fault {
    pub(crate) fn of(self, reference: &Reference) -> Error {
        Error { reference: reference.to_string(), fault: self }
    }

    /// Whether the same may work later without anybody changing anything: what is cached may be used meanwhile.
    pub fn transient(&self) -> bool {
        matches!(
            self,
            Fault::Throttled
                | Fault::Server { .. }
                | Fault::TimedOut { .. }
                | Fault::Unreachable { .. }
                | Fault::BadAnswer { .. }
        )
    }

    /// Whether it is its signatures that are wrong, rather than the registry.
    pub fn about_signatures(&self) -> bool {
        matches!(
            self,
            Fault::Unsigned { .. }
                | Fault::WrongKey { .. }
                | Fault::WrongIdentity { .. }
                | Fault::Unproven { .. }
                | Fault::OtherContent { .. }
        )
    }

    /// One word of a closed list, for metrics and scripts.
    pub fn word(&self) -> &'static str {
        match self {
            Fault::NoCredentials | Fault::Unauthorized => "unauthorized",
            Fault::Forbidden { .. } => "forbidden",
            Fault::NotFound { .. } => "not-found",
            Fault::Throttled => "throttled",
            Fault::Server { .. } => "server-error",
            Fault::TimedOut { .. } => "timeout",
            Fault::Unreachable { .. } => "unreachable",
            Fault::Misled { .. } => "misled",
            Fault::BadAnswer { .. } => "bad-answer",
            Fault::MediaType { .. } | Fault::Layers(_) => "media-type",
            Fault::DigestMismatch { .. } => "digest-mismatch",
            Fault::TooLarge { .. } => "too-large",
            Fault::Unsigned { .. } => "unsigned",
            Fault::WrongKey { .. } => "wrong-key",
            Fault::WrongIdentity { .. } => "wrong-identity",
            Fault::Unproven { .. } => "unproven",
            Fault::OtherContent { .. } => "other-content",
            Fault::Refused(_) => "refused",
            Fault::File(_) => "file",
        }
    }
}
