//! Tests of windlass-api.
mod authentication;
mod crd;
mod environment;
mod hpa;
mod local;
mod lower;
mod object;
mod property;
mod quantity;
mod status;
