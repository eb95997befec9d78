//! Why there is no component.
use std::path::{Path, PathBuf};

/// Why there is no component.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The project's description cannot be used.
    #[error("{}: {message}", file.display())]
    Project {
        /// `scaler.toml`, where it is or should be.
        file: PathBuf,
        /// The field, what is wrong with it, and what to write instead.
        message: String,
    },
    /// A tool is not there.
    #[error("{tool} is missing: {what_for} needs it\n{install}")]
    MissingTool {
        /// For instance `go`.
        tool: String,
        /// For instance `building a scaler in Go`.
        what_for: String,
        /// Commands that install it.
        install: String,
    },
    /// A tool ran and failed.
    #[error("`{command}` failed\n{output}")]
    Failed {
        /// The command.
        command: String,
        /// All that it said.
        output: String,
    },
    /// A file or folder cannot be used.
    #[error("{what} {}: {source}", path.display())]
    Io {
        /// For instance `cannot write`.
        what: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The module or component is not what the contract asks for.
    #[error("no component of the contract: {0}")]
    NotAScaler(String),
    /// The component wants more than the contract gives.
    #[error(
        "imports {0}, which is not in the contract: a scaler has no files, sockets, environment or WASI; \
         build it with its language's SDK, and use the SDK's own HTTP, TCP, clock, random and log"
    )]
    Import(String),
}

impl BuildError {
    pub(crate) fn io(what: &'static str, path: &Path, source: std::io::Error) -> BuildError {
        BuildError::Io { what, path: path.to_path_buf(), source }
    }
}
