//! What neighbours notice of hostile components, of slow and dead sources and of greedy tenants: one running operator on a
//! real control plane, good ScaledObjects on a source that answers at once, and a reader of their metrics. Undisturbed windows
//! take turns with attacked ones, so that whatever else the machine does meets both.
mod attack;
mod costs;
mod greedy;
mod hostile;
mod object;
mod page;
mod reader;
mod shared;
mod source;
mod stage;

use crate::figure::Report;
use anyhow::Result;
use stage::Stage;
use std::time::Duration;

/// What to measure.
#[derive(Debug, Clone, clap::Args)]
pub struct Options {
    /// Good ScaledObjects
    #[arg(long, default_value_t = 300)]
    pub objects: usize,
    /// Less of everything: about four minutes in all
    #[arg(long)]
    pub quick: bool,
    /// Only these parts
    #[arg(long, value_enum, value_delimiter = ',')]
    pub only: Vec<Part>,
    /// Only these groups of attacks
    #[arg(long, value_delimiter = ',')]
    pub groups: Vec<String>,
    /// Seconds of a window; by default two periods
    #[arg(long)]
    pub window_s: Option<u64>,
    /// Attacked windows of each group; there is one more that is undisturbed
    #[arg(long)]
    pub rounds: Option<usize>,
}

/// A part of the benchmark.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Part {
    /// Hostile components
    Attacks,
    /// Slow and dead sources
    Sources,
    /// A tenant that asks more than its source may be asked
    Greedy,
    /// Many objects with few questions
    Shared,
    /// Compiling, the cache, and a quarantine from its beginning to its end
    Costs,
}

/// How much of it.
#[derive(Debug, Clone, Copy)]
struct Scale {
    /// The good objects' `pollingInterval`.
    period: Duration,
    window: Duration,
    rounds: usize,
}

impl Scale {
    fn of(options: &Options) -> Scale {
        let period = Duration::from_secs(if options.quick { 2 } else { 5 });
        let window = options.window_s.map_or(period * 2, Duration::from_secs);
        Scale { period, window, rounds: options.rounds.unwrap_or(if options.quick { 2 } else { 5 }) }
    }
}

/// Measures, and prints figures as they are known.
///
/// # Errors
/// When a part does not start, or does not do its work in time.
pub async fn run(options: &Options, report: Report) -> Result<()> {
    let scale = Scale::of(options);
    let wanted = |part| options.only.is_empty() || options.only.contains(&part);
    let stage = Stage::start(options.objects, scale.period, report).await?;
    if wanted(Part::Attacks) {
        attack::measure(&stage, scale, &options.groups, report).await?;
    }
    if wanted(Part::Sources) {
        source::measure(&stage, scale, report).await?;
    }
    if wanted(Part::Greedy) {
        greedy::measure(&stage, options.quick, report).await?;
    }
    if wanted(Part::Shared) {
        shared::measure(&stage, options.quick, report).await?;
    }
    if wanted(Part::Costs) {
        costs::measure(&stage, report).await?;
    }
    Ok(())
}
