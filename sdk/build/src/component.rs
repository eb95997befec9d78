//! From a core module to a component of the contract, and what a component may import.
use crate::{BuildError, Project, adapter};
use std::path::PathBuf;
use wasmparser::{Parser, Payload};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// The contract that components are made for.
const CONTRACT: &str = include_str!("../../../wit/v0.1/scaler.wit");
/// Its package.
const PACKAGE: &str = "windlass:scaler/";
/// Its world.
pub(crate) const WORLD: &str = "scaler";

/// A folder for tools that make components themselves: they read the contract there and write what they make.
pub(crate) struct Workspace {
    folder: tempfile::TempDir,
}

impl Workspace {
    /// A folder with the contract.
    pub(crate) fn make(project: &Project) -> Result<Workspace, BuildError> {
        let folder =
            tempfile::tempdir().map_err(|error| BuildError::io("cannot make a folder for", &project.root, error))?;
        let workspace = Workspace { folder };
        let contract = workspace.contract();
        let written =
            std::fs::create_dir(&contract).and_then(|()| std::fs::write(contract.join("scaler.wit"), CONTRACT));
        written.map_err(|error| BuildError::io("cannot write", &contract, error))?;
        Ok(workspace)
    }

    /// The folder with the contract.
    pub(crate) fn contract(&self) -> PathBuf {
        self.folder.path().join("wit")
    }

    /// Where the component goes.
    pub(crate) fn component(&self) -> PathBuf {
        self.folder.path().join("component.wasm")
    }

    /// An environment of Python without packages.
    pub(crate) fn environment(&self) -> Result<PathBuf, BuildError> {
        let environment = self.folder.path().join("environment");
        let packages = environment.join("site-packages");
        std::fs::create_dir_all(&packages).map_err(|error| BuildError::io("cannot make", &packages, error))?;
        Ok(environment)
    }

    /// The component that was made.
    pub(crate) fn read(&self) -> Result<Vec<u8>, BuildError> {
        let path = self.component();
        std::fs::read(&path).map_err(|error| BuildError::io("cannot read", &path, error))
    }
}

/// Makes a core module a component: adds the contract's type where the module has none, answers WASI preview 1 with nothing where
/// the module imports it, and refuses what imports more than the contract.
///
/// # Errors
/// Why it is none, or what it imports.
pub fn componentize(core_module: &[u8]) -> Result<Vec<u8>, BuildError> {
    let told = |error: &dyn std::fmt::Display| BuildError::NotAScaler(format!("{error:#}"));
    let seen = Seen::of(core_module)?;
    let mut module = core_module.to_vec();
    if !seen.typed {
        let mut resolve = Resolve::default();
        let package = resolve.push_str("scaler.wit", CONTRACT).map_err(|error| told(&error))?;
        let world = resolve.select_world(&[package], Some(WORLD)).map_err(|error| told(&error))?;
        embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8, false)
            .map_err(|error| told(&error))?;
    }
    let mut encoder = ComponentEncoder::default();
    encoder.validate(true);
    encoder.module(&module).map_err(|error| told(&error))?;
    if seen.wasi {
        encoder.adapter(adapter::NAME, &adapter::module()?).map_err(|error| told(&error))?;
    }
    let component = encoder.encode().map_err(|error| told(&error))?;
    check(&component)?;
    Ok(component)
}

/// What matters of a core module.
#[derive(Default)]
struct Seen {
    /// It carries a component's type.
    typed: bool,
    /// It imports WASI preview 1.
    wasi: bool,
}

impl Seen {
    fn of(module: &[u8]) -> Result<Seen, BuildError> {
        if !Parser::is_core_wasm(module) {
            return Err(BuildError::NotAScaler("the compiler's output is no WebAssembly module".to_owned()));
        }
        let told = |error: wasmparser::BinaryReaderError| BuildError::NotAScaler(error.to_string());
        let mut seen = Seen::default();
        for payload in Parser::new(0).parse_all(module) {
            match payload.map_err(told)? {
                Payload::CustomSection(section) => seen.typed |= section.name().starts_with("component-type"),
                Payload::ImportSection(imports) => {
                    for import in imports.into_imports() {
                        seen.wasi |= import.map_err(told)?.module == adapter::NAME;
                    }
                }
                _ => {}
            }
        }
        Ok(seen)
    }
}

/// Checks that a component imports nothing but the contract.
///
/// # Errors
/// That it is no component, or the import that is too much.
pub fn check(component: &[u8]) -> Result<(), BuildError> {
    if !Parser::is_component(component) {
        return Err(BuildError::NotAScaler("it is not a WebAssembly component".to_owned()));
    }
    let mut depth = 0_usize;
    for payload in Parser::new(0).parse_all(component) {
        match payload.map_err(|error| BuildError::NotAScaler(error.to_string()))? {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::ComponentImportSection(imports) if depth == 0 => {
                for import in imports {
                    let name = import.map_err(|error| BuildError::NotAScaler(error.to_string()))?.name.name;
                    if !name.starts_with(PACKAGE) {
                        return Err(BuildError::Import(name.to_owned()));
                    }
                }
            }
            _ => {}
        }
    }
    Ok(())
}
