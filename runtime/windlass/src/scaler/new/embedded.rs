//! The SDKs and templates that the program carries with it, so that it works wherever it is.
use rust_embed::Embed;

/// What of `sdk/` goes into projects. What tools leave behind there does not.
#[derive(Embed)]
#[folder = "../../sdk"]
#[include = "template/**"]
#[include = "*/template/**"]
#[include = "*/windlass/**"]
#[include = "rust/Cargo.toml"]
#[include = "rust/README.md"]
#[include = "rust/src/**"]
#[include = "rust/derive/**"]
#[exclude = "**/node_modules/**"]
#[exclude = "**/target/**"]
#[exclude = "**/template/build/**"]
#[exclude = "**/__pycache__/**"]
#[exclude = "**/.pytest_cache/**"]
#[exclude = "**/.venv/**"]
#[exclude = "**/*.pyc"]
#[exclude = "**/*.wasm"]
#[exclude = "**/Cargo.lock"]
struct Sdk;

/// The contract.
#[derive(Embed)]
#[folder = "../../wit"]
#[include = "v*/*.wit"]
struct Wit;

/// The files below a folder of `sdk/`, by their path in it.
pub(super) fn under(folder: &str) -> impl Iterator<Item = (String, Vec<u8>)> {
    Sdk::iter().filter_map(move |path| {
        let within = path.strip_prefix(folder)?.to_owned();
        Some((within, Sdk::get(&path)?.data.into_owned()))
    })
}

/// The contract's files, by their path in `wit/`.
pub(super) fn wit() -> impl Iterator<Item = (String, Vec<u8>)> {
    Wit::iter().filter_map(|path| Some((path.to_string(), Wit::get(&path)?.data.into_owned())))
}
