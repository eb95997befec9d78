//! Components that annotations register: chosen, fetched, tried, swapped.
//!
//! ```text
//!  registrations (annotations, a ConfigMap) ─┐
//!  component policy ─────────────────────────┼─ choice ─► shelf: one slot per registrant and location ◄── keeper ── loader
//!  a trigger of an object ───────────────────┘               └─► the component, not known yet, or why not
//! ```
mod choice;
mod keeper;
mod loader;
mod policy;
mod record;
mod shelf;
mod trial;

pub(crate) use record::{BUNDLED, KEY, RECORD, Row, Standing};

use crate::args::Registration as Arguments;
use anyhow::Context;
use choice::{Written, choose};
use keeper::Keeper;
use loader::Loader;
use shelf::{Shelf, Taken};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use windlass_cluster::{Client, Registrations, TableName, watch_registrations};
use windlass_core::port::{BoxFuture, Scalers, Serving};
use windlass_core::query::{Problem, QueryPlan, ResolvedTrigger};
use windlass_core::scaler::Scaler;
use windlass_core::workload::{DeclaredTrigger, Intake};
use windlass_core::{Digest, Fault, Reason};
use windlass_host::{Egress, Host};
use windlass_oci::{Cache, Policy, Store};
use windlass_pipeline::Again;

/// ConfigMap of our own namespace with registrations, unless a flag names another.
const TABLE: &str = "windlass-scalers";
/// How often it is said that registrations are still not known.
const PATIENCE: Duration = Duration::from_secs(10);

/// What registration is made of.
pub(super) struct Parts<'a> {
    pub(super) arguments: &'a Arguments,
    pub(super) client: Client,
    pub(super) host: Arc<Host>,
    /// Which addresses no registry leads us to.
    pub(super) egress: Egress,
    /// Folder for what was pulled; none: it is pulled again at each start.
    pub(super) cache: Option<std::path::PathBuf>,
    /// Our own namespace.
    pub(super) home: &'a str,
    /// Told when objects are served by something else.
    pub(super) again: Again,
}

/// Knows all components: those that came with the operator, and those that are registered.
pub(super) struct Registered {
    host: Arc<Host>,
    policy: watch::Receiver<Arc<Policy>>,
    registrations: watch::Receiver<Registrations>,
    shelf: Arc<Shelf>,
    keeper: Arc<Keeper>,
}

/// Watches registrations and policy.
///
/// # Errors
/// When the policy or a flag cannot be used.
pub(super) fn start(parts: Parts<'_>) -> anyhow::Result<Arc<Registered>> {
    let Parts { arguments, client, host, egress, cache, home, again } = parts;
    let policy = policy::follow(arguments.component_policy.clone())?;
    let refusal = Arc::new(move |address| egress.refusal(address, 443));
    let plain_http = arguments.registry_plain_http.iter();
    let transport = crate::registries::transport(
        &arguments.registry_ca_dirs,
        plain_http,
        Duration::from_secs(arguments.registry_timeout_s),
        refusal,
    )?;
    let cache = cache.map(|folder| {
        let folder = folder.join("pulled");
        let limit = arguments.component_cache_mib.saturating_mul(1 << 20);
        Cache::open(&folder, limit).with_context(|| folder.display().to_string())
    });
    let cache = cache.transpose()?.map(Arc::new);
    let table = arguments.registrations.clone();
    let table = table.unwrap_or_else(|| TableName { namespace: home.to_owned(), name: TABLE.to_owned() });
    let registrations = watch_registrations(&client, table);
    let shelf = Arc::new(Shelf::new(arguments.namespace_components as usize));
    tokio::spawn(record::keep(client.clone(), home.to_owned(), shelf.clone(), host.clone()));
    let policies = policy.clone();
    let loader = Loader { host: host.clone(), store: Store::new(transport, cache), client, home: home.to_owned() };
    let keeper = Arc::new(Keeper {
        shelf: shelf.clone(),
        loader,
        policy: policies,
        again: again.clone(),
        refresh: Duration::from_secs(arguments.component_refresh_s),
        loads: Arc::new(tokio::sync::Semaphore::new(keeper::LOADS)),
    });
    tokio::spawn(follow(registrations.clone(), policy.clone(), again));
    Ok(Arc::new(Registered { host, policy, registrations, shelf, keeper }))
}

/// Has objects prepared again whose registrations have changed.
async fn follow(
    mut registrations: watch::Receiver<Registrations>,
    mut policy: watch::Receiver<Arc<Policy>>,
    again: Again,
) {
    let mut before = registrations.borrow_and_update().clone();
    loop {
        tokio::select! {
            changed = registrations.changed() => {
                if changed.is_err() {
                    return;
                }
                let now = registrations.borrow_and_update().clone();
                match now.differ(&before) {
                    None => again.all(),
                    Some(namespaces) => namespaces.into_iter().for_each(|namespace| again.namespace(namespace)),
                }
                before = now;
            }
            Ok(()) = policy.changed() => again.all(),
        }
    }
}

impl Registered {
    /// Waits until it is known what is registered: before that nobody can tell what serves an object.
    pub(super) async fn known(&self) {
        let mut registrations = self.registrations.clone();
        loop {
            let known = registrations.wait_for(Registrations::known);
            match tokio::time::timeout(PATIENCE, known).await {
                Ok(_) => return,
                Err(_) => tracing::warn!(
                    "no object is served yet: registrations of components (annotations of namespaces and of the definition of \
                     ScaledObjects, a ConfigMap) cannot be listed"
                ),
            }
        }
    }
}

impl Scalers for Registered {
    fn find(&self, trigger_type: &str) -> Result<Arc<Scaler>, Fault> {
        self.host.find(trigger_type)
    }

    fn serve(&self, object: &Arc<Intake>, trigger: &DeclaredTrigger) -> Result<Option<Serving>, Fault> {
        let declared = &object.declared;
        let (namespace, kind) = (&*declared.key.namespace, &*trigger.kind);
        // One at a time, so that of two looks at the same object the later one counts.
        let mut shelf = self.shelf.open();
        let registrations = self.registrations.borrow();
        let bundled = self.host.find(kind);
        let written = Written {
            object: declared.components.get(kind).map(|text| &**text),
            namespace: registrations.namespace(namespace, kind).map(|text| &**text),
            cluster: registrations.cluster(kind).map(|text| &**text),
            bundled: bundled.is_ok(),
        };
        let shared = trigger.authentication.as_ref().is_some_and(|authentication| authentication.cluster);
        let chosen = choose(&self.policy.borrow(), namespace, kind, written, shared);
        let registration = match chosen {
            Ok(Some(registration)) => registration,
            Ok(None) => {
                shelf.leave(object, trigger.index);
                return Ok(Some(bundled?.into()));
            }
            Err(why) => {
                shelf.leave(object, trigger.index);
                return Err(Fault::new(Reason::ComponentUnavailable, why));
            }
        };
        let location = registration.location.clone();
        match shelf.take(registration, object, trigger)? {
            Taken::Serving(serving, manifest) => {
                let granted = policy::granted(&self.policy.borrow(), &location, manifest);
                Ok(Some(Serving { granted, ..serving }))
            }
            Taken::Awaited => Ok(None),
            Taken::New(key, number) => {
                tokio::spawn(self.keeper.clone().keep(key, number));
                Ok(None)
            }
        }
    }

    fn configure(
        &self,
        component: Digest,
        triggers: Vec<ResolvedTrigger>,
    ) -> BoxFuture<'static, Result<Vec<Result<QueryPlan, Vec<Problem>>>, Fault>> {
        self.host.configure(component, triggers)
    }
}
