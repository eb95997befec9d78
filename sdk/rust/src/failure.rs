//! Making failures.
use crate::{Failure, FailureKind};

impl Failure {
    /// A failure of a kind. The message is for people, tells what to do where it can, and never carries a secret.
    pub fn new(kind: FailureKind, message: impl Into<String>) -> Failure {
        Failure { kind, message: message.into(), retry_after_ms: None }
    }

    /// The source answered, but not with what was asked for.
    pub fn bad_response(message: impl Into<String>) -> Failure {
        Failure::new(FailureKind::BadResponse, message)
    }

    /// What was asked for does not exist at the source.
    pub fn not_found(message: impl Into<String>) -> Failure {
        Failure::new(FailureKind::NotFound, message)
    }

    /// The source refused the credentials.
    pub fn auth(message: impl Into<String>) -> Failure {
        Failure::new(FailureKind::Auth, message)
    }

    /// The source cannot be reached, or says that it cannot serve now.
    pub fn unreachable(message: impl Into<String>) -> Failure {
        Failure::new(FailureKind::Unreachable, message)
    }

    /// The answer did not come in time.
    pub fn timeout(message: impl Into<String>) -> Failure {
        Failure::new(FailureKind::Timeout, message)
    }

    /// The parameters cannot work.
    pub fn invalid(message: impl Into<String>) -> Failure {
        Failure::new(FailureKind::Invalid, message)
    }

    /// The scaler itself is at fault.
    pub fn internal(message: impl Into<String>) -> Failure {
        Failure::new(FailureKind::Internal, message)
    }

    /// When the source wants to be asked again, in milliseconds from now.
    #[must_use]
    pub fn retry_after_ms(mut self, ms: u64) -> Failure {
        self.retry_after_ms = Some(ms);
        self
    }
}
