//! What the API server's audit log tells: who wrote what. This is how "zero writes" is proved.
use crate::ControlPlane;
use crate::wait::until;
use anyhow::{Context, Result};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// Every request of everybody, once, when it is answered; only what Kubernetes' own components read is left out, except
/// external metrics.
pub(crate) const POLICY: &str = r#"apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived, ResponseStarted, Panic]
rules:
  - level: Metadata
    resources: [{ group: external.metrics.k8s.io }]
  - level: None
    users: ["system:apiserver", "system:kube-controller-manager"]
    verbs: [get, list, watch]
  - level: None
    userGroups: ["system:serviceaccounts:kube-system"]
    verbs: [get, list, watch]
  - level: Metadata
"#;

const MARK_LIMIT: Duration = Duration::from_secs(20);

/// A view of the audit log.
pub struct Audit<'a> {
    control_plane: &'a ControlPlane,
    log: PathBuf,
}

/// A moment in the log: everything that was answered before it stands before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct AuditMark(u64);

/// One answered request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    /// `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`, `deletecollection`.
    pub verb: String,
    /// Who asked, for instance `system:serviceaccount:keda:keda-operator`.
    pub user: String,
    /// The client program as it names itself.
    pub user_agent: String,
    /// API group; empty for the core group.
    pub group: String,
    /// Plural resource, for instance `deployments`; empty when the request was for none.
    pub resource: String,
    /// `status`, `scale` and the like; empty when none.
    pub subresource: String,
    /// Namespace; empty when none.
    pub namespace: String,
    /// Name; empty for lists, and for creations that the server names.
    pub name: String,
    /// Path and query.
    pub uri: String,
    /// HTTP status of the answer.
    pub code: u16,
}

impl AuditEntry {
    /// Whether it was to change something that is stored. Reviews of access are created but stored nowhere, and a token
    /// request is one of these.
    pub fn is_write(&self) -> bool {
        let changes = matches!(self.verb.as_str(), "create" | "update" | "patch" | "delete" | "deletecollection");
        let review = matches!(self.group.as_str(), "authorization.k8s.io" | "authentication.k8s.io")
            || self.subresource == "token";
        changes && !review
    }

    /// `resource/subresource`, or the resource alone.
    pub fn target(&self) -> String {
        if self.subresource.is_empty() {
            self.resource.clone()
        } else {
            format!("{}/{}", self.resource, self.subresource)
        }
    }
}

impl<'a> Audit<'a> {
    pub(crate) fn new(control_plane: &'a ControlPlane, log: &Path) -> Audit<'a> {
        Audit { control_plane, log: log.to_owned() }
    }

    /// The present moment. It asks the API server something and waits until that stands in the log, since entries are
    /// written after the answer is sent.
    ///
    /// # Errors
    /// When the API server does not answer, or does not log.
    pub async fn mark(&self) -> Result<AuditMark> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let sign = format!("/version?mark={}-{number}", std::process::id());
        let from = std::fs::metadata(&self.log).map_or(0, |data| data.len());
        let client = self.control_plane.client().await?;
        client.request_text(http::Request::get(&sign).body(Vec::new())?).await?;
        until("a mark stands in the audit log", MARK_LIMIT, || async {
            let text = self.read(from)?;
            let line = text.lines().position(|line| line.contains(&sign));
            Ok(line.map(|line| {
                let before: usize = text.split_inclusive('\n').take(line + 1).map(str::len).sum();
                AuditMark(from + before as u64)
            }))
        })
        .await
    }

    /// All requests that were answered since a mark, up to this moment.
    ///
    /// # Errors
    /// When the log cannot be read, or a line of it is not understood.
    pub async fn since(&self, mark: AuditMark) -> Result<Vec<AuditEntry>> {
        let now = self.mark().await?;
        let text = self.read(mark.0)?;
        let text = text.get(..usize::try_from(now.0 - mark.0)?).unwrap_or(&text);
        text.lines().map(parse).collect()
    }

    /// All writes of a service account since a mark, in their order.
    ///
    /// # Errors
    /// As for [`Audit::since`].
    pub async fn writes_since(
        &self,
        mark: AuditMark,
        namespace: &str,
        service_account: &str,
    ) -> Result<Vec<AuditEntry>> {
        let user = format!("system:serviceaccount:{namespace}:{service_account}");
        let mut entries = self.since(mark).await?;
        entries.retain(|entry| entry.is_write() && entry.user == user);
        Ok(entries)
    }

    fn read(&self, from: u64) -> Result<String> {
        let mut file = std::fs::File::open(&self.log).with_context(|| format!("cannot read {}", self.log.display()))?;
        file.seek(SeekFrom::Start(from))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        // A line may be half written.
        bytes.truncate(bytes.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1));
        Ok(String::from_utf8(bytes)?)
    }
}

/// `verb target` of writes, counted; with the code of those that were refused.
pub fn counted(writes: &[AuditEntry]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for write in writes {
        let refused = if write.code < 300 { String::new() } else { format!(" {}", write.code) };
        *counts.entry(format!("{} {}{refused}", write.verb, write.target())).or_default() += 1;
    }
    counts
}

/// What is used of `audit.k8s.io/v1` Event.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event {
    verb: String,
    #[serde(rename = "requestURI")]
    request_uri: String,
    user: User,
    #[serde(default)]
    user_agent: String,
    #[serde(default)]
    object_ref: ObjectRef,
    #[serde(default)]
    response_status: ResponseStatus,
}

#[derive(Deserialize)]
struct User {
    #[serde(default)]
    username: String,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct ObjectRef {
    resource: String,
    subresource: String,
    namespace: String,
    name: String,
    api_group: String,
}

#[derive(Deserialize, Default)]
struct ResponseStatus {
    #[serde(default)]
    code: u16,
}

fn parse(line: &str) -> Result<AuditEntry> {
    let event: Event = serde_json::from_str(line).with_context(|| format!("not an audit event: {line}"))?;
    Ok(AuditEntry {
        verb: event.verb,
        user: event.user.username,
        user_agent: event.user_agent,
        group: event.object_ref.api_group,
        resource: event.object_ref.resource,
        subresource: event.object_ref.subresource,
        namespace: event.object_ref.namespace,
        name: event.object_ref.name,
        uri: event.request_uri,
        code: event.response_status.code,
    })
}
