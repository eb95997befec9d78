//! `windlass scaler build`: a project's component.
use super::exit::{Exit, Stop};
use crate::args::{Build, Output};
use crate::style::{self, FAINT, GOOD, STRONG};
use anyhow::Context;
use serde::Serialize;
use std::path::{Path, PathBuf};
use windlass_build::{BuildError, Built, Project};

/// What is printed as JSON.
#[derive(Debug, Serialize)]
struct Told {
    ok: bool,
    name: String,
    language: &'static str,
    component: PathBuf,
    bytes: u64,
    milliseconds: u64,
}

pub(super) fn run(options: Build) -> Result<Exit, Stop> {
    let project = open(&options.dir)?;
    let built = build(&project, options.output)?;
    match options.output {
        Output::Json => {
            let told = Told {
                ok: true,
                name: project.name,
                language: project.language.word(),
                component: built.component,
                bytes: built.bytes,
                milliseconds: u64::try_from(built.took.as_millis()).unwrap_or(u64::MAX),
            };
            println!("{}", serde_json::to_string(&told).context("JSON")?);
        }
        Output::Text => anstream::println!(
            "{GOOD}built{GOOD:#} {STRONG}{}{STRONG:#}  {}  in {:.1} s",
            short(&built.component).display(),
            style::bytes(built.bytes),
            built.took.as_secs_f64()
        ),
    }
    Ok(Exit::Fine)
}

/// The project in a folder.
pub(super) fn open(dir: &Path) -> Result<Project, Stop> {
    Project::open(dir).map_err(stop)
}

/// Builds a project; each step is told on standard error, where people read along.
pub(super) fn build(project: &Project, output: Output) -> Result<Built, Stop> {
    let mut say = |step: &str| {
        if output == Output::Text {
            anstream::eprintln!("{FAINT}{}: {step}{FAINT:#}", project.name);
        }
    };
    tokio::task::block_in_place(|| windlass_build::build(project, &mut say)).map_err(stop)
}

fn stop(error: BuildError) -> Stop {
    let exit = match &error {
        BuildError::Project { .. } => Exit::Usage,
        BuildError::MissingTool { .. } => Exit::Toolchain,
        BuildError::Io { .. } => Exit::Outside,
        BuildError::Failed { .. } | BuildError::NotAScaler(_) | BuildError::Import(_) => Exit::Wrong,
    };
    Stop { exit, error: error.into() }
}

/// A path as one would write it in this folder.
pub(super) fn short(path: &Path) -> &Path {
    let here = Path::new(".").canonicalize().ok();
    here.and_then(|here| path.strip_prefix(here).ok()).unwrap_or(path)
}
