//! Typed parameters: what a struct declares, and how it is read from a trigger.
use crate::Problem;
use crate::bindings::windlass::scaler::types;

/// A scaler's parameters. Derive it: `#[derive(Parameters)]`.
///
/// Each field is a parameter; its doc comment is the parameter's documentation. The name is the field's in camel case.
/// A field is required unless it is an `Option` or has a default. Attributes, in `#[parameter(…)]`:
///
/// | attribute | meaning |
/// |---|---|
/// | `name = "serverAddress"` | another name; `query.*` for a [`Prefixed`](crate::Prefixed) field |
/// | `aliases("token", "key")` | other names for it |
/// | `default = "5"` | the value when it is not set, as a user would write it |
/// | `choices("a", "b")` | allowed values; for an enum, derive [`Choice`](crate::Choice) instead |
/// | `from(metadata, environment, authentication)` | where it may come from; `metadata` when not given |
/// | `sealed` | on a [`Url`](crate::Url): its user part stays with the host |
/// | `deprecated = "use x"` | no longer accepted, and what to use instead |
/// | `flatten` | the field is a struct with parameters of its own |
pub trait Parameters: Sized {
    /// The declarations, in the order of the fields.
    fn declare() -> Vec<types::Parameter>;

    /// Reads the struct from resolved values.
    ///
    /// # Errors
    /// All problems at once, each with its parameter's name.
    fn read(values: &Values<'_>) -> Result<Self, Vec<Problem>>;
}

/// No parameters.
impl Parameters for () {
    fn declare() -> Vec<types::Parameter> {
        Vec::new()
    }

    fn read(_: &Values<'_>) -> Result<Self, Vec<Problem>> {
        Ok(())
    }
}

/// The resolved values of a trigger.
#[derive(Clone, Copy, Debug)]
pub struct Values<'a>(&'a [types::Value]);

impl<'a> Values<'a> {
    /// Of a trigger.
    pub fn of(trigger: &'a types::Trigger) -> Values<'a> {
        Values(&trigger.values)
    }

    /// The value of a parameter, by its declared name.
    pub fn get(&self, name: &str) -> Option<&'a types::Value> {
        self.0.iter().find(|value| value.name == name)
    }

    /// All values.
    pub fn iter(&self) -> impl Iterator<Item = &'a types::Value> + use<'a> {
        self.0.iter()
    }
}
