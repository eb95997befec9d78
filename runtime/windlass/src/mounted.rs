//! A file that may change while we run, as a mounted ConfigMap does.
use anyhow::ensure;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How often a file is looked at. A mounted ConfigMap follows its object within about a minute anyway.
pub(crate) const LOOK: Duration = Duration::from_secs(5);
/// Bytes of a file; a ConfigMap has no more.
const MOST_BYTES: u64 = 1 << 20;

/// A file, and what it held when it was looked at last.
pub(crate) struct Mounted {
    file: PathBuf,
    /// `None`: it could not be read.
    text: Option<String>,
}

impl Mounted {
    /// The file with its text.
    ///
    /// # Errors
    /// When it cannot be read, or is too long.
    pub(crate) fn open(file: &Path) -> anyhow::Result<(Mounted, String)> {
        let text = read(file)?;
        Ok((Mounted { file: file.to_owned(), text: Some(text.clone()) }, text))
    }

    /// Its path, for messages.
    pub(crate) fn path(&self) -> std::path::Display<'_> {
        self.file.display()
    }

    /// What it holds now; `None`: the same as before. That it cannot be read is told once.
    pub(crate) fn changed(&mut self) -> Option<anyhow::Result<String>> {
        let text = read(&self.file);
        if text.as_ref().ok() == self.text.as_ref() {
            return None;
        }
        self.text = text.as_ref().ok().cloned();
        Some(text)
    }
}

fn read(file: &Path) -> anyhow::Result<String> {
    let length = std::fs::metadata(file)?.len();
    ensure!(length <= MOST_BYTES, "has {length} bytes; at most {MOST_BYTES} are read");
    Ok(std::fs::read_to_string(file)?)
}
