//! Flags of what talks to registries.
use super::Output;
use clap::Args;
use std::path::PathBuf;

/// How registries are reached.
#[derive(Debug, Args)]
#[command(next_help_heading = "Registries")]
pub(crate) struct Registries {
    /// Folder with Docker's config.json, which has the logins; by default ~/.docker
    #[arg(long, value_name = "DIR", env = "DOCKER_CONFIG")]
    pub(crate) docker_config: Option<PathBuf>,
    /// A registry that is asked without TLS, as registry.example:5000 (repeatable); loopback addresses always are
    #[arg(long, value_name = "HOST[:PORT]")]
    pub(crate) plain_http: Vec<String>,
    /// Folders with PEM files of further certificate authorities for registries (repeatable)
    #[arg(long = "ca-dir", value_name = "DIR")]
    pub(crate) ca_dirs: Vec<PathBuf>,
    /// Limit of the whole command, in seconds
    #[arg(long, value_name = "S", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub(crate) timeout_s: u64,
    /// Form of what is printed
    #[arg(long, value_enum, default_value_t = Output::Text)]
    pub(crate) output: Output,
}

/// `windlass scaler push`.
#[derive(Debug, Args)]
pub(crate) struct PushComponent {
    /// The component's file
    pub(crate) component: PathBuf,
    /// Where it goes, as oci://registry.example/acme/my-queue:1.0
    pub(crate) reference: String,
    /// An annotation of the artifact, as org.opencontainers.image.source=https://… (repeatable)
    #[arg(long = "annotation", value_name = "NAME=TEXT")]
    pub(crate) annotations: Vec<String>,
    /// Who made it
    #[arg(long)]
    pub(crate) author: Option<String>,
    /// When it was made, in seconds since 1970; by default now. Equal components of equal age have equal digests
    #[arg(long, value_name = "S", env = "SOURCE_DATE_EPOCH")]
    pub(crate) created: Option<i64>,
    #[command(flatten)]
    pub(crate) registries: Registries,
}

/// `windlass scaler pull`.
#[derive(Debug, Args)]
pub(crate) struct PullComponent {
    /// What to fetch, as oci://registry.example/acme/my-queue:1.0 or …@sha256:…
    pub(crate) reference: String,
    /// The file; by default the repository's last part with .wasm, here
    #[arg(long, value_name = "FILE")]
    pub(crate) to: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) signers: Signers,
    #[command(flatten)]
    pub(crate) registries: Registries,
}

/// `windlass scaler sign`.
#[derive(Debug, Args)]
pub(crate) struct SignComponent {
    /// What to sign
    pub(crate) reference: String,
    /// The private key (PEM, PKCS#8, ECDSA P-256)
    #[arg(long, value_name = "FILE")]
    pub(crate) key: PathBuf,
    #[command(flatten)]
    pub(crate) registries: Registries,
}

/// By whom a component has to be signed: any one of these.
#[derive(Debug, Args)]
pub(crate) struct Signers {
    /// Public keys (PEM), one of which must have signed it (repeatable)
    #[arg(long = "key", value_name = "FILE")]
    pub(crate) keys: Vec<PathBuf>,
    /// Who must have signed it without a key of their own: the address or URI in the certificate; * for any characters but a
    /// slash, ** for any
    #[arg(long, value_name = "SUBJECT", requires_all = ["issuer", "trusted_root"])]
    pub(crate) identity: Option<String>,
    /// Who vouches for that identity: the URL of the OpenID Connect issuer
    #[arg(long, value_name = "URL", requires = "identity")]
    pub(crate) issuer: Option<String>,
    /// The trusted_root.json of Sigstore to go by (`cosign trusted-root create` writes one); nothing is fetched
    #[arg(long, value_name = "FILE", requires = "identity")]
    pub(crate) trusted_root: Option<PathBuf>,
}

/// `windlass scaler verify`.
#[derive(Debug, Args)]
pub(crate) struct VerifyComponent {
    /// What to check
    pub(crate) reference: String,
    #[command(flatten)]
    pub(crate) signers: Signers,
    #[command(flatten)]
    pub(crate) registries: Registries,
}

/// `windlass scaler keygen`.
#[derive(Debug, Args)]
pub(crate) struct Keygen {
    /// Begin of the files' names: NAME.key, which is secret and has no password, and NAME.pub
    pub(crate) name: PathBuf,
}
