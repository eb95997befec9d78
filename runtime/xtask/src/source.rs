//! The event sources and the registry that end-to-end tests start: installed from the distribution's packages where they are missing.
use crate::tool;
use anyhow::Result;

/// A program that tests start, and the package that has it.
const PROGRAMS: &[(&str, &str)] = &[
    ("redis-server", "redis-server"),
    ("redis-cli", "redis-tools"),
    ("prometheus", "prometheus"),
    ("docker-registry", "docker-registry"),
];

/// Installs what is missing, or says exactly what to install.
pub fn install() -> Result<()> {
    let missing = PROGRAMS.iter().filter(|(program, _)| !tool::found(program));
    let packages: Vec<&str> = missing.map(|(_, package)| *package).collect();
    if packages.is_empty() {
        return Ok(());
    }
    tool::apt(&packages, "event sources and a registry for the end-to-end tests")
}
