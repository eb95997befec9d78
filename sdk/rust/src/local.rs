//! Scalers that ask nobody.
use crate::bindings::windlass::scaler::types::Batch;
use crate::scaler::{members, outcome};
use crate::{Context, Failure, Outcome, Reading, Scaler, Transport};

/// The transport of scalers that need no host call.
#[derive(Debug)]
pub enum Local {}

/// A scaler whose value follows from its parameters, the time and its state.
pub trait LocalScaler: Scaler {
    /// The value now.
    ///
    /// # Errors
    /// Why there is none.
    fn read(parameters: &Self::Parameters, context: &Context<'_>) -> Result<Reading, Failure>;
}

impl<S: LocalScaler> Transport<S> for Local {
    fn poll(batch: &Batch, put: &mut dyn FnMut(u32, Outcome)) {
        for (query, parameters, context) in members::<S>(batch, put) {
            put(query, outcome(S::read(&parameters, &context)));
        }
    }
}
