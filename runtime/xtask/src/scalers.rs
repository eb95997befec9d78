//! `cargo xtask scalers`: builds guests and turns each into a WebAssembly component.
//!
//! There is no list of scalers: every folder of `scalers/` is one, and the component has the folder's name.
use crate::tool;
use crate::wasm_toolchain;
use anyhow::{Context, Result, bail};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use windlass_build::{RUST_TARGET, RustArtifact, RustToolchain};

/// Arguments of the task.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Build the guest crate in this folder, or each one in its subfolders, instead of the scalers
    #[arg(long, value_name = "DIR")]
    path: Option<PathBuf>,
    /// Where the components go; with --path, by default target/scalers/guests
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// Runs the task.
pub(crate) fn run(args: Args) -> Result<()> {
    match (args.path, args.out) {
        (None, None) => build(),
        (None, Some(out)) => build_folder(&tool::root().join("scalers"), &out).map(drop),
        (Some(path), out) => build_folder(&path, &out.unwrap_or_else(|| target().join("guests"))).map(drop),
    }
}

/// Where the components of the scalers are.
pub(crate) fn folder() -> PathBuf {
    target().join("components")
}

/// Builds every scaler. Components of scalers that are no more are removed.
pub(crate) fn build() -> Result<()> {
    let modules = build_folder(&tool::root().join("scalers"), &folder())?;
    remove_others(&folder(), &modules)
}

/// Builds the guest crate in a folder, or those in its subfolders, as components `<out>/<name of its folder>.wasm`.
/// Tells the core module of each.
pub(crate) fn build_folder(folder: &Path, out: &Path) -> Result<BTreeMap<String, PathBuf>> {
    let crates = crates(folder)?;
    let toolchain = wasm_toolchain::find()?;
    tool::say(&format!("building {} for WebAssembly", crates.keys().cloned().collect::<Vec<_>>().join(", ")));
    let modules = compile(&toolchain, &crates)?;
    std::fs::create_dir_all(out).with_context(|| format!("cannot make {}", out.display()))?;
    for (name, module) in &modules {
        let bytes = std::fs::read(module).with_context(|| format!("cannot read {}", module.display()))?;
        let component = windlass_build::componentize(&bytes).with_context(|| name.clone())?;
        windlass_build::write_if_changed(&out.join(format!("{name}.wasm")), &component)?;
    }
    for name in crates.keys() {
        let path = out.join(format!("{name}.wasm"));
        println!("{} ({} KB)", path.display(), std::fs::metadata(&path)?.len().div_ceil(1000));
    }
    Ok(modules)
}

/// The target folder of guests, apart from that of native builds, so that neither waits for the other.
fn target() -> PathBuf {
    tool::target().join("scalers")
}

/// The manifests of guest crates by the names of their folders.
fn crates(folder: &Path) -> Result<BTreeMap<String, PathBuf>> {
    let folder = folder.canonicalize().with_context(|| format!("cannot read {}", folder.display()))?;
    let mut found = BTreeMap::new();
    let mut add = |folder: PathBuf| {
        let manifest = folder.join("Cargo.toml");
        if let (Some(name), true) = (folder.file_name(), manifest.is_file()) {
            found.insert(name.to_string_lossy().into_owned(), manifest);
        }
    };
    if folder.join("Cargo.toml").is_file() {
        add(folder.clone());
    } else {
        for entry in std::fs::read_dir(&folder)? {
            add(entry?.path());
        }
    }
    if found.is_empty() {
        bail!("no guest crate in {}", folder.display());
    }
    Ok(found)
}

/// Compiles the crates, one cargo call per workspace, and tells the module of each.
fn compile(toolchain: &RustToolchain, crates: &BTreeMap<String, PathBuf>) -> Result<BTreeMap<String, PathBuf>> {
    let mut workspaces: BTreeMap<PathBuf, Vec<(&str, String)>> = BTreeMap::new();
    for (name, manifest) in crates {
        let (workspace, package) = locate(manifest)?;
        workspaces.entry(workspace).or_default().push((name, package));
    }
    let mut modules = BTreeMap::new();
    for (workspace, packages) in workspaces {
        // A workspace of its own has no profile of ours, unless it says so.
        let ours = workspace == tool::root().join("Cargo.toml");
        let mut command = toolchain.cargo("build");
        command.args(["--lib", "--keep-going", "--message-format", "json-render-diagnostics"]);
        command.args(["--profile", if ours { "scaler" } else { "release" }]);
        command.arg("--manifest-path").arg(&workspace).arg("--target-dir").arg(target());
        command.args(packages.iter().flat_map(|(_, package)| ["--package", package]));
        let artifacts = artifacts(&mut command)?;
        for (name, _) in packages {
            let manifest = &crates[name];
            let module = artifacts.get(manifest).with_context(|| {
                format!(
                    "{} builds no WebAssembly module: its library needs crate-type = [\"cdylib\", \"rlib\"]",
                    manifest.display()
                )
            })?;
            modules.insert(name.to_owned(), module.clone());
        }
    }
    Ok(modules)
}

/// The workspace's manifest and the package's name.
fn locate(manifest: &Path) -> Result<(PathBuf, String)> {
    #[derive(Deserialize)]
    struct Package {
        name: String,
        manifest_path: PathBuf,
    }
    #[derive(Deserialize)]
    struct Metadata {
        packages: Vec<Package>,
        workspace_root: PathBuf,
    }
    let output = tool::cargo()
        .args(["metadata", "--no-deps", "--format-version", "1", "--manifest-path"])
        .arg(manifest)
        .stderr(Stdio::inherit())
        .output()?;
    if !output.status.success() {
        bail!("cargo metadata failed on {}", manifest.display());
    }
    let metadata: Metadata = serde_json::from_slice(&output.stdout)?;
    let package = metadata.packages.into_iter().find(|package| package.manifest_path == manifest);
    let package = package.with_context(|| format!("{} is no package", manifest.display()))?;
    Ok((metadata.workspace_root.join("Cargo.toml"), package.name))
}

/// Runs cargo and collects the modules that it made, by the manifest of their package.
fn artifacts(command: &mut Command) -> Result<BTreeMap<PathBuf, PathBuf>> {
    let mut child = command.stdout(Stdio::piped()).spawn().with_context(|| format!("cannot start {command:?}"))?;
    let mut modules = BTreeMap::new();
    for line in child.stdout.take().into_iter().flat_map(|out| BufReader::new(out).lines()) {
        if let Some(RustArtifact { manifest, module }) = RustArtifact::of(&line?) {
            modules.insert(manifest, module);
        }
    }
    let status = child.wait()?;
    if !status.success() {
        bail!("building for {RUST_TARGET} failed: {status}");
    }
    Ok(modules)
}

fn remove_others(out: &Path, kept: &BTreeMap<String, PathBuf>) -> Result<()> {
    for entry in std::fs::read_dir(out)? {
        let path = entry?.path();
        let component = path.extension().is_some_and(|end| end == "wasm");
        let known = path.file_stem().is_some_and(|name| kept.contains_key(&*name.to_string_lossy()));
        if component && !known {
            std::fs::remove_file(path)?;
        }
    }
    Ok(())
}
