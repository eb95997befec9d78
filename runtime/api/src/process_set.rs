//! `windlass.dev/v1alpha1` ProcessSet: what local mode scales. Exists in files only.
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// `apiVersion` of a ProcessSet.
pub const API_VERSION: &str = "windlass.dev/v1alpha1";
/// `kind` of a ProcessSet.
pub const KIND: &str = "ProcessSet";

/// A command of which as many copies run on this machine as a ScaledObject wants.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "windlass.dev",
    version = "v1alpha1",
    kind = "ProcessSet",
    plural = "processsets",
    singular = "processset",
    namespaced,
    derive = "PartialEq",
    doc = "Copies of a command on this machine"
)]
#[serde(rename_all = "camelCase")]
pub struct ProcessSetSpec {
    /// The program and its arguments. Every copy is told its number by the variable WINDLASS_COPY.
    #[schemars(length(min = 1))]
    pub command: Vec<String>,
    /// Further environment variables, by name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub env: Option<BTreeMap<String, String>>,
    /// Folder to run in, relative to the folder of the file; default that folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub working_directory: Option<String>,
    /// Copies to begin with; default 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<i32>", range(min = 0, max = 10_000))]
    pub replicas: Option<i64>,
    /// Seconds that a copy has between the request to stop (SIGTERM) and being killed; default 30.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<i32>", range(min = 0, max = 3600))]
    pub stop_grace_seconds: Option<i64>,
}
