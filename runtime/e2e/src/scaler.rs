//! `windlass scaler poll`: one poll of one trigger, outside of any cluster.
use crate::folder::{Folder, target};
use crate::operator::{components, operator_program};
use anyhow::{Context, Result};
use serde_json::Value;
use std::process::Command;

/// What came of a poll.
#[derive(Debug)]
pub struct Polled {
    /// What the program printed as JSON.
    pub told: Value,
    /// Everything that it wrote, to both of its outputs.
    pub text: String,
}

impl Polled {
    /// The value of the first metric, where the poll went well.
    pub fn value(&self) -> Option<f64> {
        self.told["metrics"][0]["value"].as_f64()
    }

    /// Kind and message of the failure.
    pub fn failure(&self) -> Option<(&str, &str)> {
        Some((self.told["failure"]["kind"].as_str()?, self.told["failure"]["message"].as_str()?))
    }
}

/// Polls a trigger, written as in a ScaledObject, with `authParams` and `env` beside it, by the component of this name.
///
/// # Errors
/// When the program or the component is not built, or prints no JSON.
pub fn poll(component: &str, trigger: &Value) -> Result<Polled> {
    let folder = Folder::for_run("poll")?;
    let trigger = folder.write("trigger.json", serde_json::to_vec(trigger)?)?;
    let mut command = Command::new(operator_program()?);
    command.args(["scaler", "poll", "--output=json", "--trigger"]).arg(trigger);
    command.arg("--component").arg(components()?.join(format!("{component}.wasm")));
    // Compiled components outlive a run.
    command.arg("--cache").arg(target().join("e2e/compiled"));
    let output = command.output().context("cannot start windlass")?;
    let text = [output.stdout.as_slice(), b"\n", &output.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    let told = serde_json::from_slice(&output.stdout).with_context(|| format!("no JSON: {text}"))?;
    Ok(Polled { told, text })
}
