//! The rules, over virtual time.
mod activity;
mod build;
mod failing;
mod lifecycle;
mod scheduling;
mod unknown;
mod world;
mod writes;
