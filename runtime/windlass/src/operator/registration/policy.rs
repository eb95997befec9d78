//! The component policy's file, which may change while we run.
use crate::mounted::{LOOK, Mounted};
use anyhow::Context;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::watch;
use windlass_core::hosts::Hosts;
use windlass_oci::{Digest, Location, Policy};

/// Hosts that a component may reach beyond what its triggers name: those that the policy grants its repository or its artifact.
pub(super) fn granted(policy: &Policy, location: &Location, manifest: Option<Digest>) -> Option<Arc<Hosts>> {
    let (Location::Registry(reference), Some(manifest)) = (location, manifest) else { return None };
    let list: Vec<String> = policy.grants(reference, manifest).map(ToString::to_string).collect();
    if list.is_empty() {
        return None;
    }
    let hosts = Hosts::parse(&list.join(","));
    hosts
        .inspect_err(|error| tracing::error!(%reference, %error, "the component policy's grants are of no use"))
        .ok()
        .map(Arc::new)
}

/// The policy, and what it becomes. A file that cannot be used while we run changes nothing.
///
/// # Errors
/// When the file cannot be used at the start: then there is nothing to go by.
pub(super) fn follow(file: Option<PathBuf>) -> anyhow::Result<watch::Receiver<Arc<Policy>>> {
    let Some(file) = file else { return Ok(watch::channel(Arc::default()).1) };
    let named = || format!("--component-policy {}", file.display());
    let (mut mounted, text) = Mounted::open(&file).with_context(named)?;
    let policy = Policy::parse(&text).with_context(named)?;
    let (told, seen) = watch::channel(Arc::new(policy));
    tokio::spawn(async move {
        while !told.is_closed() {
            tokio::time::sleep(LOOK).await;
            let Some(text) = mounted.changed() else { continue };
            match text.and_then(|text| Ok(Policy::parse(&text)?)) {
                Ok(policy) => {
                    tracing::info!(file = %mounted.path(), "the component policy has changed");
                    told.send_if_modified(|now| {
                        let differs = **now != policy;
                        *now = Arc::new(policy);
                        differs
                    });
                }
                Err(error) => {
                    let error = format!("{error:#}");
                    tracing::error!(file = %mounted.path(), error, "the component policy stays as it was");
                }
            }
        }
    });
    Ok(seen)
}
