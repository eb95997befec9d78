//! Flags of components that are registered in the cluster.
use clap::Args;
use std::path::PathBuf;
use windlass_cluster::TableName;

/// Which components annotations may register, and how they are fetched.
#[derive(Debug, Args)]
#[command(next_help_heading = "Registered components")]
pub(crate) struct Registration {
    /// YAML file that says who may register which component, signed by whom; taken again when it changes. Without it the
    /// cluster's administrator may register pinned artifacts of any registry, and nobody else anything
    #[arg(long, env = "WINDLASS_COMPONENT_POLICY", value_name = "FILE")]
    pub(crate) component_policy: Option<PathBuf>,
    /// ConfigMap with the cluster's registrations: trigger types and references; by default windlass-scalers of our own namespace
    #[arg(long, value_name = "NAMESPACE/NAME")]
    pub(crate) registrations: Option<TableName>,
    /// How often it is looked whether a tag names another component, in seconds
    #[arg(long, value_name = "S", default_value_t = 300, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub(crate) component_refresh_s: u64,
    /// Components that one namespace may have registered and in use
    #[arg(long, value_name = "NUMBER", default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub(crate) namespace_components: u32,
    /// Limit of the folder in --cache that keeps pulled components, in MiB
    #[arg(long, value_name = "MIB", default_value_t = 256, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) component_cache_mib: u64,
    /// A registry that is asked without TLS, as registry.example:5000 (repeatable); loopback addresses always are
    #[arg(long, value_name = "HOST[:PORT]")]
    pub(crate) registry_plain_http: Vec<String>,
    /// Folders with PEM files of further certificate authorities for registries (repeatable)
    #[arg(long = "registry-ca-dir", value_name = "DIR")]
    pub(crate) registry_ca_dirs: Vec<PathBuf>,
    /// Limit of each pull, in seconds
    #[arg(long, value_name = "S", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    pub(crate) registry_timeout_s: u64,
}
