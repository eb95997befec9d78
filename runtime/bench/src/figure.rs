//! A measured figure, in the form that all benchmarks print.
use serde::Serialize;
use std::time::Duration;

/// How figures are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Output {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// One figure.
#[derive(Debug, Serialize)]
struct Figure<'a> {
    bench: &'a str,
    figure: &'a str,
    value: f64,
    unit: &'a str,
    work: &'a str,
}

/// Where a benchmark's figures go.
#[derive(Clone, Copy, Debug)]
pub struct Report {
    /// The benchmark's name.
    pub bench: &'static str,
    /// Their form.
    pub output: Output,
}

impl Report {
    /// Prints a figure; `work` says what it was measured on.
    pub fn figure(&self, figure: &str, value: f64, unit: &str, work: &str) {
        // Four digits are more than any of these measurements is good for.
        let value = rounded(value);
        let line = Figure { bench: self.bench, figure, value, unit, work };
        match self.output {
            Output::Text => println!("{figure:<58} {value:>12} {unit:<10} {work}"),
            Output::Json => println!("{}", serde_json::to_string(&line).unwrap_or_default()),
        }
    }

    /// Says what happens now, beside the figures.
    pub fn say(&self, what: &str) {
        eprintln!("==> {what}");
    }
}

fn rounded(value: f64) -> f64 {
    if value == 0.0 || !value.is_finite() {
        return value;
    }
    let scale = 10f64.powi(3 - value.abs().log10().floor() as i32);
    (value * scale).round() / scale
}

/// Durations, in order.
#[derive(Clone, Debug, Default)]
pub struct Times(Vec<Duration>);

impl FromIterator<Duration> for Times {
    fn from_iter<T: IntoIterator<Item = Duration>>(times: T) -> Times {
        let mut times: Vec<Duration> = times.into_iter().collect();
        times.sort_unstable();
        Times(times)
    }
}

impl Times {
    /// How many.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The time that a share of them (0 to 1) does not exceed, in milliseconds; 0 when there are none.
    pub fn quantile_ms(&self, share: f64) -> f64 {
        let last = self.0.len().saturating_sub(1);
        let place = (share * last as f64).round() as usize;
        self.0.get(place.min(last)).map_or(0.0, |time| time.as_secs_f64() * 1e3)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_the_sorted_times() {
        let times: Times = (1..=101).rev().map(Duration::from_millis).collect();
        assert_eq!((times.quantile_ms(0.0), times.quantile_ms(0.5), times.quantile_ms(1.0)), (1.0, 51.0, 101.0));
        assert_eq!(times.quantile_ms(0.99), 100.0);
        assert_eq!(Times::default().quantile_ms(0.5), 0.0);
    }

    #[test]
    fn four_digits() {
        assert_eq!([rounded(0.012_345_6), rounded(123_456.0), rounded(0.0)], [0.012_35, 123_500.0, 0.0]);
    }
}
