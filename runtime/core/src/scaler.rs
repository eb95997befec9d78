//! What a component says about itself (`describe` in the contract), in the core's words.
use crate::key::{Digest, Text};

/// How a secret parameter reaches the guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Secrecy {
    /// An ordinary value.
    Open,
    /// The guest learns only that it is set; the host fills it in.
    Sealed,
    /// The guest needs the text.
    Revealed,
}

/// The shape of a value; the host checks and normalises it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the words of the contract")]
pub enum Shape {
    Text,
    Integer,
    Number,
    Boolean,
    /// A Go duration (`1m30s`) or a bare integer in milliseconds; normalised to milliseconds.
    Duration,
    /// An absolute URL.
    Url,
    /// `host:port`.
    Address,
    /// Comma-separated addresses.
    Addresses,
    /// Comma-separated texts.
    Texts,
    /// Comma-separated `key=value`.
    Pairs,
}

/// From where a value may come, in the order in which they are looked up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// The trigger's `metadata.<name>`.
    pub metadata: bool,
    /// The target container's environment, through `metadata.<name>FromEnv`.
    pub environment: bool,
    /// A TriggerAuthentication.
    pub authentication: bool,
}

/// One declared parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// Its name; `query.*` stands for every name with that prefix.
    pub name: Text,
    /// Other names for it.
    pub aliases: Vec<Text>,
    /// Shape of its value.
    pub shape: Shape,
    /// Must be set (rules across parameters belong to `configure`).
    pub required: bool,
    /// The value when it is not set.
    pub initial: Option<Text>,
    /// Allowed values; empty: any.
    pub choices: Vec<Text>,
    /// Who may see it.
    pub secrecy: Secrecy,
    /// Where it may come from.
    pub origin: Origin,
    /// Set: no longer accepted quietly; what to use instead.
    pub deprecated: Option<Text>,
    /// For people.
    pub doc: Text,
}

/// A component that is ready to be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scaler {
    /// Its identity.
    pub digest: Digest,
    /// Its name.
    pub name: Text,
    /// Its version.
    pub version: Text,
    /// The trigger types that it serves.
    pub triggers: Vec<Text>,
    /// Its parameters.
    pub parameters: Vec<Parameter>,
    /// Metadata that it does not declare is handed over too.
    pub open_ended: bool,
    /// Capabilities that it asked for.
    pub needs: Vec<Text>,
}

impl Scaler {
    /// The declaration of a parameter, also of one that a prefix stands for.
    pub fn parameter(&self, name: &str) -> Option<&Parameter> {
        let stands_for = |declared: &&Parameter| match declared.name.strip_suffix('*') {
            Some(prefix) => name.starts_with(prefix),
            None => *declared.name == *name,
        };
        self.parameters.iter().find(stands_for)
    }
}
