//! Builds a scaler project, in whatever language it is written, as a WebAssembly component of the contract.
//!
//! A project says in `scaler.toml` what it is ([`Project`]). [`build`] finds the language's toolchain, or says exactly what to
//! install, makes the component, and checks that it imports nothing but the contract.
mod adapter;
mod component;
mod error;
mod language;
mod project;
mod tool;
pub mod versions;

pub use component::{check, componentize};
pub use error::BuildError;
pub use language::rust::{Artifact as RustArtifact, TARGET as RUST_TARGET, Toolchain as RustToolchain};
pub use project::{Language, Project, Recipe, kebab};

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// A component that was built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Built {
    /// Where it is.
    pub component: PathBuf,
    /// Its size.
    pub bytes: u64,
    /// How long it took.
    pub took: Duration,
}

/// Builds a project's component. `say` is told each step, in a few words.
///
/// # Errors
/// What is missing and how to get it, what the language's own tools say, or why the result is no scaler.
pub fn build(project: &Project, say: &mut dyn FnMut(&str)) -> Result<Built, BuildError> {
    let started = Instant::now();
    let component = language::component(project, say)?;
    check(&component)?;
    let path = project.component.clone();
    write_if_changed(&path, &component)?;
    let bytes = u64::try_from(component.len()).unwrap_or(u64::MAX);
    Ok(Built { component: path, bytes, took: started.elapsed() })
}

/// Writes a component, making its folder. An equal file stays as it is, so that its age tells when the component last changed.
///
/// # Errors
/// When the file cannot be written.
pub fn write_if_changed(path: &Path, bytes: &[u8]) -> Result<(), BuildError> {
    if std::fs::read(path).is_ok_and(|old| old == bytes) {
        return Ok(());
    }
    // Renamed into place: who reads meanwhile gets the old or the new one.
    let new = path.with_extension("new");
    let folder = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)
        .and_then(|()| std::fs::write(&new, bytes))
        .and_then(|()| std::fs::rename(&new, path))
        .map_err(|error| BuildError::io("cannot write", path, error))
}
