//! All built components conform, a scaler in C does, and what does not is told so in clear words.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
mod components;
mod hostile;
