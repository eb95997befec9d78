//! The program, as its users start it.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]
mod author;
mod page;
mod program;
mod refusal;
mod source;
