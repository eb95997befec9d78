//! A private folder of compiled components. What is not exactly what this host wrote there is not loaded.
use super::failed;
use crate::HostError;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::fs::{DirBuilder, Metadata, OpenOptions, Permissions};
use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;
use windlass_core::Digest;

/// Bytes of a MAC.
const TAG: usize = 32;
/// Components that are kept: of more, the oldest go.
const MOST_ENTRIES: usize = 256;

/// A private folder of compiled components.
pub(crate) struct Cache {
    folder: PathBuf,
    key: [u8; 32],
}

impl std::fmt::Debug for Cache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cache").field("folder", &self.folder).finish_non_exhaustive()
    }
}

impl Cache {
    /// Opens a folder, private to this user, and its key. In a folder that is not ours, as a volume of a pod's, it is one inside.
    pub(crate) fn open(folder: &Path) -> Result<Cache, HostError> {
        let mut folder = folder.to_path_buf();
        let told = |error: std::io::Error| HostError::File(format!("{}: {error}", folder.display()).into());
        DirBuilder::new().recursive(true).mode(0o700).create(&folder).map_err(told)?;
        if !ours(&std::fs::symlink_metadata(&folder).map_err(told)?) {
            folder.push(format!("compiled-{}", rustix::process::geteuid().as_raw()));
        }
        Cache::open_own(folder)
    }

    fn open_own(folder: PathBuf) -> Result<Cache, HostError> {
        let told = |error: std::io::Error| HostError::File(format!("{}: {error}", folder.display()).into());
        DirBuilder::new().recursive(true).mode(0o700).create(&folder).map_err(told)?;
        if !ours(&std::fs::symlink_metadata(&folder).map_err(told)?) {
            let why = "belongs to another user, or is a link: give the cache a folder of its own";
            return Err(HostError::File(format!("{}: {why}", folder.display()).into()));
        }
        std::fs::set_permissions(&folder, Permissions::from_mode(0o700)).map_err(told)?;
        let path = folder.join("key");
        let key = match read_key(&path) {
            Some(key) => key,
            None => new_key(&path).map_err(told)?,
        };
        Ok(Cache { folder, key })
    }

    fn path(&self, digest: Digest, compatibility: u64) -> PathBuf {
        let hex: String = digest.0.iter().map(|byte| format!("{byte:02x}")).collect();
        self.folder.join(format!("{hex}.{compatibility:016x}.cwasm"))
    }

    /// The MAC covers what the file claims to be, so that one component's code cannot stand in for another's.
    fn mac(&self, digest: Digest, compatibility: u64, compiled: &[u8]) -> Result<Hmac<Sha256>, HostError> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key).map_err(failed)?;
        mac.update(&digest.0);
        mac.update(&compatibility.to_le_bytes());
        mac.update(compiled);
        Ok(mac)
    }

    /// What was kept of a component, if it is what was written, and no more than `most` bytes of it.
    pub(super) fn read(&self, digest: Digest, compatibility: u64, most: usize) -> Option<Vec<u8>> {
        let file = std::fs::File::open(self.path(digest, compatibility)).ok()?;
        let mut bytes = Vec::new();
        file.take((most + TAG) as u64 + 1).read_to_end(&mut bytes).ok()?;
        let kept = self.verified(digest, compatibility, bytes, most);
        if kept.is_none() {
            tracing::warn!(%digest, "a cached component was changed or is not ours; compiling it again");
        }
        kept
    }

    /// The bytes without their MAC, if it is right.
    fn verified(&self, digest: Digest, compatibility: u64, mut bytes: Vec<u8>, most: usize) -> Option<Vec<u8>> {
        let body = bytes.len().checked_sub(TAG).filter(|body| *body <= most)?;
        let tag = bytes.split_off(body);
        let mac = self.mac(digest, compatibility, &bytes).ok()?;
        mac.verify_slice(&tag).is_ok().then_some(bytes)
    }

    /// Keeps a component.
    pub(super) fn write(&self, digest: Digest, compatibility: u64, compiled: &[u8]) -> Result<(), HostError> {
        let told = |error: std::io::Error| HostError::File(error.to_string().into());
        let tag = self.mac(digest, compatibility, compiled)?.finalize().into_bytes();
        let path = self.path(digest, compatibility);
        // Never a half-written file under the real name, also when two processes share the folder.
        let new = path.with_extension(format!("{}.new", std::process::id()));
        let mut file = private(&new).map_err(told)?;
        file.write_all(compiled).and_then(|()| file.write_all(&tag)).map_err(told)?;
        std::fs::rename(&new, &path).map_err(told)?;
        self.sweep().map_err(told)
    }

    /// Removes the oldest entries of too many, and what another process left half-written.
    fn sweep(&self) -> std::io::Result<()> {
        let mut entries = Vec::new();
        for entry in std::fs::read_dir(&self.folder)? {
            let path = entry?.path();
            let written = std::fs::symlink_metadata(&path).and_then(|metadata| metadata.modified());
            let age = written.as_ref().ok().and_then(|at| SystemTime::now().duration_since(*at).ok());
            match path.extension().and_then(|extension| extension.to_str()) {
                Some("cwasm") => entries.push((age.unwrap_or_default(), path)),
                Some("new") if age.is_some_and(|age| age.as_secs() > 3_600) => std::fs::remove_file(path)?,
                _ => {}
            }
        }
        entries.sort();
        entries.into_iter().skip(MOST_ENTRIES).try_for_each(|(_, path)| std::fs::remove_file(path))
    }
}

/// Whether something is no link, and belongs to this user.
fn ours(metadata: &Metadata) -> bool {
    !metadata.is_symlink() && metadata.uid() == rustix::process::geteuid().as_raw()
}

/// A new file that only this user can read.
fn private(path: &Path) -> std::io::Result<std::fs::File> {
    let _ = std::fs::remove_file(path);
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

/// The key, if nobody else can have read or planted it.
fn read_key(path: &Path) -> Option<[u8; 32]> {
    let metadata = std::fs::symlink_metadata(path).ok()?;
    if !ours(&metadata) || metadata.mode() & 0o077 != 0 {
        return None;
    }
    std::fs::read(path).ok()?.try_into().ok()
}

/// A new key. Two processes that begin at the same time may each make one; then what the first one keeps is compiled again.
fn new_key(path: &Path) -> std::io::Result<[u8; 32]> {
    let mut key = [0; 32];
    getrandom::fill(&mut key).map_err(std::io::Error::other)?;
    let new = path.with_extension(format!("{}.new", std::process::id()));
    private(&new)?.write_all(&key)?;
    std::fs::rename(&new, path)?;
    Ok(key)
}

#[cfg(test)]
mod fuzz {
    use super::Cache;
    use windlass_core::Digest;
    use windlass_testkit::{Edits, mangled};

    #[test]
    fn cache() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::open(folder.path()).unwrap();
        let names = [(Digest([1; 32]), 1), (Digest([2; 32]), 1), (Digest([1; 32]), 2)];
        let code: Vec<u8> = (0..2_000_u32).map(|n| (n % 251) as u8).collect();
        let mut entries = Vec::new();
        for (digest, compatibility) in names {
            cache.write(digest, compatibility, &code).unwrap();
            entries.push(std::fs::read(cache.path(digest, compatibility)).unwrap());
        }
        bolero::check!().with_type::<(Edits, u8)>().for_each(|(edits, name)| {
            let (bytes, name) = (mangled(&entries, edits), usize::from(*name) % names.len());
            let (digest, compatibility) = names[name];
            let right = bytes == entries[name];
            let kept = cache.verified(digest, compatibility, bytes, 1 << 20);
            assert_eq!(kept.as_ref() == Some(&code), right);
            assert_eq!(kept.is_some(), right);
        });
    }
}
