//! Docker's credential helpers: programs named `docker-credential-NAME` that keep logins for it.
use crate::credential::hub;
use crate::{Credential, Credentials, Reference};
use serde::Deserialize;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const LIMIT: Duration = Duration::from_secs(10);
/// A login is short.
const ANSWER: u64 = 64 * 1024;

/// A helper that gave nothing. What it printed is not repeated.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("docker-credential-{helper}, which Docker's config.json names for {registry}, {why}")]
pub struct HelperError {
    /// The helper's name.
    pub helper: String,
    /// The registry it was asked for.
    pub registry: String,
    /// What happened.
    pub why: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Told {
    username: String,
    secret: String,
}

impl Credentials {
    /// The credential for a repository: what is written, else what a helper keeps. None: anonymous.
    ///
    /// # Errors
    /// When a helper is named for this very registry and cannot be asked.
    pub async fn find(&self, reference: &Reference) -> Result<Option<Credential>, HelperError> {
        let registry = hub(reference.registry());
        // As Docker: a helper for this registry comes first.
        if let Some(helper) = self.helpers.get(registry) {
            return ask(helper, registry).await;
        }
        match (self.written(reference), &self.store) {
            (Some(credential), _) => Ok(Some(credential.clone())),
            // The store for all others may know nothing of it.
            (None, Some(store)) => Ok(ask(store, registry).await.unwrap_or_default()),
            (None, None) => Ok(None),
        }
    }
}

async fn ask(helper: &str, registry: &str) -> Result<Option<Credential>, HelperError> {
    let failed =
        |why: &str| HelperError { helper: helper.to_owned(), registry: registry.to_owned(), why: why.to_owned() };
    if !helper.bytes().all(|c| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_' | b'.')) {
        return Err(failed("is no program's name"));
    }
    // Docker Hub is kept under the name of its first API.
    let key = if registry == "docker.io" { "https://index.docker.io/v1/" } else { registry };
    let work = async {
        let mut child = tokio::process::Command::new(format!("docker-credential-{helper}"))
            .arg("get")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| failed(&format!("cannot be started: {}", error.kind())))?;
        if let Some(mut input) = child.stdin.take() {
            // One that does not read its input may answer all the same.
            let _ = input.write_all(key.as_bytes()).await;
        }
        let mut answer = Vec::new();
        if let Some(output) = child.stdout.take() {
            output.take(ANSWER).read_to_end(&mut answer).await.map_err(|_| failed("cannot be read"))?;
        }
        let status = child.wait().await.map_err(|_| failed("cannot be waited for"))?;
        Ok((status, answer))
    };
    let (status, answer) = tokio::time::timeout(LIMIT, work).await.map_err(|_| failed("did not answer in time"))??;
    if !status.success() {
        // How helpers say that they have nothing.
        return if String::from_utf8_lossy(&answer).contains("credentials not found") {
            Ok(None)
        } else {
            Err(failed("failed: log in again (docker login)"))
        };
    }
    let told: Told = serde_json::from_slice(&answer).map_err(|_| failed("gave no login"))?;
    Ok(Some(match told.username.as_str() {
        "<token>" => Credential::Identity(told.secret),
        _ => Credential::Basic { user: told.username, password: told.secret },
    }))
}
