//! Values in YAML, by a path of keys and indices with dots between them.
use crate::node::Node;
use serde_saphyr::options::NonFiniteFloatPolicy;
use serde_saphyr::{Budget, Error, Options};

/// The deepest nesting that is read.
const MAX_DEPTH: usize = 100;

/// The most values that are read. Reading one takes about a microsecond, and the CPU time of a batch is some 100 ms.
const MAX_VALUES: usize = 10_000;

/// The value at a path of a document; of several documents, of the first.
///
/// # Errors
/// That the text is not YAML, or too much of it.
pub(crate) fn read(text: &str, path: &str) -> Result<Option<Node>, String> {
    let mut budget = Budget::default();
    budget.max_depth = MAX_DEPTH;
    budget.max_nodes = MAX_VALUES;
    let mut options = Options::default();
    options.budget = Some(budget);
    options.alias_limits.max_total_replayed_events = MAX_VALUES;
    // `yes` is a text, as in Go's YAML and in YAML 1.2.
    options.strict_booleans = true;
    // What is not finite matters only where the location leads.
    options.non_finite_float_policy = NonFiniteFloatPolicy::PassThrough;
    options.with_snippet = false;
    let documents = serde_saphyr::from_multiple_with_options::<Node>(text, options);
    let documents = documents.map_err(|error| match error {
        Error::Budget { .. } => format!("it has over {MAX_VALUES} values, or is nested too deeply"),
        error => error.to_string(),
    })?;
    Ok(documents.into_iter().next().and_then(|root| find(root, path)))
}

/// What of a path comes after a value that is neither a map nor a list is without effect, as in KEDA.
fn find(mut node: Node, path: &str) -> Option<Node> {
    for step in path.split('.') {
        node = match node {
            Node::Map(entries) => entries.into_iter().find(|(key, _)| key == step)?.1,
            Node::List(items) => {
                let index = step.parse::<usize>().ok().filter(|index| index.to_string() == step)?;
                items.into_iter().nth(index)?
            }
            value => return Some(value),
        };
    }
    Some(node)
}
