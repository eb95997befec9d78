//! What a load test found: figures, and series for plots. Its JSON is what `--compare` reads.
use crate::table;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The form of reports.
pub(super) const FORM: u32 = 1;

/// The shares of values that are told, unless others are.
pub(super) const USUAL: [(&str, f64); 3] = [("p50", 0.5), ("p99", 0.99), ("greatest", 1.0)];

/// A load test's report.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Report {
    /// The form: 1.
    pub(super) form: u32,
    /// When it began.
    pub(super) began: String,
    /// What was asked for, as its flags say it.
    pub(super) work: BTreeMap<String, String>,
    /// What was found.
    pub(super) figures: Vec<Figure>,
    /// What was found, over time or by size.
    pub(super) series: Vec<Series>,
}

/// One figure.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Figure {
    pub(super) name: String,
    pub(super) value: f64,
    pub(super) unit: String,
}

/// Points of a plot.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Series {
    pub(super) name: String,
    /// What is told on each axis.
    pub(super) axes: [String; 2],
    pub(super) points: Vec<[f64; 2]>,
}

impl Report {
    pub(super) fn figure(&mut self, name: &str, value: f64, unit: &str) {
        // More digits than any of these is good for would only be noise in a comparison.
        let value = if value == 0.0 || !value.is_finite() { value } else { digits(value) };
        self.figures.push(Figure { name: name.to_owned(), value, unit: unit.to_owned() });
    }

    /// Shares of sorted values, by their names.
    pub(super) fn quantiles(&mut self, name: &str, sorted: &[f64], shares: &[(&str, f64)], unit: &str) {
        for (share, of) in shares {
            self.figure(&format!("{name}, {share}"), quantile(sorted, *of), unit);
        }
    }

    pub(super) fn series(&mut self, name: &str, axes: [&str; 2], points: Vec<[f64; 2]>) {
        self.series.push(Series { name: name.to_owned(), axes: axes.map(str::to_owned), points });
    }

    /// How a figure compares with the same one of another run: the other value, and ours over it.
    pub(super) fn against(&self, other: Option<&Report>) -> Vec<(&Figure, Option<(f64, f64)>)> {
        let before = |figure: &Figure| {
            let other = other?.figures.iter().find(|known| known.name == figure.name && known.unit == figure.unit)?;
            Some((other.value, figure.value / other.value))
        };
        self.figures.iter().map(|figure| (figure, before(figure))).collect()
    }

    /// Prints it for people.
    pub(super) fn print(&self, other: Option<&Report>) {
        let compared = other.is_some();
        let head: &[&str] =
            if compared { &["FIGURE", "VALUE", "UNIT", "BEFORE", "RATIO"] } else { &["FIGURE", "VALUE", "UNIT"] };
        let rows = self.against(other).into_iter().map(|(figure, before)| {
            let mut row = vec![figure.name.clone(), number(figure.value), figure.unit.clone()];
            if compared {
                row.extend(match before {
                    Some((value, ratio)) if ratio.is_finite() => [number(value), format!("{ratio:.2}")],
                    Some((value, _)) => [number(value), "-".to_owned()],
                    None => ["-".to_owned(), "-".to_owned()],
                });
            }
            row
        });
        table::print(head, rows);
    }
}

fn digits(value: f64) -> f64 {
    let scale = 10_f64.powi(3 - value.abs().log10().floor() as i32);
    (value * scale).round() / scale
}

/// A number for people.
pub(super) fn number(value: f64) -> String {
    if value.fract() == 0.0 && value.abs() < 1e9 { format!("{value:.0}") } else { format!("{value}") }
}

/// The value that a share (0 to 1) of all does not exceed; 0 when there are none.
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let last = sorted.len().saturating_sub(1);
    let place = (share * last as f64).round() as usize;
    sorted.get(place.min(last)).copied().unwrap_or_default()
}

/// How many of sorted values fall into each of so many equal steps up to the greatest: middle of the step, and count.
pub(super) fn histogram(sorted: &[f64], steps: usize) -> Vec<[f64; 2]> {
    // Beyond this a plot would show nothing but the one outlier.
    let most = quantile(sorted, 0.999).max(f64::MIN_POSITIVE);
    let width = most / steps as f64;
    let mut points: Vec<[f64; 2]> = (0..steps).map(|step| [(step as f64 + 0.5) * width, 0.0]).collect();
    for value in sorted.iter().filter(|value| **value <= most) {
        let step = ((value / width) as usize).min(steps.saturating_sub(1));
        if let Some([_, count]) = points.get_mut(step) {
            *count += 1.0;
        }
    }
    points
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_compared_by_name_and_unit() {
        let report = |value| {
            let mut report = Report::default();
            report.figure("reads, p99", value, "ms");
            report.figure("writes", 0.0, "objects");
            report
        };
        let (now, before) = (report(3.0), report(12.0));
        let told: Vec<_> = now.against(Some(&before)).into_iter().map(|(_, before)| before).collect();
        assert_eq!(told[0], Some((12.0, 0.25)));
        assert!(told[1].is_some_and(|(value, ratio)| value == 0.0 && ratio.is_nan()));
        assert!(now.against(None).iter().all(|(_, before)| before.is_none()));
        let other = Report { figures: vec![Figure { unit: "s".to_owned(), ..before.figures[0].clone() }], ..before };
        assert_eq!(now.against(Some(&other))[0].1, None);
    }

    #[test]
    fn quantiles_and_steps() {
        let sorted: Vec<f64> = (1..=1_000).map(f64::from).collect();
        assert_eq!((quantile(&sorted, 0.0), quantile(&sorted, 0.99), quantile(&sorted, 1.0)), (1.0, 990.0, 1000.0));
        assert_eq!(quantile(&[], 0.5), 0.0);
        let steps = histogram(&sorted, 10);
        assert_eq!(steps.iter().map(|[_, count]| count).sum::<f64>(), 999.0);
        assert!(steps.iter().all(|[_, count]| (98.0..=101.0).contains(count)), "{steps:?}");
        assert!(histogram(&[], 3).iter().all(|[_, count]| *count == 0.0));
    }
}
