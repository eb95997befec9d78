//! The SDKs of other languages than Rust, as those who write scalers meet them: each SDK's own tests, and a new project that is tested
//! natively by its language's means, built, and examined.
use crate::{c_toolchain, tool};
use anyhow::{Context, Result, bail};
use std::path::Path;
use std::process::Command;
use windlass_build::{Language, versions};

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
    tool::build(&["windlass"])?;
    let out = tool::target().join("languages");
    for sdk in SDKS {
        (sdk.install)()?;
        let language = sdk.language.word();
        (sdk.test)(&tool::root().join("sdk").join(language).join(sdk.tests))?;
        let name = format!("{language}-queue");
        let project = out.join(&name);
        if project.exists() {
            std::fs::remove_dir_all(&project).with_context(|| format!("cannot clear {}", project.display()))?;
        }
        let mut new = Command::new(tool::windlass());
        tool::run(new.args(["scaler", "new", &name, "--lang", language, "--dir"]).arg(&project))?;
        (sdk.test)(&project)?;
        tool::run(Command::new(tool::windlass()).args(["scaler", "test"]).arg(&project))?;
    }
    Ok(SDKS.len() as u64)
}

/// The distribution's Go, where there is none.
fn install_go() -> Result<()> {
    if tool::found("go") {
        return Ok(());
    }
    if tool::can_apt() {
        return tool::apt(&["golang-go"], "the SDK for Go");
    }
    bail!("the SDK for Go needs go {} or newer: install it", versions::GO)
}

fn go_test(folder: &Path) -> Result<()> {
    tool::run(Command::new("go").current_dir(folder).args(["vet", "./..."]))?;
    tool::run(Command::new("go").current_dir(folder).args(["test", "./..."]))
}

fn make_test(folder: &Path) -> Result<()> {
    tool::run(Command::new("make").current_dir(folder).args(["--silent", "test"]))
}
