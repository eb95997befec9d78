//! Guests in C, compiled by the machine's clang.
use std::path::{Path, PathBuf};
use std::process::Command;

const MISSING: &str = "a guest in C needs clang, lld and a C library for WebAssembly: `cargo xtask test` installs them on Debian and \
                       Ubuntu as root (clang-22 lld-22 wasi-libc libclang-common-22-dev libclang-rt-22-dev-wasm32)";

/// The first of two programs that is on the PATH.
#[allow(clippy::panic, reason = "a test without its tools fails")]
fn program(names: [&str; 2]) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let files = |name: &str| std::env::split_paths(&path).map(|folder| folder.join(name)).collect::<Vec<_>>();
    let found = names.iter().flat_map(|name| files(name)).find(|file| file.is_file());
    found.unwrap_or_else(|| panic!("{} is missing: {MISSING}", names[0]))
}

/// The bindings of the contract in C, as the SDK for C has them.
const BINDINGS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../sdk/c/windlass/bindings");

/// The component of the C sources in a folder, with the bindings of the contract.
///
/// # Panics
/// When it cannot be compiled, with what the compiler says and what to install.
#[allow(clippy::panic, clippy::unwrap_used, reason = "a test without its guest fails")]
pub fn from_c(folder: &Path) -> Vec<u8> {
    let sources = [folder, Path::new(BINDINGS)].into_iter().flat_map(|folder| {
        let files = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        files.map(|file| file.unwrap().path()).filter(|file| file.extension().is_some_and(|end| end == "c"))
    });
    let out = tempfile::tempdir().unwrap();
    let module = out.path().join("module.wasm");
    let output = Command::new(program(["clang-22", "clang"]))
        .arg(format!("-fuse-ld={}", program(["wasm-ld-22", "wasm-ld"]).display()))
        .args(["--target=wasm32-wasi", "-mexec-model=reactor", "-O2", "-Wall", "-Wextra", "-Werror", "-Wno-deprecated"])
        .args(["-I", BINDINGS, "-o"])
        .arg(&module)
        .args(sources)
        .output()
        .unwrap();
    if !output.status.success() {
        panic!("{}\n{MISSING}", String::from_utf8_lossy(&output.stderr));
    }
    super::component(std::fs::read(module).unwrap()).unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
}
