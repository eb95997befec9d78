//! What users write: the cases beside a scaler's sources.
use anyhow::Context;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::Path;

/// A trigger as a user writes it, which the scaler finds nothing wrong with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Example {
    /// The name of its case.
    pub name: String,
    /// The trigger type; without it the component's first.
    pub kind: Option<String>,
    /// The trigger's metadata.
    pub metadata: BTreeMap<String, String>,
    /// Parameters from a TriggerAuthentication.
    pub authentication: BTreeMap<String, String>,
}

/// As much of a case as is of use here.
#[derive(Deserialize)]
struct Case {
    #[serde(default, rename = "type")]
    kind: Option<String>,
    #[serde(default)]
    metadata: BTreeMap<String, String>,
    #[serde(default)]
    authentication: BTreeMap<String, String>,
    #[serde(default)]
    problems: BTreeMap<String, String>,
}

impl Example {
    /// The examples among the cases `<folder>/<case>/case.json`, by name: those without problems.
    ///
    /// # Errors
    /// When the folder or a case cannot be read.
    pub fn of_folder(folder: &Path) -> anyhow::Result<Vec<Example>> {
        let mut examples = Vec::new();
        for entry in std::fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
            let entry = entry?;
            let file = entry.path().join("case.json");
            let text = std::fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
            let case: Case = serde_json::from_slice(&text).with_context(|| file.display().to_string())?;
            if case.problems.is_empty() {
                let Case { kind, metadata, authentication, .. } = case;
                let name = entry.file_name().to_string_lossy().into_owned();
                examples.push(Example { name, kind, metadata, authentication });
            }
        }
        examples.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(examples)
    }
}
