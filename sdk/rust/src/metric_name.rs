//! Names of metrics.

/// A metric's name as KEDA writes it: `/`, `.`, `:`, `%` and parentheses become `-`.
pub fn normalize(name: &str) -> String {
    name.replace(['/', '.', ':', '%', '(', ')'], "-")
}
