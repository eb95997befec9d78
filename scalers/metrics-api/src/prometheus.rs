//! Values in the text format of Prometheus, by a metric's name and labels.
mod sample;
mod selector;

pub(crate) use selector::Selector;

use crate::number;
use crate::shorten::shorten;
use sample::Sample;

impl Selector {
    /// The value of the first series that fits. Lines of other metrics are passed over, whatever stands in them.
    ///
    /// # Errors
    /// What is there instead.
    pub(crate) fn find(&self, text: &str) -> Result<f64, String> {
        let mut series = 0;
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.trim();
            if line.starts_with('#') || !Sample::is_of(line, &self.name) {
                continue;
            }
            let sample = Sample::parse(line).ok_or_else(|| {
                format!("is in line {number}, which is not in Prometheus' text format: `{}`", shorten(line))
            })?;
            series += 1;
            if self.fits(&sample) {
                return number::finite(sample.value);
            }
        }
        if series > 0 {
            return Err(format!("is not in the answer: {series} series of the metric have other labels"));
        }
        let first = text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
        if first.starts_with(['<', '{', '[']) {
            return Err(format!("needs Prometheus' text format, but the answer begins with `{}`", shorten(first)));
        }
        Err("is not in the answer: there is no such metric".to_owned())
    }
}
