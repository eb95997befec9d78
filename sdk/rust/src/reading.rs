//! Making readings.
use crate::Reading;

impl Reading {
    /// One value, for a plan with one metric. The workload is active when it is greater than the metric's activation.
    pub fn value(value: f64) -> Reading {
        Reading::values(vec![value])
    }

    /// One value per metric of the plan, in its order.
    pub fn values(values: Vec<f64>) -> Reading {
        Reading { values, active: None, observed_ms: None, next_ms: None, state: None, metrics: None }
    }

    /// Tells activity by itself, instead of by value and activation.
    #[must_use]
    pub fn active(mut self, active: bool) -> Reading {
        self.active = Some(active);
        self
    }

    /// The source's own time stamp of the value, in milliseconds since 1970.
    #[must_use]
    pub fn observed_ms(mut self, ms: u64) -> Reading {
        self.observed_ms = Some(ms);
        self
    }

    /// When to ask again at the latest, in milliseconds since 1970: the next moment at which the value changes.
    #[must_use]
    pub fn next_ms(mut self, ms: Option<u64>) -> Reading {
        self.next_ms = ms;
        self
    }

    /// What the query wants to find at its next poll, at most 16 KiB.
    #[must_use]
    pub fn state(mut self, state: Vec<u8>) -> Reading {
        self.state = Some(state);
        self
    }
}
