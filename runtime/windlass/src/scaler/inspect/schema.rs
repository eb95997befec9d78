//! A JSON schema of a component's triggers, as editors and validators use it: a trigger of a ScaledObject, with `authParams`
//! beside it as `windlass scaler configure` reads it.
use serde_json::{Map, Value, json};
use windlass_core::scaler::{Parameter, Scaler, Shape};

/// The draft that is written.
const DRAFT: &str = "https://json-schema.org/draft/2020-12/schema";
/// What stands behind a parameter's name where the target's environment has its value.
const FROM_ENVIRONMENT: &str = "FromEnv";

/// The schema of a scaler's triggers.
pub(super) fn of(scaler: &Scaler) -> Value {
    let (mut metadata, mut authentication) = (Section::default(), Section::default());
    for parameter in &scaler.parameters {
        if parameter.origin.metadata || parameter.origin.environment {
            metadata.declare(parameter, parameter.origin.environment);
        }
        if parameter.origin.authentication {
            authentication.declare(parameter, false);
        }
        metadata.require(parameter);
    }
    json!({
        "$schema": DRAFT,
        "title": format!("A trigger of {}", scaler.name),
        "type": "object",
        "required": ["type", "metadata"],
        "properties": {
            "type": { "enum": scaler.triggers.iter().map(|kind| &**kind).collect::<Vec<_>>() },
            "metadata": metadata.into_schema(scaler.open_ended),
            "authParams": authentication.into_schema(false),
        },
    })
}

/// A place in which parameters are set.
#[derive(Default)]
struct Section {
    properties: Map<String, Value>,
    patterns: Map<String, Value>,
    /// Each a list of names of which one has to be set.
    required: Vec<Vec<String>>,
}

impl Section {
    fn declare(&mut self, parameter: &Parameter, from_environment: bool) {
        let schema = value(parameter);
        if let Some(prefix) = parameter.name.strip_suffix('*') {
            self.patterns.insert(format!("^{}", escaped(prefix)), schema);
            return;
        }
        for name in names(parameter) {
            let mut own = schema.clone();
            if *name != *parameter.name {
                own["description"] = json!(format!("Another name of {}.", parameter.name));
            }
            self.properties.insert(name.to_owned(), own);
            if from_environment {
                let about = format!("The environment variable of the target that has {name}.");
                self.properties
                    .insert(format!("{name}{FROM_ENVIRONMENT}"), json!({ "type": "string", "description": about }));
            }
        }
    }

    /// What has to be in the metadata: what is required and can come from nowhere else.
    fn require(&mut self, parameter: &Parameter) {
        let origin = parameter.origin;
        if !parameter.required || origin.authentication || parameter.deprecated.is_some() {
            return;
        }
        let names = names(parameter).flat_map(|name| {
            let of_environment = origin.environment.then(|| format!("{name}{FROM_ENVIRONMENT}"));
            std::iter::once(name.to_owned()).chain(of_environment)
        });
        self.required.push(names.collect());
    }

    fn into_schema(self, open_ended: bool) -> Value {
        let mut schema = json!({ "type": "object", "properties": self.properties, "additionalProperties": open_ended });
        if !self.patterns.is_empty() {
            schema["patternProperties"] = Value::Object(self.patterns);
        }
        let (alone, several): (Vec<_>, Vec<_>) = self.required.into_iter().partition(|names| names.len() == 1);
        if !alone.is_empty() {
            schema["required"] = json!(alone.concat());
        }
        if !several.is_empty() {
            let one_of = |names: &Vec<String>| json!({ "anyOf": names.iter().map(|name| json!({ "required": [name] })).collect::<Vec<_>>() });
            schema["allOf"] = json!(several.iter().map(one_of).collect::<Vec<_>>());
        }
        schema
    }
}

fn names(parameter: &Parameter) -> impl Iterator<Item = &str> {
    std::iter::once(&*parameter.name).chain(parameter.aliases.iter().map(|alias| &**alias))
}

/// The schema of a value: metadata are texts, whatever they mean.
fn value(parameter: &Parameter) -> Value {
    let mut schema = json!({ "type": "string", "description": &*parameter.doc });
    if let Some(initial) = &parameter.initial {
        schema["default"] = json!(&**initial);
    }
    if !parameter.choices.is_empty() && !list(parameter.shape) {
        schema["enum"] = json!(parameter.choices.iter().map(|choice| &**choice).collect::<Vec<_>>());
    }
    if let Some(pattern) = pattern(parameter.shape) {
        schema["pattern"] = json!(pattern);
    }
    if parameter.shape == Shape::Url {
        schema["format"] = json!("uri");
    }
    if let Some(instead) = &parameter.deprecated {
        schema["deprecated"] = json!(true);
        schema["description"] = json!(format!("No longer accepted: {instead}"));
    }
    schema
}

fn list(shape: Shape) -> bool {
    matches!(shape, Shape::Texts | Shape::Addresses | Shape::Pairs)
}

/// What a value has to look like. The host trims, and checks the rest.
fn pattern(shape: Shape) -> Option<&'static str> {
    Some(match shape {
        Shape::Integer => r"^\s*[+-]?[0-9]+\s*$",
        Shape::Number => r"^\s*[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?\s*$",
        Shape::Boolean => r"^\s*(1|t|T|TRUE|true|True|0|f|F|FALSE|false|False)\s*$",
        Shape::Url => r"^\s*[A-Za-z][A-Za-z0-9+.-]*://",
        Shape::Text | Shape::Duration | Shape::Address | Shape::Addresses | Shape::Texts | Shape::Pairs => return None,
    })
}

fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for character in text.chars() {
        if !character.is_ascii_alphanumeric() && character.is_ascii() {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::of;
    use windlass_core::Digest;
    use windlass_core::scaler::{Origin, Parameter, Scaler, Secrecy, Shape};

    fn parameter(name: &str, shape: Shape, origin: (bool, bool, bool)) -> Parameter {
        Parameter {
            name: name.into(),
            aliases: Vec::new(),
            shape,
            required: false,
            initial: None,
            choices: Vec::new(),
            secrecy: Secrecy::Open,
            origin: Origin { metadata: origin.0, environment: origin.1, authentication: origin.2 },
            deprecated: None,
            doc: "For people.".into(),
        }
    }

    #[test]
    fn every_parameter_stands_where_users_write_it() {
        let scaler = Scaler {
            digest: Digest([0; 32]),
            name: "queue".into(),
            version: "1".into(),
            triggers: vec!["queue".into()],
            parameters: vec![
                Parameter { required: true, ..parameter("url", Shape::Url, (true, true, false)) },
                Parameter {
                    required: true,
                    aliases: Vec::new(),
                    ..parameter("name", Shape::Text, (true, false, false))
                },
                Parameter { initial: Some("5".into()), ..parameter("target", Shape::Number, (true, false, false)) },
                Parameter { required: true, ..parameter("token", Shape::Text, (false, false, true)) },
                parameter("query.*", Shape::Text, (true, false, false)),
            ],
            open_ended: false,
            needs: Vec::new(),
        };
        let schema = of(&scaler);
        let metadata = &schema["properties"]["metadata"];
        assert_eq!(metadata["required"], serde_json::json!(["name"]));
        assert_eq!(
            metadata["allOf"],
            serde_json::json!([{ "anyOf": [{ "required": ["url"] }, { "required": ["urlFromEnv"] }] }])
        );
        assert_eq!(metadata["properties"]["target"]["default"], "5");
        assert!(metadata["properties"]["token"].is_null() && metadata["patternProperties"]["^query\\."].is_object());
        assert!(schema["properties"]["authParams"]["properties"]["token"].is_object());
        assert_eq!(metadata["additionalProperties"], false);
    }
}
