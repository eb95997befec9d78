//! The Rust SDK as a folder of its own: what its manifests take from our workspace is written into them, and the contract lies
//! beside the sources.
use super::{Files, embedded};
use crate::scaler::exit::Stop;
use anyhow::{Context, anyhow};
use toml::{Table, Value};

/// Our workspace: where inherited versions come from.
const WORKSPACE: &str = include_str!("../../../../../Cargo.toml");
/// Where the SDK's bindings find the contract, in our tree and in the folder of its own.
const WIT: (&str, &str) = ("\"../../wit/v0.1\"", "\"wit/v0.1\"");
const BINDINGS: &str = "src/bindings.rs";
/// What belongs to our workspace alone.
const OURS: [&str; 4] = ["lints", "test", "dev-dependencies", "autotests"];

/// The SDK's files by their path in its folder.
pub(super) fn rust() -> Result<Files, Stop> {
    let workspace: Table = WORKSPACE.parse().context("the workspace's manifest")?;
    let mut files = Files::new();
    for (path, bytes) in embedded::under("rust/").filter(|(path, _)| !path.starts_with("template/")) {
        let bytes = match path.as_str() {
            BINDINGS => moved(bytes)?,
            manifest if manifest.ends_with("Cargo.toml") => standing_alone(&bytes, &workspace)?,
            _ => bytes,
        };
        files.insert(path, bytes);
    }
    files.extend(embedded::wit().map(|(path, bytes)| (format!("wit/{path}"), bytes)));
    Ok(files)
}

fn moved(bytes: Vec<u8>) -> anyhow::Result<Vec<u8>> {
    let text = String::from_utf8(bytes).context(BINDINGS)?;
    if !text.contains(WIT.0) {
        return Err(anyhow!("{BINDINGS}: the contract is not where it was"));
    }
    Ok(text.replace(WIT.0, WIT.1).into_bytes())
}

/// A manifest without `workspace = true`.
fn standing_alone(bytes: &[u8], workspace: &Table) -> anyhow::Result<Vec<u8>> {
    let text = std::str::from_utf8(bytes).context("Cargo.toml")?;
    let mut manifest: Table = text.parse().context("Cargo.toml")?;
    OURS.iter().for_each(|section| drop(manifest.remove(*section)));
    let of = |section: &str| workspace.get("workspace").and_then(|table| table.get(section)).and_then(Value::as_table);
    for (section, inherited) in [("package", of("package")), ("dependencies", of("dependencies"))] {
        let Some(Value::Table(own)) = manifest.get_mut(section) else { continue };
        for (name, value) in own.iter_mut() {
            if value.get("workspace").and_then(Value::as_bool) == Some(true) {
                let from = inherited.and_then(|table| table.get(name));
                *value = resolved(value, from.with_context(|| format!("{section}.{name} is not in the workspace"))?);
            }
        }
        own.remove("autotests");
    }
    Ok(toml::to_string(&manifest).context("Cargo.toml")?.into_bytes())
}

/// What a value that is inherited stands for: the workspace's, with the features of both. A crate of ours lies in a folder
/// below the one that names it.
fn resolved(own: &Value, inherited: &Value) -> Value {
    let Some(features) = own.get("features").and_then(Value::as_array) else { return placed(inherited.clone()) };
    let mut table = match inherited {
        Value::Table(table) => table.clone(),
        version => Table::from_iter([("version".to_owned(), version.clone())]),
    };
    let mut all = table.get("features").and_then(Value::as_array).cloned().unwrap_or_default();
    all.extend(features.iter().filter(|feature| !all.contains(feature)).cloned().collect::<Vec<_>>());
    table.insert("features".to_owned(), Value::Array(all));
    placed(Value::Table(table))
}

fn placed(mut value: Value) -> Value {
    let below =
        value.get("path").and_then(Value::as_str).and_then(|path| path.strip_prefix("sdk/rust/")).map(str::to_owned);
    if let (Some(below), Some(table)) = (below, value.as_table_mut()) {
        table.insert("path".to_owned(), Value::String(below));
    }
    value
}
