//! `windlass scaler`: everything that an author of a scaler does, outside of any cluster.
mod build;
mod configure;
mod exit;
mod inspect;
mod new;
mod poll;
mod problem;
mod registry;
mod test;
mod trigger;

use crate::args::{Output, Scaler as Command};
use exit::{Exit, Stop};
use std::process::ExitCode;

/// Runs the command.
pub(crate) fn run(command: Command) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let output = command.output();
    let done = runtime.block_on(async {
        match command {
            Command::New(options) => new::run(options),
            Command::Build(options) => build::run(options),
            Command::Test(options) => test::run(options).await,
            Command::Inspect(options) => inspect::run(options).await,
            Command::Configure(options) => configure::run(options).await,
            Command::Poll(options) => poll::run(options).await,
            Command::Push(options) => registry::ended(registry::push(options).await),
            Command::Pull(options) => registry::ended(registry::pull(options).await),
            Command::Sign(options) => registry::ended(registry::sign(options).await),
            Command::Verify(options) => registry::ended(registry::verify(options).await),
            Command::Keygen(options) => registry::ended(registry::keygen(options)),
        }
    });
    Ok(done.unwrap_or_else(|stop| ended(&stop, output)).into())
}

/// Says why a command could not do its work.
fn ended(stop: &Stop, output: Output) -> Exit {
    match (output, serde_json::to_string(&stop.told())) {
        (Output::Json, Ok(told)) => println!("{told}"),
        _ => eprintln!("error: {:#}", stop.error),
    }
    stop.exit
}

fn yes(value: bool) -> String {
    if value { "yes" } else { "no" }.to_owned()
}
