//! Python.
use crate::{BuildError, Project};

/// The component of a project in Python.
pub(crate) fn component(project: &Project, _: &mut dyn FnMut(&str)) -> Result<Vec<u8>, BuildError> {
    let message = "language: scalers in Python cannot be built yet; choose rust, go or c".to_owned();
    Err(BuildError::Project { file: project.root.join("scaler.toml"), message })
}
