//! Which Rust toolchain builds guests for `wasm32-unknown-unknown`, found or installed.
//!
//! An installed target is used as it is. Else, on Debian and Ubuntu as root, the distribution's packages; they bring no
//! compiled standard library, so cargo builds it. Else `rustup target add`. Else an error that names the remedies.
use crate::tool;
use anyhow::{Result, bail};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The target of all guests: no operating system, so that nothing is imported but the contract.
pub(crate) const TARGET: &str = "wasm32-unknown-unknown";

/// Debian's and Ubuntu's packages for it. The linker's version is that which the compiler's package was built with.
const PACKAGES: &[&str] = &["rustc-web", "cargo-web", "rust-web-src", "rust-web-llvm", "lld-22"];

/// A toolchain that can build guests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum WasmToolchain {
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

impl WasmToolchain {
    /// Finds a toolchain, installing one where there is none.
    pub(crate) fn find() -> Result<WasmToolchain> {
        if Self::installed() {
            return Ok(WasmToolchain::Installed);
        }
        if let Some(found) = Self::distribution() {
            return Ok(found);
        }
        if tool::can_apt() {
            match tool::apt(PACKAGES, "building scalers for WebAssembly") {
                Ok(()) => {
                    if let Some(found) = Self::distribution() {
                        return Ok(found);
                    }
                    eprintln!("the packages came without a standard library for {TARGET}");
                }
                Err(error) => eprintln!("{error:#}"),
            }
        }
        if tool::found("rustup") {
            tool::say(&format!("rustup target add {TARGET}"));
            tool::run(Command::new("rustup").args(["target", "add", TARGET]))?;
            if Self::installed() {
                return Ok(WasmToolchain::Installed);
            }
        }
        bail!(
            "no Rust toolchain for {TARGET}: run `rustup target add {TARGET}`, or on Debian and Ubuntu \
             `sudo apt-get install {}`",
            PACKAGES.join(" ")
        )
    }

    /// A cargo that builds for the target, free of what an outer cargo left in the environment. The caller adds the
    /// subcommand's own arguments.
    pub(crate) fn cargo(&self, subcommand: &str) -> Command {
        let mut command = match self {
            WasmToolchain::Installed => Command::new("cargo"),
            WasmToolchain::Distribution { cargo, .. } => Command::new(cargo),
        };
        clean(&mut command);
        command.args([subcommand, "--target", TARGET]);
        if let WasmToolchain::Distribution { rustc, .. } = self {
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

    fn distribution() -> Option<WasmToolchain> {
        let (cargo, rustc) = (Path::new("/usr/bin/cargo"), Path::new("/usr/bin/rustc"));
        let mut command = Command::new(rustc);
        clean(&mut command);
        let root = sysroot(command.env_remove("RUSTUP_TOOLCHAIN"))?;
        let source = root.join("lib/rustlib/src/rust/library/std/Cargo.toml");
        let complete = cargo.is_file() && source.is_file() && linker();
        complete.then(|| WasmToolchain::Distribution { cargo: cargo.into(), rustc: rustc.into() })
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
