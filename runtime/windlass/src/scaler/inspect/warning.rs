//! What is odd about a component that the host takes all the same.
use crate::style::bytes;
use windlass_core::scaler::{Parameter, Scaler, Secrecy};
use windlass_host::Outline;

/// From here on compiling is felt: some seconds and a quarter of a gigabyte.
const LARGE_BYTES: usize = 8 << 20;
/// Names and notes beyond this share are worth stripping.
const MOST_NOTES: (usize, usize) = (1, 10);
/// Notes below this are not worth a word.
const SOME_NOTES: usize = 64 << 10;
/// Parts of names of what is usually secret.
const SECRETS: [&str; 6] = ["password", "token", "secret", "apikey", "accesskey", "connectionstring"];

/// All that is odd, in words.
pub(super) fn all(outline: Option<&Outline>, scaler: Option<&Scaler>) -> Vec<String> {
    let mut warnings = Vec::new();
    if let Some(outline) = outline {
        made_of(outline, &mut warnings);
    }
    if let Some(scaler) = scaler {
        scaler.parameters.iter().for_each(|parameter| declared(parameter, &mut warnings));
        if scaler.open_ended {
            warnings.push(
                "open-ended: metadata that nobody declared is handed over, and a typing error is never told".to_owned(),
            );
        }
    }
    warnings
}

fn made_of(outline: &Outline, warnings: &mut Vec<String>) {
    if outline.bytes > LARGE_BYTES {
        warnings.push(format!(
            "{} is large: every machine compiles it once, which takes seconds and memory",
            bytes(outline.bytes as u64)
        ));
    }
    if outline.custom_bytes > SOME_NOTES && outline.custom_bytes > outline.bytes / MOST_NOTES.1 * MOST_NOTES.0 {
        let notes = bytes(outline.custom_bytes as u64);
        warnings.push(format!("{notes} are names and debug information, which no run needs: strip them"));
    }
    let wasi: Vec<_> =
        outline.imports.iter().filter(|import| import.starts_with("wasi:")).map(String::as_str).collect();
    if !wasi.is_empty() {
        warnings.push(format!(
            "imports WASI, which scalers do not get: {}; build it with `windlass scaler build`",
            wasi.join(", ")
        ));
    }
}

fn declared(parameter: &Parameter, warnings: &mut Vec<String>) {
    let name = &parameter.name;
    let mut warn = |what: &str| warnings.push(format!("parameter {name}: {what}"));
    if let Some(instead) = &parameter.deprecated {
        warn(&format!("is deprecated: {instead}"));
        return;
    }
    if parameter.doc.trim().is_empty() {
        warn("has no words for people: say what it is and give an example");
    }
    let origin = parameter.origin;
    if !(origin.metadata || origin.environment || origin.authentication) {
        warn("can be set nowhere: give it an origin");
    }
    if parameter.required && parameter.initial.is_some() {
        warn("is required and has a default: one of the two never counts");
    }
    let fits =
        |initial: &str| parameter.choices.is_empty() || parameter.choices.iter().any(|choice| **choice == *initial);
    if !parameter.initial.as_deref().is_none_or(fits) {
        warn("has a default that is none of its choices");
    }
    let plain: String = name.to_ascii_lowercase().replace(['-', '_', '.'], "");
    let looks_secret = SECRETS.iter().any(|part| plain.ends_with(part));
    match parameter.secrecy {
        Secrecy::Open if looks_secret => {
            warn("looks like a secret and is open: it may stand in logs and status; seal it")
        }
        Secrecy::Sealed | Secrecy::Revealed if !origin.authentication && !origin.environment => {
            warn("is a secret that can only be written as plain text: let it come from the authentication");
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::{Outline, Parameter, Secrecy, all, declared};
    use windlass_core::scaler::{Origin, Shape};

    fn good() -> Parameter {
        Parameter {
            name: "queueName".into(),
            aliases: Vec::new(),
            shape: Shape::Text,
            required: true,
            initial: None,
            choices: Vec::new(),
            secrecy: Secrecy::Open,
            origin: Origin { metadata: true, environment: false, authentication: false },
            deprecated: None,
            doc: "Name of the queue.".into(),
        }
    }

    #[test]
    fn what_is_odd_is_told() {
        let nowhere = Origin { metadata: false, environment: false, authentication: false };
        for (words, parameter) in [
            ("", good()),
            ("no words", Parameter { doc: " ".into(), ..good() }),
            ("nowhere", Parameter { origin: nowhere, ..good() }),
            ("never counts", Parameter { initial: Some("a".into()), ..good() }),
            (
                "none of its choices",
                Parameter { required: false, initial: Some("a".into()), choices: vec!["b".into()], ..good() },
            ),
            ("seal it", Parameter { name: "api_key".into(), ..good() }),
            ("plain text", Parameter { secrecy: Secrecy::Sealed, ..good() }),
            ("deprecated: use x", Parameter { deprecated: Some("use x".into()), doc: "".into(), ..good() }),
        ] {
            let mut told = Vec::new();
            declared(&parameter, &mut told);
            assert_eq!(told.len(), usize::from(!words.is_empty()), "{told:?}");
            assert!(told.iter().all(|told| told.contains(words)), "{told:?}");
        }
    }

    #[test]
    fn what_it_is_made_of() {
        let mut outline = Outline::default();
        (outline.bytes, outline.custom_bytes) = (9 << 20, 2 << 20);
        outline.imports.push("wasi:cli/exit@0.2.0".to_owned());
        let told = all(Some(&outline), None).join("\n");
        for words in ["9.4 MB is large", "2.0 MB are names", "wasi:cli/exit@0.2.0"] {
            assert!(told.contains(words), "{told}");
        }
        (outline.bytes, outline.custom_bytes) = (100_000, 20_000);
        outline.imports.clear();
        assert_eq!(all(Some(&outline), None), [""; 0]);
    }
}
