//! The rules, over virtual time.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by it")]

mod activity;
mod build;
mod facts;
mod failing;
mod lifecycle;
mod quarantine;
mod resources;
mod scheduling;
mod swapped;
mod unknown;
mod world;
mod writes;
