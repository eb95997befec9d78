//! The contract's bindings for languages whose projects carry them along, so that no one who writes a scaler needs a generator.
use crate::tool;
use anyhow::{Context, Result};
use std::collections::BTreeMap;
use wit_bindgen_core::wit_parser::{Resolve, WorldId};
use wit_bindgen_core::{Files, WorldGenerator};

/// The contract, relative to the repository's root.
const CONTRACT: &str = "wit/v0.1/scaler.wit";
/// Where the Go bindings are in the SDK's module.
const GO_PACKAGE: &str = "windlass/internal/bindings";
/// What the generator's Go code imports, and our own packages in its place: a project needs nothing from elsewhere.
const GO_IMPORTS: [(&str, &str); 3] = [
    (
        "\"windlass/internal/bindings/exports/export_windlass_scaler_polled\"",
        "export_windlass_scaler_polled \"windlass/internal/exports\"",
    ),
    ("witRuntime \"go.bytecodealliance.org/pkg/wit/runtime\"", "witRuntime \"windlass/internal/wit\""),
    ("witTypes \"go.bytecodealliance.org/pkg/wit/types\"", "witTypes \"windlass/internal/wit\""),
];

/// Bindings in C.
pub(super) fn c() -> Result<BTreeMap<String, String>> {
    // The contract's type is added when a module becomes a component, which fails where bindings and contract do not fit.
    let options = wit_bindgen_c::Opts { no_object_file: true, ..Default::default() };
    texts(&mut *options.build())
}

/// Bindings in Go. They are there for WebAssembly alone: natively, a scaler's tests run without the host's functions.
pub(super) fn go() -> Result<BTreeMap<String, String>> {
    let options = wit_bindgen_go::Opts {
        // Not by gofmt: the same text on every machine.
        format: wit_bindgen_go::Format::False,
        pkg_name: Some(GO_PACKAGE.to_owned()),
        ..Default::default()
    };
    let mut files = texts(&mut *options.build())?;
    // For native builds of functions without a body.
    files.retain(|name, _| !name.ends_with("/empty.s"));
    for text in files.values_mut() {
        *text = text.replacen("\npackage ", "\n//go:build wasip1\n\npackage ", 1);
        for (theirs, ours) in GO_IMPORTS {
            *text = text.replace(theirs, ours);
        }
    }
    Ok(files)
}

fn texts(generator: &mut dyn WorldGenerator) -> Result<BTreeMap<String, String>> {
    let (mut resolve, world) = contract()?;
    let mut files = Files::default();
    generator.generate(&mut resolve, world, &mut files)?;
    let text = |(name, bytes): (&str, &[u8])| Ok((name.to_owned(), String::from_utf8(bytes.to_vec())?));
    files.iter().map(text).collect()
}

fn contract() -> Result<(Resolve, WorldId)> {
    let text = std::fs::read_to_string(tool::root().join(CONTRACT)).with_context(|| CONTRACT.to_owned())?;
    let mut resolve = Resolve::default();
    let package = resolve.push_str(CONTRACT, &text)?;
    let world = resolve.select_world(&[package], Some("scaler"))?;
    Ok((resolve, world))
}
