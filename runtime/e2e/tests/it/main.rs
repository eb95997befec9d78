//! End-to-end tests on a real control plane and real event sources.
mod control_plane;
mod metrics_api;
mod scripted_http;
mod shared;
mod source;
