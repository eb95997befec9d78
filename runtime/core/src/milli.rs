//! Metric values in thousandths, as the Kubernetes metrics APIs carry them.
use std::fmt;

/// A value in thousandths (`1500m` is 1.5). The HPA controller computes with these.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Milli(pub i64);

impl Milli {
    /// From a float, truncated to thousandths as KEDA does. `None` for NaN, infinities and what an `i64` cannot hold.
    pub fn from_f64(value: f64) -> Option<Milli> {
        let scaled = value * 1000.0;
        // 2^63 is exactly representable; everything below it fits.
        (scaled.is_finite() && scaled.abs() < 9_223_372_036_854_775_808.0).then_some(Milli(scaled as i64))
    }

    /// As a float.
    pub fn as_f64(self) -> f64 {
        self.0 as f64 / 1000.0
    }
}

/// The canonical form of a Kubernetes quantity: `5`, `1500m`, `3k` (powers of ten only when exact and three zeros long).
impl fmt::Display for Milli {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 % 1000 != 0 {
            return write!(f, "{}m", self.0);
        }
        let mut whole = self.0 / 1000;
        let mut suffix = "";
        for next in ["k", "M", "G", "T", "P", "E"] {
            if whole == 0 || whole % 1000 != 0 {
                break;
            }
            whole /= 1000;
            suffix = next;
        }
        write!(f, "{whole}{suffix}")
    }
}
