//! Compiling is untrusted work: a small component can cost minutes and gigabytes. It is done in a child process with
//! limits on CPU time and address space; the result is kept under a MAC, since loading code is trust, not check.
use crate::HostError;
use crate::engine::{Allocation, engine};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use wasmtime::Engine;
use wasmtime::component::Component;
use windlass_core::Digest;

/// CPU seconds of a compilation.
const CPU_S: u64 = 60;
/// Address space of a compilation.
const ADDRESS_SPACE: u64 = 4 << 30;
/// Wall time of a compilation.
const WALL: Duration = Duration::from_secs(120);
/// Bytes of a MAC.
const TAG: usize = 32;

fn failed(error: impl std::fmt::Display) -> HostError {
    HostError::Compile(crate::clean::line(&error.to_string()).into())
}

/// Where compiled components come from.
#[derive(Debug)]
pub(crate) struct Compiler {
    /// Our own program, which compiles when it is called `compile-component`; none: compile in this process.
    pub(crate) program: Option<PathBuf>,
    /// Private folder for the results, and the key of their MACs.
    pub(crate) cache: Option<Cache>,
}

/// A private folder of compiled components.
#[derive(Debug)]
pub(crate) struct Cache {
    folder: PathBuf,
    key: [u8; 32],
}

impl Compiler {
    /// The component, from the cache or compiled now.
    pub(crate) async fn component(
        &self,
        engine: &Engine,
        digest: Digest,
        wasm: Vec<u8>,
    ) -> Result<Component, HostError> {
        let compatibility = compatibility(engine);
        if let Some(found) = self.cache.as_ref().and_then(|cache| cache.read(digest, compatibility)) {
            match load(engine, &found) {
                Ok(component) => return Ok(component),
                Err(error) => {
                    tracing::warn!(%digest, %error, "a cached component cannot be loaded; compiling it again")
                }
            }
        }
        let compiled = match &self.program {
            Some(program) => compile_in_child(program, wasm).await?,
            None => {
                let engine = engine.clone();
                let compiling = tokio::task::spawn_blocking(move || engine.precompile_component(&wasm).map_err(failed));
                compiling.await.map_err(failed)??
            }
        };
        if let Some(cache) = &self.cache
            && let Err(error) = cache.write(digest, compatibility, &compiled)
        {
            tracing::warn!(%digest, %error, "a compiled component cannot be kept");
        }
        load(engine, &compiled)
    }
}

/// Changes with everything that makes compiled code useless to an engine.
fn compatibility(engine: &Engine) -> u64 {
    use std::hash::{Hash, Hasher};
    let mut hasher = std::hash::DefaultHasher::new();
    engine.precompile_compatibility_hash().hash(&mut hasher);
    hasher.finish()
}

/// Loads code that this process, its child, or an earlier run under the same key has compiled.
#[allow(unsafe_code)]
fn load(engine: &Engine, compiled: &[u8]) -> Result<Component, HostError> {
    // SAFETY: `deserialize` runs what it is given. These bytes were made by `precompile_component`: in this process, in a child that
    // runs this very program, or earlier and verified by a MAC whose key lies in a folder that only this user can read.
    unsafe { Component::deserialize(engine, compiled) }.map_err(failed)
}

async fn compile_in_child(program: &Path, wasm: Vec<u8>) -> Result<Vec<u8>, HostError> {
    let mut child = tokio::process::Command::new(program)
        .arg("compile-component")
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(failed)?;
    let input = child.stdin.take();
    let run = async move {
        let feed = async move {
            if let Some(mut input) = input {
                // A child that died of its limits closes the pipe; its exit tells more than this error.
                let _ = input.write_all(&wasm).await;
            }
        };
        let (_, output) = tokio::join!(feed, child.wait_with_output());
        output
    };
    let output = tokio::time::timeout(WALL, run)
        .await
        .map_err(|_| failed(format!("it took longer than {} s", WALL.as_secs())))?
        .map_err(failed)?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    let told = String::from_utf8_lossy(&output.stderr);
    let told = told.lines().last().unwrap_or_default();
    Err(failed(format!("{} ({}; limits: {CPU_S} s of CPU, {} GiB)", told.trim(), output.status, ADDRESS_SPACE >> 30)))
}

/// The child's side: limits itself, reads a component from standard input and writes its compiled form to standard output.
///
/// # Errors
/// When the limits cannot be set or the component cannot be compiled.
pub fn compile_child() -> Result<(), HostError> {
    use rustix::process::{Resource, Rlimit, setrlimit};
    let limit = |value| Rlimit { current: Some(value), maximum: Some(value) };
    setrlimit(Resource::Cpu, limit(CPU_S)).map_err(failed)?;
    setrlimit(Resource::As, limit(ADDRESS_SPACE)).map_err(failed)?;
    setrlimit(Resource::Core, limit(0)).map_err(failed)?;
    let mut wasm = Vec::new();
    std::io::stdin().lock().read_to_end(&mut wasm).map_err(failed)?;
    let compiled = engine(Allocation::OnDemand)?.precompile_component(&wasm).map_err(failed)?;
    std::io::stdout().lock().write_all(&compiled).map_err(failed)
}

impl Cache {
    /// Opens a folder, private to this user, and its key.
    pub(crate) fn open(folder: &Path) -> Result<Cache, HostError> {
        use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
        let told = |error: std::io::Error| HostError::File(format!("{}: {error}", folder.display()).into());
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(told)?;
        std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o700)).map_err(told)?;
        let path = folder.join("key");
        let mut key = [0; 32];
        match std::fs::read(&path) {
            Ok(bytes) if bytes.len() == key.len() => key.copy_from_slice(&bytes),
            _ => {
                getrandom::fill(&mut key).map_err(|error| HostError::File(error.to_string().into()))?;
                let mut file = std::fs::OpenOptions::new();
                let mut file = file.write(true).create(true).truncate(true).mode(0o600).open(&path).map_err(told)?;
                file.write_all(&key).map_err(told)?;
            }
        }
        Ok(Cache { folder: folder.to_path_buf(), key })
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

    fn read(&self, digest: Digest, compatibility: u64) -> Option<Vec<u8>> {
        let mut bytes = std::fs::read(self.path(digest, compatibility)).ok()?;
        let body = bytes.len().checked_sub(TAG)?;
        let tag = bytes.split_off(body);
        let mac = self.mac(digest, compatibility, &bytes).ok()?;
        if mac.verify_slice(&tag).is_err() {
            tracing::warn!(%digest, "a cached component was changed or is not ours; compiling it again");
            return None;
        }
        Some(bytes)
    }

    fn write(&self, digest: Digest, compatibility: u64, compiled: &[u8]) -> Result<(), HostError> {
        let told = |error: std::io::Error| HostError::File(error.to_string().into());
        let tag = self.mac(digest, compatibility, compiled)?.finalize().into_bytes();
        let path = self.path(digest, compatibility);
        // Never a half-written file under the real name, also when two processes share the folder.
        let new = path.with_extension(format!("{}.new", std::process::id()));
        let mut file = std::fs::File::create(&new).map_err(told)?;
        file.write_all(compiled).and_then(|()| file.write_all(&tag)).map_err(told)?;
        std::fs::rename(&new, &path).map_err(told)
    }
}
