//! `cargo xtask chart`: the Helm chart renders to the same objects as the plain manifests of `deploy/`.
use crate::tool;
use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The Helm that renders, when none is installed: a Go module.
const HELM: &str = "helm.sh/helm/v3/cmd/helm@v3.22.0";
/// The namespace of the plain manifests.
const NAMESPACE: &str = "windlass-system";
/// The Kubernetes that the chart is rendered for.
const KUBERNETES: &str = "1.36.0";

/// Arguments of the task.
#[derive(clap::Args)]
pub struct Args {}

/// Objects by kind, namespace and name.
type Objects = BTreeMap<String, Value>;

/// Runs the task.
pub fn run(_: Args) -> Result<()> {
    check()
}

/// Fails when the chart's objects differ from those of `deploy/crds`, `deploy/rbac.yaml` and `deploy/base`.
pub fn check() -> Result<()> {
    let helm = helm()?;
    let deploy = tool::root().join("deploy");
    output(Command::new(&helm).arg("lint").arg(deploy.join("chart")))?;

    let rendered = render(&helm, &deploy, NAMESPACE, &[])?;
    let mut plain = Objects::new();
    let mut files = vec![deploy.join("rbac.yaml")];
    for folder in ["crds", "base"] {
        let entries = fs::read_dir(deploy.join(folder)).with_context(|| format!("cannot read deploy/{folder}"))?;
        for entry in entries {
            files.push(entry?.path());
        }
    }
    for file in files {
        let text = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        plain.extend(objects(&text).with_context(|| format!("cannot read {}", file.display()))?);
    }
    // Helm makes the namespace of a release itself (--create-namespace).
    plain.retain(|name, _| !name.starts_with("Namespace "));
    let differing = difference(&plain, &rendered);
    if !differing.is_empty() {
        bail!("deploy/chart and the manifests of deploy/ differ:\n  {}", differing.join("\n  "));
    }

    let elsewhere = render(&helm, &deploy, "elsewhere", &[])?;
    let left: Vec<&String> =
        elsewhere.iter().filter(|(_, o)| o.to_string().contains(NAMESPACE)).map(|(n, _)| n).collect();
    if !left.is_empty() {
        bail!("in another namespace the chart still names {NAMESPACE}: {left:?}");
    }
    let off = render(&helm, &deploy, NAMESPACE, &["--set", "apiService.create=false"])?;
    if off.len() + 1 != rendered.len() || off.keys().any(|name| name.starts_with("APIService ")) {
        bail!("apiService.create=false leaves out something else than the APIService alone");
    }
    tool::say(&format!("the chart renders to the {} objects of the plain manifests", rendered.len()));
    Ok(())
}

fn render(helm: &Path, deploy: &Path, namespace: &str, arguments: &[&str]) -> Result<Objects> {
    let mut command = Command::new(helm);
    command.args(["template", "windlass"]).arg(deploy.join("chart")).args(["--namespace", namespace, "--include-crds"]);
    command.args(["--kube-version", KUBERNETES]).args(arguments);
    objects(&output(&mut command)?).context("cannot read what helm rendered")
}

/// What a command prints; what it complains of only when it fails, since helm tells of every link that it follows.
fn output(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("cannot start {command:?}"))?;
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        bail!("{command:?}: {}{printed}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(printed)
}

/// The objects of a YAML text. Two of the same name are an error.
fn objects(text: &str) -> Result<Objects> {
    let mut objects = Objects::new();
    for document in serde_saphyr::from_multiple::<Value>(text)? {
        if document.is_null() {
            continue;
        }
        let text = |pointer: &str| document.pointer(pointer).and_then(Value::as_str).unwrap_or("-").to_owned();
        let name = format!("{} {}/{}", text("/kind"), text("/metadata/namespace"), text("/metadata/name"));
        if objects.insert(name.clone(), document).is_some() {
            bail!("{name} is there twice");
        }
    }
    Ok(objects)
}

/// Names of objects that only one side has, and where those of both sides differ first.
fn difference(plain: &Objects, rendered: &Objects) -> Vec<String> {
    let mut found = Vec::new();
    for (name, object) in plain {
        match rendered.get(name) {
            None => found.push(format!("{name}: the chart lacks it")),
            Some(other) => found.extend(differs(object, other, String::new()).map(|at| format!("{name}: {at}"))),
        }
    }
    let more = rendered.keys().filter(|name| !plain.contains_key(*name));
    found.extend(more.map(|name| format!("{name}: only the chart has it")));
    found
}

/// The first place at which two values differ.
fn differs(plain: &Value, rendered: &Value, at: String) -> Option<String> {
    match (plain, rendered) {
        (Value::Object(plain), Value::Object(rendered)) => {
            let mut names: Vec<&String> = plain.keys().chain(rendered.keys()).collect();
            names.sort();
            names.dedup();
            names.into_iter().find_map(|name| {
                let missing = &Value::Null;
                let (one, other) = (plain.get(name).unwrap_or(missing), rendered.get(name).unwrap_or(missing));
                differs(one, other, format!("{at}/{name}"))
            })
        }
        (Value::Array(plain), Value::Array(rendered)) if plain.len() == rendered.len() => {
            let mut pairs = plain.iter().zip(rendered).enumerate();
            pairs.find_map(|(index, (one, other))| differs(one, other, format!("{at}/{index}")))
        }
        _ => (plain != rendered).then(|| format!("{at}: {plain} in the manifests, {rendered} in the chart")),
    }
}

/// Helm of the PATH, or built once from its Go module into the target folder.
fn helm() -> Result<PathBuf> {
    if tool::found("helm") {
        return Ok("helm".into());
    }
    let folder = tool::target().join("tools");
    let helm = folder.join("helm");
    if !helm.is_file() {
        if !tool::found("go") {
            bail!("checking the chart needs helm 3, or Go 1.26 or newer to build it: install one of them");
        }
        tool::say(&format!("building {HELM} (once)"));
        tool::run(Command::new("go").args(["install", "-ldflags=-s -w", HELM]).env("GOBIN", &folder))?;
    }
    Ok(helm)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deployment(fields: &str) -> Objects {
        objects(&format!("kind: Deployment\nmetadata: {{name: a, namespace: b}}\nspec: {fields}\n---\n")).unwrap()
    }

    #[test]
    fn differences_are_named() {
        let plain = deployment("{replicas: 1, list: [1, {x: one}]}");
        assert_eq!(difference(&plain, &plain), Vec::<String>::new());
        let other = deployment("{replicas: 1, list: [1, {x: two}]}");
        assert_eq!(
            difference(&plain, &other),
            [r#"Deployment b/a: /spec/list/1/x: "one" in the manifests, "two" in the chart"#]
        );
        let more = deployment("{replicas: 1, list: [1, {x: one}], paused: true}");
        assert_eq!(difference(&plain, &more).len(), 1);
        assert_eq!(difference(&plain, &Objects::new()), ["Deployment b/a: the chart lacks it"]);
        assert_eq!(difference(&Objects::new(), &plain), ["Deployment b/a: only the chart has it"]);
        assert!(objects("kind: A\n---\nkind: A\n").is_err());
    }
}
