//! What was pulled, on disk: verified again whenever it is read, private, and bounded.
//!
//! Each registrant has a part of its own: who may pull from a private repository is the registry's decision, and what one namespace
//! was given does not serve another that merely knows the digest.
use crate::policy::Registrant;
use crate::signature::Signed;
use crate::{Digest, Reference};
use std::collections::BTreeMap;
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

/// A folder of pulled components.
#[derive(Debug)]
pub struct Cache {
    folder: PathBuf,
    limit: u64,
    temporary: AtomicU64,
}

/// What is kept.
#[derive(Clone, Copy)]
enum Kind {
    /// A manifest or component, under its digest.
    Blob,
    /// Which manifest a tag was last seen to name.
    Tag,
    /// Signatures of a manifest, checked again whenever they are used.
    Signatures,
}

impl Kind {
    fn folder(self) -> &'static str {
        match self {
            Kind::Blob => "blobs",
            Kind::Tag => "tags",
            Kind::Signatures => "signatures",
        }
    }
}

impl Cache {
    /// A cache of at most `limit` bytes in a folder that only we may read.
    ///
    /// # Errors
    /// When the folder cannot be made or made private.
    pub fn open(folder: &Path, limit: u64) -> io::Result<Cache> {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o700))?;
        Ok(Cache { folder: folder.to_owned(), limit, temporary: AtomicU64::new(0) })
    }

    /// A blob that still has its digest. One that has not is removed.
    pub(crate) fn blob(&self, registrant: &Registrant, digest: Digest) -> Option<Vec<u8>> {
        let path = self.path(registrant, Kind::Blob, &digest.hex());
        let bytes = read(&path)?;
        if Digest::of(&bytes) != digest {
            tracing::warn!(%digest, "a cached component was changed on disk; it is pulled again");
            let _ = std::fs::remove_file(&path);
            return None;
        }
        Some(bytes)
    }

    pub(crate) fn put_blob(&self, registrant: &Registrant, bytes: &[u8]) {
        self.put(&self.path(registrant, Kind::Blob, &Digest::of(bytes).hex()), bytes);
    }

    /// Which manifest a reference's tag was last seen to name.
    pub(crate) fn tag(&self, registrant: &Registrant, reference: &Reference) -> Option<Digest> {
        let bytes = read(&self.path(registrant, Kind::Tag, &name(reference)))?;
        std::str::from_utf8(&bytes).ok()?.parse().ok()
    }

    pub(crate) fn put_tag(&self, registrant: &Registrant, reference: &Reference, digest: Digest) {
        self.put(&self.path(registrant, Kind::Tag, &name(reference)), digest.to_string().as_bytes());
    }

    /// Signatures of a manifest, as they were stored in its repository.
    pub(crate) fn signatures(&self, registrant: &Registrant, manifest: Digest) -> Vec<Signed> {
        let bytes = read(&self.path(registrant, Kind::Signatures, &manifest.hex()));
        bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
    }

    pub(crate) fn put_signatures(&self, registrant: &Registrant, manifest: Digest, signatures: &[Signed]) {
        if let Ok(bytes) = serde_json::to_vec(signatures) {
            self.put(&self.path(registrant, Kind::Signatures, &manifest.hex()), &bytes);
        }
    }

    fn path(&self, registrant: &Registrant, kind: Kind, name: &str) -> PathBuf {
        let part = match registrant {
            Registrant::Cluster => "cluster".to_owned(),
            // Hashed: whatever a namespace is called, it is one folder.
            Registrant::Namespace(namespace) => format!("ns-{}", Digest::of(namespace.as_bytes()).hex()),
        };
        self.folder.join(part).join(kind.folder()).join(name)
    }

    /// Best effort: a component that cannot be cached is pulled again.
    fn put(&self, path: &Path, bytes: &[u8]) {
        if bytes.len() as u64 > self.limit {
            return;
        }
        if let Err(error) = self.write(path, bytes).and_then(|()| self.evict(path)) {
            tracing::warn!(%error, "the cache of components cannot be written");
        }
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        use std::io::Write;
        let folder = path.parent().unwrap_or(&self.folder);
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        let number = self.temporary.fetch_add(1, Ordering::Relaxed);
        let temporary = folder.join(format!(".{}-{number}", std::process::id()));
        let mut file =
            std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
        let written = file.write_all(bytes).and_then(|()| std::fs::rename(&temporary, path));
        if written.is_err() {
            let _ = std::fs::remove_file(&temporary);
        }
        written
    }

    /// Removes what was not used for longest until all fits; the registrant with the most bytes gives first, so that none can drive
    /// out the others. What was just written stays.
    fn evict(&self, newest: &Path) -> io::Result<()> {
        let mut parts: BTreeMap<PathBuf, Vec<Entry>> = BTreeMap::new();
        for part in std::fs::read_dir(&self.folder)?.flatten() {
            parts.insert(part.path(), entries(&part.path()));
        }
        let size = |entries: &[Entry]| entries.iter().map(|entry| entry.size).sum::<u64>();
        let mut total: u64 = parts.values().map(|entries| size(entries)).sum();
        for entries in parts.values_mut() {
            entries.retain(|entry| entry.path != newest);
            entries.sort_by_key(|entry| std::cmp::Reverse(entry.used));
        }
        while total > self.limit {
            let Some(oldest) = parts.values_mut().max_by_key(|entries| size(entries)).and_then(Vec::pop) else { break };
            std::fs::remove_file(&oldest.path)?;
            total -= oldest.size;
        }
        Ok(())
    }
}

struct Entry {
    path: PathBuf,
    size: u64,
    used: SystemTime,
}

fn entries(part: &Path) -> Vec<Entry> {
    let kinds = std::fs::read_dir(part).into_iter().flatten().flatten();
    let files = kinds.flat_map(|kind| std::fs::read_dir(kind.path()).into_iter().flatten().flatten());
    files
        .filter_map(|file| {
            let about = file.metadata().ok()?;
            Some(Entry { path: file.path(), size: about.len(), used: about.modified().ok()? })
        })
        .collect()
}

/// A file, which is now used: its time says so.
fn read(path: &Path) -> Option<Vec<u8>> {
    let bytes = std::fs::read(path).ok()?;
    if let Ok(file) = std::fs::File::options().append(true).open(path) {
        let _ = file.set_modified(SystemTime::now());
    }
    Some(bytes)
}

/// A reference as a file's name.
fn name(reference: &Reference) -> String {
    Digest::of(reference.to_string().as_bytes()).hex()
}

#[cfg(test)]
mod tests;
