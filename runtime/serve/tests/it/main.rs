//! The servers of this crate, asked over real TLS and TCP on loopback.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests fail by panicking")]

mod access;
mod auth;
mod certificate;
mod client;
mod discovery;
mod health;
mod limit;
mod pki;
mod read;
mod server;
