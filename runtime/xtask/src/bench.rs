//! `cargo xtask bench`: the real thing, measured. What it prints stands in `runtime/bench/README.md`.
use crate::{cluster, scalers, tool};
use anyhow::Result;
use std::process::Command;

/// Arguments of the task.
#[derive(clap::Args)]
pub struct Args {
    /// Which benchmark, and its options; see `cargo xtask bench joint --help`
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, default_value = "joint")]
    bench: Vec<String>,
}

/// Runs the task.
pub fn run(args: Args) -> Result<()> {
    cluster::install_test_tools()?;
    tool::say("building windlass, the scalers and the benchmark");
    tool::build(&["windlass", "windlass-bench"])?;
    scalers::build()?;
    let mut bench = Command::new(tool::target().join("debug/windlass-bench"));
    tool::run(bench.args(&args.bench).env("WINDLASS_BIN", tool::windlass()))
}
