//! The SDKs, as those who write scalers meet them: each SDK's own tests, and a new project that is tested natively by its
//! language's means, built, examined, changed and built again.
use crate::{c_toolchain, tool};
use anyhow::{Context, Result, bail, ensure};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use windlass_build::{Language, versions};

/// A language: how its tools are installed, where its SDK's own tests are, and how they and a project's are run.
struct Sdk {
    language: Language,
    install: fn() -> Result<Tools>,
    tests: Option<&'static str>,
    test: Option<fn(&Path) -> Result<()>>,
    /// The file of a project where its target's default stands, that default, and another.
    change: (&'static str, &'static str, &'static str),
}

/// Folders that go before the PATH.
type Tools = Vec<PathBuf>;

const SDKS: [Sdk; 6] = [
    Sdk {
        language: Language::Rust,
        install: || Ok(Tools::new()),
        // Of our workspace, like those of its template.
        tests: None,
        test: None,
        change: ("src/lib.rs", "#[parameter(default = \"5\")]", "#[parameter(default = \"2\")]"),
    },
    Sdk {
        language: Language::Go,
        install: install_go,
        tests: Some("windlass"),
        test: Some(go_test),
        change: ("main.go", "default:\"5\"", "default:\"2\""),
    },
    Sdk {
        language: Language::JavaScript,
        install: install_js,
        tests: Some("tests"),
        test: Some(node_test),
        change: ("src/scaler.js", "default: 5,", "default: 2,"),
    },
    Sdk {
        language: Language::Python,
        install: install_python,
        tests: Some("."),
        test: Some(python_test),
        change: ("scaler.py", "default=5)", "default=2)"),
    },
    Sdk {
        language: Language::C,
        install: || c_toolchain::install().map(|()| Tools::new()),
        tests: Some("tests"),
        test: Some(make_test),
        change: ("src/c_queue.c", ".initial = \"5\"", ".initial = \"2\""),
    },
    Sdk {
        language: Language::Other,
        install: install_cpp,
        tests: None,
        test: None,
        change: ("src/scaler.cpp", "SHAPE_NUMBER, \"5\"", "SHAPE_NUMBER, \"2\""),
    },
];

/// Where projects and their components go: `LANGUAGE-1.wasm` is the template's, `LANGUAGE-2.wasm` has another default.
fn out() -> PathBuf {
    tool::target().join("languages")
}

/// Tests every SDK; tells how many were.
pub(crate) fn check() -> Result<u64> {
    tool::build(&["windlass"])?;
    for sdk in &SDKS {
        check_one(sdk).with_context(|| format!("the SDK for {}", sdk.language))?;
    }
    Ok(SDKS.len() as u64)
}

fn check_one(sdk: &Sdk) -> Result<()> {
    let tools = (sdk.install)()?;
    // Of the languages without an SDK there is one.
    let language = if sdk.language == Language::Other { "cpp" } else { sdk.language.word() };
    if let (Some(test), Some(tests)) = (sdk.test, sdk.tests) {
        test(&tool::root().join("sdk").join(language).join(tests))?;
    }
    let name = format!("{language}-queue");
    let project = out().join(&name);
    if project.exists() {
        fs::remove_dir_all(&project).with_context(|| format!("cannot clear {}", project.display()))?;
    }
    let windlass = |arguments: &[&str]| {
        let mut command = Command::new(tool::windlass());
        command.arg("scaler").args(arguments).env("PATH", path(&tools)?);
        // What a project in Rust needs is built once for all runs, of the versions that we have.
        command.env("CARGO_TARGET_DIR", out().join("rust-target"));
        command.env("BINDINGS", tool::root().join("sdk/c/windlass/bindings"));
        anyhow::Ok(command)
    };
    if sdk.language == Language::Other {
        copy(&tool::root().join("sdk").join(language), &project, &name)?;
        // The same scaler as the templates, so it has their cases.
        copy(&tool::root().join("sdk/rust/template/cases"), &project.join("cases"), &name)?;
    } else {
        tool::run(windlass(&["new", &name, "--lang", language, "--dir"])?.arg(&project))?;
    }
    if sdk.language == Language::Rust {
        fs::copy(tool::root().join("Cargo.lock"), project.join("Cargo.lock"))?;
    }
    if let Some(test) = sdk.test {
        test(&project)?;
    }
    tool::run(windlass(&["test"])?.arg(&project))?;
    let component = project.join(format!("build/{name}.wasm"));
    let keep = |version: u8| fs::copy(&component, out().join(format!("{language}-{version}.wasm")));
    keep(1)?;
    let (file, from, to) = sdk.change;
    let file = project.join(file);
    let text = fs::read_to_string(&file)?;
    ensure!(text.matches(from).count() == 1, "{}: `{from}` does not stand there once", file.display());
    fs::write(&file, text.replace(from, to))?;
    tool::run(windlass(&["build"])?.arg(&project))?;
    keep(2)?;
    Ok(())
}

/// Copies the texts of a folder, with a project's name where a template has its place.
fn copy(from: &Path, to: &Path, name: &str) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from).with_context(|| from.display().to_string())? {
        let entry = entry?;
        let (path, to) = (entry.path(), to.join(entry.file_name()));
        if path.file_name().is_some_and(|name| name == "build") {
            continue;
        }
        if path.is_dir() {
            copy(&path, &to, name)?;
        } else {
            fs::write(to, fs::read_to_string(&path)?.replace("{{name}}", name))?;
        }
    }
    Ok(())
}

/// The PATH with these folders before it.
fn path(tools: &Tools) -> Result<std::ffi::OsString> {
    let own = std::env::var_os("PATH").unwrap_or_default();
    Ok(std::env::join_paths(tools.iter().cloned().chain(std::env::split_paths(&own)))?)
}

/// The distribution's Go, where there is none.
fn install_go() -> Result<Tools> {
    if !tool::found("go") {
        if !tool::can_apt() {
            bail!("the SDK for Go needs go {} or newer: install it", versions::GO)
        }
        tool::apt(&["golang-go"], "the SDK for Go")?;
    }
    Ok(Tools::new())
}

/// The distribution's Node.js, where there is none, and what makes components.
fn install_js() -> Result<Tools> {
    let missing: Vec<&str> = [("node", "nodejs"), ("npm", "npm")]
        .into_iter()
        .filter(|(name, _)| !tool::found(name))
        .map(|(_, p)| p)
        .collect();
    if !missing.is_empty() {
        if !tool::can_apt() {
            bail!("the SDK for JavaScript needs Node.js 18 or newer and npm: install them")
        }
        tool::apt(&missing, "the SDK for JavaScript")?;
    }
    let folder = out().join(format!("componentize-qjs-{}", versions::COMPONENTIZE_QJS));
    let programs = folder.join("node_modules/.bin");
    if !programs.join("componentize-qjs").is_file() {
        let package = format!("componentize-qjs@{}", versions::COMPONENTIZE_QJS);
        let mut npm = Command::new("npm");
        npm.args(["install", "--no-audit", "--no-fund", "--no-save", "--prefix"]).arg(&folder).arg(package);
        fs::create_dir_all(&folder)?;
        tool::run(&mut npm)?;
    }
    Ok(vec![programs])
}

/// A virtual environment with what makes components.
fn install_python() -> Result<Tools> {
    let new_enough = "import sys; sys.exit(sys.version_info < (3, 11))";
    let python = Command::new("python3").args(["-c", new_enough]).status();
    if tool::found("python3") && !python.is_ok_and(|status| status.success()) {
        bail!("the SDK for Python needs python3 of 3.11 or newer: install it");
    }
    let folder = out().join(format!("componentize-py-{}", versions::COMPONENTIZE_PY));
    let programs = folder.join("bin");
    if !programs.join("componentize-py").is_file() {
        tool::python_environment(&folder, "the SDK for Python")?;
        let package = format!("componentize-py=={}", versions::COMPONENTIZE_PY);
        tool::run(Command::new(programs.join("pip")).args(["install", "--quiet", &package]))?;
    }
    Ok(vec![programs])
}

/// The compiler for C, and the distribution's library of C++ for WebAssembly.
fn install_cpp() -> Result<Tools> {
    c_toolchain::install()?;
    if !Path::new("/usr/include/wasm32-wasi/c++/v1/string").is_file() {
        let package = |name: &str| format!("{name}-{}-dev-wasm32", versions::CLANG);
        let (library, abi) = (package("libc++"), package("libc++abi"));
        tool::apt(&[&library, &abi], "a scaler in C++ without an SDK")?;
    }
    Ok(Tools::new())
}

fn go_test(folder: &Path) -> Result<()> {
    tool::run(Command::new("go").current_dir(folder).args(["vet", "./..."]))?;
    tool::run(Command::new("go").current_dir(folder).args(["test", "./..."]))
}

fn node_test(folder: &Path) -> Result<()> {
    tool::run(Command::new("node").current_dir(folder).arg("--test"))
}

fn python_test(folder: &Path) -> Result<()> {
    // Without a .pyc, so that a project stays as it was made.
    tool::run(Command::new("python3").current_dir(folder).args(["-B", "-m", "unittest", "--quiet"]))
}

fn make_test(folder: &Path) -> Result<()> {
    tool::run(Command::new("make").current_dir(folder).args(["--silent", "test"]))
}
