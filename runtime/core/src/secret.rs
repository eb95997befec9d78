//! Values that must never be seen in a log, an event, a status, an error text or a Debug print.
use std::fmt;
use std::sync::Arc;

/// A secret text. It has no `Display`, and `Debug` shows nothing of it; who needs the text says so by [`Secret::expose`].
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Secret(Arc<str>);

impl Secret {
    /// Wraps a text.
    pub fn new(text: impl Into<Arc<str>>) -> Secret {
        Secret(text.into())
    }

    /// The text itself. Callers hand it to a source, or to a guest that was granted it, and to nobody else.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}
