//! What can go wrong with a component before it is ever asked.
use windlass_core::Text;

/// A component cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HostError {
    /// The engine cannot be made on this machine.
    #[error("the WebAssembly engine cannot be made: {0}")]
    Engine(Text),
    /// A file or folder cannot be read or written.
    #[error("{0}")]
    File(Text),
    /// Larger than allowed.
    #[error("the component has {bytes} bytes (limit component-bytes: {most}; --component-max-mib raises it)")]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The limit.
        most: usize,
    },
    /// It imports what no scaler gets.
    #[error("the component imports {0}, which scalers do not get; build it against windlass:scaler@0.1.0 alone")]
    Import(Text),
    /// It is not a component of our world.
    #[error("not a scaler component: {0}")]
    NotAScaler(Text),
    /// Compiling it failed or took too much.
    #[error("the component cannot be compiled: {0}")]
    Compile(Text),
    /// Its description breaks the contract's rules.
    #[error("the component's description is not acceptable: {0}")]
    Description(Text),
    /// Another component serves one of its trigger types.
    #[error(
        "{component} would take the trigger type '{kind}' from {holder}; remove one of the two, or let it serve another type"
    )]
    TypeTaken {
        /// The trigger type.
        kind: Text,
        /// Name of the component that serves it.
        holder: Text,
        /// Name of the one that was not taken.
        component: Text,
    },
    /// It needs a capability that this host does not have.
    #[error("the component needs {0}, which this version does not offer")]
    Need(Text),
}
