//! What event sources may be asked: from flags, and from a file that may change while we run.
use crate::args::Sources;
use crate::mounted::{LOOK, Mounted};
use anyhow::{Context, bail, ensure};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use serde::Deserialize;
use std::sync::{Arc, Weak};
use std::time::Duration;
use windlass_host::{Budget, Host, Override};

/// The file: what it does not say is as the flags say.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct File {
    defaults: Defaults,
    overrides: Vec<ForSource>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct Defaults {
    rate: Option<f64>,
    burst: Option<u32>,
    in_flight: Option<usize>,
    queue: Option<usize>,
    namespace_queue: Option<usize>,
    connections: Option<usize>,
    breaker_failures: Option<u32>,
    share_ms: Option<u64>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ForSource {
    source: String,
    rate: Option<f64>,
    burst: Option<u32>,
    in_flight: Option<usize>,
}

/// What the flags say alone.
fn of_flags(sources: &Sources) -> anyhow::Result<Budget> {
    let overrides = sources.source_budget.iter().map(|text| text.parse().context("--source-budget"));
    Ok(Budget {
        rate: sources.source_rate,
        burst: sources.source_burst,
        in_flight: sources.source_in_flight as usize,
        queue: sources.source_queue as usize,
        queue_per_namespace: sources.source_namespace_queue as usize,
        connections: sources.source_connections as usize,
        breaker_failures: sources.source_breaker_failures,
        share_window: Duration::from_millis(sources.source_share_ms),
        overrides: overrides.collect::<Result<_, _>>()?,
        ..Budget::default()
    })
}

/// What the flags and the text of a file say together.
fn with_file(flags: &Budget, text: &str) -> anyhow::Result<Budget> {
    // An empty file says nothing.
    let File { defaults, overrides } =
        if text.trim().is_empty() { File::default() } else { serde_saphyr::from_str(text)? };
    let at_least_one = |name: &str, value: Option<usize>| match value {
        Some(0) => bail!("defaults.{name}: is 0; give at least 1"),
        value => Ok(value),
    };
    let counts = [
        ("burst", defaults.burst.map(|burst| burst as usize)),
        ("inFlight", defaults.in_flight),
        ("queue", defaults.queue),
        ("namespaceQueue", defaults.namespace_queue),
        ("connections", defaults.connections),
        ("breakerFailures", defaults.breaker_failures.map(|failures| failures as usize)),
    ];
    for (name, value) in counts {
        at_least_one(name, value)?;
    }
    if let Some(rate) = defaults.rate {
        ensure!((0.001..=1e6).contains(&rate), "defaults.rate: {rate} is not from 0.001 to 1000000");
    }
    ensure!(defaults.share_ms.is_none_or(|ms| ms <= 60_000), "defaults.shareMs: is more than 60000");
    let mut budget = flags.clone();
    for (number, ForSource { source, rate, burst, in_flight }) in overrides.iter().enumerate() {
        let made = Override::new(source, *rate, *burst, *in_flight).with_context(|| format!("overrides[{number}]"))?;
        budget.overrides.push(made);
    }
    Ok(Budget {
        rate: defaults.rate.unwrap_or(flags.rate),
        burst: defaults.burst.unwrap_or(flags.burst),
        in_flight: defaults.in_flight.unwrap_or(flags.in_flight),
        queue: defaults.queue.unwrap_or(flags.queue),
        queue_per_namespace: defaults.namespace_queue.unwrap_or(flags.queue_per_namespace),
        connections: defaults.connections.unwrap_or(flags.connections),
        breaker_failures: defaults.breaker_failures.unwrap_or(flags.breaker_failures),
        share_window: defaults.share_ms.map_or(flags.share_window, Duration::from_millis),
        ..budget
    })
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ResultLabel {
    result: &'static str,
}

/// The budgets of all sources, and the file that changes them.
pub(crate) struct Budgets {
    flags: Budget,
    file: Option<Mounted>,
    reloads: Family<ResultLabel, Counter>,
    good: Gauge,
}

impl Budgets {
    /// From the flags; with the budgets to begin with.
    ///
    /// # Errors
    /// When a flag or the file says what is no budget: at the start there is nothing else to go by.
    pub(crate) fn new(sources: &Sources, registry: &mut Registry) -> anyhow::Result<(Budgets, Budget)> {
        let flags = of_flags(sources)?;
        let mut budgets = Budgets { flags, file: None, reloads: Family::default(), good: Gauge::default() };
        let Some(file) = &sources.source_budgets else {
            let budget = budgets.flags.clone();
            return Ok((budgets, budget));
        };
        let help = "Changes of the file of source budgets, by whether they were taken";
        registry.register("windlass_source_budget_reloads", help, budgets.reloads.clone());
        let help = "Whether the file of source budgets could be used when it was last looked at";
        registry.register("windlass_source_budget_file_good", help, budgets.good.clone());
        let named = || format!("--source-budgets {}", file.display());
        let (mounted, text) = Mounted::open(file).with_context(named)?;
        let budget = with_file(&budgets.flags, &text).with_context(named)?;
        budgets.file = Some(mounted);
        budgets.good.set(1);
        Ok((budgets, budget))
    }

    /// Follows the file for as long as the host is there.
    pub(crate) fn follow(mut self, host: &Arc<Host>) {
        if self.file.is_none() {
            return;
        }
        let host = Arc::downgrade(host);
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(LOOK).await;
                let Some(host) = Weak::upgrade(&host) else { return };
                if let Some(budget) = self.look() {
                    host.set_budget(budget);
                }
            }
        });
    }

    /// The budgets of a file that has changed. One that cannot be used changes nothing.
    fn look(&mut self) -> Option<Budget> {
        let file = self.file.as_mut()?;
        let text = file.changed()?;
        let made = text.and_then(|text| with_file(&self.flags, &text));
        let result = if made.is_ok() { "taken" } else { "refused" };
        self.reloads.get_or_create(&ResultLabel { result }).inc();
        self.good.set(i64::from(made.is_ok()));
        match &made {
            Ok(_) => tracing::info!(file = %file.path(), "the budgets of sources have changed"),
            Err(error) => {
                let error = format!("{error:#}");
                tracing::warn!(file = %file.path(), error, "the budgets of sources stay as they were: the file cannot be used");
            }
        }
        made.ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Flags {
        #[command(flatten)]
        sources: Sources,
    }

    fn flags(arguments: &[&str]) -> Sources {
        Flags::parse_from([&["windlass"], arguments].concat()).sources
    }

    #[test]
    fn the_flags_say_what_the_host_says() {
        assert_eq!(of_flags(&flags(&[])).unwrap(), Budget::default());
        let one = "queue.example,rate=2";
        let set = flags(&["--source-rate", "0.5", "--source-burst=7", "--source-share-ms=0", "--source-budget", one]);
        let overrides = vec![one.parse().unwrap()];
        let expected = Budget { rate: 0.5, burst: 7, share_window: Duration::ZERO, overrides, ..Budget::default() };
        assert_eq!(of_flags(&set).unwrap(), expected);
    }

    #[test]
    fn a_file_goes_before_flags_where_it_says_something() {
        let flags = of_flags(&flags(&["--source-rate=9", "--source-burst=7", "--source-budget=a,rate=1"])).unwrap();
        let text = "
defaults: { rate: 2.5, shareMs: 0, namespaceQueue: 3 }
overrides:
  - { source: 'queue.example:8080', rate: 5, burst: 10, inFlight: 2 }
  - { source: 'a', inFlight: 1 }
";
        let budget = with_file(&flags, text).unwrap();
        let overrides = ["a,rate=1", "queue.example:8080,rate=5,burst=10,in-flight=2", "a,in-flight=1"];
        let overrides = overrides.map(|text| text.parse().unwrap()).to_vec();
        let expected = Budget {
            rate: 2.5,
            burst: 7,
            queue_per_namespace: 3,
            share_window: Duration::ZERO,
            overrides,
            ..Budget::default()
        };
        assert_eq!(budget, expected);
        assert_eq!(with_file(&flags, "").unwrap(), flags);
    }

    #[test]
    fn a_file_that_says_what_is_no_budget_is_refused_by_the_field() {
        for (text, named) in [
            ("defaults: { rate: 0 }", "defaults.rate"),
            ("defaults: { rate: .nan }", "defaults.rate"),
            ("defaults: { inFlight: 0 }", "defaults.inFlight"),
            ("defaults: { shareMs: 60001 }", "defaults.shareMs"),
            ("defaults: { speed: 1 }", "speed"),
            ("override: []", "override"),
            ("overrides: [{ source: a, rate: 1 }, { source: a }]", "overrides[1]"),
            ("overrides: [{ source: 'a:x', rate: 1 }]", "overrides[0]"),
            ("overrides: [{ source: 'a,burst=1', rate: 1 }]", "overrides[0]"),
            ("overrides: [{ source: a, rate: -1 }]", "overrides[0]"),
            ("[", ""),
        ] {
            let error = format!("{:#}", with_file(&Budget::default(), text).unwrap_err());
            assert!(error.contains(named), "{text}: {error}");
        }
    }

    #[test]
    fn a_file_that_changes_is_taken_and_a_bad_one_changes_nothing() {
        let folder = std::env::temp_dir().join(format!("windlass-budgets-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let file = folder.join("budgets.yaml");
        let write = |text: &str| std::fs::write(&file, text).unwrap();
        write("defaults: { rate: 1 }");
        let flags = flags(&["--source-budgets", file.to_str().unwrap()]);
        let mut registry = Registry::default();
        let (mut budgets, first) = Budgets::new(&flags, &mut registry).unwrap();
        assert_eq!(first.rate, 1.0);
        assert_eq!(budgets.look(), None);
        write("defaults: { rate: 2 }");
        assert_eq!(budgets.look().unwrap().rate, 2.0);
        write("defaults: { rate: two }");
        assert_eq!((budgets.look(), budgets.look()), (None, None));
        std::fs::remove_file(&file).unwrap();
        assert_eq!((budgets.look(), budgets.look()), (None, None));
        let count = |budgets: &Budgets, result| budgets.reloads.get_or_create(&ResultLabel { result }).get();
        assert_eq!((count(&budgets, "taken"), count(&budgets, "refused"), budgets.good.get()), (1, 2, 0));
        assert!(Budgets::new(&flags, &mut Registry::default()).is_err(), "at the start there is nothing to go by");
        write("defaults: { rate: 2 }");
        assert_eq!(budgets.look().unwrap().rate, 2.0);
        assert_eq!(budgets.good.get(), 1);
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
