//! The writer of local mode: scale writes go to process sets, and what there is to see of them comes back as in a cluster.
use crate::local::process::{Count, Processes, SetKey};
use std::collections::HashMap;
use std::sync::Mutex;
use tokio::sync::mpsc;
use windlass_core::message::{Msg, Seen};
use windlass_core::port::Writer;
use windlass_core::write::{RecordSeen, StatusView, TargetSeen, WriteKind};
use windlass_core::{Reason, Text, WorkloadKey, Write, WriteResult};

/// Something that people want to hear of.
#[derive(Clone, Debug)]
pub(crate) struct Happened {
    /// About which workload.
    pub(crate) key: WorkloadKey,
    /// Reason of the event.
    pub(crate) reason: Reason,
    /// Its text.
    pub(crate) text: Text,
}

/// Takes the core's writes.
pub(crate) struct Targets {
    sets: Mutex<HashMap<SetKey, Processes>>,
    inbox: mpsc::UnboundedSender<Msg>,
    happened: mpsc::UnboundedSender<Happened>,
}

impl Targets {
    /// Over running sets, by name.
    pub(crate) fn new(
        sets: HashMap<SetKey, Processes>,
        inbox: mpsc::UnboundedSender<Msg>,
        happened: mpsc::UnboundedSender<Happened>,
    ) -> Targets {
        Targets { sets: Mutex::new(sets), inbox, happened }
    }

    /// Stops all sets and waits for their processes.
    pub(crate) async fn stop(&self) {
        let sets: Vec<_> = match self.sets.lock() {
            Ok(mut sets) => sets.drain().collect(),
            Err(_) => return,
        };
        futures::future::join_all(sets.into_iter().map(|(_, set)| set.stop())).await;
    }

    fn scale(&self, set: &SetKey, to: u32) -> WriteResult {
        match self.sets.lock() {
            Ok(sets) => match sets.get(set) {
                Some(set) => {
                    set.scale(to);
                    WriteResult::Done(None)
                }
                None => WriteResult::Gone,
            },
            Err(_) => WriteResult::Failed("the process sets are stopping".into()),
        }
    }
}

/// The record of an object that has just been read from a file, or whose status was just "written".
pub(crate) fn record(status: StatusView) -> Seen {
    Seen::Record(RecordSeen { version: "local".into(), finalizer: true, label: true, status })
}

/// The replicas of a process set, as a target's.
pub(crate) fn replicas(count: Count) -> Seen {
    Seen::Target(TargetSeen::Found {
        spec: count.wanted,
        ready: count.running.min(count.wanted),
        current: count.running,
        version: "local".into(),
    })
}

impl Writer for Targets {
    fn submit(&self, write: Write) {
        let (key, kind) = (write.key().clone(), write.kind());
        let result = match write {
            Write::Scale { target, to, .. } => self.scale(&(key.namespace.clone(), target.name), to),
            Write::Status { wanted, .. } => {
                let _ = self.inbox.send(Msg::Seen(key.clone(), record(*wanted)));
                WriteResult::Done(Some("local".into()))
            }
            Write::Event { reason, text, .. } => {
                let _ = self.happened.send(Happened { key: key.clone(), reason, text });
                WriteResult::Done(None)
            }
            // There are no HPAs here, and records carry their finalizer from the start.
            Write::Hpa { .. } | Write::Meta { .. } => WriteResult::Done(None),
        };
        if kind != WriteKind::Event {
            let _ = self.inbox.send(Msg::Ack(key, kind, result));
        }
    }
}
