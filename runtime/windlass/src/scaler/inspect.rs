//! `windlass scaler inspect`: what a component is made of, what it says of itself, and what is odd about it.
mod schema;
mod warning;

use super::exit::{Ends, Exit, Stop};
use super::trigger::host_for;
use super::{build, yes};
use crate::args::{Inspect, Output};
use crate::style::{BAD, FAINT, ODD, STRONG, bytes};
use crate::table;
use anyhow::Context;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use windlass_core::port::Scalers;
use windlass_core::scaler::{Origin, Parameter, Scaler, Secrecy};
use windlass_host::Outline;

/// A component, as far as it can be known.
struct Inspected {
    /// Where it lies; none for one of the scalers at hand.
    outline: Option<Outline>,
    /// What it says of itself, or why the host does not take it.
    scaler: Result<Arc<Scaler>, Stop>,
}

pub(super) async fn run(options: Inspect) -> Result<Exit, Stop> {
    let Inspected { outline, scaler } = inspected(&options).await?;
    let warnings = warning::all(outline.as_ref(), scaler.as_deref().ok());
    match (options.output, &scaler) {
        (Output::Json, scaler) => println!("{}", told(outline.as_ref(), scaler, &warnings)),
        (Output::Text, Ok(scaler)) => print(outline.as_ref(), scaler),
        (Output::Text, Err(stop)) => {
            outline.iter().for_each(print_outline);
            anstream::println!("{BAD}not taken{BAD:#}: {:#}", stop.error);
        }
    }
    if options.output == Output::Text {
        warnings.iter().for_each(|warning| anstream::println!("{ODD}warning{ODD:#}: {warning}"));
    }
    Ok(scaler.map_or_else(|stop| stop.exit, |_| Exit::Fine))
}

async fn inspected(options: &Inspect) -> Result<Inspected, Stop> {
    let Some(file) = file(&options.component)? else {
        let host = host_for(&options.components, None).await?;
        return Ok(Inspected { outline: None, scaler: Ok(host.find(&options.component).ends(Exit::Usage)?) });
    };
    let wasm = std::fs::read(&file).with_context(|| format!("cannot read {}", file.display())).ends(Exit::Usage)?;
    let outline = Outline::read(&wasm).with_context(|| file.display().to_string())?;
    let scaler = host_for(&options.components, Some(&file)).await;
    let scaler = scaler.and_then(|host| Ok(host.scalers().into_iter().next().context("no component was loaded")?));
    Ok(Inspected { outline: Some(outline), scaler })
}

/// The file of a component: itself, or that of a project; none for what can only be a trigger type.
fn file(component: &str) -> Result<Option<PathBuf>, Stop> {
    let path = Path::new(component);
    if path.is_dir() {
        return Ok(Some(build::open(path)?.component));
    }
    Ok((path.is_file() || component.contains(['/', '.'])).then(|| path.to_owned()))
}

fn print(outline: Option<&Outline>, scaler: &Scaler) {
    anstream::println!("{STRONG}{} {}{STRONG:#}  {FAINT}{}{FAINT:#}", scaler.name, scaler.version, scaler.digest);
    println!("trigger types: {}", scaler.triggers.join(", "));
    outline.iter().for_each(|outline| print_outline(outline));
    if !scaler.needs.is_empty() {
        println!("needs: {}", scaler.needs.join(", "));
    }
    let rows = scaler.parameters.iter().map(|p| {
        vec![
            p.name.to_string(),
            format!("{:?}", p.shape).to_lowercase(),
            yes(p.required),
            p.initial.as_deref().unwrap_or_default().to_owned(),
            secrecy(p).to_owned(),
            origin(p.origin).join(", "),
            p.doc.lines().next().unwrap_or_default().to_owned(),
        ]
    });
    table::print(&["PARAMETER", "SHAPE", "REQUIRED", "DEFAULT", "SECRECY", "FROM", ""], rows);
}

fn print_outline(outline: &Outline) {
    println!("contract: windlass:scaler@{}", outline.contract().unwrap_or("none"));
    println!("imports: {}", if outline.imports.is_empty() { "nothing".to_owned() } else { outline.imports.join(", ") });
    let size = |count: usize| bytes(count as u64);
    println!(
        "size: {}: {} code, {} data, {} names and notes",
        size(outline.bytes),
        size(outline.code_bytes),
        size(outline.data_bytes),
        size(outline.custom_bytes)
    );
}

/// The same as JSON: what documentation and schemas are generated from.
fn told(outline: Option<&Outline>, scaler: &Result<Arc<Scaler>, Stop>, warnings: &[String]) -> Value {
    let mut told = match scaler {
        Ok(scaler) => description(scaler),
        Err(stop) => json!({ "ok": false, "error": format!("{:#}", stop.error) }),
    };
    told["warnings"] = json!(warnings);
    if let Some(outline) = outline {
        told["contract"] = json!(outline.contract());
        told["imports"] = json!(outline.imports);
        told["exports"] = json!(outline.exports);
        told["size"] = json!({
            "total": outline.bytes,
            "code": outline.code_bytes,
            "data": outline.data_bytes,
            "custom": outline.custom_bytes,
        });
    }
    told
}

fn description(scaler: &Scaler) -> Value {
    let parameters = scaler.parameters.iter().map(|p| {
        json!({
            "name": &*p.name,
            "aliases": texts(&p.aliases),
            "shape": format!("{:?}", p.shape).to_lowercase(),
            "required": p.required,
            "default": p.initial.as_deref(),
            "choices": texts(&p.choices),
            "secrecy": secrecy(p),
            "from": origin(p.origin),
            "deprecated": p.deprecated.as_deref(),
            "doc": &*p.doc,
        })
    });
    json!({
        "ok": true,
        "name": &*scaler.name,
        "version": &*scaler.version,
        "digest": scaler.digest.to_string(),
        "triggers": texts(&scaler.triggers),
        "openEnded": scaler.open_ended,
        "needs": texts(&scaler.needs),
        "parameters": parameters.collect::<Vec<_>>(),
        "schema": schema::of(scaler),
    })
}

fn texts(texts: &[windlass_core::Text]) -> Vec<&str> {
    texts.iter().map(|text| &**text).collect()
}

fn secrecy(parameter: &Parameter) -> &'static str {
    match parameter.secrecy {
        Secrecy::Open => "open",
        Secrecy::Sealed => "sealed",
        Secrecy::Revealed => "revealed",
    }
}

fn origin(origin: Origin) -> Vec<&'static str> {
    [(origin.metadata, "metadata"), (origin.environment, "environment"), (origin.authentication, "authentication")]
        .into_iter()
        .filter_map(|(may, word)| may.then_some(word))
        .collect()
}
