//! The SDK as a scaler's author meets it: derived parameters, and batches through the code that runs in a component.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

mod http;
mod local;
mod parameter;
mod tcp;
mod testing;
mod url;
