//! `windlass-bench`: called by `cargo xtask bench`.
use anyhow::Result;
use clap::Parser;
use windlass_bench::figure::{Output, Report};
use windlass_bench::{contained, joint, languages, responder, ten_thousand};

#[derive(Parser)]
#[command(name = "windlass-bench", about = "Benchmarks of Windlass")]
struct Arguments {
    #[command(subcommand)]
    bench: Bench,
}

#[derive(clap::Subcommand)]
enum Bench {
    /// A real control plane, the HPA controller, the operator: reads, writes, requests, reaction, memory
    Joint {
        #[command(flatten)]
        options: joint::Options,
        /// Form of the figures
        #[arg(long, value_enum, default_value_t = Output::Text)]
        output: Output,
    },
    /// Many objects on several kinds of sources: what they cost at rest, and what failures, restarts and one second in which all
    /// change make of it
    TenThousand {
        #[command(flatten)]
        options: ten_thousand::Options,
        /// Form of the figures
        #[arg(long, value_enum, default_value_t = Output::Text)]
        output: Output,
    },
    /// Hostile components, slow and dead sources, greedy tenants: what their neighbours notice
    Contained {
        #[command(flatten)]
        options: contained::Options,
        /// Form of the figures
        #[arg(long, value_enum, default_value_t = Output::Text)]
        output: Output,
    },
    /// The templates of all languages: sizes, builds, loads, CPU and memory
    Languages {
        #[command(flatten)]
        options: languages::Options,
        /// Form of the figures
        #[arg(long, value_enum, default_value_t = Output::Text)]
        output: Output,
    },
    /// The bare TLS responder that reads are compared with
    #[command(hide = true)]
    Respond(responder::Arguments),
}

#[tokio::main]
async fn main() -> Result<()> {
    match Arguments::parse().bench {
        Bench::Joint { options, output } => joint::run(&options, Report { bench: "joint", output }).await,
        Bench::TenThousand { options, output } => {
            ten_thousand::run(&options, Report { bench: "ten-thousand", output }).await
        }
        Bench::Contained { options, output } => contained::run(&options, Report { bench: "contained", output }).await,
        Bench::Languages { options, output } => languages::run(&options, Report { bench: "languages", output }).await,
        Bench::Respond(arguments) => responder::run(arguments).await,
    }
}
