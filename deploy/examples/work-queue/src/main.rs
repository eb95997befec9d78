//! A small work queue over HTTP, with its producer and its worker: something real to scale in examples and in the demo.
//!
//! ```text
//!  produce ──POST /jobs──► serve ◄──POST /jobs/lease, DELETE /jobs/ID── work (as many as there are copies)
//!                            ▲
//!                            └──GET /stats── {"backlog":12,…}: what a ScaledObject looks at
//! ```
//!
//! A job is leased, not taken: what a worker did not finish in time is given to another. Every command prints one JSON
//! object a line.
mod client;
mod produce;
mod queue;
mod serve;
mod work;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "work-queue", version, about = "A small work queue over HTTP")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Keep the queue
    Serve(serve::Arguments),
    /// Add jobs at a steady rate
    Produce(produce::Arguments),
    /// Do jobs until asked to stop; the job in hand is finished first
    Work(work::Arguments),
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    match Arguments::parse().command {
        Command::Serve(arguments) => serve::run(arguments).await,
        Command::Produce(arguments) => produce::run(arguments).await,
        Command::Work(arguments) => work::run(arguments).await,
    }
}

/// Prints one JSON object on a line of its own. A reader that went away is no reason to stop.
fn print(value: &serde_json::Value) {
    use std::io::Write;
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{value}").and_then(|()| out.flush());
}

/// Turns `true` when the process is asked to stop, by SIGTERM or Ctrl-C. Asked for once, so that no signal is missed.
fn stop_requested() -> anyhow::Result<tokio::sync::watch::Receiver<bool>> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let (ask, asked) = tokio::sync::watch::channel(false);
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        ask.send_replace(true);
        ask.closed().await;
    });
    Ok(asked)
}
