//! Running other programs, and installing what a task needs: with progress, and with an error that names the remedy.
use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The root of the repository, wherever the task was called from.
pub fn root() -> PathBuf {
    let manifest = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().and_then(|p| p.parent()).map_or(manifest.clone(), PathBuf::from)
}

/// Cargo's target folder, shared by all tasks.
pub fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// A line that tells what happens now.
pub fn say(what: &str) {
    eprintln!("\x1b[1;36m==>\x1b[0m {what}");
}

/// Runs a command and fails with its name and exit code.
pub fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("cannot start {command:?}"))?;
    if !status.success() {
        bail!("{command:?} failed: {status}");
    }
    Ok(())
}

/// A cargo that does not see that it runs inside another: what `cargo run` and `cargo test` tell their program would make it
/// build crates anew whose build scripts look at it.
pub fn cargo() -> Command {
    let mut command = Command::new("cargo");
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        let told = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_", "CARGO_PRIMARY_"];
        if told.iter().any(|start| text.starts_with(start)) || matches!(&*text, "CARGO" | "OUT_DIR" | "LD_LIBRARY_PATH")
        {
            command.env_remove(&name);
        }
    }
    command.current_dir(root());
    command
}

/// Builds packages of the workspace.
pub fn build(packages: &[&str]) -> Result<()> {
    let mut command = cargo();
    command.arg("build").args(packages.iter().flat_map(|package| ["--package", package]));
    run(&mut command)
}

/// The program `windlass`, once it is built.
pub fn windlass() -> PathBuf {
    target().join("debug/windlass")
}

/// Whether a program is on the PATH.
pub fn found(program: &str) -> bool {
    std::env::var_os("PATH").is_some_and(|paths| std::env::split_paths(&paths).any(|dir| dir.join(program).is_file()))
}

/// Whether packages of the distribution can be installed: Debian or Ubuntu, as root.
pub fn can_apt() -> bool {
    found("apt-get") && Command::new("id").arg("-u").output().is_ok_and(|out| out.stdout.trim_ascii() == b"0")
}

/// Installs packages of the distribution, or says which are missing. Services that come with them do not start, neither now nor
/// at the next boot: tests start their own on free ports.
pub fn apt(packages: &[&str], why: &str) -> Result<()> {
    if !can_apt() {
        bail!("{why} needs {}: install them (Debian and Ubuntu: sudo apt-get install {0})", packages.join(" "));
    }
    say(&format!("installing {} ({why})", packages.join(" ")));
    run(Command::new("apt-get").args(["update", "-qq"])).context("apt-get update")?;
    let _quiet = Policy::deny_services()?;
    run(Command::new("apt-get")
        .env("DEBIAN_FRONTEND", "noninteractive")
        .args(["install", "-y", "-qq", "--no-install-recommends"])
        .args(packages))?;
    if found("systemctl") {
        for package in packages {
            // Most packages have no service of their name; then there is nothing to switch off.
            let unit = format!("{package}.service");
            let _ = Command::new("systemctl").args(["disable", "--quiet", &unit]).stderr(Stdio::null()).status();
        }
    }
    Ok(())
}

/// Makes a virtual environment of Python.
pub fn python_environment(folder: &Path, why: &str) -> Result<()> {
    let able = Command::new("python3").args(["-c", "import venv, ensurepip"]).stderr(Stdio::null()).status();
    if !able.is_ok_and(|status| status.success()) {
        apt(&["python3-venv"], why)?;
    }
    run(Command::new("python3").args(["-m", "venv"]).arg(folder))
}

/// Debian's policy layer while we install: package scripts ask it before they start a service.
struct Policy(Option<PathBuf>);

impl Policy {
    fn deny_services() -> Result<Policy> {
        use std::os::unix::fs::PermissionsExt;
        let path = PathBuf::from("/usr/sbin/policy-rc.d");
        if path.exists() {
            // The machine has a policy of its own, as containers do.
            return Ok(Policy(None));
        }
        std::fs::write(&path, "#!/bin/sh\nexit 101\n").with_context(|| format!("cannot write {}", path.display()))?;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755))?;
        Ok(Policy(Some(path)))
    }
}

impl Drop for Policy {
    fn drop(&mut self) {
        if let Some(path) = &self.0 {
            let _ = std::fs::remove_file(path);
        }
    }
}

/// Installs what tests need beyond Rust, or says exactly what to install.
pub fn install_test_tools() -> Result<()> {
    crate::c_toolchain::install()?;
    crate::cluster::install_test_tools()
}
