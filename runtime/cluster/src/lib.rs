//! The only crate that talks to the API server.
//!
//! ```text
//!  ScaledObjects, authentications, HPAs, targets ──watch──► index ──intake──► IntakeMsg (to the pipeline)
//!  Secrets, ConfigMaps (metadata; read when used) ──┘         └─────tell────► Msg::Seen (to the core)
//!  API server ◄── write ◄── lane: scale > hpa > status > event ◄── port::Writer (from the core), Msg::Ack back
//! ```
//!
//! One client with one budget for all requests ([`client`], [`budget`]). Nothing is polled: everything is watched, and
//! single objects are read when something refers to them and when they have changed.
pub mod access;
pub mod api_service;
pub mod budget;
pub mod certificate;
pub mod client;
mod cluster;
pub mod config_map;
mod drive;
mod error;
mod event;
mod fetch;
pub mod front_proxy;
mod index;
pub mod lane;
pub mod lease;
pub mod load;
pub mod metrics;
pub mod rbac;
mod registration;
mod scale;
pub mod survey;
mod usage;
mod watch;
mod write;

pub use client::{Client, ClientOptions};
pub use cluster::{Cluster, Options, RequireBound};
pub use error::Error;
pub use lane::LaneOptions;
pub use lease::{Lease, LeaseOptions};
pub use metrics::Metrics;
pub use registration::{Registrations, TableName, pull_secrets, watch_registrations};
