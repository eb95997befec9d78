//! The host and its guests: what a guest may do, what it may say, what it may reach, and that none of it is a neighbour's trouble.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
mod bound;
mod c_guest;
mod cache;
mod compile;
mod containment;
mod egress;
mod fuzz;
mod limits;
mod loading;
mod logs;
mod neighbour;
mod outcome;
mod pool;
mod raw;
mod rebind;
mod request;
mod tenants;
mod words;
mod world;
