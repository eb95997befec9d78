//! The same reading without a sandbox: the Rust template's own code.
#[path = "../../../../sdk/rust/template/src/location.rs"]
mod location;

use anyhow::{Result, anyhow};
use std::time::Instant;

const ROUNDS: usize = 20_000;

/// Microseconds to find the number in an answer.
pub(super) fn per_query_us(document: &str, place: &str) -> Result<f64> {
    let mut sum = 0.0;
    let started = Instant::now();
    for _ in 0..ROUNDS {
        let document = std::hint::black_box(document.as_bytes());
        sum += location::number_at(document, place).map_err(|failure| anyhow!("{}", failure.message))?;
    }
    let took = started.elapsed();
    std::hint::black_box(sum);
    Ok(took.as_secs_f64() * 1e6 / ROUNDS as f64)
}
