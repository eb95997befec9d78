//! What others ask Windlass over HTTP: the external metrics API that the HPA controller reads, health, and Prometheus
//! text.
//!
//! ```text
//!  HPA ─► kube-apiserver ─TLS, front-proxy certificate─► server ─► auth ─► access ─► external_metrics ─► Board
//!  kubelet, Prometheus ────────────────plain HTTP──────► health                                     (memory only)
//! ```
//!
//! A read never polls, never writes and waits for nobody: what it needs is in memory (the board, the trust, the access
//! reviews of known users). The one thing that a read may wait for is the first access review of a user.
mod access;
mod auth;
mod certificate;
mod discovery;
mod external_metrics;
mod health;
mod metrics;
mod negotiate;
mod route;
mod selector;
mod server;
mod status;
mod tls;

pub use access::{Access, AccessOptions, AccessReview, ReviewError};
pub use auth::{Authenticator, FrontProxy, FrontProxyError, User};
pub use certificate::{Bundle, CertificateError, Validity};
pub use external_metrics::{Explain, ExternalMetrics};
pub use health::{Gate, Health, Readiness, serve_health};
pub use metrics::Metrics;
pub use server::{Limits, serve};
pub use tls::{ServingCertificate, server_config};

/// Tells the time; the binary gives the one clock that all parts of the process share.
pub type Clock = std::sync::Arc<dyn Fn() -> windlass_core::Now + Send + Sync>;

/// The API group that is served.
pub const GROUP: &str = "external.metrics.k8s.io";

/// The one version of [`GROUP`] that is served.
pub const VERSION: &str = "v1beta1";
