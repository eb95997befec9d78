//! JavaScript: QuickJS with the project's modules, by `componentize-qjs`.
use crate::{BuildError, Project, component, tool, versions};
use std::path::PathBuf;
use std::process::Command;

/// The module that a component is made of: the SDK's, which imports the project's `src/scaler.js`.
const ENTRY: &str = "windlass/component.js";

/// The component of a project in JavaScript.
pub(crate) fn component(project: &Project, say: &mut dyn FnMut(&str)) -> Result<Vec<u8>, BuildError> {
    let componentize = find(project)?;
    if !project.root.join(ENTRY).is_file() {
        let message =
            format!("language: a scaler in JavaScript has the SDK in `windlass`, but there is no file `{ENTRY}`");
        return Err(BuildError::Project { file: project.root.join("scaler.toml"), message });
    }
    let out = component::Workspace::make(project)?;
    say("making the component with componentize-qjs");
    let mut command = Command::new(componentize);
    command.current_dir(&project.root).arg("--wit").arg(out.contract()).args(["--world", component::WORLD]);
    // No WASI: what JavaScript has of the world is the contract's.
    command.args(["--js", ENTRY, "--stub-wasi", "--sync", "--opt-size", "-o"]).arg(out.component());
    tool::run(&mut command)?;
    out.read()
}

/// The project's own componentize-qjs, else that of the PATH.
fn find(project: &Project) -> Result<PathBuf, BuildError> {
    const NAME: &str = "componentize-qjs";
    tool::own_or_found(&project.root.join("node_modules/.bin"), NAME).ok_or_else(|| BuildError::MissingTool {
        tool: NAME.to_owned(),
        what_for: "building a scaler in JavaScript".to_owned(),
        install: format!(
            "in the project: npm install\n\
             for all projects: npm install --global {NAME}@{}\n\
             (npm comes with Node.js 18 or newer; Debian and Ubuntu: sudo apt-get install nodejs npm)",
            versions::COMPONENTIZE_QJS
        ),
    })
}
