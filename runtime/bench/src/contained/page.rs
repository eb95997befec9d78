//! The operator's page of metrics, as numbers.
use anyhow::{Result, bail};
use windlass_e2e::Operator;

/// A page as it was at one time.
#[derive(Debug, Clone, Default)]
pub(super) struct Page(String);

impl Page {
    pub(super) async fn of(operator: &Operator) -> Result<Page> {
        match operator.page("/metrics").await? {
            (200, text) => Ok(Page(text)),
            (status, text) => bail!("/metrics answers {status}: {text}"),
        }
    }

    /// The sum of a metric's series that have all of these labels, each as `name="value"`.
    pub(super) fn sum(&self, metric: &str, labels: &[&str]) -> f64 {
        let series = self.0.lines().filter_map(|line| {
            let (series, value) = line.rsplit_once(' ')?;
            let (name, told) = series.split_once('{').unwrap_or((series, ""));
            let fits = name == metric && labels.iter().all(|label| told.contains(label));
            value.parse::<f64>().ok().filter(|_| fits)
        });
        series.sum()
    }

    /// How much a sum grew since another page.
    pub(super) fn since(&self, then: &Page, metric: &str, labels: &[&str]) -> f64 {
        self.sum(metric, labels) - then.sum(metric, labels)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_what_has_the_labels() {
        let page =
            Page("# HELP a b\na_total{x=\"1\",y=\"2\"} 3\na_total{x=\"2\",y=\"2\"} 4\nb 5\na_total_more 6\n".into());
        assert_eq!(page.sum("a_total", &[]), 7.0);
        assert_eq!(page.sum("a_total", &["x=\"2\""]), 4.0);
        assert_eq!(page.sum("b", &[]), 5.0);
    }
}
