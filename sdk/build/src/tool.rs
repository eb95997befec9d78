//! Finding and running the languages' tools.
use crate::BuildError;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The first of these programs that is on the PATH.
pub(crate) fn find(names: &[&str]) -> Option<PathBuf> {
    let paths = std::env::var_os("PATH")?;
    let folders: Vec<PathBuf> = std::env::split_paths(&paths).collect();
    names.iter().flat_map(|name| folders.iter().map(move |folder| folder.join(name))).find(|file| file.is_file())
}

/// A program that a project brings in a folder of its own, else the one on the PATH.
pub(crate) fn own_or_found(folder: &Path, name: &str) -> Option<PathBuf> {
    let own = folder.join(name);
    if own.is_file() { Some(own) } else { find(&[name]) }
}

/// Runs a command to its end and tells its standard output.
pub(crate) fn run(command: &mut Command) -> Result<Vec<u8>, BuildError> {
    let program = PathBuf::from(command.get_program());
    let output =
        command.stdin(Stdio::null()).output().map_err(|error| BuildError::io("cannot start", &program, error))?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    let mut said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    let out = String::from_utf8_lossy(&output.stdout);
    if !out.trim().is_empty() {
        said = format!("{said}\n{}", out.trim()).trim().to_owned();
    }
    Err(BuildError::Failed { command: shown(command), output: format!("{said}\n{}", output.status).trim().to_owned() })
}

/// A command as one would type it.
pub(crate) fn shown(command: &Command) -> String {
    let words: Vec<_> =
        std::iter::once(command.get_program()).chain(command.get_args()).map(OsStr::to_string_lossy).collect();
    words.join(" ")
}
