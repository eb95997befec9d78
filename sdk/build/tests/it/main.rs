//! What can be tested without a language's tools.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod component;
mod project;
