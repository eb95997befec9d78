//! Local mode's files: ScaledObjects, ProcessSets, authentications, Secrets and ConfigMaps of a folder, checked as the API
//! server would check them, and put together. Every error names file, line and field.
mod structure;
mod tree;

use crate::annotation;
use crate::authentication::{ClusterTriggerAuthentication, TriggerAuthentication};
use crate::process_set::{self, ProcessSet};
use crate::reference::{self, Fetched, References, Values};
use crate::scaled_object::ScaledObject;
use k8s_openapi::api::core::v1 as k8s;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tree::{Document, Place};
use windlass_core::workload::{Ask, AuthenticationRef, DeclaredTrigger, Engine};
use windlass_core::{Declared, Fault, Intake, Material, Reason, Secret, Text};

/// The namespace of what names none, and the one whose Secrets a ClusterTriggerAuthentication reads.
const NAMESPACE: &str = "default";
/// Files of one folder.
const MOST_FILES: usize = 1_000;
/// Bytes of one file.
const MOST_BYTES: u64 = 1 << 20;
/// `spec.stopGraceSeconds` when it is not set.
const STOP_GRACE_S: i64 = 30;

/// What the files of a folder say.
#[derive(Clone, Debug, Default)]
pub struct Local {
    /// ScaledObjects, with what their triggers refer to. Their engine is [`Engine::Direct`]: there is no HPA here.
    pub objects: Vec<Intake>,
    /// Commands that they scale.
    pub process_sets: Vec<Process>,
}

/// A command that is scaled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// Namespace of the ProcessSet.
    pub namespace: Text,
    /// Its name: what `scaleTargetRef.name` says.
    pub name: Text,
    /// Program and arguments.
    pub command: Vec<String>,
    /// Further environment variables.
    pub env: BTreeMap<String, String>,
    /// Folder to run in.
    pub directory: PathBuf,
    /// Copies to begin with.
    pub replicas: u32,
    /// Time between the request to stop and being killed.
    pub stop_grace: Duration,
}

/// One error.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}{place}: {message}", file.display())]
pub struct LocalError {
    /// The file.
    pub file: PathBuf,
    /// Where in the file.
    pub place: Place,
    /// The field, what is wrong with it, and what to do.
    pub message: String,
}

/// All errors of a folder; never empty.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct LocalErrors(pub Vec<LocalError>);

impl fmt::Display for LocalErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<String> = self.0.iter().map(LocalError::to_string).collect();
        f.write_str(&lines.join("\n"))
    }
}

/// Reads a folder (its `.yaml`, `.yml` and `.json` files, in the order of their names), or one file.
///
/// # Errors
/// All that is wrong with the files, not only the first.
pub fn read_directory(path: &Path) -> Result<Local, LocalErrors> {
    let mut reading = Reading::default();
    match files(path) {
        Ok(files) => {
            for file in files {
                match read(&file) {
                    Ok(text) => reading.file(&file, &text),
                    Err(message) => reading.errors.push(LocalError { file, place: Place::default(), message }),
                }
            }
        }
        Err(message) => reading.errors.push(LocalError { file: path.into(), place: Place::default(), message }),
    }
    reading.finish(path)
}

fn files(path: &Path) -> Result<Vec<PathBuf>, String> {
    if path.is_file() {
        return Ok(vec![path.into()]);
    }
    let entries = std::fs::read_dir(path).map_err(|error| format!("cannot be read: {error}"))?;
    let mut files = Vec::new();
    for entry in entries {
        let file = entry.map_err(|error| format!("cannot be read: {error}"))?.path();
        let known = file.extension().is_some_and(|e| ["yaml", "yml", "json"].iter().any(|known| e == *known));
        if known && file.is_file() {
            if files.len() == MOST_FILES {
                return Err(format!("has more than {MOST_FILES} files; split it"));
            }
            files.push(file);
        }
    }
    files.sort();
    Ok(files)
}

fn read(file: &Path) -> Result<String, String> {
    let length = std::fs::metadata(file).map_err(|error| format!("cannot be read: {error}"))?.len();
    if length > MOST_BYTES {
        return Err(format!("has {length} bytes; at most {MOST_BYTES} are read"));
    }
    std::fs::read_to_string(file).map_err(|error| format!("cannot be read: {error}"))
}

/// An object and where it came from.
struct Written<T> {
    file: PathBuf,
    document: Document,
    object: T,
}

impl<T> Written<T> {
    fn error(&self, message: impl Into<String>) -> LocalError {
        let message = message.into();
        // Messages begin with the field: "spec.triggers[0].type: …".
        let field = message.split(": ").next().unwrap_or_default();
        LocalError { file: self.file.clone(), place: self.document.place(field), message }
    }
}

/// What was read so far, by namespace and name.
#[derive(Default)]
struct Reading {
    objects: Vec<Written<ScaledObject>>,
    process_sets: BTreeMap<(Text, Text), Written<ProcessSet>>,
    authentications: BTreeMap<(Text, Text), Result<References, Fault>>,
    cluster_authentications: BTreeMap<Text, Result<References, Fault>>,
    secrets: BTreeMap<(Text, Text), Values>,
    config_maps: BTreeMap<(Text, Text), Values>,
    seen: BTreeSet<(String, Text, Text)>,
    errors: Vec<LocalError>,
}

impl Reading {
    fn file(&mut self, file: &Path, text: &str) {
        match Document::parse_all(text) {
            Ok(documents) => documents.into_iter().for_each(|document| {
                if let Err(errors) = self.document(file, document) {
                    self.errors.extend(errors);
                }
            }),
            Err((place, message)) => self.errors.push(LocalError { file: file.into(), place, message }),
        }
    }

    fn document(&mut self, file: &Path, document: Document) -> Result<(), Vec<LocalError>> {
        let kind = document.text("kind").unwrap_or_default().to_owned();
        let api_version = document.text("apiVersion").unwrap_or_default().to_owned();
        let from = Written { file: file.into(), document, object: () };
        match (api_version.as_str(), kind.as_str()) {
            ("keda.sh/v1alpha1", "ScaledObject") => {
                let from = self.typed::<ScaledObject>(from, &crate::crd::schema::<ScaledObject>())?;
                self.objects.push(from);
            }
            (process_set::API_VERSION, process_set::KIND) => {
                let from = self.typed::<ProcessSet>(from, &crate::crd::schema::<ProcessSet>())?;
                let key = key(&from.object.metadata);
                self.process_sets.insert(key, from);
            }
            ("keda.sh/v1alpha1", "TriggerAuthentication") => {
                let from = self.typed::<TriggerAuthentication>(from, &crate::crd::schema::<TriggerAuthentication>())?;
                let TriggerAuthentication { metadata, spec, .. } = &from.object;
                let key = key(metadata);
                let references = reference::references(&key.1, metadata.annotations.as_ref(), spec);
                self.authentications.insert(key, references);
            }
            ("keda.sh/v1alpha1", "ClusterTriggerAuthentication") => {
                let schema = crate::crd::schema::<ClusterTriggerAuthentication>();
                let from = self.typed::<ClusterTriggerAuthentication>(from, &schema)?;
                let ClusterTriggerAuthentication { metadata, spec, .. } = &from.object;
                let (_, name) = key(metadata);
                let references = reference::references(&name, metadata.annotations.as_ref(), &spec.0);
                self.cluster_authentications.insert(name, references);
            }
            ("v1", "Secret") => {
                let from = self.typed::<k8s::Secret>(from, &structure::secret())?;
                let mut values = (*reference::secret_values(&from.object)).clone();
                let plain = from.object.string_data.iter().flatten();
                values.extend(plain.map(|(key, text)| (key.as_str().into(), Secret::new(text.as_str()))));
                self.secrets.insert(key(&from.object.metadata), Arc::new(values));
            }
            ("v1", "ConfigMap") => {
                let from = self.typed::<k8s::ConfigMap>(from, &structure::config_map())?;
                self.config_maps.insert(key(&from.object.metadata), reference::config_map_values(&from.object));
            }
            _ => {
                return Err(vec![from.error(format!(
                    "kind: '{kind}' of apiVersion '{api_version}' is not known to local mode; use ScaledObject, \
                     TriggerAuthentication or ClusterTriggerAuthentication (keda.sh/v1alpha1), ProcessSet \
                     (windlass.dev/v1alpha1), Secret or ConfigMap (v1)"
                ))]);
            }
        }
        Ok(())
    }

    /// Checks a document against its schema and makes the object of it.
    fn typed<T: DeserializeOwned>(&mut self, from: Written<()>, schema: &Value) -> Result<Written<T>, Vec<LocalError>> {
        let problems = structure::check(&from.document, schema);
        if !problems.is_empty() {
            let error = |(place, message)| LocalError { file: from.file.clone(), place, message };
            return Err(problems.into_iter().map(error).collect());
        }
        let value = from.document.to_json();
        let name = |field: &str| value.pointer(&format!("/metadata/{field}")).and_then(Value::as_str);
        let (kind, namespace) =
            (from.document.text("kind").unwrap_or_default(), name("namespace").unwrap_or(NAMESPACE));
        let identity = (kind.to_owned(), namespace.into(), name("name").unwrap_or_default().into());
        if !self.seen.insert(identity) {
            let message = format!("metadata.name: there is another {kind} of this name; give it another one");
            return Err(vec![from.error(message)]);
        }
        // Errors of serde may quote values, and those of a Secret must not be shown.
        let object = serde_json::from_value(value).map_err(|error| {
            let secret = kind == "Secret";
            let why =
                if secret { "is no Secret; check that each value of data is base64".into() } else { error.to_string() };
            vec![from.error(format!("{kind}: {why}"))]
        })?;
        Ok(Written { file: from.file, document: from.document, object })
    }

    fn finish(mut self, path: &Path) -> Result<Local, LocalErrors> {
        let mut local = Local::default();
        for from in &self.objects {
            match self.object(from) {
                Ok(intake) => local.objects.push(intake),
                Err(error) => self.errors.push(error),
            }
        }
        for ((namespace, name), from) in &self.process_sets {
            local.process_sets.push(process(namespace, name, from));
        }
        if self.errors.is_empty() && self.objects.is_empty() {
            self.errors.push(LocalError {
                file: path.into(),
                place: Place::default(),
                message: "has no ScaledObject in any .yaml, .yml or .json file; add one".into(),
            });
        }
        if self.errors.is_empty() { Ok(local) } else { Err(LocalErrors(self.errors)) }
    }

    fn object(&self, from: &Written<ScaledObject>) -> Result<Intake, LocalError> {
        // There is no HPA to choose here.
        let mut object = from.object.clone();
        object.metadata.annotations.as_mut().and_then(|all| all.remove(annotation::ENGINE));
        let declared =
            crate::lower_for(&object, Engine::Direct).map_err(|fault| from.error(fault.message.to_string()))?;
        let target = &declared.target;
        if target.api_version() != process_set::API_VERSION || &*target.kind != process_set::KIND {
            return Err(from.error(format!(
                "spec.scaleTargetRef: local mode scales a ProcessSet, not a {} of {}; write apiVersion: {} and kind: {}",
                target.kind,
                target.api_version(),
                process_set::API_VERSION,
                process_set::KIND
            )));
        }
        if let Some(resource) = declared.triggers.iter().find(|trigger| matches!(trigger.ask, Ask::Resource(_))) {
            return Err(from.error(format!(
                "spec.triggers[{}].type: {} is measured of pods, and there are none in local mode; remove the trigger",
                resource.index, resource.kind
            )));
        }
        let set = self.process_sets.get(&(declared.key.namespace.clone(), target.name.clone())).ok_or_else(|| {
            from.error(format!(
                "spec.scaleTargetRef.name: there is no ProcessSet '{}'; add one to the folder",
                target.name
            ))
        })?;
        let variables = set.object.spec.env.iter().flatten();
        let environment: Values =
            Arc::new(variables.map(|(name, value)| (name.as_str().into(), Secret::new(value.as_str()))).collect());
        let materials = self.materials(&declared, &environment);
        for (trigger, material) in declared.triggers.iter().zip(&materials) {
            if let Some(fault) = &material.fault {
                let field = format!("spec.triggers[{}].authenticationRef", trigger.index);
                return Err(from.error(format!("{field}: {}", fault.message)));
            }
        }
        Ok(Intake { declared: Arc::new(declared), materials, fault: None })
    }

    fn materials(&self, declared: &Declared, environment: &Values) -> Vec<Material> {
        let material = |trigger: &DeclaredTrigger| {
            let mut material = Material { environment: environment.clone(), ..Material::default() };
            if let (Some(reference), Ask::External { .. }) = (&trigger.authentication, &trigger.ask) {
                match self.authentication(declared, reference, environment) {
                    Ok(whole) => material = whole,
                    Err(fault) => material.fault = Some(fault),
                }
            }
            material
        };
        declared.triggers.iter().map(material).collect()
    }

    fn authentication(
        &self,
        declared: &Declared,
        reference: &AuthenticationRef,
        environment: &Values,
    ) -> Result<Material, Fault> {
        let own = &declared.key.namespace;
        let (kind, references, namespace) = if reference.cluster {
            ("ClusterTriggerAuthentication", self.cluster_authentications.get(&reference.name), NAMESPACE)
        } else {
            ("TriggerAuthentication", self.authentications.get(&(own.clone(), reference.name.clone())), &**own)
        };
        let references = references.ok_or_else(|| {
            let message = format!("there is no {kind} '{}'; add one to the folder", reference.name);
            Fault::new(Reason::AuthenticationNotFound, message)
        })?;
        let references = references.as_ref().map_err(Fault::clone)?;
        let of = |all: &BTreeMap<(Text, Text), Values>| {
            all.iter()
                .filter(|((at, _), _)| &**at == namespace)
                .map(|((_, name), values)| (name.clone(), values.clone()))
                .collect()
        };
        let fetched = Fetched {
            secrets: of(&self.secrets),
            config_maps: of(&self.config_maps),
            // A process has one environment, whatever container a reference names.
            environments: references.containers().into_iter().map(|name| (name, environment.clone())).collect(),
        };
        Ok(Material {
            environment: environment.clone(),
            authentication: reference::assemble(references, &fetched)?,
            bound: references.bound.clone(),
            ..Material::default()
        })
    }
}

fn key(metadata: &kube::core::ObjectMeta) -> (Text, Text) {
    let namespace = metadata.namespace.as_deref().filter(|namespace| !namespace.is_empty()).unwrap_or(NAMESPACE);
    (namespace.into(), metadata.name.as_deref().unwrap_or_default().into())
}

fn process(namespace: &Text, name: &Text, from: &Written<ProcessSet>) -> Process {
    let spec = &from.object.spec;
    let folder = from.file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    Process {
        namespace: namespace.clone(),
        name: name.clone(),
        command: spec.command.clone(),
        env: spec.env.clone().unwrap_or_default(),
        directory: spec.working_directory.as_deref().map_or_else(|| folder.to_owned(), |below| folder.join(below)),
        replicas: spec.replicas.and_then(|count| u32::try_from(count).ok()).unwrap_or(0),
        stop_grace: Duration::from_secs(u64::try_from(spec.stop_grace_seconds.unwrap_or(STOP_GRACE_S)).unwrap_or(0)),
    }
}
