//! What users write: the cases beside a scaler's sources.
use anyhow::{Context, anyhow};
use std::collections::BTreeMap;
use std::path::Path;
use windlass_sdk::testing::Case;

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

impl Example {
    /// The trigger of a case.
    pub fn of_case(name: &str, case: &Case) -> Example {
        Example {
            name: name.to_owned(),
            kind: case.kind.clone(),
            metadata: case.metadata.clone(),
            authentication: case.authentication.clone(),
        }
    }

    /// The examples among cases: those without problems.
    pub fn among<'a>(cases: impl IntoIterator<Item = (&'a str, &'a Case)>) -> Vec<Example> {
        let good = cases.into_iter().filter(|(_, case)| case.problems.is_empty());
        good.map(|(name, case)| Example::of_case(name, case)).collect()
    }

    /// The examples among the cases `<folder>/<case>/case.json`, by name.
    ///
    /// # Errors
    /// When the folder or a case cannot be read.
    pub fn of_folder(folder: &Path) -> anyhow::Result<Vec<Example>> {
        let read = Case::read_all(folder).with_context(|| format!("cannot read {}", folder.display()))?;
        let mut cases = Vec::with_capacity(read.len());
        for (name, case) in read {
            let case = case.map_err(|wrong| anyhow!("{}: {wrong}", folder.join(&name).display()))?;
            cases.push((name, case));
        }
        Ok(Example::among(cases.iter().map(|(name, case)| (&**name, case))))
    }
}
