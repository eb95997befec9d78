//! Any other language: a core module that the project's own command makes.
use crate::project::Recipe;
use crate::{BuildError, Project, componentize, tool};
use std::process::Command;

/// The component of a project that makes a module by itself.
pub(crate) fn component(project: &Project, say: &mut dyn FnMut(&str)) -> Result<Vec<u8>, BuildError> {
    let missing = || BuildError::Project {
        file: project.root.join("scaler.toml"),
        message: "build: there is no command that makes the module".to_owned(),
    };
    let Recipe { command, module } = project.recipe.as_ref().ok_or_else(missing)?;
    let (program, arguments) = command.split_first().ok_or_else(missing)?;
    say(&format!("running {}", command.join(" ")));
    tool::run(Command::new(program).args(arguments).current_dir(&project.root))?;
    say("making the component");
    let bytes = std::fs::read(module).map_err(|error| BuildError::io("cannot read", module, error))?;
    componentize(&bytes)
}
