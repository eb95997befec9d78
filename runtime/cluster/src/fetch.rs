//! Reads of single objects, for the index.
use crate::client::{Client, Path, parse};
use crate::error::Error;
use crate::index::{Content, Discovered, FetchKey, Fetched, GroupKind};
use crate::scale::{self, Scale};
use crate::watch::BlobKind;
use k8s_openapi::api::core::v1::{ConfigMap, Container, PodSpec, Secret};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::APIResourceList;
use kube::discovery::ApiResource;
use serde::Deserialize;
use std::sync::Arc;
use windlass_core::Text;

/// Reads something.
pub(crate) async fn fetch(client: &Client, key: &FetchKey, resource: Option<&ApiResource>) -> Fetched {
    let Some(resource) = resource else {
        return Fetched::Failed { why: "its kind is not known".into(), soon: true };
    };
    let read = match key {
        FetchKey::Blob(blob) => {
            let path = path(resource, &blob.namespace);
            match blob.kind {
                BlobKind::Secret => client.get("Secret", &path, &blob.name).await.map(|secret: Secret| {
                    (version(&secret.metadata), Content::Values(windlass_api::reference::secret_values(&secret)))
                }),
                BlobKind::ConfigMap => client.get("ConfigMap", &path, &blob.name).await.map(|map: ConfigMap| {
                    (version(&map.metadata), Content::Values(windlass_api::reference::config_map_values(&map)))
                }),
            }
        }
        FetchKey::Template(target) => {
            let read = client.get("object", &path(resource, &target.namespace), &target.name).await;
            read.map(|object: Templated| (object.metadata.generation.to_string().into(), object.template()))
        }
        FetchKey::Scale(target) => {
            let read = scale::read(client, &path(resource, &target.namespace), &target.name).await;
            read.map(|Scale { version, spec, current, .. }| {
                (version.clone(), Content::Scale { spec, current, version })
            })
        }
    };
    match read {
        Ok((version, content)) => Fetched::Read(version, content),
        Err(Error::NotFound) => Fetched::Missing,
        Err(error) => Fetched::Failed { soon: !error.is_final(), why: error.to_string().into() },
    }
}

fn path(resource: &ApiResource, namespace: &str) -> Path {
    Path::new(&resource.group, &resource.version, namespace, &resource.plural)
}

fn version(metadata: &kube::core::ObjectMeta) -> Text {
    metadata.resource_version.as_deref().unwrap_or_default().into()
}

/// Anything with a pod template where Deployments have it.
#[derive(Deserialize)]
struct Templated {
    metadata: Generation,
    #[serde(default)]
    spec: TemplateSpec,
}

#[derive(Deserialize)]
struct Generation {
    #[serde(default)]
    generation: i64,
}

#[derive(Default, Deserialize)]
struct TemplateSpec {
    template: Option<PodTemplate>,
}

#[derive(Deserialize)]
struct PodTemplate {
    spec: Option<PodSpec>,
}

impl Templated {
    /// The containers' environments, and nothing else: what else changes in a template does not matter.
    fn template(self) -> Content {
        let pod = self.spec.template.and_then(|template| template.spec).unwrap_or_default();
        let kept = |container: Container| Container {
            name: container.name,
            env: container.env,
            env_from: container.env_from,
            ..Container::default()
        };
        let containers = pod.containers.into_iter().map(kept).collect();
        Content::Template(Arc::new(PodSpec { containers, ..PodSpec::default() }))
    }
}

/// Asks what the API server knows of a kind.
pub(crate) async fn discover(client: &Client, kind: &GroupKind, version: &str) -> Discovered {
    let (group, name) = (&*kind.group, &*kind.kind);
    let path = if group.is_empty() { format!("/api/{version}") } else { format!("/apis/{group}/{version}") };
    let shown = if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") };
    let request = match http::Request::get(path).body(Vec::new()) {
        Ok(request) => request,
        Err(_) => return Discovered::Unscalable(format!("apiVersion '{shown}' is none; correct it").into()),
    };
    let list = client.send(request).await.and_then(|text| parse::<APIResourceList>("list of resources", &text));
    let unknown = || {
        Discovered::Unscalable(
            format!("the API server knows no kind '{name}' in '{shown}'; correct it or install its definition").into(),
        )
    };
    let list = match list {
        Ok(list) => list,
        Err(Error::NotFound) => return unknown(),
        Err(error) => {
            return Discovered::Failed(format!("kind '{name}' in '{shown}' cannot be looked up: {error}").into());
        }
    };
    let Some(found) = list.resources.iter().find(|resource| resource.kind == *name && !resource.name.contains('/'))
    else {
        return unknown();
    };
    if !found.namespaced {
        return Discovered::Unscalable(format!("kind '{name}' is not in a namespace, so it cannot be scaled").into());
    }
    if !list.resources.iter().any(|resource| resource.name == format!("{}/scale", found.name)) {
        return Discovered::Unscalable(
            format!("kind '{name}' in '{shown}' has no /scale; use a kind that has, or add it to its definition")
                .into(),
        );
    }
    Discovered::Scalable(ApiResource {
        group: group.to_owned(),
        version: version.to_owned(),
        api_version: shown,
        kind: name.to_owned(),
        plural: found.name.clone(),
    })
}
