//! `windlass scaler inspect`: what a component says of itself.
use super::exit::{Ends, Exit, Stop};
use super::trigger::host_for;
use super::yes;
use crate::args::{Inspect, Output};
use crate::table;
use anyhow::Context;
use std::path::Path;
use windlass_core::port::Scalers;
use windlass_core::scaler::{Parameter, Scaler, Secrecy};

pub(super) async fn run(options: Inspect) -> Result<Exit, Stop> {
    let file = Path::new(&options.component);
    let host = host_for(&options.components, file.is_file().then_some(file)).await?;
    let scaler = if file.is_file() {
        host.scalers().into_iter().next().context("no component was loaded")?
    } else {
        host.find(&options.component).ends(Exit::Usage)?
    };
    match options.output {
        Output::Json => println!("{}", description(&scaler)),
        Output::Text => {
            println!("{} {}  {}", scaler.name, scaler.version, scaler.digest);
            println!("trigger types: {}", scaler.triggers.join(", "));
            let rows = scaler.parameters.iter().map(|p| {
                vec![
                    p.name.to_string(),
                    format!("{:?}", p.shape).to_lowercase(),
                    yes(p.required),
                    p.initial.as_deref().unwrap_or_default().to_owned(),
                    origin(p).join(", "),
                    p.doc.lines().next().unwrap_or_default().to_owned(),
                ]
            });
            table::print(&["PARAMETER", "SHAPE", "REQUIRED", "DEFAULT", "FROM", ""], rows);
        }
    }
    Ok(Exit::Fine)
}

/// A component's description as JSON: what documentation and schemas are generated from.
fn description(scaler: &Scaler) -> serde_json::Value {
    let parameters: Vec<_> = scaler
        .parameters
        .iter()
        .map(|p| {
            serde_json::json!({
                "name": &*p.name,
                "aliases": p.aliases.iter().map(|a| &**a).collect::<Vec<_>>(),
                "shape": format!("{:?}", p.shape).to_lowercase(),
                "required": p.required,
                "default": p.initial.as_deref(),
                "choices": p.choices.iter().map(|c| &**c).collect::<Vec<_>>(),
                "secrecy": match p.secrecy {
                    Secrecy::Open => "open",
                    Secrecy::Sealed => "sealed",
                    Secrecy::Revealed => "revealed",
                },
                "from": origin(p),
                "deprecated": p.deprecated.as_deref(),
                "doc": &*p.doc,
            })
        })
        .collect();
    serde_json::json!({
        "name": &*scaler.name,
        "version": &*scaler.version,
        "digest": scaler.digest.to_string(),
        "triggers": scaler.triggers.iter().map(|t| &**t).collect::<Vec<_>>(),
        "openEnded": scaler.open_ended,
        "needs": scaler.needs.iter().map(|n| &**n).collect::<Vec<_>>(),
        "parameters": parameters,
    })
}

fn origin(parameter: &Parameter) -> Vec<&'static str> {
    let origin = parameter.origin;
    [(origin.metadata, "metadata"), (origin.environment, "environment"), (origin.authentication, "authentication")]
        .into_iter()
        .filter_map(|(may, word)| may.then_some(word))
        .collect()
}
