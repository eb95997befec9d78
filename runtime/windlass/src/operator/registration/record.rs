//! What serves what, for people: a ConfigMap of our own namespace, written when it has changed.
use super::shelf::Shelf;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;
use windlass_cluster::{Client, config_map};
use windlass_core::scaler::Scaler;
use windlass_host::Host;

/// Name of the ConfigMap.
pub(crate) const RECORD: &str = "windlass-components";
/// Its key.
pub(crate) const KEY: &str = "components.json";
/// Reference of components that came with the operator.
pub(crate) const BUNDLED: &str = "bundled";
/// Changes that come together are written together.
const TOGETHER: Duration = Duration::from_secs(1);
/// After a start, what was registered before is loaded again.
const SETTLE: Duration = Duration::from_secs(15);
/// Bytes that a ConfigMap holds, with some room.
const MOST_BYTES: usize = 900_000;
/// Bytes of a message.
const MOST_MESSAGE: usize = 512;

/// One component and whom it serves.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Row {
    /// The namespace that registered it, for itself; none: everybody's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) namespace: Option<String>,
    /// Where it was registered from; [`BUNDLED`]: it came with the operator.
    pub(crate) reference: String,
    /// Trigger types that it serves here.
    pub(crate) triggers: Vec<String>,
    /// How it stands.
    pub(crate) state: Standing,
    /// Its own name.
    pub(crate) name: String,
    /// Its own version.
    pub(crate) version: String,
    /// Digest of its bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) component: Option<String>,
    /// Digest of the artifact's manifest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) artifact: Option<String>,
    /// Since when it serves.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) since: Option<String>,
    /// Why it does not serve, or why a newer one does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) message: Option<String>,
}

/// How a registered component stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Standing {
    /// It serves.
    #[default]
    Serving,
    /// It serves, and a newer one is not taken.
    HeldBack,
    /// It is being fetched.
    Loading,
    /// It could not be had.
    Failed,
}

impl Standing {
    /// As people read it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Standing::Serving => "serving",
            Standing::HeldBack => "held back",
            Standing::Loading => "loading",
            Standing::Failed => "failed",
        }
    }
}

impl Row {
    /// A component that served before this process does so since then.
    fn served_before(&mut self, past: &[Row]) {
        let same = |row: &&Row| {
            (&row.namespace, &row.reference, &row.component) == (&self.namespace, &self.reference, &self.component)
        };
        if let Some(before) = past.iter().filter(|_| self.since.is_some()).find(same) {
            self.since.clone_from(&before.since);
        }
    }

    /// What the component says of itself.
    pub(super) fn describe(&mut self, scaler: &Scaler) {
        self.name = scaler.name.to_string();
        self.version = scaler.version.to_string();
        self.component = Some(scaler.digest.to_string());
    }
}

/// Keeps the ConfigMap. What an earlier process wrote stays as it is where it is still true: a restart writes nothing.
pub(super) async fn keep(client: Client, home: String, shelf: Arc<Shelf>, host: Arc<Host>) {
    let stored = config_map::read(&client, &home, RECORD, KEY).await.unwrap_or_else(|error| {
        tracing::warn!(%error, "ConfigMap {RECORD} is not read");
        None
    });
    if stored.is_some() {
        // Until then not all of what is registered is loaded again.
        tokio::time::sleep(SETTLE).await;
    }
    let mut written = stored.unwrap_or_default();
    let past: Vec<Row> = serde_json::from_str(&written).unwrap_or_default();
    let mut failures = 0_u32;
    loop {
        let text = text(&shelf, &host, &past);
        if text != written {
            match config_map::write(&client, &home, RECORD, KEY, &text).await {
                Ok(()) => (written, failures) = (text, 0),
                Err(error) => {
                    failures = failures.saturating_add(1);
                    tracing::warn!(%error, "ConfigMap {RECORD} is not written");
                    let pause = windlass_core::settings::backoff(TOGETHER, Duration::from_secs(60), failures, 0);
                    tokio::time::sleep(pause).await;
                    continue;
                }
            }
        }
        shelf.changed.notified().await;
        tokio::time::sleep(TOGETHER).await;
    }
}

fn text(shelf: &Shelf, host: &Host, past: &[Row]) -> String {
    let mut rows = shelf.rows();
    rows.iter_mut().for_each(|row| row.served_before(past));
    for scaler in host.bundled() {
        let triggers = scaler.triggers.iter().map(ToString::to_string).collect();
        let mut row = Row { reference: BUNDLED.to_owned(), triggers, ..Row::default() };
        row.describe(&scaler);
        rows.push(row);
    }
    rows.sort();
    render(rows)
}

/// As JSON, a line each: people look at it by `kubectl get -o yaml`.
fn render(rows: Vec<Row>) -> String {
    let mut text = String::from("[");
    for (at, mut row) in rows.into_iter().enumerate() {
        if let Some(message) = &mut row.message {
            message.truncate(message.floor_char_boundary(MOST_MESSAGE));
        }
        let Ok(line) = serde_json::to_string(&row) else { continue };
        if text.len() + line.len() > MOST_BYTES {
            tracing::warn!("ConfigMap {RECORD} is full: the rest of the components is left out");
            break;
        }
        text.push_str(if at == 0 { "\n" } else { ",\n" });
        text.push_str(&line);
    }
    text.push_str("\n]\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_component_that_served_before_a_restart_serves_since_then() {
        let row = |component: &str, since: Option<&str>| Row {
            reference: "oci://registry.example/queue:1".to_owned(),
            component: Some(component.to_owned()),
            since: since.map(str::to_owned),
            ..Row::default()
        };
        let past = [row("sha256:a", Some("yesterday"))];
        for (mut now, since) in [
            (row("sha256:a", Some("now")), Some("yesterday")),
            (row("sha256:b", Some("now")), Some("now")),
            (row("sha256:a", None), None),
        ] {
            now.served_before(&past);
            assert_eq!(now.since.as_deref(), since);
        }
        // What was written is what is read.
        let text = render(vec![row("sha256:a", Some("yesterday")), Row::default()]);
        let read: Vec<Row> = serde_json::from_str(&text).unwrap();
        assert_eq!(render(read), text);
    }
}
