//! The SDK as a scaler's author meets it: derived parameters, and batches through the code that runs in a component.
mod http;
mod local;
mod parameter;
mod tcp;
mod testing;
mod url;
