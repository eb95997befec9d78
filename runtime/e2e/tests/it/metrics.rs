//! What the operator exports, what the page about it says, and what dashboards and alerts use: all three are the same.
use crate::shared::LIMIT;
use crate::windlass::{Windlass, metrics_api};
use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;
use windlass_e2e::{repository, until};
use windlass_testkit::ScriptedHttp;

/// A family of metrics as the operator exports it, and as the page has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Family {
    kind: String,
    /// Names of labels, but for a histogram's own `le`.
    labels: BTreeSet<String>,
    help: String,
}

/// What is exported only once something out of the ordinary has happened.
const RARE: [&str; 3] = ["windlass_source_budget_reloads", "windlass_source_refused", "windlass_watch_restarts"];

type Families = BTreeMap<String, Family>;

impl Family {
    /// Its row of the page.
    fn row(&self, name: &str) -> String {
        let labels: Vec<&str> = self.labels.iter().map(String::as_str).collect();
        let labels = if labels.is_empty() { "–".to_owned() } else { labels.join(", ") };
        format!("| `{name}` | {} | {labels} | {} |", self.kind, self.help)
    }
}

/// What a page of metrics holds.
fn exported(page: &str) -> Families {
    let mut families = Families::new();
    let word = |line: &str, what: &str| {
        let (name, rest) = line.strip_prefix(what)?.split_once(' ')?;
        Some((name.to_owned(), rest.trim_end_matches('.').to_owned()))
    };
    for line in page.lines() {
        if let Some((name, help)) = word(line, "# HELP ") {
            families.entry(name).or_default().help = help;
        } else if let Some((name, kind)) = word(line, "# TYPE ") {
            families.entry(name).or_default().kind = kind;
        } else if let Some((name, labels)) = line.split_once('{') {
            let Some(name) = family(&families, name).map(str::to_owned) else { continue };
            let labels = labels.split("=\"").filter_map(|before| before.rsplit(['{', ',', '"']).next());
            let labels =
                labels.filter(|label| !label.is_empty() && label.chars().all(|c| c.is_ascii_alphabetic() || c == '_'));
            let labels = labels.filter(|label| *label != "le").map(str::to_owned);
            families.entry(name).or_default().labels.extend(labels);
        }
    }
    families
}

/// What the page about metrics says.
fn documented() -> Result<Families> {
    let docs = std::fs::read_to_string(repository().join("deploy/metrics.md"))?;
    let mut families = Families::new();
    for line in docs.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        let [name, kind, labels, help] = cells.as_slice() else { bail!("deploy/metrics.md: {line}") };
        let labels = labels.split(", ").filter(|label| *label != "–").map(str::to_owned).collect();
        let family = Family { kind: (*kind).to_owned(), labels, help: (*help).to_owned() };
        families.insert(name.trim_matches('`').to_owned(), family);
    }
    Ok(families)
}

/// Names of our metrics in a text, as PromQL has them.
fn used(text: &str) -> BTreeSet<String> {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let words = text.split(|c| !word(c));
    words.filter(|name| name.starts_with("windlass_") || name.starts_with("keda_")).map(str::to_owned).collect()
}

/// The family that a name in PromQL belongs to.
fn family<'a>(families: &'a Families, name: &str) -> Option<&'a str> {
    let ends: &[&str] = &["", "_total", "_bucket", "_sum", "_count"];
    let base = ends.iter().find_map(|end| families.get_key_value(name.strip_suffix(end)?))?;
    // A counter's series are called _total, and a histogram has no series of its own name.
    let fits = match base.1.kind.as_str() {
        "counter" => name.ends_with("_total"),
        "histogram" => name != base.0.as_str(),
        _ => name == base.0.as_str(),
    };
    fits.then_some(base.0.as_str())
}

#[tokio::test]
async fn the_page_dashboards_and_alerts_are_about_what_is_exported() -> Result<()> {
    let windlass = Windlass::beside("metrics").await?;
    let source = ScriptedHttp::start().await?;
    source.set_value(3.0);
    windlass.deployment("web", 0).await?;
    windlass.scale("web", json!({ "pollingInterval": 1, "triggers": [metrics_api(&source.url(), "1")] })).await?;
    windlass.wait_replicas("web", 3).await?;
    let operator = windlass.operator()?;
    // A family appears with its first series.
    let page = until("all metrics of a working operator are there", LIMIT, || async {
        let (_, page) = operator.page("/metrics").await?;
        let ours = format!("keda_scaler_active{{namespace=\"{}\"", windlass.namespace);
        let needed = [ours.as_str(), "windlass_sample_age_seconds_count", "windlass_source_wait_seconds_count"];
        match needed.iter().find(|line| !page.contains(**line)) {
            None => Ok(Some(page)),
            Some(line) => bail!("no {line}"),
        }
    })
    .await?;
    let (exported, documented) = (exported(&page), documented()?);
    for (name, family) in &exported {
        let known = documented.get(name).cloned().unwrap_or_default();
        // What nothing has been counted of yet has no labels yet.
        let same =
            (&known.kind, &known.help) == (&family.kind, &family.help) && known.labels.is_superset(&family.labels);
        ensure!(same, "deploy/metrics.md: {name} is {known:?}; write {}", family.row(name));
    }
    for name in documented.keys().filter(|name| !RARE.contains(&name.as_str())) {
        ensure!(exported.contains_key(name), "deploy/metrics.md: {name} is not exported");
    }

    let folder = repository().join("deploy/dashboards");
    let mut files = 0;
    for entry in std::fs::read_dir(&folder)? {
        let path = entry?.path();
        let text = std::fs::read_to_string(&path)?;
        let names = used(&text);
        for name in &names {
            ensure!(family(&documented, name).is_some(), "{}: {name} is not exported", path.display());
        }
        if path.extension().is_some_and(|end| end == "json") {
            let board: Value = serde_json::from_str(&text)?;
            ensure!(board["panels"].as_array().is_some_and(|panels| panels.len() > 10), "{}", path.display());
        }
        files += usize::from(!names.is_empty());
    }
    ensure!(files >= 2, "dashboards and rules are missing");
    Ok(())
}

#[test]
fn the_alert_rules_do_what_they_say() -> Result<()> {
    let folder = repository().join("deploy/dashboards");
    for arguments in [["check", "rules", "rules.yaml"], ["test", "rules", "rules-test.yaml"]] {
        let ran = Command::new("promtool").args(arguments).current_dir(&folder).output().context("promtool")?;
        ensure!(
            ran.status.success(),
            "{}{}",
            String::from_utf8_lossy(&ran.stdout),
            String::from_utf8_lossy(&ran.stderr)
        );
    }
    Ok(())
}
