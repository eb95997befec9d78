//! The `windlass` binary: it wires the stages and does nothing else.
mod args;
mod bench;
mod budgets;
mod components;
mod limits;
mod local;
mod mounted;
mod operator;
mod registries;
mod scaler;
mod signals;
mod style;
mod table;
mod telemetry;
mod why;

use args::{Arguments, Command};
use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    // Every TLS user of the process takes this one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    if let Err(error) = telemetry::start(&arguments.log) {
        eprintln!("error: {error:#}");
        return ExitCode::from(2);
    }
    let done = match arguments.command {
        Command::Operator(operator) => operator::run(*operator),
        Command::Local(local) => local::run(local),
        Command::Bench(options) => bench::run(options),
        Command::Why(options) => why::run(options),
        Command::Scaler(scaler) => scaler::run(scaler),
        Command::CompileComponent { limits } => {
            windlass_host::compile_child(limits).map(|()| ExitCode::SUCCESS).map_err(Into::into)
        }
    };
    done.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}
