//! The rules of Windlass, and nothing else: no I/O, no clock, no logging, no Kubernetes, no WebAssembly.
//!
//! ```text
//!  Declared + Material ──resolve──► ResolvedTrigger ──(configure: a pure guest call)──► Workload
//!  Msg ──step──► Out { batches, writes, facts } and the Board that metric reads see
//!        └ schedule: what is due · decide: 0↔1 and 1..N · diff: what differs from what is stored
//! ```
//!
//! One task owns a [`Core`] and feeds it messages with the time at which they came. Everything that people or other
//! programs see follows from that, so that live, local, simulated and tested runs take the same decisions.
pub mod algorithm;
pub mod binding;
pub mod board;
mod condition;
mod core;
pub mod decide;
mod diff;
pub mod fact;
pub mod failure;
pub mod hosts;
pub mod hpa;
pub mod key;
pub mod label;
pub mod message;
pub mod milli;
pub mod port;
pub mod quarantine;
pub mod query;
pub mod resolve;
pub mod sample;
pub mod scaler;
pub mod schedule;
pub mod secret;
pub mod settings;
mod step;
pub mod time;
mod tracked;
pub mod view;
pub mod workload;
pub mod write;

pub use self::core::Core;
pub use binding::Binding;
pub use board::{Board, MetricKey, MetricRef, Served};
pub use failure::{Failure, FailureKind, Fault, Reason};
pub use key::{Digest, Fingerprint, MetricName, TargetRef, Text, WorkloadKey, WorkloadKind};
pub use message::{Asked, Batch, BatchId, IntakeMsg, Msg, Out, QueryId, Seen};
pub use milli::Milli;
pub use secret::Secret;
pub use settings::Settings;
pub use time::{Mono, Now, Wall};
pub use workload::{Declared, Intake, Material, Trigger, Workload};
pub use write::{Write, WriteKind, WriteResult};
