//! What tests of several crates share, and no product code: event sources that do as a test says.
mod scripted_http;

pub use scripted_http::{Answer, Exchange, Mood, ScriptedHttp};
