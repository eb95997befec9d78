//! Every flag and environment variable of the product. Nothing else reads the environment.
mod bench;
mod limits;
mod registration;
mod registry;
mod scaler;
mod why;

pub(crate) use bench::Bench;
pub(crate) use limits::{Compilation, Guests};
pub(crate) use registration::Registration;
pub(crate) use registry::{Keygen, PullComponent, PushComponent, Registries, SignComponent, Signers, VerifyComponent};
pub(crate) use scaler::{Build, Inspect, List, New, Poll, Scaler, Test, Try};
pub(crate) use why::Why;

use clap::{Args, Parser, Subcommand, ValueEnum};
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;
use windlass_core::algorithm::Flags;
use windlass_core::settings::Settings;

/// Scales Kubernetes workloads on events; every event source is a sandboxed WebAssembly component.
#[derive(Debug, Parser)]
#[command(name = "windlass", version, about)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
    #[command(flatten)]
    pub(crate) log: Log,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run in a cluster: watch ScaledObjects, keep HPAs, serve external metrics
    Operator(Box<Operator>),
    /// Run the ScaledObjects of a folder on this machine, without Kubernetes
    Local(Local),
    /// Load a cluster with ScaledObjects in a namespace of its own, and measure what serves their metrics
    Bench(Bench),
    /// Tell why a ScaledObject has the replicas that it has: the last decision, its inputs, and the limit that bites
    Why(Why),
    /// Write, build, test and try a scaler
    #[command(subcommand)]
    Scaler(Scaler),
    /// Compile one component from standard input to standard output, under limits (used by the operator itself)
    #[command(hide = true)]
    CompileComponent {
        /// The limits, as the operator tells them to its child
        limits: Vec<String>,
    },
}

/// How to log.
#[derive(Debug, Args)]
pub(crate) struct Log {
    /// Which log lines to show, as `info` or `warn,windlass_host=debug`
    #[arg(long, global = true, env = "WINDLASS_LOG", default_value = "info")]
    pub(crate) log_level: String,
    /// Form of log lines
    #[arg(long, global = true, env = "WINDLASS_LOG_FORMAT", value_enum, default_value_t = LogFormat::Text)]
    pub(crate) log_format: LogFormat,
}

/// Form of log lines.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people
    Text,
    /// One JSON object a line
    Json,
}

/// Form of what a command prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// For people
    Text,
    /// For scripts
    Json,
}

/// Which authentications have to be bound to hosts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum RequireBound {
    /// None
    None,
    /// ClusterTriggerAuthentications
    Cluster,
    /// All
    All,
}

/// Where components come from, and what they may do.
#[derive(Debug, Args)]
pub(crate) struct Components {
    /// Folder with the scalers (*.wasm); by default `scalers` beside the program
    #[arg(long, env = "WINDLASS_SCALERS")]
    pub(crate) scalers: Option<PathBuf>,
    /// Private folder for compiled components; without it they are compiled at each start
    #[arg(long, env = "WINDLASS_CACHE")]
    pub(crate) cache: Option<PathBuf>,
    /// Folders with PEM files of further certificate authorities for event sources (repeatable)
    #[arg(long = "ca-dir")]
    pub(crate) ca_dirs: Vec<PathBuf>,
    /// Address ranges that no scaler may reach beside the built-in ones, as 10.96.0.0/16 or 10.96.0.1:443 (repeatable)
    #[arg(long = "deny-egress", value_name = "CIDR[:PORT]")]
    pub(crate) deny_egress: Vec<String>,
    /// Address ranges that scalers may reach whatever closes them: built-in ranges, the API server, --deny-egress (repeatable)
    #[arg(long = "allow-egress", value_name = "CIDR[:PORT]")]
    pub(crate) allow_egress: Vec<String>,
    /// Compile components inside this process instead of in a limited child
    #[arg(long)]
    pub(crate) compile_in_process: bool,
    #[command(flatten)]
    pub(crate) guests: Guests,
    #[command(flatten)]
    pub(crate) compilation: Compilation,
    #[command(flatten)]
    pub(crate) sources: Sources,
}

/// How much each event source may be asked. A source is scheme, host, port and credentials; namespaces that ask the same one
/// take turns.
#[derive(Debug, Args)]
#[command(next_help_heading = "Budget of each event source")]
pub(crate) struct Sources {
    /// Requests per second to each event source; a connection counts as one
    #[arg(long, value_name = "NUMBER", default_value_t = 200.0, value_parser = rate)]
    pub(crate) source_rate: f64,
    /// Burst of requests to each event source
    #[arg(long, value_name = "NUMBER", default_value_t = 400, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) source_burst: u32,
    /// Requests in flight to each event source; three quarters of them at most for one namespace
    #[arg(long, value_name = "NUMBER", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) source_in_flight: u32,
    /// Requests that wait for each event source's budget; more are refused
    #[arg(long, value_name = "NUMBER", default_value_t = 2_000, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) source_queue: u32,
    /// Of these, requests of one namespace
    #[arg(long, value_name = "NUMBER", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) source_namespace_queue: u32,
    /// Open connections to each event source, those that rest included; always more than requests in flight
    #[arg(long, value_name = "NUMBER", default_value_t = 128, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) source_connections: u32,
    /// Failed requests in a row after which an event source is left alone but for a probe now and then
    #[arg(long, value_name = "NUMBER", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) source_breaker_failures: u32,
    /// How long one answer serves equal requests, in milliseconds; 0: only while it is under way
    #[arg(long, value_name = "MS", default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(..=60_000))]
    pub(crate) source_share_ms: u64,
    /// What differs for one event source, as queue.example:8080,rate=5,burst=10,in-flight=2 with any of the three; without a
    /// port for all of the host (repeatable)
    #[arg(long = "source-budget", value_name = "HOST[:PORT],…")]
    pub(crate) source_budget: Vec<String>,
    /// YAML file with budgets (defaults, overrides) that go before these flags; taken again when it changes
    #[arg(long, env = "WINDLASS_SOURCE_BUDGETS", value_name = "FILE")]
    pub(crate) source_budgets: Option<PathBuf>,
}

/// Requests per second.
fn rate(text: &str) -> Result<f64, String> {
    let rate: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    if (0.001..=1e6).contains(&rate) { Ok(rate) } else { Err("from 0.001 to 1000000".to_owned()) }
}

/// Tolerance of a ratio.
fn tolerance(text: &str) -> Result<f64, String> {
    let tolerance: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    if (0.0..1.0).contains(&tolerance) { Ok(tolerance) } else { Err("from 0 to less than 1".to_owned()) }
}

/// Who scales from 1 to N.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Engine {
    /// A HorizontalPodAutoscaler for each object
    Hpa,
    /// We ourselves
    Direct,
}

impl From<Engine> for windlass_core::workload::Engine {
    fn from(engine: Engine) -> windlass_core::workload::Engine {
        match engine {
            Engine::Hpa => windlass_core::workload::Engine::Hpa,
            Engine::Direct => windlass_core::workload::Engine::Direct,
        }
    }
}

/// `windlass operator`.
#[derive(Debug, Args)]
pub(crate) struct Operator {
    #[command(flatten)]
    pub(crate) components: Components,
    #[command(flatten)]
    pub(crate) registration: Registration,
    /// Kubeconfig; by default the pod's service account, then KUBECONFIG
    #[arg(long)]
    pub(crate) kubeconfig: Option<PathBuf>,
    /// Requests per second to the API server
    #[arg(long, default_value_t = 300)]
    pub(crate) kube_api_qps: u32,
    /// Burst of requests to the API server
    #[arg(long, default_value_t = 600)]
    pub(crate) kube_api_burst: u32,
    /// Namespaces to watch, separated by commas; empty: all
    #[arg(long, env = "WATCH_NAMESPACE", default_value = "", value_delimiter = ',')]
    pub(crate) watch_namespaces: Vec<String>,
    /// Our own namespace
    #[arg(long, env = "POD_NAMESPACE", default_value = "windlass-system")]
    pub(crate) namespace: String,
    /// Where ClusterTriggerAuthentications find their Secrets and ConfigMaps; by default our own namespace
    #[arg(long, env = "KEDA_CLUSTER_OBJECT_NAMESPACE")]
    pub(crate) cluster_object_namespace: Option<String>,
    /// Address of the external metrics API
    #[arg(long, default_value = "0.0.0.0:6443")]
    pub(crate) secure_bind_address: String,
    /// Address of /metrics, /healthz and /readyz
    #[arg(long, default_value = "0.0.0.0:8080")]
    pub(crate) metrics_bind_address: String,
    /// Service through which the API server reaches us; its name is in our certificate
    #[arg(long, default_value = "windlass-metrics-apiserver")]
    pub(crate) service: String,
    /// Secret of our namespace that keeps our certificates
    #[arg(long, default_value = "windlass-certs")]
    pub(crate) cert_secret: String,
    /// Keep the APIService's caBundle
    #[arg(long, default_value_t = true, action = clap::ArgAction::Set)]
    pub(crate) apiservice_patching: bool,
    /// Act only while holding the Lease that KEDA's operator elects by
    #[arg(long)]
    pub(crate) leader_elect: bool,
    /// How often the HPA controller reads metrics: active triggers are asked, and pods' use is read for the direct engine, at
    /// least this often, in seconds
    #[arg(long, default_value_t = 15)]
    pub(crate) read_interval_s: u64,
    /// Which authentications have to be bound to hosts (annotation windlass.dev/hosts); triggers with others are refused
    #[arg(long, value_enum, default_value_t = RequireBound::None)]
    pub(crate) require_bound_credentials: RequireBound,
    /// Our pod's address, which no scaler may reach
    #[arg(long, hide = true, env = "POD_IP")]
    pub(crate) pod_ip: Option<IpAddr>,
    /// Our pod's addresses
    #[arg(long, hide = true, env = "POD_IPS", value_delimiter = ',')]
    pub(crate) pod_ips: Vec<IpAddr>,
    /// Address of the API server within a cluster
    #[arg(long, hide = true, env = "KUBERNETES_SERVICE_HOST")]
    pub(crate) kubernetes_service_host: Option<String>,
    /// Port of the API server within a cluster
    #[arg(long, hide = true, env = "KUBERNETES_SERVICE_PORT", default_value_t = 443)]
    pub(crate) kubernetes_service_port: u16,
    /// Who scales from 1 to N where an object's annotation windlass.dev/engine does not say: an HPA, or we ourselves by the
    /// HPA's algorithm
    #[arg(long, value_enum, default_value_t = Engine::Hpa)]
    pub(crate) engine: Engine,
    /// Direct engine: how far a metric may be off its target without an effect, as a ratio
    #[arg(long, value_name = "RATIO", default_value_t = 0.1, value_parser = tolerance)]
    pub(crate) direct_tolerance: f64,
    /// Direct engine: stabilisation window of scaling down where the behaviour has none, in seconds
    #[arg(long, value_name = "S", default_value_t = 300, value_parser = clap::value_parser!(u64).range(..=3_600))]
    pub(crate) direct_downscale_stabilization_s: u64,
    /// Tell of objects under the names of KEDA's metrics too; they have series for each object and trigger
    #[arg(long, default_value_t = true, action = clap::ArgAction::Set)]
    pub(crate) keda_metrics: bool,
    /// Let scalers reach loopback addresses (tests)
    #[arg(long, hide = true)]
    pub(crate) allow_loopback: bool,
    /// How long a shutdown may take, in seconds
    #[arg(long, default_value_t = 20)]
    pub(crate) shutdown_s: u64,
}

/// `windlass local`.
#[derive(Debug, Args)]
pub(crate) struct Local {
    /// Folder (or file) with ScaledObjects, ProcessSets, TriggerAuthentications and Secrets
    pub(crate) path: PathBuf,
    #[command(flatten)]
    pub(crate) components: Components,
    /// Stop by itself once every workload was scaled up and is back at its minimum
    #[arg(long)]
    pub(crate) until_idle: bool,
    /// Stop in any case after this many seconds
    #[arg(long)]
    pub(crate) for_s: Option<u64>,
    /// Form of what is printed: a live table, or one JSON object per change
    #[arg(long, value_enum, default_value_t = Output::Text)]
    pub(crate) output: Output,
}

/// Where Docker keeps its configuration, unless a flag says otherwise.
pub(crate) fn docker_folder() -> Option<PathBuf> {
    std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".docker"))
}

/// A folder for what need not outlive this machine's next start.
pub(crate) fn temporary_folder(name: &str) -> PathBuf {
    std::env::temp_dir().join(name)
}

impl Components {
    /// The folder of scalers.
    pub(crate) fn folder(&self) -> PathBuf {
        self.scalers.clone().unwrap_or_else(|| {
            let program = std::env::current_exe().unwrap_or_default();
            program.parent().map(|dir| dir.join("scalers")).unwrap_or_default()
        })
    }
}

impl Components {
    /// This very program: it compiles components in a child of itself.
    pub(crate) fn program(&self) -> Option<PathBuf> {
        std::env::current_exe().ok()
    }
}

impl Operator {
    /// Who we are among several: the pod's name, or the host's with the process number.
    pub(crate) fn instance(&self) -> String {
        let pod = std::env::var("POD_NAME").or_else(|_| std::env::var("HOSTNAME")).unwrap_or_default();
        format!("{}_{}", if pod.is_empty() { "windlass-operator" } else { &pod }, std::process::id())
    }

    /// What the rules are tuned by.
    pub(crate) fn settings(&self) -> Settings {
        Settings {
            read_interval: Duration::from_secs(self.read_interval_s.max(1)),
            direct: Flags {
                tolerance: self.direct_tolerance,
                scale_down_window: Duration::from_secs(self.direct_downscale_stabilization_s),
            },
            // What comes faster than a source may be asked would only wait at its budget, and tell of it.
            first_polls_per_second: (self.components.sources.source_rate as u32).max(1),
            tell_objects: self.keda_metrics,
            ..Settings::default()
        }
    }
}
