//! Headers that a user writes.
use windlass_sdk::{Pairs, Problem, problem};

/// What no request could carry. Messages show names and never values, which may be secrets.
pub(crate) fn check(parameter: &str, headers: Option<&Pairs>) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (name, value) in headers.into_iter().flat_map(|headers| &headers.0) {
        if name.is_empty() || !name.bytes().all(of_token) {
            problems.push(problem(parameter, format!("`{}` is no name of a header", name.escape_debug())));
        } else if value.chars().any(|c| c.is_control()) {
            problems.push(problem(parameter, format!("the value of {name} has a line break or a control character")));
        }
    }
    problems
}

/// The characters of RFC 9110's `token`.
fn of_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}
