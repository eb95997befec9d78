//! The component policy's file, which may change while we run.
use anyhow::{Context, ensure};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use windlass_oci::Policy;

/// How often the file is looked at. A mounted ConfigMap follows its object within about a minute anyway.
const LOOK: Duration = Duration::from_secs(5);
/// Bytes of the file; a ConfigMap has no more.
const MOST_BYTES: u64 = 1 << 20;

/// The policy, and what it becomes. A file that cannot be used while we run changes nothing.
///
/// # Errors
/// When the file cannot be used at the start: then there is nothing to go by.
pub(super) fn follow(file: Option<PathBuf>) -> anyhow::Result<watch::Receiver<Arc<Policy>>> {
    let Some(file) = file else { return Ok(watch::channel(Arc::default()).1) };
    let named = || format!("--component-policy {}", file.display());
    let mut text = read(&file).with_context(named)?;
    let policy = Policy::parse(&text).with_context(named)?;
    let (told, seen) = watch::channel(Arc::new(policy));
    tokio::spawn(async move {
        let mut complaint = String::new();
        while !told.is_closed() {
            tokio::time::sleep(LOOK).await;
            let now = read(&file);
            if now.as_ref().is_ok_and(|now| *now == text) {
                continue;
            }
            let parsed = now.and_then(|now| Ok((Policy::parse(&now)?, now)));
            match parsed {
                Ok((policy, now)) => {
                    tracing::info!(file = %file.display(), "the component policy has changed");
                    complaint.clear();
                    text = now;
                    told.send_replace(Arc::new(policy));
                }
                Err(error) => {
                    let said = format!("{error:#}");
                    if said != complaint {
                        tracing::error!(file = %file.display(), error = said, "the component policy stays as it was");
                        complaint = said;
                    }
                }
            }
        }
    });
    Ok(seen)
}

fn read(file: &Path) -> anyhow::Result<String> {
    let length = std::fs::metadata(file)?.len();
    ensure!(length <= MOST_BYTES, "has {length} bytes; at most {MOST_BYTES} are read");
    Ok(std::fs::read_to_string(file)?)
}
