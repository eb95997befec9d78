//! A component as an artifact, as the WebAssembly working group of the CNCF defines it: one configuration, one layer.
use crate::registry::MANIFEST;
use crate::{Digest, Fault};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Media type of the configuration: what makes an artifact a WebAssembly one.
pub const CONFIG_TYPE: &str = "application/vnd.wasm.config.v0+json";
/// Media type of the layer: the component's bytes.
pub const LAYER_TYPE: &str = "application/wasm";
/// A larger component is not pulled.
pub const COMPONENT_LIMIT: u64 = 32 << 20;

/// A manifest, as far as components and their signatures need it. Keys are sorted, so that equal content has an equal digest.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Manifest {
    pub(crate) schema_version: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) media_type: Option<String>,
    pub(crate) config: Descriptor,
    #[serde(default)]
    pub(crate) layers: Vec<Descriptor>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) annotations: BTreeMap<String, String>,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Descriptor {
    pub(crate) media_type: String,
    pub(crate) digest: String,
    pub(crate) size: u64,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) annotations: BTreeMap<String, String>,
}

/// What is told about a component when it is pushed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct About {
    /// When it was made, in RFC 3339. The digest of the artifact depends on it.
    pub created: String,
    /// Who made it.
    pub author: Option<String>,
    /// Annotations of the manifest, as `org.opencontainers.image.source`.
    pub annotations: BTreeMap<String, String>,
}

/// An artifact ready to be pushed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Artifact {
    pub(crate) config: Vec<u8>,
    pub(crate) manifest: Vec<u8>,
}

impl Descriptor {
    pub(crate) fn of(media_type: &str, bytes: &[u8]) -> Descriptor {
        Descriptor {
            media_type: media_type.to_owned(),
            digest: Digest::of(bytes).to_string(),
            size: bytes.len() as u64,
            annotations: BTreeMap::new(),
        }
    }

    pub(crate) fn sha256(&self) -> Result<Digest, Fault> {
        self.digest.parse().map_err(|error| bad(&format!("a digest in its manifest is {error}")))
    }
}

impl Manifest {
    pub(crate) fn new(config: Descriptor, layers: Vec<Descriptor>, annotations: BTreeMap<String, String>) -> Manifest {
        Manifest { schema_version: 2, media_type: Some(MANIFEST.to_owned()), config, layers, annotations }
    }

    /// Reads a manifest of any kind of artifact.
    pub(crate) fn read(bytes: &[u8]) -> Result<Manifest, Fault> {
        #[derive(Deserialize)]
        struct Kind {
            manifests: Option<serde::de::IgnoredAny>,
        }
        if serde_json::from_slice::<Kind>(bytes).is_ok_and(|kind| kind.manifests.is_some()) {
            return Err(Fault::MediaType { found: "an index of several artifacts".to_owned(), expected: CONFIG_TYPE });
        }
        let manifest: Manifest = serde_json::from_slice(bytes).map_err(|_| bad("its manifest is none of OCI"))?;
        if manifest.schema_version != 2 {
            return Err(bad("its manifest is of another version than 2"));
        }
        Ok(manifest)
    }

    /// The layer that is the component.
    pub(crate) fn component(&self) -> Result<(Digest, u64), Fault> {
        if self.config.media_type != CONFIG_TYPE {
            let found = format!("of type {}", crate::words::short(&self.config.media_type));
            return Err(Fault::MediaType { found, expected: CONFIG_TYPE });
        }
        let [layer] = self.layers.as_slice() else { return Err(Fault::Layers(self.layers.len())) };
        if layer.media_type != LAYER_TYPE {
            let found = format!("with a layer of type {}", crate::words::short(&layer.media_type));
            return Err(Fault::MediaType { found, expected: LAYER_TYPE });
        }
        if layer.size > COMPONENT_LIMIT {
            return Err(Fault::TooLarge { what: "component", limit: COMPONENT_LIMIT });
        }
        Ok((layer.sha256()?, layer.size))
    }
}

impl Artifact {
    /// Wraps a component.
    pub(crate) fn of(component: &[u8], about: &About) -> Result<Artifact, Fault> {
        if component.len() as u64 > COMPONENT_LIMIT {
            return Err(Fault::TooLarge { what: "component", limit: COMPONENT_LIMIT });
        }
        let world = World::of(component)?;
        let layer = Descriptor::of(LAYER_TYPE, component);
        let config = serde_json::json!({
            "created": about.created,
            "author": about.author,
            "architecture": "wasm",
            // The working group's word for components, whatever they import.
            "os": "wasip2",
            "layerDigests": [layer.digest],
            "component": { "exports": world.exports, "imports": world.imports },
        });
        let config = serde_json::to_vec(&config).map_err(|error| Fault::File(error.to_string()))?;
        let manifest = Manifest::new(Descriptor::of(CONFIG_TYPE, &config), vec![layer], about.annotations.clone());
        let manifest = serde_json::to_vec(&manifest).map_err(|error| Fault::File(error.to_string()))?;
        Ok(Artifact { config, manifest })
    }
}

/// What a component imports and exports.
#[derive(Debug, Default, PartialEq, Eq)]
struct World {
    imports: Vec<String>,
    exports: Vec<String>,
}

impl World {
    fn of(component: &[u8]) -> Result<World, Fault> {
        use wasmparser::{Encoding, Parser, Payload};
        let not = |why: &str| Fault::File(format!("not a WebAssembly component: {why}"));
        let mut world = World::default();
        let mut depth = 0_usize;
        for payload in Parser::new(0).parse_all(component) {
            match payload.map_err(|error| not(error.message()))? {
                Payload::Version { encoding: Encoding::Module, .. } if depth == 0 => {
                    return Err(not(
                        "it is a core module; `cargo xtask scalers` or `wasm-tools component new` makes it one",
                    ));
                }
                Payload::Version { .. } => depth += 1,
                Payload::End(_) => depth = depth.saturating_sub(1),
                Payload::ComponentImportSection(imports) if depth == 1 => {
                    for import in imports {
                        world.imports.push(import.map_err(|error| not(error.message()))?.name.name.to_owned());
                    }
                }
                Payload::ComponentExportSection(exports) if depth == 1 => {
                    for export in exports {
                        world.exports.push(export.map_err(|error| not(error.message()))?.name.name.to_owned());
                    }
                }
                _ => {}
            }
        }
        Ok(world)
    }
}

fn bad(why: &str) -> Fault {
    Fault::BadAnswer { why: why.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn component() -> Vec<u8> {
        wat::parse_str(r#"(component (import "a:b/c" (instance)) (core module) (export "d:e/f" (instance 0)))"#)
            .unwrap()
    }

    fn about() -> About {
        let annotations = [("org.opencontainers.image.title".to_owned(), "q".to_owned())].into();
        About { created: "2026-01-01T00:00:00Z".to_owned(), author: None, annotations }
    }

    #[test]
    fn an_artifact_is_read_as_it_was_made_and_is_made_equal_twice() {
        let artifact = Artifact::of(&component(), &about()).unwrap();
        assert_eq!(artifact, Artifact::of(&component(), &about()).unwrap());
        let manifest = Manifest::read(&artifact.manifest).unwrap();
        assert_eq!(manifest.component(), Ok((Digest::of(&component()), component().len() as u64)));
        let config: serde_json::Value = serde_json::from_slice(&artifact.config).unwrap();
        assert_eq!(config["component"]["imports"], serde_json::json!(["a:b/c"]));
        assert_eq!(config["component"]["exports"], serde_json::json!(["d:e/f"]));
        assert_eq!(config["layerDigests"][0], Digest::of(&component()).to_string());
    }

    #[test]
    fn what_is_no_component_is_not_pushed() {
        let module = wat::parse_str("(module)").unwrap();
        assert!(matches!(Artifact::of(&module, &about()), Err(Fault::File(why)) if why.contains("core module")));
        assert!(matches!(Artifact::of(b"text", &about()), Err(Fault::File(_))));
    }

    #[test]
    fn what_is_no_component_is_not_pulled() {
        let made = Manifest::read(&Artifact::of(&component(), &about()).unwrap().manifest).unwrap();
        let changed = |change: fn(&mut Manifest)| {
            let mut manifest = made.clone();
            change(&mut manifest);
            manifest.component().unwrap_err()
        };
        let image = changed(|m| m.config.media_type = "application/vnd.oci.image.config.v1+json".to_owned());
        assert!(image.to_string().contains("application/vnd.oci.image.config.v1+json"), "{image}");
        assert!(matches!(changed(|m| m.layers[0].media_type = "text/plain".to_owned()), Fault::MediaType { .. }));
        assert_eq!(changed(|m| m.layers.clear()), Fault::Layers(0));
        assert!(matches!(changed(|m| m.layers[0].size = 1 << 40), Fault::TooLarge { .. }));
        assert!(matches!(changed(|m| m.layers[0].digest = "sha512:0".to_owned()), Fault::BadAnswer { .. }));
        assert!(matches!(Manifest::read(br#"{"schemaVersion":2,"manifests":[]}"#), Err(Fault::MediaType { .. })));
        assert!(matches!(Manifest::read(b"<html>"), Err(Fault::BadAnswer { .. })));
    }
}
