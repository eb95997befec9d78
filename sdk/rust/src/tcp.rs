//! Scalers that speak a protocol of their own over TCP.
mod drive;
mod host;
mod network;
mod wire;

pub use wire::Wire;

use crate::bindings::windlass::scaler::types::Batch;
use crate::{Context, Failure, Outcome, Reading, Scaler, Transport};
pub(crate) use drive::drive;
pub(crate) use network::{Limits, Network};

/// The transport of scalers that speak over TCP.
#[derive(Debug)]
pub enum Tcp {}

/// A scaler that speaks over TCP: one [`Conversation`] per query and connection.
///
/// The SDK runs the conversations of a batch side by side on the one thread of a guest, some at a time, and hands the
/// connection of one that ended well to the next. Connections outlive the guest: [`Wire::fresh`] tells whether to log in.
pub trait TcpScaler: Scaler {
    /// The state of a conversation.
    type Conversation: Conversation;

    /// Begins the conversation of a query. It is begun anew when a connection that was kept turns out to be closed.
    ///
    /// # Errors
    /// Why there is nothing to ask.
    fn converse(parameters: &Self::Parameters, context: &Context<'_>) -> Result<Self::Conversation, Failure>;
}

/// A conversation over one connection: a state machine that is driven by what arrives.
pub trait Conversation {
    /// Index into the plan's endpoints of the connection to begin with.
    fn endpoint(&self) -> u32 {
        0
    }

    /// The connection is there; `wire.fresh()` tells whether it is a new one. Writes what comes first.
    ///
    /// # Errors
    /// As [`Conversation::received`].
    fn connected(&mut self, wire: &mut Wire) -> Result<Progress, Failure>;

    /// More bytes have arrived: `wire.input()` is everything that has not been consumed. Called again with more when it
    /// answers [`Progress::Wait`].
    ///
    /// # Errors
    /// Why there is no value. The connection is closed: where it is still good, answer [`Progress::Refused`] instead.
    fn received(&mut self, wire: &mut Wire) -> Result<Progress, Failure>;

    /// The connection could not be made, or broke. Where the source has other addresses, the conversation goes on with
    /// [`Progress::Connect`].
    ///
    /// # Errors
    /// Why there is no value: the failure, where there is nowhere else to ask.
    fn lost(&mut self, failure: Failure) -> Result<Progress, Failure> {
        Err(failure)
    }

    /// How many other addresses [`Conversation::lost`] could still turn to. Each gets its share of the time that is left,
    /// so that one that never answers leaves time for the others.
    fn alternatives(&self) -> u32 {
        0
    }
}

/// What follows in a conversation. What has been written to the wire is sent in any case.
#[derive(Clone, Debug, PartialEq)]
pub enum Progress {
    /// More bytes are needed.
    Wait,
    /// TLS begins now, on an endpoint whose TLS is an upgrade; then [`Conversation::connected`] is called again.
    StartTls,
    /// The conversation goes on over a new connection to another endpoint of the plan.
    Connect(u32),
    /// The same, to a host that the source named. Needs `learn` in [`Scaler::NEEDS`](crate::Scaler::NEEDS), and the user's
    /// or the operator's permission.
    Learn {
        /// Name or address.
        host: String,
        /// Port.
        port: u16,
    },
    /// The value. The connection is kept for the next poll, unless bytes are left in its input.
    Done(Reading),
    /// There is no value, but the connection is good and is kept.
    Refused(Failure),
}

impl<S: TcpScaler> Transport<S> for Tcp {
    fn poll(batch: &Batch, put: &mut dyn FnMut(u32, Outcome)) {
        drive::<S, host::Host>(batch, &mut host::Host, Limits::default(), put);
    }
}
