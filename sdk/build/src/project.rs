//! `scaler.toml`: what a project is.
use crate::BuildError;
use serde::Deserialize;
use std::fmt;
use std::path::{Component, Path, PathBuf};
use std::str::FromStr;

/// The file that makes a folder a project.
const FILE: &str = "scaler.toml";

/// What a scaler is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Language {
    /// `rust`
    Rust,
    /// `go`
    Go,
    /// `js`
    JavaScript,
    /// `python`
    Python,
    /// `c`
    C,
    /// `other`: the project's own command makes a core module.
    Other,
}

impl Language {
    /// Those that have an SDK.
    pub const ALL: [Language; 5] = [Language::Rust, Language::Go, Language::JavaScript, Language::Python, Language::C];

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Language::Rust => "rust",
            Language::Go => "go",
            Language::JavaScript => "js",
            Language::Python => "python",
            Language::C => "c",
            Language::Other => "other",
        }
    }
}

impl Language {
    /// What is to be run in a new project before it can be built: what brings the tools that belong to the project itself.
    pub fn prepare(self) -> Option<&'static str> {
        match self {
            Language::Rust | Language::Go | Language::C | Language::Other => None,
            Language::JavaScript => Some("npm install"),
            Language::Python => {
                Some("python3 -m venv .venv && .venv/bin/pip install --requirement requirements-dev.txt")
            }
        }
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl FromStr for Language {
    type Err = String;

    fn from_str(text: &str) -> Result<Language, String> {
        let words = || Language::ALL.map(Language::word).join(", ");
        let found = Language::ALL.into_iter().find(|language| language.word() == text);
        found.ok_or_else(|| format!("`{text}` is none of the languages: {}", words()))
    }
}

/// A scaler project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Project {
    /// Its name in kebab case, which is also the trigger type.
    pub name: String,
    /// What it is written in.
    pub language: Language,
    /// Its folder.
    pub root: PathBuf,
    /// Where its component goes.
    pub component: PathBuf,
    /// Where its cases are.
    pub cases: PathBuf,
    /// How its module is made, in another language than those that have an SDK.
    pub recipe: Option<Recipe>,
}

/// How a project makes a core module by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipe {
    /// A program and its arguments, run in the project's folder.
    pub command: Vec<String>,
    /// The module that it makes.
    pub module: PathBuf,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    name: String,
    language: String,
    component: Option<PathBuf>,
    cases: Option<PathBuf>,
    build: Option<Vec<String>>,
    module: Option<PathBuf>,
}

impl Project {
    /// Reads the project in a folder.
    ///
    /// # Errors
    /// The file, the field and the remedy.
    pub fn open(dir: &Path) -> Result<Project, BuildError> {
        let path = dir.join(FILE);
        let wrong = |message: String| BuildError::Project { file: path.clone(), message };
        let root = dir.canonicalize().map_err(|error| BuildError::io("cannot open", dir, error))?;
        let text = std::fs::read_to_string(&path).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => wrong(
                "is not there: run this in a scaler's project, or make one with `windlass scaler new NAME --lang go`"
                    .to_owned(),
            ),
            _ => BuildError::io("cannot read", &path, error),
        })?;
        let file: File = toml::from_str(&text).map_err(|error| wrong(error.to_string().trim_end().to_owned()))?;
        if !kebab(&file.name) {
            return Err(wrong(format!(
                "name: `{}` is not 1 to 63 of a-z, 0-9 and single `-`, beginning with a letter; for instance `my-queue`",
                file.name
            )));
        }
        let language = match file.language.as_str() {
            "other" => Language::Other,
            word => word.parse().map_err(|message| wrong(format!("language: {message}, or other")))?,
        };
        let within = |field: &str, given: Option<PathBuf>, default: PathBuf| -> Result<PathBuf, BuildError> {
            let relative = given.unwrap_or(default);
            let plain = relative.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
            if !plain || relative.as_os_str().is_empty() {
                let shown = relative.display();
                return Err(wrong(format!("{field}: `{shown}` is not a path below the project's folder")));
            }
            Ok(root.join(relative))
        };
        let component = within("component", file.component, format!("build/{}.wasm", file.name).into())?;
        let cases = within("cases", file.cases, "cases".into())?;
        let recipe = match (language, file.build.filter(|build| !build.is_empty()), file.module) {
            (Language::Other, Some(command), Some(module)) => {
                Some(Recipe { command, module: within("module", Some(module), PathBuf::new())? })
            }
            (Language::Other, ..) => {
                let message = "language: `other` needs `build`, a command as [\"make\"], and `module`, the core module that it makes";
                return Err(wrong(message.to_owned()));
            }
            (_, None, None) => None,
            (_, build, _) => {
                let field = if build.is_some() { "build" } else { "module" };
                return Err(wrong(format!(
                    "{field}: is for `language = \"other\"` alone; {language} has a way of its own"
                )));
            }
        };
        Ok(Project { name: file.name, language, root, component, cases, recipe })
    }
}

/// Whether a text is a name in kebab case.
pub fn kebab(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let letter = text.starts_with(|c: char| c.is_ascii_lowercase());
    letter && text.len() <= 63 && text.chars().all(plain) && !text.contains("--") && !text.ends_with('-')
}
