//! What can be tested without a language's tools.
mod component;
mod project;
