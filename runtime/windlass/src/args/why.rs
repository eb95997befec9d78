//! `windlass why`.
use super::Output;
use clap::Args;
use std::path::PathBuf;

/// `windlass why`.
#[derive(Debug, Args)]
pub(crate) struct Why {
    /// The ScaledObject, as NAMESPACE/NAME, or NAME with --namespace
    pub(crate) object: String,
    /// Namespace of a NAME alone [default: default]
    #[arg(short, long, value_name = "NAME")]
    pub(crate) namespace: Option<String>,
    /// Kubeconfig; without it KUBECONFIG, ~/.kube/config, or the pod's own
    #[arg(long, value_name = "FILE")]
    pub(crate) kubeconfig: Option<PathBuf>,
    /// Form of the answer
    #[arg(long, value_enum, default_value_t = Output::Text)]
    pub(crate) output: Output,
}
