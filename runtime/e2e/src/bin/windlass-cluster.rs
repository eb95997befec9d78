//! `windlass-cluster`: what `cargo xtask cluster` runs.
use anyhow::Result;
use clap::{Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;
use windlass_e2e::{BuildState, Cluster, OperatorOptions, control_plane_binary, serve_node};

#[derive(Parser)]
#[command(about = "A real control plane on loopback with Windlass installed")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Build the control plane's binary, if that was not done yet
    Build,
    /// One word: `built`, `buildable`, or `no-go` with the folder into which Go may be installed
    #[command(hide = true)]
    Check,
    /// Start the control plane and Windlass, and return
    Up {
        /// Only the control plane
        #[arg(long)]
        bare: bool,
        /// More flags for `windlass operator` (repeatable)
        #[arg(long = "operator-flag", allow_hyphen_values = true)]
        operator_flags: Vec<String>,
    },
    /// Stop all of it
    Down,
    /// Tell what runs
    Status {
        /// One JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// Be the cluster's node (started by `up`)
    #[command(hide = true)]
    Node { kubeconfig: PathBuf },
}

#[tokio::main]
async fn main() -> ExitCode {
    // Without the backtrace that an error returned from main would bring.
    match run(Arguments::parse().command).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(command: Command) -> Result<()> {
    match command {
        Command::Build => {
            let binary = tokio::task::spawn_blocking(control_plane_binary).await??;
            println!("{}", binary.display());
        }
        Command::Check => match BuildState::now()? {
            BuildState::Built => println!("built"),
            BuildState::Buildable => println!("buildable"),
            BuildState::GoMissing { place } => println!("no-go {}", place.display()),
        },
        Command::Up { bare, operator_flags } => {
            let operator = (!bare).then(|| OperatorOptions { arguments: operator_flags, ..OperatorOptions::default() });
            explain(&Cluster::up(operator).await?);
        }
        Command::Down => match Cluster::read()? {
            Some(cluster) => {
                cluster.stop()?;
                println!("stopped");
            }
            None => println!("no cluster runs"),
        },
        Command::Status { json } => status(json)?,
        Command::Node { kubeconfig } => serve_node(kubeconfig).await?,
    }
    Ok(())
}

fn explain(cluster: &Cluster) {
    println!("The cluster is up. To use it:\n");
    println!("  export KUBECONFIG={}", cluster.kubeconfig.display());
    println!("  alias kubectl={}", cluster.kubectl.display());
    println!("  kubectl get scaledobjects,hpa -A\n");
    if let Some(log) = &cluster.operator_log {
        println!("The operator's log: {}", log.display());
    }
    println!("Pods run on paper only: they become Ready, but no container is started.");
    println!("`cargo xtask cluster down` ends it.");
}

fn status(json: bool) -> Result<()> {
    let Some(cluster) = Cluster::read()? else {
        if !json {
            println!("no cluster runs");
        }
        return Ok(());
    };
    for process in cluster.status() {
        if json {
            println!("{}", serde_json::to_string(&process)?);
        } else {
            println!("{:24} {:>8} {}", process.name, process.id, if process.running { "running" } else { "ended" });
        }
    }
    if !json {
        println!("KUBECONFIG={}", cluster.kubeconfig.display());
    }
    Ok(())
}
