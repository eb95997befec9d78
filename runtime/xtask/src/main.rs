//! The repository's tasks: `cargo xtask demo`, `cargo xtask test`, and what they are made of. One module a task.
#![allow(unreachable_pub, reason = "a program has no callers outside")]
mod bench;
mod c_toolchain;
mod chart;
mod cluster;
mod codegen;
mod demo;
mod frozen;
mod fuzz;
mod languages;
mod scalers;
mod source;
mod test;
mod tidy;
mod tool;
mod wasm_toolchain;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Tasks of the Windlass repository")]
struct Args {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Build everything and scale real worker processes 0 → N → 0, without Kubernetes
    Demo(demo::Args),
    /// Run the whole test suite: what CI runs
    Test(test::Args),
    /// A real control plane on loopback with Windlass installed, to play with by kubectl
    Cluster(cluster::Args),
    /// Build the scalers of scalers/ as WebAssembly components into target/scalers/components
    Scalers(scalers::Args),
    /// Regenerate generated files; with --check, fail when one is out of date
    Codegen(codegen::Args),
    /// Check that the Helm chart renders to the same objects as the plain manifests of deploy/
    Chart(chart::Args),
    /// Check the rules of the repository: dependency arrows, where things may be named
    Tidy(tidy::Args),
    /// Run the fuzz targets for longer than the tests do
    Fuzz(fuzz::Args),
    /// Benchmarks; one JSON line per figure with --output json
    Bench(bench::Args),
}

fn main() -> anyhow::Result<()> {
    match Args::parse().task {
        Task::Demo(args) => demo::run(args),
        Task::Test(args) => test::run(args),
        Task::Cluster(args) => cluster::run(args),
        Task::Scalers(args) => scalers::run(args),
        Task::Codegen(args) => codegen::run(args),
        Task::Chart(args) => chart::run(args),
        Task::Tidy(args) => tidy::run(args),
        Task::Fuzz(args) => fuzz::run(args),
        Task::Bench(args) => bench::run(args),
    }
}
