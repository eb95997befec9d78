//! `windlass-conformance COMPONENT --cases DIR`: examines one component, for those who write scalers elsewhere.
use anyhow::{Context, bail};
use clap::Parser;
use std::path::PathBuf;
use windlass_conformance::{Example, examine};

/// Examine a scaler component against the contract
#[derive(Parser)]
struct Args {
    /// The component
    component: PathBuf,
    /// Folder with what users write: DIR/<case>/case.json
    #[arg(long, value_name = "DIR")]
    cases: PathBuf,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let wasm = std::fs::read(&args.component).with_context(|| format!("cannot read {}", args.component.display()))?;
    let report = examine(&wasm, &Example::of_folder(&args.cases)?).await?;
    print!("{report}");
    if !report.conforms() {
        bail!("{} does not conform", args.component.display());
    }
    Ok(())
}
