//! What `windlass local` shows: a live table on a terminal, a line per change elsewhere, or one JSON object per change.
use crate::args::Output;
use crate::local::process::Count;
use crate::local::target::Happened;
use crate::table;
use std::io::{IsTerminal, Write};
use std::path::Path;
use std::time::Duration;
use tokio::sync::mpsc;
use windlass_core::WorkloadKey;
use windlass_core::view::View;

/// One workload at one moment.
pub(crate) struct Row {
    /// Which.
    pub(crate) key: WorkloadKey,
    /// What the core knows of it; `None`: nothing yet.
    pub(crate) view: Option<View>,
    /// Its copies.
    pub(crate) count: Count,
}

/// Shows rows.
pub(crate) struct Display {
    output: Output,
    /// Redraw in place.
    live: bool,
    happened: mpsc::UnboundedReceiver<Happened>,
    /// Lines drawn last time.
    drawn: usize,
    /// What each workload showed last.
    last: Vec<Vec<String>>,
}

const HEAD: [&str; 7] = ["TIME", "OBJECT", "VALUE / TARGET", "DESIRED", "RUNNING", "READY", "DECISION"];

impl Display {
    /// A display.
    pub(crate) fn new(output: Output, happened: mpsc::UnboundedReceiver<Happened>) -> Display {
        let live = output == Output::Text && std::io::stdout().is_terminal();
        Display { output, live, happened, drawn: 0, last: Vec::new() }
    }

    /// Shows what is new.
    pub(crate) fn show(&mut self, time: Duration, rows: &[Row]) {
        let mut news = Vec::new();
        while let Ok(one) = self.happened.try_recv() {
            news.push(one);
        }
        if self.output == Output::Json {
            for one in &news {
                print_json(&serde_json::json!({
                    "seconds": seconds(time), "object": one.key.to_string(), "event": one.reason.as_str(), "message": &*one.text,
                }));
            }
        }
        let cells: Vec<Vec<String>> = rows.iter().map(cells).collect();
        let changed = cells != self.last;
        match (self.output, self.live) {
            (Output::Json, _) if changed => {
                rows.iter()
                    .zip(&cells)
                    .enumerate()
                    .filter(|(i, (_, now))| self.last.get(*i) != Some(*now))
                    .for_each(|(_, (row, _))| print_json(&json(time, row)));
            }
            (Output::Text, true) => self.redraw(time, &cells, &news),
            (Output::Text, false) if changed => {
                let new = cells.iter().enumerate().filter(|(i, now)| self.last.get(*i) != Some(*now));
                let lines: Vec<Vec<String>> = new.map(|(_, now)| timed(time, now)).collect();
                // Columns keep their width from line to line.
                if self.last.is_empty() {
                    println!("{}", fixed(&HEAD.map(str::to_owned)));
                }
                for line in lines {
                    println!("{}", fixed(&line));
                }
                let _ = std::io::stdout().flush();
            }
            (Output::Json | Output::Text, _) => {}
        }
        self.last = cells;
    }

    fn redraw(&mut self, time: Duration, cells: &[Vec<String>], news: &[Happened]) {
        let mut text = String::new();
        if self.drawn > 0 {
            text.push_str(&format!("\x1b[{}A\x1b[J", self.drawn));
        }
        for one in news {
            text.push_str(&format!("{:>6.1}s  {}  {}: {}\n", seconds(time), one.key, one.reason, one.text));
        }
        let rows: Vec<Vec<String>> = cells.iter().map(|cells| timed(time, cells)).collect();
        let lines = table::lines(&HEAD, &rows);
        self.drawn = lines.len();
        for line in lines {
            text.push_str(&line);
            text.push('\n');
        }
        print!("{text}");
        let _ = std::io::stdout().flush();
    }

    /// The last words.
    pub(crate) fn summary(&mut self, peak: u32, last: u32, polls: u64, took: f64, logs: &Path) {
        match self.output {
            Output::Json => print_json(&serde_json::json!({
                "event": "summary", "peak_replicas": peak, "final_replicas": last, "polls": polls,
                "seconds": (took * 10.0).round() / 10.0,
            })),
            Output::Text => {
                println!(
                    "\npeak {peak} replicas, {last} at the end; {polls} polls in {took:.0} s; output of the copies: {}",
                    logs.display()
                );
            }
        }
    }
}

fn cells(row: &Row) -> Vec<String> {
    let Some(view) = &row.view else {
        return vec![
            row.key.to_string(),
            "-".into(),
            "-".into(),
            row.count.running.to_string(),
            "-".into(),
            "reading the object".into(),
        ];
    };
    let mut values = Vec::new();
    for trigger in &view.triggers {
        if let Some(fault) = trigger.fault.as_deref() {
            values.push(format!("({})", fault.chars().take(40).collect::<String>()));
        }
        for metric in &trigger.metrics {
            let value = metric.value.map_or_else(|| "?".to_owned(), |value| value.as_f64().to_string());
            values.push(format!("{value} / {}", metric.target.as_f64()));
        }
    }
    vec![
        row.key.to_string(),
        values.join(", "),
        row.count.wanted.to_string(),
        row.count.running.to_string(),
        format!("{:?}", view.health.status),
        view.because.as_ref().map_or_else(|| "waiting for the first answer".to_owned(), ToString::to_string),
    ]
}

fn timed(time: Duration, cells: &[String]) -> Vec<String> {
    std::iter::once(format!("{:.1}s", seconds(time))).chain(cells.iter().cloned()).collect()
}

/// A line with columns of fixed width, for output that is not redrawn.
fn fixed(cells: &[String]) -> String {
    const WIDTHS: [usize; 7] = [7, 16, 16, 8, 8, 8, 0];
    let cells: Vec<String> = cells.iter().zip(WIDTHS).map(|(cell, width)| format!("{cell:<width$}")).collect();
    cells.join(" ").trim_end().to_owned()
}

fn json(time: Duration, row: &Row) -> serde_json::Value {
    let metrics: Vec<_> = row
        .view
        .iter()
        .flat_map(|view| &view.triggers)
        .flat_map(|trigger| &trigger.metrics)
        .map(|metric| {
            serde_json::json!({
                "name": metric.name.to_string(),
                "value": metric.value.map(|value| value.as_f64()),
                "target": metric.target.as_f64(),
                "active": metric.active,
            })
        })
        .collect();
    serde_json::json!({
        "seconds": seconds(time),
        "object": row.key.to_string(),
        "metrics": metrics,
        "desired": row.count.wanted,
        "running": row.count.running,
        "because": row.view.as_ref().and_then(|view| view.because.as_ref()).map(ToString::to_string),
    })
}

/// With one decimal.
fn seconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 10.0).round() / 10.0
}

fn print_json(value: &serde_json::Value) {
    println!("{value}");
    let _ = std::io::stdout().flush();
}
