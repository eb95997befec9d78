//! The edge against an API server that remembers every request: one too many fails a test.
mod edge;
mod server;
mod small;
mod watch;
mod write;
