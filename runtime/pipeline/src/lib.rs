//! The stages between the outside and the core. They move values; every rule is `windlass-core`'s.
//!
//! ```text
//!  IntakeMsg ──prepare──► Msg ──► one bounded inbox ──► drive (owns the Core) ──► batches ──► Poller
//!                          Seen, Ack ──►    ▲                  │                               │
//!                                           │                  └──► writes ──► Writer          │
//!                                           └───────────────── outcomes ◄──────────────────────┘
//! ```
mod again;
mod clock;
mod drive;
pub mod keda;
mod metrics;
mod prepare;
mod quarantine;

pub use again::Again;
pub use clock::Clock;
pub use drive::{Drive, Driver, Inbox, Watcher, inbox};
pub use keda::Keda;
pub use metrics::Metrics;
pub use prepare::{Prepare, prepare};

/// How many messages the core's inbox holds. Senders wait when it is full, so a burst slows its origin and nobody else.
pub const INBOX: usize = 16_384;

/// How many changes may wait to be prepared.
pub const INTAKE: usize = 4_096;
