//! What a component is made of, read without compiling or running any of it.
use crate::HostError;
use wasmparser::{ComponentExternalKind, Parser, Payload};

/// What a component may import: the interfaces of the contract, and nothing else.
const CONTRACT: &str = "windlass:scaler/";
const INTERFACES: [&str; 8] = ["types", "report", "network", "http", "tcp", "clock", "random", "log"];
/// The package that they are of.
const CONTRACT_PACKAGE: &str = "windlass:scaler";
/// The version of the contract that this host speaks.
const VERSION: &str = "0.1.0";
/// What it must export.
const EXPORT: &str = "windlass:scaler/polled";

/// What a component is made of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outline {
    /// Its size, in bytes.
    pub bytes: usize,
    /// What it imports, as written, in order; those that are no instances too.
    pub imports: Vec<String>,
    /// What it exports, as written, in order.
    pub exports: Vec<String>,
    /// Bytes of code in all its modules.
    pub code_bytes: usize,
    /// Bytes of data in all its modules.
    pub data_bytes: usize,
    /// Bytes of names, debug information and notes of tools: what no run needs.
    pub custom_bytes: usize,
    /// The first import that is no interface of the contract.
    foreign: Option<String>,
}

impl Outline {
    /// Reads a component.
    ///
    /// # Errors
    /// That it is none, or broken.
    pub fn read(wasm: &[u8]) -> Result<Outline, HostError> {
        if !Parser::is_component(wasm) {
            let what = if Parser::is_core_wasm(wasm) {
                "a core module, not a component: build it with `windlass scaler build`"
            } else {
                "not WebAssembly"
            };
            return Err(wrong(what));
        }
        let mut outline = Outline { bytes: wasm.len(), ..Outline::default() };
        let mut depth = 0_usize;
        for payload in Parser::new(0).parse_all(wasm) {
            match payload.map_err(broken)? {
                Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
                Payload::End(_) => depth = depth.saturating_sub(1),
                Payload::ComponentImportSection(imports) if depth == 0 => {
                    for import in imports {
                        let import = import.map_err(broken)?;
                        outline.import(import.name.name, import.ty.kind());
                    }
                }
                Payload::ComponentExportSection(exports) if depth == 0 => {
                    for export in exports {
                        outline.exports.push(export.map_err(broken)?.name.name.to_owned());
                    }
                }
                Payload::CodeSectionStart { size, .. } => outline.code_bytes += size as usize,
                Payload::DataSection(section) => outline.data_bytes += section.range().len(),
                Payload::CustomSection(section) => outline.custom_bytes += section.range().len(),
                _ => {}
            }
        }
        Ok(outline)
    }

    fn import(&mut self, name: &str, kind: ComponentExternalKind) {
        let interface = name.strip_prefix(CONTRACT).and_then(|rest| rest.split('@').next());
        let known = interface.is_some_and(|interface| INTERFACES.contains(&interface));
        if !(known && kind == ComponentExternalKind::Instance) {
            self.foreign.get_or_insert_with(|| name.to_owned());
        }
        self.imports.push(name.to_owned());
    }

    /// The version of the contract that it was made for.
    pub fn contract(&self) -> Option<&str> {
        let ours = |name: &&String| name.starts_with(CONTRACT);
        let name = self.exports.iter().find(ours).or_else(|| self.imports.iter().find(ours))?;
        name.split_once('@').map(|(_, version)| version)
    }

    /// Whether it could be a scaler of this host: it wants nothing but the contract, in the version that is spoken here, and exports
    /// what a scaler does.
    ///
    /// # Errors
    /// What is too much or missing, and what to do about it.
    pub fn check(&self) -> Result<(), HostError> {
        if let Some(foreign) = &self.foreign {
            return Err(HostError::Import(crate::clean::line(foreign).into()));
        }
        match self.contract() {
            Some(version) if version != VERSION => {
                return Err(wrong(&format!(
                    "made for {CONTRACT_PACKAGE}@{version}, and this is a host of {CONTRACT_PACKAGE}@{VERSION}: build it \
                     with the SDK of this version"
                )));
            }
            _ => {}
        }
        if !self.exports.iter().any(|export| export.split('@').next() == Some(EXPORT)) {
            return Err(wrong(&format!(
                "it does not export {EXPORT}@{VERSION}: build it for the world `scaler`, with describe, configure and poll"
            )));
        }
        Ok(())
    }
}

fn wrong(what: &str) -> HostError {
    HostError::NotAScaler(crate::clean::line(what).into())
}

fn broken(error: wasmparser::BinaryReaderError) -> HostError {
    wrong(&error.to_string())
}

#[cfg(test)]
mod tests {
    use super::VERSION;

    #[test]
    fn the_version_is_that_of_the_contract() {
        let contract = include_str!("../../../wit/v0.1/scaler.wit");
        assert!(contract.starts_with(&format!("package windlass:scaler@{VERSION};")));
    }
}
