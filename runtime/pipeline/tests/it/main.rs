//! The stages with fakes of what is around them, in paused time.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]
mod drive;
mod fake;
mod metrics;
mod prepare;
