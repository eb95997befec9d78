//! What a path may not have, told before it is used.
use super::modifier::{self, Modifier};
use super::query::Query;
use super::step::separators;

/// Checks a path.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn check(path: &str) -> Result<(), String> {
    let path = path.strip_prefix("..").unwrap_or(path);
    let mut start = 0;
    let mut begins_anew = true;
    for (at, separator) in separators(path) {
        check_step(&path[start..at], begins_anew)?;
        start = at + 1;
        begins_anew = separator == b'|';
    }
    check_step(&path[start..], begins_anew)
}

/// Checks a step; `begins_anew` where it is the first, or follows a pipe.
fn check_step(step: &str, begins_anew: bool) -> Result<(), String> {
    if step.starts_with(['[', '{']) {
        return Err("selects several values by `[` or `{`: name one value (`\\[` stands for the character)".to_owned());
    }
    if step.starts_with('!') && begins_anew {
        return Err("has a literal value after `!`: name a value of the answer".to_owned());
    }
    if let Some(name) = modifier::name(step) {
        if Modifier::of(name).is_none() {
            return Err(format!(
                "has the modifier @{name}, which is not supported; supported are {}",
                modifier::SUPPORTED
            ));
        }
        if step.len() > name.len() + 1 {
            return Err(format!("has a modifier with an argument, `@{name}:`, which is not supported"));
        }
    }
    if step.starts_with("#(") || step.starts_with("#[") {
        let (query, _) =
            Query::parse(step).ok_or("has a query that is not closed: write it as `#(name==\"value\")`")?;
        return check(query.path);
    }
    Ok(())
}
