//! Parameters from what a user writes, by the host's rules.
use crate::bindings::windlass::scaler::types::{Origin, Parameter, Trigger, Value};
use crate::{Parameters, Problem, Scaler, Secrecy, Shape, problem};

/// A trigger of the scaler's first type, from metadata and the values of a TriggerAuthentication. Values of the environment
/// are given as metadata.
///
/// # Errors
/// What the host would refuse: something required that is missing, a value that is not of its shape or not a choice.
pub fn trigger<S: Scaler>(metadata: &[(&str, &str)], authentication: &[(&str, &str)]) -> Result<Trigger, Vec<Problem>> {
    trigger_of::<S>(S::TRIGGERS.first().copied().unwrap_or(S::NAME), metadata, authentication)
}

/// The same for one of the scaler's types.
///
/// # Errors
/// As [`trigger`].
pub fn trigger_of<S: Scaler>(
    kind: &str,
    metadata: &[(&str, &str)],
    authentication: &[(&str, &str)],
) -> Result<Trigger, Vec<Problem>> {
    let declared = S::Parameters::declare();
    let (mut values, mut problems) = (Vec::new(), Vec::new());
    for parameter in &declared {
        for (name, text) in found(parameter, metadata, authentication) {
            match settle(parameter, &text) {
                Ok(text) => values.push(Value { name, text }),
                Err(message) => problems.push(problem(&name, message)),
            }
        }
        if parameter.required && !values.iter().any(|value| value.name == parameter.name) {
            problems.push(problem(&parameter.name, "is required"));
        }
    }
    problems.dedup_by(|second, first| second.parameter == first.parameter);
    if !problems.is_empty() {
        return Err(problems);
    }
    let known = |name: &str| {
        declared.iter().any(|parameter| parameter.name == name || parameter.aliases.iter().any(|alias| alias == name))
    };
    let extras = metadata.iter().filter(|(name, _)| S::OPEN_ENDED && !known(name));
    let extras = extras.map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
    Ok(Trigger { kind: kind.to_owned(), values, extras, identity: None, owner: None })
}

/// Values for a parameter, with the names under which the scaler gets them.
fn found(parameter: &Parameter, metadata: &[(&str, &str)], authentication: &[(&str, &str)]) -> Vec<(String, String)> {
    let mut places = Vec::new();
    if parameter.origin.intersects(Origin::METADATA | Origin::ENVIRONMENT) {
        places.push(metadata);
    }
    if parameter.origin.contains(Origin::AUTHENTICATION) {
        places.push(authentication);
    }
    if let Some(prefix) = parameter.name.strip_suffix('*') {
        let all = places.iter().flat_map(|place| place.iter()).filter(|(name, _)| name.starts_with(prefix));
        return all.map(|(name, text)| ((*name).to_owned(), text.trim().to_owned())).collect();
    }
    let names = || std::iter::once(&parameter.name).chain(&parameter.aliases);
    let read = |place: &&[(&str, &str)]| {
        names().find_map(|name| {
            let set = place.iter().find(|(own, text)| own == name && !text.trim().is_empty());
            set.map(|(_, text)| text.trim().to_owned())
        })
    };
    let text = places.iter().find_map(read).or_else(|| parameter.initial.clone());
    text.map(|text| (parameter.name.clone(), text)).into_iter().collect()
}

/// The value in the form in which the scaler gets it; none when it is sealed.
fn settle(parameter: &Parameter, text: &str) -> Result<Option<String>, String> {
    if let Some(replacement) = &parameter.deprecated {
        return Err(format!("is no longer accepted: {replacement}"));
    }
    let entries = || text.split(',').map(str::trim).filter(|entry| !entry.is_empty());
    let list = matches!(parameter.shape, Shape::Texts | Shape::Addresses | Shape::Pairs);
    let chosen = |text: &str| parameter.choices.is_empty() || parameter.choices.iter().any(|choice| choice == text);
    if !if list { entries().all(chosen) } else { chosen(text) } {
        return Err(format!("is not one of {}", parameter.choices.join(", ")));
    }
    let normal = match parameter.shape {
        Shape::Text | Shape::Url | Shape::Address => text.to_owned(),
        Shape::Integer => text.parse::<i64>().map_err(|_| "is not an integer")?.to_string(),
        Shape::Number => {
            let number = text.parse::<f64>().ok().filter(|number| number.is_finite());
            number.ok_or("is not a finite number")?.to_string()
        }
        Shape::Duration if text.starts_with('-') => return Err("is a negative duration".to_owned()),
        Shape::Boolean => match text {
            "1" | "t" | "T" | "TRUE" | "true" | "True" => "true".to_owned(),
            "0" | "f" | "F" | "FALSE" | "false" | "False" => "false".to_owned(),
            _ => return Err("is neither true nor false".to_owned()),
        },
        Shape::Duration => duration_ms(text).ok_or("is not a duration")?.to_string(),
        Shape::Addresses | Shape::Texts | Shape::Pairs => entries().collect::<Vec<_>>().join(","),
    };
    match (parameter.secrecy, parameter.shape) {
        (Secrecy::Sealed, Shape::Url) => Ok(Some(without_user(&normal))),
        (Secrecy::Sealed, _) => Ok(None),
        _ => Ok(Some(normal)),
    }
}

/// A bare number of milliseconds, or whole numbers with a unit, as in `1m30s`.
fn duration_ms(text: &str) -> Option<u64> {
    if let Ok(ms) = text.parse() {
        return Some(ms);
    }
    let (mut total, mut rest) = (0, text);
    while !rest.is_empty() {
        let (number, after) = rest.split_at(rest.find(|c: char| !c.is_ascii_digit())?);
        let (unit, after) = after.split_at(after.find(|c: char| c.is_ascii_digit()).unwrap_or(after.len()));
        let unit = match unit {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            _ => return None,
        };
        total += number.parse::<u64>().ok()? * unit;
        rest = after;
    }
    Some(total)
}

fn without_user(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let host = rest[..end].rfind('@').map_or(0, |at| at + 1);
    format!("{scheme}://{}", &rest[host..])
}
