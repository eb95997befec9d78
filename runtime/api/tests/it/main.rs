//! Tests of windlass-api.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that fails panics")]
mod authentication;
mod crd;
mod environment;
mod example;
mod fuzz;
mod hpa;
mod local;
mod lower;
mod object;
mod property;
mod quantity;
mod status;
