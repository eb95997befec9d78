//! The edge against an API server that remembers every request: one too many fails a test.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
mod edge;
mod server;
mod small;
mod watch;
mod write;
