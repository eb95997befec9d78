//! A trigger from a file, and what a component makes of it.
use super::exit::{Ends, Exit, Stop};
use crate::args::{Components, Try};
use crate::components;
use anyhow::{Context, anyhow};
use prometheus_client::registry::Registry;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use windlass_build::Project;
use windlass_core::port::Scalers;
use windlass_core::query::{Problem, QueryPlan, ResolvedTrigger};
use windlass_core::resolve;
use windlass_core::scaler::Scaler;
use windlass_core::workload::{Aim, Ask, DeclaredTrigger};
use windlass_core::{Material, Secret, Text, WorkloadKey};
use windlass_host::Host;
use windlass_pipeline::Clock;

/// A trigger as in a ScaledObject, and beside it what a cluster would add.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct TriggerFile {
    #[serde(rename = "type")]
    pub(super) kind: String,
    #[serde(default)]
    pub(super) name: Option<String>,
    pub(super) metadata: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) metric_type: Option<MetricType>,
    #[serde(default)]
    pub(super) use_cached_metrics: bool,
    /// What a TriggerAuthentication would give.
    #[serde(default)]
    pub(super) auth_params: BTreeMap<String, String>,
    /// The target container's environment.
    #[serde(default)]
    pub(super) env: BTreeMap<String, String>,
    /// The trigger's index in its object: the number in the metric's name.
    #[serde(default)]
    pub(super) index: u16,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
pub(super) enum MetricType {
    #[default]
    AverageValue,
    Value,
}

/// A host with the component that serves the trigger's type.
pub(super) async fn host_for(components: &Components, file: Option<&Path>) -> Result<Arc<Host>, Stop> {
    let clock = Clock::start();
    let host = components::host(components, components::Reach::local(), clock, &mut Registry::default())?;
    match file {
        Some(file) if !file.is_file() => {
            let shown = file.display();
            return Err(anyhow!("cannot read {shown}: no such file; make it with `windlass scaler build`"))
                .ends(Exit::Usage);
        }
        Some(file) => {
            host.load_file(file).await.with_context(|| file.display().to_string())?;
        }
        None => components::load(&host, components).await?,
    }
    Ok(host)
}

/// A trigger, read and made into a question; or the problems that stand in its way.
pub(super) struct Attempt {
    pub(super) host: Arc<Host>,
    pub(super) file: TriggerFile,
    pub(super) scaler: Arc<Scaler>,
    pub(super) made: Result<(ResolvedTrigger, QueryPlan), Vec<Problem>>,
}

pub(super) async fn attempt(options: &Try) -> Result<Attempt, Stop> {
    let file = read(&options.trigger)?;
    let own = options.component.clone().or_else(|| project_component(&file.kind));
    let host = host_for(&options.components, own.as_deref()).await?;
    let scaler = host.find(&file.kind).ends(Exit::Wrong)?;
    let domain: Text = "default".into();
    let declared = DeclaredTrigger {
        index: file.index,
        kind: file.kind.as_str().into(),
        name: file.name.as_deref().map(Text::from),
        ask: Ask::External {
            metadata: texts(&file.metadata, |text| Text::from(text)),
            aim: match file.metric_type.unwrap_or_default() {
                MetricType::AverageValue => Aim::Average,
                MetricType::Value => Aim::Value,
            },
            cached: file.use_cached_metrics,
        },
        authentication: None,
    };
    let material = Material {
        environment: Arc::new(texts(&file.env, |text| Secret::new(text))),
        authentication: texts(&file.auth_params, |text| Secret::new(text)),
        ..Material::default()
    };
    let owner = WorkloadKey::scaled_object("default", "trigger");
    let made = match resolve::resolve(&scaler, &declared, &domain, &material, &owner) {
        Err(problems) => Err(problems),
        Ok(resolved) => {
            let answers = host.configure(scaler.digest, vec![resolved.clone()]).await.ends(Exit::Wrong)?;
            let plan = answers.into_iter().next().context("the component gave no answer")?;
            plan.map(|plan| (resolved, plan))
        }
    };
    Ok(Attempt { host, file, scaler, made })
}

/// Reads a trigger's file.
fn read(path: &Path) -> Result<TriggerFile, Stop> {
    let shown = path.display();
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read the trigger {shown}"));
    let text = text.ends(Exit::Usage)?;
    serde_saphyr::from_str(&text).map_err(|error| anyhow!("{shown}: not a trigger: {}{error}", hint(&text)).into())
}

/// The field that is wrong, or what the file is instead of a trigger.
fn hint(text: &str) -> String {
    let Ok(value) = serde_saphyr::from_str::<serde_json::Value>(text) else { return String::new() };
    if value.get("kind").is_some() && value.get("spec").is_some() {
        return "it is a whole object; write one of its triggers into a file of its own\n".to_owned();
    }
    match serde_path_to_error::deserialize::<_, TriggerFile>(value) {
        Err(error) if error.path().iter().next().is_some() => format!("{}: ", error.path()),
        _ => String::new(),
    }
}

/// The component of the project in this folder, if there is one and it is of this name.
fn project_component(kind: &str) -> Option<PathBuf> {
    let project = Project::open(Path::new(".")).ok()?;
    (project.name == kind && project.component.is_file()).then_some(project.component)
}

fn texts<T>(map: &BTreeMap<String, String>, make: impl Fn(&str) -> T) -> BTreeMap<Text, T> {
    map.iter().map(|(name, value)| (Text::from(name.as_str()), make(value))).collect()
}
