//! Python: CPython with the project's modules, by `componentize-py`.
use crate::{BuildError, Project, component, tool, versions};
use std::path::PathBuf;
use std::process::Command;

/// The module that a component is made of: the SDK's, which imports the project's `scaler.py`.
const ENTRY: &str = "windlass.component";

/// The component of a project in Python.
pub(crate) fn component(project: &Project, say: &mut dyn FnMut(&str)) -> Result<Vec<u8>, BuildError> {
    let componentize = find(project)?;
    for file in ["scaler.py", "windlass/component.py"] {
        if !project.root.join(file).is_file() {
            let message = format!(
                "language: a scaler in Python is `scaler.py`, with the SDK in `windlass`, but there is no file `{file}`"
            );
            return Err(BuildError::Project { file: project.root.join("scaler.toml"), message });
        }
    }
    let out = component::Workspace::make(project)?;
    // Without an empty environment the tool would take packages of this machine's.
    let environment = out.environment()?;
    say("making the component with componentize-py (about 15 s)");
    let mut command = Command::new(componentize);
    command
        .current_dir(&project.root)
        .env("VIRTUAL_ENV", environment)
        .env_remove("PYTHONPATH")
        .arg("--quiet")
        .arg("-d")
        .arg(out.contract())
        .args(["-w", component::WORLD]);
    command.args(["componentize", "--stub-wasi", "-p", ".", ENTRY, "-o"]).arg(out.component());
    tool::run(&mut command)?;
    out.read()
}

/// That of the project's virtual environment, else that of the active one or the PATH.
fn find(project: &Project) -> Result<PathBuf, BuildError> {
    const NAME: &str = "componentize-py";
    tool::own_or_found(&project.root.join(".venv/bin"), NAME).ok_or_else(|| BuildError::MissingTool {
        tool: NAME.to_owned(),
        what_for: "building a scaler in Python".to_owned(),
        install: format!(
            "in the project: python3 -m venv .venv && .venv/bin/pip install {NAME}=={}\n\
             (Debian and Ubuntu: sudo apt-get install python3-venv)",
            versions::COMPONENTIZE_PY
        ),
    })
}
