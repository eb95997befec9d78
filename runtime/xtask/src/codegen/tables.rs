//! Tables in the scalers' READMEs: parameters as the built components describe themselves, so that they cannot be wrong.
use crate::{scalers, tool};
use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A table begins and ends with these lines.
const BEGIN: &str = "<!-- @generated parameters -->";
const END: &str = "<!-- @end -->";

/// The READMEs as they should be.
pub(super) fn readmes(root: &Path) -> Result<Vec<(PathBuf, String)>> {
    scalers::build()?;
    tool::run(tool::cargo().args(["build", "--quiet", "--package", "windlass"]))?;
    let mut readmes = Vec::new();
    for entry in fs::read_dir(root.join("scalers"))? {
        let folder = entry?.path();
        if !folder.join("Cargo.toml").is_file() {
            continue;
        }
        let path = folder.join("README.md");
        let text = fs::read_to_string(&path).with_context(|| format!("{}: a scaler has user docs", path.display()))?;
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let Some(((before, _), (_, after))) = text.split_once(BEGIN).zip(text.split_once(END)) else {
            bail!("{}: needs the lines {BEGIN} and {END}", path.display());
        };
        readmes.push((path, format!("{before}{BEGIN}\n{}{END}{after}", table(&describe(&name)?))));
    }
    Ok(readmes)
}

fn describe(name: &str) -> Result<Value> {
    let component = scalers::folder().join(format!("{name}.wasm"));
    let output = Command::new(tool::target().join("debug/windlass"))
        .args(["scaler", "inspect", "--output", "json", "--log-level", "error", "--scalers"])
        .arg(scalers::folder())
        .arg(&component)
        .output()
        .context("cannot run windlass")?;
    if !output.status.success() {
        bail!("windlass scaler inspect {name}: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    serde_json::from_slice(&output.stdout).context("windlass scaler inspect")
}

fn table(scaler: &Value) -> String {
    let mut text = "| parameter | value | default | from | |\n|---|---|---|---|---|\n".to_owned();
    for parameter in scaler["parameters"].as_array().into_iter().flatten() {
        let list = |key: &str| -> Vec<&str> {
            parameter[key].as_array().into_iter().flatten().filter_map(Value::as_str).collect()
        };
        let mut names = format!("`{}`", parameter["name"].as_str().unwrap_or_default());
        for alias in list("aliases") {
            names.push_str(&format!(", `{alias}`"));
        }
        let choices = list("choices");
        let value = match choices.is_empty() {
            true => parameter["shape"].as_str().unwrap_or_default().to_owned(),
            false => choices.iter().map(|choice| format!("`{choice}`")).collect::<Vec<_>>().join(", "),
        };
        let default = match (parameter["default"].as_str(), parameter["required"].as_bool()) {
            (Some(""), _) => String::new(),
            (Some(default), _) => format!("`{default}`"),
            (None, Some(true)) => "required".to_owned(),
            (None, _) => String::new(),
        };
        let doc = parameter["doc"].as_str().unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ");
        let from = list("from").join(", ");
        let row = [names, value, default, from, doc].map(|cell| cell.replace('|', "\\|"));
        text.push_str(&format!("| {} |\n", row.join(" | ")));
    }
    text
}
