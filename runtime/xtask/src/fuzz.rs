//! `cargo xtask fuzz`: the fuzz targets, for longer than `cargo test` gives them. They are tests in modules called `fuzz`.
use crate::tool;
use anyhow::{Result, bail};
use std::path::Path;

/// Arguments of the task.
#[derive(clap::Args)]
pub struct Args {
    /// Seconds for each target
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,
    /// Only targets whose name begins with this, for instance json
    target: Option<String>,
}

/// Runs the task.
pub fn run(args: Args) -> Result<()> {
    let packages = packages()?;
    if packages.is_empty() {
        bail!("no package has fuzz targets");
    }
    let mut command = tool::cargo();
    command.arg("test").args(packages.iter().flat_map(|package| ["--package", package])).arg("--no-fail-fast");
    command.arg("--").arg(format!("fuzz::{}", args.target.unwrap_or_default())).arg("--nocapture");
    command.env("BOLERO_RANDOM_TEST_TIME_MS", args.seconds.saturating_mul(1_000).to_string());
    tool::run(&mut command)
}

/// The packages that depend on the library of fuzz targets.
fn packages() -> Result<Vec<String>> {
    let output = tool::cargo().args(["metadata", "--format-version", "1", "--no-deps", "--offline"]).output()?;
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    let mut packages = Vec::new();
    for package in metadata["packages"].as_array().into_iter().flatten() {
        let dependencies = package["dependencies"].as_array().into_iter().flatten();
        let fuzzed = dependencies.into_iter().any(|dependency| dependency["name"].as_str() == Some("bolero"));
        let ours = package["manifest_path"].as_str().is_some_and(|path| Path::new(path).starts_with(tool::root()));
        if fuzzed && ours {
            packages.extend(package["name"].as_str().map(str::to_owned));
        }
    }
    Ok(packages)
}
