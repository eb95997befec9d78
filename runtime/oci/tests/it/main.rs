//! Registries that lie, hang and lead astray. Real ones are asked in `runtime/e2e`.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
mod cached;
mod liar;
mod login;
mod registry;
mod world;
