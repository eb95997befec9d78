//! One module a language: finds its tools and makes a component of a project.
mod c;
mod go;
mod js;
mod other;
mod python;
pub(crate) mod rust;

use crate::{BuildError, Language, Project};

/// A project's component, not yet checked.
pub(crate) fn component(project: &Project, say: &mut dyn FnMut(&str)) -> Result<Vec<u8>, BuildError> {
    match project.language {
        Language::Rust => rust::component(project, say),
        Language::Go => go::component(project, say),
        Language::JavaScript => js::component(project, say),
        Language::Python => python::component(project, say),
        Language::C => c::component(project, say),
        Language::Other => other::component(project, say),
    }
}
