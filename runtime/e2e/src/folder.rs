//! Where things lie: the repository, cargo's target folder, the user's cache, and one folder for each run.
use anyhow::{Context, Result};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// The root of the repository.
pub fn repository() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.ancestors().nth(2).unwrap_or(manifest).to_owned()
}

/// Cargo's target folder.
pub fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| repository().join("target"), PathBuf::from)
}

/// The user's cache folder of this project.
pub(crate) fn user_cache() -> Result<PathBuf> {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let cache = set("XDG_CACHE_HOME").or_else(|| set("HOME").map(|home| home.join(".cache")));
    Ok(cache
        .context("neither XDG_CACHE_HOME nor HOME is set: no place to keep the control plane's binary")?
        .join("windlass"))
}

/// A folder of one run, for data and logs of the processes it starts.
#[derive(Debug, Clone)]
pub struct Folder(PathBuf);

impl Folder {
    /// A new folder `target/e2e/PID/NAME-N`. What runs of processes that are gone have left is removed first; what this
    /// one leaves stays for a look at its logs.
    ///
    /// # Errors
    /// When the folder cannot be created.
    pub fn for_run(name: &str) -> Result<Folder> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let base = target().join("e2e");
        remove_stale(&base);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        Folder::at(&base.join(std::process::id().to_string()).join(format!("{name}-{number}")))
    }

    /// A folder at a given place, created when it is missing.
    ///
    /// # Errors
    /// When the folder cannot be created.
    pub fn at(path: &Path) -> Result<Folder> {
        std::fs::create_dir_all(path).with_context(|| format!("cannot create {}", path.display()))?;
        Ok(Folder(path.to_owned()))
    }

    /// The folder's path.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The path of a file in it.
    pub fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Writes a file that only its owner may read, and gives its path.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> Result<PathBuf> {
        use std::io::Write;
        use std::os::unix::fs::OpenOptionsExt;
        let path = self.file(name);
        let mut options = std::fs::OpenOptions::new();
        let file = options.write(true).create(true).truncate(true).mode(0o600).open(&path);
        file.and_then(|mut file| file.write_all(content.as_ref()))
            .with_context(|| format!("cannot write {}", path.display()))?;
        Ok(path)
    }
}

/// Removes folders of processes that no longer run. Best effort: another run may do the same at this moment.
fn remove_stale(base: &Path) {
    for entry in std::fs::read_dir(base).into_iter().flatten().flatten() {
        let owner = entry.file_name().to_string_lossy().parse::<u32>();
        if owner.is_ok_and(|pid| !crate::process::is_running(pid)) {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}
