//! The objects that users write, and how they become what the core works on.
//!
//! ```text
//!  ScaledObject ──lower──► core::Declared            TriggerAuthentication ──reference──► Material.authentication
//!  pod template ──environment──► Material.environment       core::HpaShape ◄──hpa──► autoscaling/v2
//!  core::StatusView ◄──status──► the object's status        files of a folder ──local──► all of these
//! ```
//!
//! Everything here is pure but for [`local::read_directory`], which reads files. The CustomResourceDefinitions are
//! generated from the same types ([`crd::definitions`]), and local mode checks files against them.
pub mod annotation;
pub mod authentication;
pub mod behavior;
pub mod crd;
pub mod environment;
pub mod hpa;
pub mod local;
mod lower;
pub mod process_set;
pub mod quantity;
pub mod reference;
pub mod scaled_object;
pub mod status;

pub use authentication::{ClusterTriggerAuthentication, TriggerAuthentication, TriggerAuthenticationSpec};
pub use crd::{Definition, definitions};
pub use lower::{lower, lower_for};
pub use quantity::Quantity;
pub use reference::{Fetched, References, assemble, references};
pub use scaled_object::{ScaledObject, ScaledObjectSpec, ScaledObjectStatus};
pub use status::status_patch;
