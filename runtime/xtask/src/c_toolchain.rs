//! What compiles guests in C, that of the host's tests and scalers by the SDK: clang, a WebAssembly linker, and a C library and builtins
//! for it; and make, for their native tests.
use crate::tool;
use anyhow::Result;
use std::path::Path;

/// What has to be there, and the package of Debian and Ubuntu that has it. The versions belong together.
const FILES: &[(&str, &str)] = &[
    ("/usr/bin/make", "make"),
    ("/usr/bin/clang-22", "clang-22"),
    ("/usr/bin/wasm-ld-22", "lld-22"),
    ("/usr/include/wasm32-wasi/stdlib.h", "wasi-libc"),
    ("/usr/lib/llvm-22/lib/clang/22/include/stddef.h", "libclang-common-22-dev"),
    ("/usr/lib/llvm-22/lib/clang/22/lib/wasi/libclang_rt.builtins-wasm32.a", "libclang-rt-22-dev-wasm32"),
];

/// Installs what is missing. Elsewhere than on Debian and Ubuntu a clang of the PATH may do as well: the test says so when it
/// does not.
pub fn install() -> Result<()> {
    let missing: Vec<&str> =
        FILES.iter().filter(|(file, _)| !Path::new(file).exists()).map(|(_, package)| *package).collect();
    let own = tool::found("clang") && tool::found("wasm-ld") && !tool::can_apt();
    if missing.is_empty() || own {
        return Ok(());
    }
    tool::apt(&missing, "compiling guests in C")
}
