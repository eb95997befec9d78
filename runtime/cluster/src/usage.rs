//! What pods use: read for `cpu` and `memory` triggers of objects in the direct engine, as the HPA controller reads it for an
//! HPA. Only for these are pods listed at all.
mod pod;

use crate::client::{Client, Path, parse};
use crate::error::Error;
use crate::scale;
use kube::api::ListParams;
use pod::{Listed, Measured, PodItem};
use serde::de::DeserializeOwned;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::CancellationToken;
use windlass_api::quantity::Quantity;
use windlass_core::algorithm::Resource;
use windlass_core::algorithm::resource::{Goal, Startup};
use windlass_core::failure::{Failure, FailureKind};
use windlass_core::workload::{Ask, Engine, Intake, ResourceTarget, ResourceTrigger};
use windlass_core::{IntakeMsg, Msg, Seen, TargetRef, Text, Wall, WorkloadKey};

/// Objects that are read at the same time.
const READS: usize = 8;

/// The readers of all objects that need one.
pub(crate) struct Readers {
    client: Client,
    inbox: mpsc::Sender<Msg>,
    every: Duration,
    stop: CancellationToken,
    reads: Arc<Semaphore>,
    of: HashMap<WorkloadKey, (Wanted, CancellationToken)>,
}

/// What is read for one object.
#[derive(Clone, Debug, PartialEq)]
struct Wanted {
    namespace: Text,
    target: TargetRef,
    /// By their index in the object.
    triggers: Vec<(u16, ResourceTrigger)>,
}

impl Wanted {
    fn of(intake: &Intake) -> Option<Wanted> {
        let declared = &*intake.declared;
        if declared.engine != Engine::Direct || declared.pause.all.is_some() || intake.fault.is_some() {
            return None;
        }
        let resource = |ask: &Ask| if let Ask::Resource(resource) = ask { Some(resource.clone()) } else { None };
        let triggers: Vec<_> =
            declared.triggers.iter().filter_map(|trigger| Some((trigger.index, resource(&trigger.ask)?))).collect();
        if triggers.is_empty() {
            return None;
        }
        Some(Wanted { namespace: declared.key.namespace.clone(), target: declared.target.clone(), triggers })
    }
}

impl Readers {
    pub(crate) fn new(client: Client, inbox: mpsc::Sender<Msg>, every: Duration, stop: CancellationToken) -> Readers {
        Readers { client, inbox, every, stop, reads: Arc::new(Semaphore::new(READS)), of: HashMap::new() }
    }

    /// Reads for the objects that are handed on, as they are handed on.
    pub(crate) fn follow(&mut self, message: &IntakeMsg) {
        let (key, wanted) = match message {
            IntakeMsg::Put(intake) => (&intake.declared.key, Wanted::of(intake)),
            IntakeMsg::Refused { key, .. } | IntakeMsg::Deleting(key) | IntakeMsg::Gone(key) => (key, None),
        };
        if self.of.get(key).map(|(wanted, _)| wanted) == wanted.as_ref() {
            return;
        }
        if let Some((_, stop)) = self.of.remove(key) {
            stop.cancel();
        }
        let Some(wanted) = wanted else { return };
        let stop = self.stop.child_token();
        self.of.insert(key.clone(), (wanted.clone(), stop.clone()));
        let reader = Reader {
            client: self.client.clone(),
            inbox: self.inbox.clone(),
            every: self.every,
            reads: self.reads.clone(),
            key: key.clone(),
            wanted,
        };
        tokio::spawn(async move { stop.run_until_cancelled(reader.run()).await });
    }
}

/// The reader of one object.
struct Reader {
    client: Client,
    inbox: mpsc::Sender<Msg>,
    every: Duration,
    reads: Arc<Semaphore>,
    key: WorkloadKey,
    wanted: Wanted,
}

impl Reader {
    async fn run(self) {
        let mut turns = tokio::time::interval(self.every);
        turns.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            turns.tick().await;
            let found = {
                let Ok(_permit) = self.reads.acquire().await else { return };
                self.read().await
            };
            let Some(found) = found else { continue };
            if self.inbox.send(Msg::Seen(self.key.clone(), Seen::Use(found))).await.is_err() {
                return;
            }
        }
    }

    /// `None`: the target is at zero, and there is nothing to know.
    async fn read(&self) -> Option<Vec<(u16, Result<Resource, Failure>)>> {
        let all = |failure: Failure| {
            self.wanted.triggers.iter().map(|(index, _)| (*index, Err(failure.clone()))).collect::<Vec<_>>()
        };
        let selector = match self.selector().await {
            Ok(Some(selector)) => selector,
            Ok(None) => return None,
            Err(failure) => return Some(all(failure)),
        };
        let namespace = &self.wanted.namespace;
        // From the API server's cache, as the controller's own list is.
        let cached = ListParams::default().labels(&selector).match_any();
        let pods = self.list::<PodItem>(Path::new("", "v1", namespace, "pods"), &cached, "pods");
        let fresh = ListParams::default().labels(&selector);
        let uses = Path::new("metrics.k8s.io", "v1beta1", namespace, "pods");
        let uses = self.list::<Measured>(uses, &fresh, "pods of metrics.k8s.io");
        let (pods, uses) = match tokio::join!(pods, uses) {
            (Ok(pods), Ok(uses)) => (pods, uses),
            (Err(failure), _) | (_, Err(failure)) => return Some(all(failure)),
        };
        let pods: Vec<_> = pods.into_iter().map(PodItem::into_pod).collect();
        let uses: Vec<_> = uses.into_iter().filter_map(Measured::into_use).collect();
        let found = self.wanted.triggers.iter().map(|(index, trigger)| {
            let found = goal(&trigger.target)
                .and_then(|goal| Resource::of(trigger, goal, &pods, &uses, Startup::default(), now()));
            (*index, found)
        });
        Some(found.collect())
    }

    /// Which pods are the target's, as its `/scale` says; `None`: none, since it is at zero.
    async fn selector(&self) -> Result<Option<String>, Failure> {
        let target = &self.wanted.target;
        let path = Path::new(&target.group, &target.version, &self.wanted.namespace, &target.resource);
        let scale = scale::read(&self.client, &path, &target.name).await.map_err(|error| failure(&error, "scale"))?;
        match scale.selector {
            _ if scale.spec == 0 => Ok(None),
            Some(selector) => Ok(Some(selector)),
            None => Err(Failure::new(
                FailureKind::Invalid,
                format!(
                    "the /scale of {} '{}' has no status.selector, so its pods cannot be found",
                    target.kind, target.name
                ),
            )),
        }
    }

    async fn list<T: DeserializeOwned>(
        &self,
        path: Path,
        parameters: &ListParams,
        what: &'static str,
    ) -> Result<Vec<T>, Failure> {
        let request = kube::core::Request::new(path.as_str())
            .list(parameters)
            .map_err(|error| failure(&crate::client::request_error(error), what))?;
        let list = self.client.send(request).await.and_then(|text| parse::<Listed<T>>(what, &text));
        list.map(|list| list.items).map_err(|error| failure(&error, what))
    }
}

fn goal(target: &ResourceTarget) -> Result<Goal, Failure> {
    match target {
        ResourceTarget::Utilization(per_cent) => Ok(Goal::Utilization(*per_cent)),
        ResourceTarget::AverageValue(text) => {
            let milli = text.parse::<Quantity>().ok().and_then(Quantity::as_milli);
            let failure =
                || Failure::new(FailureKind::Invalid, format!("the target {text} is too great to compute with"));
            milli.map(|milli| Goal::Average(milli.0)).ok_or_else(failure)
        }
    }
}

/// A failed read in the words of a trigger.
fn failure(error: &Error, what: &str) -> Failure {
    let (kind, text) = match error {
        Error::NotFound if what.contains("metrics.k8s.io") => {
            (FailureKind::Unreachable, "the cluster serves no metrics.k8s.io; install metrics-server".to_owned())
        }
        Error::NotFound => (FailureKind::NotFound, format!("there is no {what} to read")),
        Error::Status { code: 401 | 403, .. } => {
            (FailureKind::Auth, format!("listing {what} is not allowed; see the ClusterRole windlass-operator"))
        }
        Error::Timeout(_) => (FailureKind::Timeout, format!("{what}: {error}")),
        _ => (FailureKind::Unreachable, format!("{what}: {error}")),
    };
    Failure::new(kind, crate::error::cut(&text, 256))
}

fn now() -> Wall {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Wall(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
