//! The number that a location leads to.
use crate::node::Node;
use crate::quantity;
use crate::shorten::shorten;

/// The number of a document's value: a number, or a text that is a Kubernetes quantity.
///
/// # Errors
/// What stands there instead.
pub(crate) fn of_node(node: &Node) -> Result<f64, String> {
    match node {
        Node::Number(number) => finite(*number),
        Node::Text(text) => of_text(text),
        other => Err(format!("is {}, not a number", other.describe())),
    }
}

/// The number of a text that is a Kubernetes quantity.
///
/// # Errors
/// That it is none.
pub(crate) fn of_text(text: &str) -> Result<f64, String> {
    let number = quantity::parse(text).ok_or_else(|| match text {
        "" => "is an empty text, not a number".to_owned(),
        text => format!("is the text `{}`, neither a number nor a quantity such as 3Mi", shorten(text)),
    })?;
    finite(number)
}

/// A number that can be scaled on.
///
/// # Errors
/// That it is not finite.
pub(crate) fn finite(number: f64) -> Result<f64, String> {
    if number.is_finite() { Ok(number) } else { Err(format!("is {number}, which is unknown rather than a number")) }
}
