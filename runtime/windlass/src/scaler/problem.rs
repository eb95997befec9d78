//! What is wrong with a trigger, as it is printed.
use crate::style::BAD;
use serde::Serialize;
use windlass_core::query::Problem;

#[derive(Debug, Serialize)]
pub(super) struct ToldProblem {
    parameter: Option<String>,
    message: String,
}

pub(super) fn told(found: &[Problem]) -> Vec<ToldProblem> {
    found
        .iter()
        .map(|problem| ToldProblem {
            parameter: problem.parameter.as_deref().map(str::to_owned),
            message: problem.message.to_string(),
        })
        .collect()
}

/// Prints problems for people, a line each.
pub(super) fn print(problems: &[ToldProblem]) {
    for problem in problems {
        match &problem.parameter {
            Some(parameter) => anstream::println!("{BAD}problem{BAD:#}: {parameter}: {}", problem.message),
            None => anstream::println!("{BAD}problem{BAD:#}: {}", problem.message),
        }
    }
}
