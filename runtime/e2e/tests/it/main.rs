//! End-to-end tests on a real control plane and real event sources.
mod contained;
mod control_plane;
mod credentials;
mod direct;
mod economy;
mod hpa;
mod input;
mod lifecycle;
mod many;
mod quarantine;
mod redis_scaler;
mod registry;
mod scale;
mod scripted_http;
mod shared;
mod source;
mod windlass;
