//! The flags of `windlass scaler`.
use super::{Components, Output};
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// `windlass scaler`.
#[derive(Debug, Subcommand)]
pub(crate) enum Scaler {
    /// Name, version, trigger types and parameters of a component
    Inspect(Inspect),
    /// Metric names, targets and endpoints that a scaler makes of a trigger, or what is wrong with it
    Configure(Try),
    /// Ask the source once
    Poll(Try),
}

/// `windlass scaler inspect`.
#[derive(Debug, Args)]
pub(crate) struct Inspect {
    /// The component's file, or a trigger type of the scalers at hand
    pub(crate) component: String,
    #[command(flatten)]
    pub(crate) components: Components,
    /// Form of what is printed
    #[arg(long, value_enum, default_value_t = Output::Text)]
    pub(crate) output: Output,
}

/// `windlass scaler configure` and `poll`.
#[derive(Debug, Args)]
pub(crate) struct Try {
    /// A trigger as in a ScaledObject, in YAML or JSON, with `authParams`, `env` and `index` beside it
    #[arg(long)]
    pub(crate) trigger: PathBuf,
    /// The component's file; by default the one at hand that serves the trigger's type
    #[arg(long)]
    pub(crate) component: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) components: Components,
    /// Time for a poll, in seconds
    #[arg(long, default_value_t = 10)]
    pub(crate) timeout_s: u64,
    /// Form of what is printed
    #[arg(long, value_enum, default_value_t = Output::Text)]
    pub(crate) output: Output,
}

impl Scaler {
    /// The form of what is printed.
    pub(crate) fn output(&self) -> Output {
        match self {
            Scaler::Inspect(options) => options.output,
            Scaler::Configure(options) | Scaler::Poll(options) => options.output,
        }
    }
}
