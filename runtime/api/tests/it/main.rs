//! Tests of windlass-api.
mod local;
