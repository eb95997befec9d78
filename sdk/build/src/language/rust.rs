//! Rust: cargo for `wasm32-unknown-unknown`.
use crate::{BuildError, Project, componentize, tool};
use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The target of all guests in Rust: no operating system, so that nothing is imported but the contract.
pub const TARGET: &str = "wasm32-unknown-unknown";

/// The component of a project in Rust: the library of the package in the project's folder.
pub(crate) fn component(project: &Project, say: &mut dyn FnMut(&str)) -> Result<Vec<u8>, BuildError> {
    let toolchain = Toolchain::find().ok_or_else(missing)?;
    say("compiling with cargo");
    let mut command = toolchain.cargo("build");
    command.current_dir(&project.root).args(["--lib", "--release", "--message-format", "json-render-diagnostics"]);
    let messages = tool::run(&mut command)?;
    let manifest = project.root.join("Cargo.toml");
    let messages = String::from_utf8_lossy(&messages);
    let mut artifacts = messages.lines().filter_map(Artifact::of);
    let Artifact { module, .. } =
        artifacts.find(|artifact| artifact.manifest == manifest).ok_or_else(|| BuildError::Project {
            file: manifest.clone(),
            message: "lib.crate-type: builds no WebAssembly module; write crate-type = [\"cdylib\", \"rlib\"]"
                .to_owned(),
        })?;
    say("making the component");
    let bytes = std::fs::read(&module).map_err(|error| BuildError::io("cannot read", &module, error))?;
    componentize(&bytes)
}

/// A module that cargo made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Artifact {
    /// The manifest of its package.
    pub manifest: PathBuf,
    /// Where it is.
    pub module: PathBuf,
}

impl Artifact {
    /// What a line of `cargo build --message-format json` tells of a module; `None`: it is about something else.
    pub fn of(line: &str) -> Option<Artifact> {
        #[derive(Deserialize)]
        struct Message {
            reason: String,
            manifest_path: Option<PathBuf>,
            #[serde(default)]
            filenames: Vec<PathBuf>,
        }
        let message = serde_json::from_str::<Message>(line).ok()?;
        let module = message.filenames.into_iter().find(|file| file.extension().is_some_and(|end| end == "wasm"))?;
        (message.reason == "compiler-artifact").then_some(Artifact { manifest: message.manifest_path?, module })
    }
}

/// That there is no toolchain, with both remedies.
fn missing() -> BuildError {
    BuildError::MissingTool {
        tool: format!("a Rust toolchain for {TARGET}"),
        what_for: "building a scaler in Rust".to_owned(),
        install: format!(
            "with rustup: rustup target add {TARGET}\nDebian and Ubuntu: sudo apt-get install {}",
            Toolchain::PACKAGES.join(" ")
        ),
    }
}

/// A toolchain that can build guests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Toolchain {
    /// The cargo and rustc of the PATH have the target.
    Installed,
    /// The distribution's, with a standard library that is built on the way.
    Distribution {
        /// Its cargo.
        cargo: PathBuf,
        /// Its rustc.
        rustc: PathBuf,
    },
}

impl Toolchain {
    /// Debian's and Ubuntu's packages for it. The linker's version is that which the compiler's package was built with.
    pub const PACKAGES: [&str; 5] = ["rustc-web", "cargo-web", "rust-web-src", "rust-web-llvm", "lld-22"];

    /// Finds one: an installed target is used as it is, else the distribution's packages; they bring no compiled standard
    /// library, so cargo builds it.
    pub fn find() -> Option<Toolchain> {
        if Self::installed() { Some(Toolchain::Installed) } else { Self::distribution() }
    }

    /// A cargo that builds for the target, free of what an outer cargo left in the environment. The caller adds the
    /// subcommand's own arguments.
    pub fn cargo(&self, subcommand: &str) -> Command {
        let mut command = match self {
            Toolchain::Installed => Command::new("cargo"),
            Toolchain::Distribution { cargo, .. } => Command::new(cargo),
        };
        clean(&mut command);
        command.args([subcommand, "--target", TARGET]);
        if let Toolchain::Distribution { rustc, .. } = self {
            // The distribution's compiler is a stable one; building std needs this switch.
            command.env("RUSTC", rustc).env("RUSTC_BOOTSTRAP", "1").arg("-Zbuild-std=std,panic_abort");
            command.env_remove("RUSTUP_TOOLCHAIN");
        }
        command
    }

    fn installed() -> bool {
        let mut command = Command::new("rustc");
        clean(&mut command);
        sysroot(&mut command).is_some_and(|root| root.join("lib/rustlib").join(TARGET).join("lib").is_dir())
    }

    fn distribution() -> Option<Toolchain> {
        let (cargo, rustc) = (Path::new("/usr/bin/cargo"), Path::new("/usr/bin/rustc"));
        let mut command = Command::new(rustc);
        clean(&mut command);
        let root = sysroot(command.env_remove("RUSTUP_TOOLCHAIN"))?;
        let source = root.join("lib/rustlib/src/rust/library/std/Cargo.toml");
        let complete = cargo.is_file() && source.is_file() && linker();
        complete.then(|| Toolchain::Distribution { cargo: cargo.into(), rustc: rustc.into() })
    }
}

/// Removes what an outer cargo or a user's settings for native builds would do to a build of guests. What tells cargo
/// where its home and its registries are stays.
fn clean(command: &mut Command) {
    const KEPT: &[&str] =
        &["CARGO_HOME", "CARGO_NET_", "CARGO_HTTP_", "CARGO_REGISTR", "CARGO_TERM_", "CARGO_BUILD_JOBS"];
    for (name, _) in std::env::vars_os() {
        let Some(name) = name.to_str() else { continue };
        let cargo = name.starts_with("CARGO") && !KEPT.iter().any(|kept| name.starts_with(kept));
        let rust = matches!(
            name,
            "RUSTFLAGS" | "RUSTC" | "RUSTDOC" | "RUSTDOCFLAGS" | "RUSTC_WRAPPER" | "RUSTC_WORKSPACE_WRAPPER"
        );
        // `cargo run` puts its own compiler's libraries here.
        if cargo || rust || name == "LD_LIBRARY_PATH" {
            command.env_remove(name);
        }
    }
}

fn sysroot(rustc: &mut Command) -> Option<PathBuf> {
    let output = rustc.args(["--print", "sysroot"]).output().ok().filter(|output| output.status.success())?;
    Some(PathBuf::from(String::from_utf8(output.stdout).ok()?.trim()))
}

/// Whether a WebAssembly linker of the distribution is there.
fn linker() -> bool {
    let names = std::fs::read_dir("/usr/bin").into_iter().flatten().flatten();
    names.into_iter().any(|entry| {
        let name = entry.file_name();
        name.to_string_lossy().starts_with("wasm-ld") || name == "rust-lld"
    })
}
