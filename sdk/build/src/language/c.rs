//! C: clang, a WebAssembly linker and wasi-libc.
use crate::{BuildError, Project, componentize, tool, versions};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where a project's sources are, relative to its folder.
const FOLDERS: [&str; 3] = ["src", "windlass", "windlass/bindings"];

/// The component of a project in C: all sources in `src`, and the SDK's in `windlass`.
pub(crate) fn component(project: &Project, say: &mut dyn FnMut(&str)) -> Result<Vec<u8>, BuildError> {
    let compiler = Compiler::find()?;
    let mut sources = Vec::new();
    for folder in FOLDERS {
        let found = sources_in(&project.root.join(folder))?;
        if found.is_empty() {
            let message = format!(
                "language: a scaler in C has its sources in `src` and the SDK in `windlass`, but there is no file `{folder}/*.c`"
            );
            return Err(BuildError::Project { file: project.root.join("scaler.toml"), message });
        }
        // Relative: the command can be read and repeated, and the component does not depend on where the project is.
        sources.extend(found.iter().map(|file| file.strip_prefix(&project.root).unwrap_or(file).to_path_buf()));
    }
    let out = tempfile::tempdir().map_err(|error| BuildError::io("cannot make a folder for", &project.root, error))?;
    let module = out.path().join("module.wasm");
    say("compiling with clang");
    let mut command = compiler.command();
    command.current_dir(&project.root).args(["-std=c11", "-O2", "-Wall", "-Wextra", "-mexec-model=reactor"]);
    command.args(["-I", "windlass", "-Wl,--strip-all", "-o"]).arg(&module).args(sources);
    tool::run(&mut command)?;
    say("making the component");
    let bytes = std::fs::read(&module).map_err(|error| BuildError::io("cannot read", &module, error))?;
    componentize(&bytes)
}

/// The C files in a folder, in order, so that equal sources make equal components.
fn sources_in(folder: &Path) -> Result<Vec<PathBuf>, BuildError> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.map_err(|error| BuildError::io("cannot read", folder, error))?.path();
        if path.extension().is_some_and(|end| end == "c") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// A clang that compiles for WebAssembly.
struct Compiler {
    clang: PathBuf,
    arguments: Vec<String>,
}

impl Compiler {
    /// That of a WASI SDK (`WASI_SDK_PATH`), else the distribution's, else the PATH's.
    fn find() -> Result<Compiler, BuildError> {
        if let Some(sdk) = std::env::var_os("WASI_SDK_PATH").map(PathBuf::from) {
            let clang = sdk.join("bin/clang");
            if clang.is_file() {
                return Ok(Compiler { clang, arguments: vec!["--target=wasm32-wasip1".to_owned()] });
            }
        }
        let named = |name: &str| tool::find(&[&format!("{name}-{}", versions::CLANG), name]);
        let missing = |tool: &str| BuildError::MissingTool {
            tool: tool.to_owned(),
            what_for: "building a scaler in C".to_owned(),
            install: format!(
                "Debian and Ubuntu: sudo apt-get install clang-{0} lld-{0} wasi-libc libclang-common-{0}-dev libclang-rt-{0}-dev-wasm32\n\
                 anywhere: unpack a WASI SDK and set WASI_SDK_PATH to its folder",
                versions::CLANG
            ),
        };
        let clang = named("clang").ok_or_else(|| missing("clang"))?;
        let linker = named("wasm-ld").ok_or_else(|| missing("wasm-ld"))?;
        if !Path::new("/usr/include/wasm32-wasi/stdlib.h").is_file() {
            return Err(missing("a C library for WebAssembly (wasi-libc)"));
        }
        let linker = format!("-fuse-ld={}", linker.display());
        Ok(Compiler { clang, arguments: vec!["--target=wasm32-wasi".to_owned(), "-Wno-deprecated".to_owned(), linker] })
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.clang);
        command.args(&self.arguments);
        command
    }
}
