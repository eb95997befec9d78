//! Flags of `windlass bench`.
use super::Output;
use clap::Args;
use std::net::IpAddr;
use std::path::PathBuf;

/// `windlass bench`.
#[derive(Clone, Debug, Args)]
pub(crate) struct Bench {
    /// ScaledObjects
    #[arg(long, value_name = "NUMBER", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=20_000))]
    pub(crate) objects: u32,
    /// Event sources that they ask: HTTP servers within this command
    #[arg(long, value_name = "NUMBER", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=200))]
    pub(crate) sources: u32,
    /// How long a source takes to answer, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 20, value_parser = clap::value_parser!(u64).range(..=60_000))]
    pub(crate) latency_ms: u64,
    /// By how much that varies, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(..=60_000))]
    pub(crate) jitter_ms: u64,
    /// Share of requests that sources answer by 500, from 0 to 1
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, value_parser = share)]
    pub(crate) failures: f64,
    /// How long metrics are read, in seconds
    #[arg(long, value_name = "S", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    pub(crate) duration_s: u64,
    /// Reads of metrics at the same time, each after its last
    #[arg(long, value_name = "NUMBER", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=500))]
    pub(crate) readers: u32,
    /// `pollingInterval` of the objects, in seconds
    #[arg(long, value_name = "S", default_value_t = 15, value_parser = clap::value_parser!(u32).range(1..=3_600))]
    pub(crate) interval_s: u32,
    /// How long the objects may take to be Ready, in seconds
    #[arg(long, value_name = "S", default_value_t = 300, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    pub(crate) ready_s: u64,
    /// The namespace that is made for it and deleted again; by default one with a name of its own
    #[arg(long, value_name = "NAME")]
    pub(crate) namespace: Option<String>,
    /// Address on which the sources listen, on free ports
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    pub(crate) listen: IpAddr,
    /// Host name or address by which the operator reaches the sources; by default the address on which they listen
    #[arg(long, value_name = "HOST")]
    pub(crate) source_host: Option<String>,
    /// JSON file with the trigger of the objects, in which {{url}} stands for its source's address; by default one that reads
    /// `value` of a JSON document, as KEDA's type for HTTP APIs does
    #[arg(long, value_name = "FILE")]
    pub(crate) trigger: Option<PathBuf>,
    /// At the end let all sources tell of work in the same moment, and measure how long it takes until each target is to have a
    /// replica (its pods find no node)
    #[arg(long)]
    pub(crate) wake: bool,
    /// Leave the namespace and its objects behind
    #[arg(long)]
    pub(crate) keep: bool,
    /// Kubeconfig; by default the pod's service account, then KUBECONFIG
    #[arg(long, value_name = "FILE")]
    pub(crate) kubeconfig: Option<PathBuf>,
    /// Form of what is printed
    #[arg(long, value_enum, default_value_t = Output::Text)]
    pub(crate) output: Output,
    /// Also write a page with plots
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
    /// A report of another run, as --output json printed it, to compare with
    #[arg(long, value_name = "FILE")]
    pub(crate) compare: Option<PathBuf>,
}

fn share(text: &str) -> Result<f64, String> {
    let share: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    if (0.0..=1.0).contains(&share) { Ok(share) } else { Err("from 0 to 1".to_owned()) }
}
