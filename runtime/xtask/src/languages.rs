//! The SDKs of other languages than Rust: each template is copied as `windlass scaler new` does, built, examined against the contract,
//! and tested natively by its language's own means.
use crate::{c_toolchain, tool};
use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::Command;
use windlass_build::{Language, Project, build};

/// A language: how its tools are installed, where its SDK's own tests are, and how they and a project's are run.
struct Sdk {
    language: Language,
    install: fn() -> Result<()>,
    tests: &'static str,
    test: fn(&Path) -> Result<()>,
}

const SDKS: &[Sdk] = &[
    Sdk { language: Language::Go, install: install_go, tests: "windlass", test: go_test },
    Sdk { language: Language::C, install: c_toolchain::install, tests: "tests", test: make_test },
];

/// Tests every SDK; tells how many were.
pub(crate) fn check() -> Result<u64> {
    tool::build(&["windlass-conformance"])?;
    let out = tool::target().join("languages");
    for sdk in SDKS {
        (sdk.install)()?;
        let folder = tool::root().join("sdk").join(sdk.language.word());
        (sdk.test)(&folder.join(sdk.tests))?;
        let project = new_project(&folder, &out)?;
        let project = Project::open(&project)?;
        let built = build(&project, &mut |step| tool::say(&format!("{}: {step}", sdk.language)))?;
        println!("{}: {} KB in {} ms", sdk.language, built.bytes.div_ceil(1000), built.took.as_millis());
        (sdk.test)(&project.root)?;
        let mut conformance = Command::new(tool::target().join("debug/windlass-conformance"));
        tool::run(conformance.arg(&project.component).arg("--cases").arg(&project.cases))?;
    }
    Ok(SDKS.len() as u64)
}

/// A project made of a language's template, with the SDK in its folder `windlass`.
fn new_project(sdk: &Path, out: &Path) -> Result<PathBuf> {
    let word = sdk.file_name().unwrap_or_default().to_string_lossy();
    let name = format!("{word}-queue");
    let project = out.join(&name);
    if project.exists() {
        std::fs::remove_dir_all(&project).with_context(|| format!("cannot clear {}", project.display()))?;
    }
    let pascal: String = name.split('-').map(|part| part[..1].to_uppercase() + &part[1..]).collect();
    let fill = |text: &str| {
        text.replace("{{name}}", &name).replace("{{snake}}", &name.replace('-', "_")).replace("{{pascal}}", &pascal)
    };
    copy(&sdk.join("template"), &project, &fill)?;
    copy(&sdk.join("windlass"), &project.join("windlass"), &str::to_owned)?;
    Ok(project)
}

/// Copies a folder; names and texts are passed through `fill`.
fn copy(from: &Path, to: &Path, fill: &dyn Fn(&str) -> String) -> Result<()> {
    std::fs::create_dir_all(to).with_context(|| format!("cannot make {}", to.display()))?;
    for entry in std::fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))? {
        let entry = entry?;
        let target = to.join(fill(&entry.file_name().to_string_lossy()));
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target, fill)?;
        } else {
            let text = std::fs::read_to_string(entry.path()).with_context(|| entry.path().display().to_string())?;
            std::fs::write(&target, fill(&text)).with_context(|| format!("cannot write {}", target.display()))?;
        }
    }
    Ok(())
}

/// Go is too large to be had by the way: a distribution's, or that of PyPI.
fn install_go() -> Result<()> {
    if tool::found("go") {
        return Ok(());
    }
    if tool::can_apt() {
        return tool::apt(&["golang-go"], "the SDK for Go");
    }
    bail!("the SDK for Go needs go {} or newer: install it", windlass_build::versions::GO)
}

fn go_test(folder: &Path) -> Result<()> {
    tool::run(Command::new("go").current_dir(folder).args(["vet", "./..."]))?;
    tool::run(Command::new("go").current_dir(folder).args(["test", "./..."]))
}

fn make_test(folder: &Path) -> Result<()> {
    tool::run(Command::new("make").current_dir(folder).args(["--silent", "test"]))
}
