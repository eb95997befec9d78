//! The flags of `windlass scaler`.
use super::{Components, Keygen, Output, PullComponent, PushComponent, SignComponent, VerifyComponent};
use clap::{Args, Subcommand};
use std::path::PathBuf;
use std::time::Duration;
use windlass_build::Language;

/// `windlass scaler`.
#[derive(Debug, Subcommand)]
#[command(after_help = "Exit codes: 0 all is well · 1 the scaler, the trigger or its source is not as it should be · \
    2 the command line, or a file it names · 3 a toolchain is missing · 4 something outside failed")]
pub(crate) enum Scaler {
    /// Make a project: a working scaler with cases that pass
    New(New),
    /// Build a project's component
    Build(Build),
    /// Play a project's cases against its component, and examine it against the contract
    Test(Test),
    /// What a component is: world, imports, parameters, sizes, and what is odd about it
    Inspect(Inspect),
    /// Metric names, targets and endpoints that a scaler makes of a trigger, or what is wrong with it
    Configure(Try),
    /// Ask the source once, or again and again
    Poll(Poll),
    /// Store a component in a registry, as an OCI artifact
    Push(PushComponent),
    /// Fetch a component from a registry into a file
    Pull(PullComponent),
    /// Sign what a registry holds, as `cosign sign --key` does
    Sign(SignComponent),
    /// Check the signature of what a registry holds
    Verify(VerifyComponent),
    /// Make a pair of keys for signatures
    Keygen(Keygen),
}

/// `windlass scaler new`.
#[derive(Debug, Args)]
pub(crate) struct New {
    /// Name and trigger type of the scaler, as my-queue
    pub(crate) name: String,
    /// What to write it in: rust, go, js, python or c
    #[arg(long, value_name = "LANGUAGE")]
    pub(crate) lang: Language,
    /// Folder to make; by default one of the scaler's name
    #[arg(long)]
    pub(crate) dir: Option<PathBuf>,
    /// Form of what is printed
    #[arg(long, value_enum, default_value_t = Output::Text)]
    pub(crate) output: Output,
}

/// `windlass scaler build`.
#[derive(Debug, Args)]
pub(crate) struct Build {
    /// The project's folder
    #[arg(default_value = ".")]
    pub(crate) dir: PathBuf,
    /// Form of what is printed
    #[arg(long, value_enum, default_value_t = Output::Text)]
    pub(crate) output: Output,
}

/// `windlass scaler test`.
#[derive(Debug, Args)]
pub(crate) struct Test {
    /// The project's folder, which is built first, or a component's file
    #[arg(default_value = ".")]
    pub(crate) path: PathBuf,
    /// Folder with the cases; needed for a component's file, else what the project says
    #[arg(long, value_name = "DIR")]
    pub(crate) cases: Option<PathBuf>,
    /// Take the project's component as it is
    #[arg(long)]
    pub(crate) no_build: bool,
    /// Form of what is printed
    #[arg(long, value_enum, default_value_t = Output::Text)]
    pub(crate) output: Output,
}

/// `windlass scaler inspect`.
#[derive(Debug, Args)]
pub(crate) struct Inspect {
    /// The component's file, a project's folder, or a trigger type of the scalers at hand
    #[arg(default_value = ".")]
    pub(crate) component: String,
    #[command(flatten)]
    pub(crate) components: Components,
    /// Form of what is printed
    #[arg(long, value_enum, default_value_t = Output::Text)]
    pub(crate) output: Output,
}

/// `windlass scaler configure`, and what `poll` shares with it.
#[derive(Debug, Args)]
pub(crate) struct Try {
    /// A trigger as in a ScaledObject, in YAML or JSON, with `authParams`, `env` and `index` beside it
    #[arg(long)]
    pub(crate) trigger: PathBuf,
    /// The component's file; by default that of the project in this folder, if it serves the trigger's type, else the one at hand
    /// that does
    #[arg(long)]
    pub(crate) component: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) components: Components,
    /// Form of what is printed
    #[arg(long, value_enum, default_value_t = Output::Text)]
    pub(crate) output: Output,
}

/// `windlass scaler poll`.
#[derive(Debug, Args)]
pub(crate) struct Poll {
    #[command(flatten)]
    pub(crate) attempt: Try,
    /// Time for a poll, in seconds
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=300))]
    pub(crate) timeout_s: u64,
    /// Poll again and again, a line each, until Ctrl-C
    #[arg(long)]
    pub(crate) watch: bool,
    /// With --watch: how often, as 500ms, 5s or 1m
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = every, requires = "watch")]
    pub(crate) every: Duration,
}

/// A whole number of ms, s, m or h; seconds without a unit.
fn every(text: &str) -> Result<Duration, String> {
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let unit_ms: u64 = match unit {
        "ms" => 1,
        "s" | "" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err("write it as 500ms, 5s or 1m".to_owned()),
    };
    let number: u64 = number.parse().map_err(|_| "write it as 500ms, 5s or 1m".to_owned())?;
    match number.checked_mul(unit_ms) {
        Some(ms @ 100..=86_400_000) => Ok(Duration::from_millis(ms)),
        _ => Err("from 100ms to 24h".to_owned()),
    }
}

impl Scaler {
    /// The form of what is printed.
    pub(crate) fn output(&self) -> Output {
        match self {
            Scaler::New(options) => options.output,
            Scaler::Build(options) => options.output,
            Scaler::Test(options) => options.output,
            Scaler::Inspect(options) => options.output,
            Scaler::Configure(options) => options.output,
            Scaler::Poll(options) => options.attempt.output,
            Scaler::Push(options) => options.registries.output,
            Scaler::Pull(options) => options.registries.output,
            Scaler::Sign(options) => options.registries.output,
            Scaler::Verify(options) => options.registries.output,
            Scaler::Keygen(_) => Output::Text,
        }
    }
}
