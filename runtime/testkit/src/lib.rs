//! What tests of several crates share, and no product code: event sources and guests that do as a test says.
pub mod guest;
pub mod hostile;
mod mangle;
mod scripted_http;

pub use mangle::{Edits, mangled, mangled_text};
pub use scripted_http::{Answer, Exchange, Mood, ScriptedHttp};
