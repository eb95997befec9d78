//! What a scaler is written with.
//!
//! A scaler is a type that implements [`Scaler`]: typed [`Parameters`], a pure [`Scaler::configure`] that makes a
//! [`Plan`] of a trigger, and one trait for the way it learns its values:
//!
//! | transport | trait | it writes |
//! |---|---|---|
//! | [`Local`] | [`LocalScaler`] | a value from the parameters and the time alone |
//! | [`Http`] | [`HttpScaler`] | the requests of a query, and a pure parse of their responses |
//! | [`Tcp`] | [`TcpScaler`] | a [`tcp::Conversation`]: bytes in, bytes out |
//!
//! The SDK does the rest: one answer per query as soon as it is known, many queries at once on the one thread of a guest,
//! deadlines, connections, status codes, error kinds. [`export_scaler!`] makes the component; natively it does nothing, so
//! that a scaler's tests run as usual, with what [`testing`] gives.
extern crate self as windlass_sdk;

#[doc(hidden)]
pub mod bindings;
mod failure;
pub mod field;
#[doc(hidden)]
pub mod guest;
pub mod http;
pub mod http_auth;
mod local;
mod metric_name;
mod parameter;
mod plan;
mod reading;
mod scaler;
pub mod tcp;
#[cfg(not(target_family = "wasm"))]
pub mod testing;
mod url;

pub use bindings::windlass::scaler::types::{
    Credential, Endpoint, Failure, FailureKind, Info, Later, Metric, Metrics, Outcome, Owner, OwnerKind, Plan, Problem,
    Reading, Secrecy, Shape, Tls, Trigger,
};
pub use field::{Address, Pairs, Prefixed, Revealed, Sealed};
pub use http::{Http, HttpScaler};
pub use local::{Local, LocalScaler};
pub use metric_name::normalize;
pub use parameter::{Parameters, Values};
pub use plan::problem;
pub use scaler::{Context, Scaler, Transport};
pub use tcp::{Tcp, TcpScaler};
pub use url::{Url, percent_encode};
pub use windlass_sdk_derive::{Choice, Parameters};

/// The guide's code compiles.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Guide;

/// Makes a scaler a component: exports the contract for the type. Natively it expands to nothing.
///
/// The component's version is that of the crate that calls this. The crate needs
/// `crate-type = ["cdylib", "rlib"]` in its `[lib]`.
#[macro_export]
macro_rules! export_scaler {
    ($scaler:ty) => {
        #[cfg(target_family = "wasm")]
        #[allow(unsafe_code, missing_docs, unreachable_pub, reason = "generated exports")]
        mod windlass_export {
            use super::*;
            use $crate::bindings::exports::windlass::scaler::polled;

            struct Component;

            impl polled::Guest for Component {
                fn describe() -> polled::Info {
                    $crate::guest::describe::<$scaler>(env!("CARGO_PKG_VERSION"))
                }

                fn configure(triggers: Vec<polled::Trigger>) -> Vec<Result<polled::Plan, Vec<polled::Problem>>> {
                    $crate::guest::configure::<$scaler>(&triggers)
                }

                fn poll(batch: polled::Batch) {
                    $crate::guest::poll::<$scaler>(&batch)
                }
            }

            $crate::bindings::export_component!(Component with_types_in $crate::bindings);
        }
    };
}
