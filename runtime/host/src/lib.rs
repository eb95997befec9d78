//! Runs scalers: the only crate that knows WebAssembly.
//!
//! ```text
//!  bytes ─► size, imports ─► compile (a child under limits, or the cache under a MAC) ─► describe ─► registry by trigger type
//!  Batch ─► a fresh instance under limits, on the guests' own runtime ─► Report, outcome by outcome
//!              └ host calls: query + endpoint number ─► granted? ─► credentials filled in ─► budget ─► egress ─► the source
//! ```
//!
//! A guest has no ambient power: it names the query and the number of an endpoint that the user wrote, and secrets by the
//! names of their parameters. Connections belong to the host, outlive instances, and are never shared across components,
//! namespaces, endpoints or credentials.
mod abi;
mod budget;
mod call;
mod clean;
mod compile;
mod component;
mod credential;
mod egress;
mod engine;
mod error;
#[cfg(test)]
mod fuzz;
mod http;
mod limits;
mod meter;
mod metrics;
mod outline;
mod plan;
mod shape;
mod source;
mod state;
mod tcp;
mod tls;
mod traffic;

pub use budget::{Budget, NotAnOverride, Override};
pub use compile::compile_child;
pub use credential::value as credential_value;
pub use egress::{Denial, Egress, NotARange, Range, Resolver, Rule, SystemResolver};
pub use error::HostError;
pub use limits::{CompileLimits, Limit, Limits};
pub use metrics::Metrics;
pub use outline::Outline;
pub use traffic::Spent;

use arc_swap::ArcSwap;
use budget::Budgets;
use call::Caller;
use compile::{Cache, Compiler};
use component::Ready;
use engine::Allocation;
use sha2::{Digest as _, Sha256};
use source::Dialer;
use state::{Shared, State};
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};
use tls::Roots;
use tokio::sync::{OwnedMutexGuard, Semaphore};
use wasmtime::component::Linker;
use windlass_core::message::Batch;
use windlass_core::port::{BoxFuture, Poller, Report, Scalers};
use windlass_core::query::{Problem, QueryPlan, ResolvedTrigger};
use windlass_core::scaler::Scaler;
use windlass_core::{Digest, Fault, Now, Reason};

/// Tells the time; the process has one clock for all its parts.
pub type Clock = Arc<dyn Fn() -> Now + Send + Sync>;

/// How a host is made.
pub struct HostOptions {
    /// Limits of guest calls.
    pub limits: Limits,
    /// What may be reached.
    pub egress: Egress,
    /// How much each source may be asked.
    pub budget: Budget,
    /// Folders with further certificate authorities.
    pub ca_dirs: Vec<PathBuf>,
    /// Private folder for compiled components.
    pub cache: Option<PathBuf>,
    /// Our own program, to compile in a child; none: in this process.
    pub compiler: Option<PathBuf>,
    /// The process's clock.
    pub clock: Clock,
    /// Metrics.
    pub metrics: Metrics,
    /// Instances at the same time.
    pub instances: u32,
}

/// Instances at the same time, unless it is said otherwise.
pub const INSTANCES: u32 = 128;

/// Plans that are remembered per component.
const MOST_PLANS: usize = 20_000;
/// How often idle connections are looked after.
const SWEEP: Duration = Duration::from_secs(30);

type Plans = HashMap<(Digest, [u8; 32]), Result<QueryPlan, Vec<Problem>>>;

/// Runs scalers.
pub struct Host {
    caller: Arc<Caller>,
    compiler: Compiler,
    linker: Linker<State>,
    ready: ArcSwap<Registry>,
    /// Plans by component and values: `configure` is pure.
    plans: Arc<Mutex<Plans>>,
    /// Loads under way.
    loading: Mutex<HashMap<Digest, Weak<tokio::sync::Mutex<()>>>>,
    guests: Option<tokio::runtime::Runtime>,
}

/// What is loaded.
#[derive(Clone, Default)]
struct Registry {
    by_type: BTreeMap<windlass_core::Text, Arc<Ready>>,
    by_digest: HashMap<Digest, Arc<Ready>>,
    /// Files that could not be loaded, and why.
    failed: BTreeMap<String, HostError>,
}

impl Registry {
    /// Whether a component would take a trigger type from one that keeps it: one of another name, or one of `settled`.
    fn taken(&self, scaler: &Scaler, settled: &[Digest]) -> Option<HostError> {
        scaler.triggers.iter().find_map(|kind| {
            let holder = &self.by_type.get(kind)?.scaler;
            let keeps = holder.name != scaler.name || settled.contains(&holder.digest);
            keeps.then(|| HostError::TypeTaken {
                kind: kind.clone(),
                holder: format!("{} ({})", holder.name, holder.digest).into(),
                component: format!("{} ({})", scaler.name, scaler.digest).into(),
            })
        })
    }
}

impl Host {
    /// Makes a host. Must be called within a tokio runtime: connections live there.
    ///
    /// # Errors
    /// When the engine, its runtime or the cache cannot be made.
    pub fn new(options: HostOptions) -> Result<Host, HostError> {
        let pool =
            Allocation::Pool { instances: options.instances.max(1) * 2, memory_bytes: options.limits.memory_bytes };
        let engine = engine::engine(pool)?;
        let guests = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(std::thread::available_parallelism().map_or(2, usize::from))
            .event_interval(1)
            .thread_name("windlass-guest")
            .enable_all()
            .build()
            .map_err(|error| HostError::Engine(error.to_string().into()))?;
        let (limits, metrics) = (options.limits.clone(), options.metrics.clone());
        let dialer = Arc::new(Dialer {
            egress: options.egress,
            roots: Roots::load(&options.ca_dirs),
            traffic: options.metrics.traffic.clone(),
        });
        let shared = Arc::new(Shared {
            limits: options.limits,
            http: http::Http::new(dialer.clone()),
            tcp: tcp::Tcp::new(dialer),
            budgets: Budgets::new(options.budget, options.metrics.sources.clone()),
            clock: options.clock,
            started: Instant::now(),
            io: tokio::runtime::Handle::current(),
            metrics: options.metrics,
        });
        let swept = Arc::downgrade(&shared);
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(SWEEP).await;
                let Some(shared) = swept.upgrade() else { return };
                shared.tcp.sweep();
                shared.http.sweep();
                shared.budgets.sweep();
            }
        });
        let cache = options.cache.as_deref().map(Cache::open).transpose()?;
        let places = || Arc::new(Semaphore::new(options.instances.max(1) as usize));
        let caller = Caller {
            engine: engine.clone(),
            shared,
            polls: places(),
            pure: places(),
            runtime: guests.handle().clone(),
        };
        Ok(Host {
            linker: component::linker(&engine)?,
            caller: Arc::new(caller),
            compiler: Compiler::new(options.compiler, cache, limits, metrics),
            ready: ArcSwap::from_pointee(Registry::default()),
            plans: Arc::default(),
            loading: Mutex::default(),
            guests: Some(guests),
        })
    }

    /// Loads a component: checked, compiled once, described. It serves its trigger types from now on, in the place of
    /// another version of itself: one of the same name. From one of another name it takes none.
    ///
    /// # Errors
    /// Why it is not taken. What was loaded before stays.
    pub async fn load(&self, wasm: Vec<u8>) -> Result<Arc<Scaler>, HostError> {
        self.admit(wasm, &[]).await
    }

    /// Loads a component without giving it a trigger type: whoever registers it says for whom it serves one.
    ///
    /// # Errors
    /// As [`Host::load`].
    pub async fn prepare(&self, wasm: Vec<u8>) -> Result<Arc<Scaler>, HostError> {
        let (ready, _turn) = self.made(wasm).await?;
        self.ready.rcu(|now| {
            let mut next = Registry::clone(now);
            next.by_digest.entry(ready.scaler.digest).or_insert_with(|| ready.clone());
            next
        });
        Ok(ready.scaler.clone())
    }

    /// Gives up a component that nobody uses any more, unless it has trigger types of its own. Calls under way end well.
    pub fn release(&self, digest: Digest) {
        self.ready.rcu(|now| {
            let mut next = Registry::clone(now);
            if !next.by_type.values().any(|ready| ready.scaler.digest == digest) {
                next.by_digest.remove(&digest);
            }
            next
        });
        self.plans.lock().unwrap_or_else(PoisonError::into_inner).retain(|(of, _), _| *of != digest);
    }

    /// Loads a component that does not replace any of `settled`, whatever its name.
    async fn admit(&self, wasm: Vec<u8>, settled: &[Digest]) -> Result<Arc<Scaler>, HostError> {
        let (ready, _turn) = self.made(wasm).await?;
        let (scaler, digest) = (ready.scaler.clone(), ready.scaler.digest);
        let (mut taken, mut served) = (None, false);
        self.ready.rcu(|now| {
            // What serves already is admitted already.
            served = now.by_type.values().any(|known| known.scaler.digest == digest);
            taken = if served { None } else { now.taken(&scaler, settled) };
            let mut next = Registry::clone(now);
            if taken.is_none() && !served {
                next.by_digest.insert(digest, ready.clone());
                next.by_type.extend(scaler.triggers.iter().map(|kind| (kind.clone(), ready.clone())));
            }
            next
        });
        if let Some(taken) = taken {
            return Err(taken);
        }
        Ok(scaler)
    }

    /// A component, checked, compiled and described, or the one that is loaded already. Others that ask for it wait for the turn.
    async fn made(&self, wasm: Vec<u8>) -> Result<(Arc<Ready>, Option<OwnedMutexGuard<()>>), HostError> {
        let most = self.caller.shared.limits.component_bytes;
        if wasm.len() > most {
            self.caller.shared.metrics.hit(Limit::ComponentBytes);
            return Err(HostError::TooLarge { bytes: wasm.len(), most });
        }
        let digest = Digest(Sha256::digest(&wasm).into());
        if let Some(ready) = self.ready.load().by_digest.get(&digest) {
            return Ok((ready.clone(), None));
        }
        component::inspect(&wasm)?;
        shape::check(&wasm, &self.caller.shared.limits, &self.caller.shared.metrics)?;
        let turn = self.turn(digest).lock_owned().await;
        if let Some(ready) = self.ready.load().by_digest.get(&digest) {
            return Ok((ready.clone(), None));
        }
        let component = self.compiler.component(&self.caller.engine, digest, wasm).await?;
        let pre = component::link(&self.linker, &component)?;
        let scaler = Arc::new(self.caller.describe(digest, &pre).await?);
        Ok((Arc::new(Ready { scaler, pre }), Some(turn)))
    }

    /// A component that several ask for at the same time is compiled once: the others wait for their turn and find it.
    fn turn(&self, digest: Digest) -> Arc<tokio::sync::Mutex<()>> {
        let mut loading = self.loading.lock().unwrap_or_else(PoisonError::into_inner);
        loading.retain(|_, turn| turn.strong_count() > 0);
        if let Some(turn) = loading.get(&digest).and_then(Weak::upgrade) {
            return turn;
        }
        let turn = Arc::default();
        loading.insert(digest, Arc::downgrade(&turn));
        turn
    }

    /// Loads a component from a file.
    ///
    /// # Errors
    /// As [`Host::load`].
    pub async fn load_file(&self, file: &Path) -> Result<Arc<Scaler>, HostError> {
        self.load(self.read(file)?).await
    }

    fn read(&self, file: &Path) -> Result<Vec<u8>, HostError> {
        let told = |error: std::io::Error| HostError::File(format!("{}: {error}", file.display()).into());
        let length = std::fs::metadata(file).map_err(told)?.len();
        let most = self.caller.shared.limits.component_bytes;
        if usize::try_from(length).map_or(true, |bytes| bytes > most) {
            self.caller.shared.metrics.hit(Limit::ComponentBytes);
            return Err(HostError::TooLarge { bytes: usize::try_from(length).unwrap_or(usize::MAX), most });
        }
        std::fs::read(file).map_err(told)
    }

    /// Loads all `*.wasm` of a folder in the order of their names and tells how many serve now. Of two that serve the same
    /// trigger type the first is taken. One that cannot be loaded is logged, and named to triggers that no other serves.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub async fn load_directory(&self, folder: &Path) -> Result<usize, HostError> {
        let told = |error: std::io::Error| HostError::File(format!("{}: {error}", folder.display()).into());
        let mut files: Vec<PathBuf> = Vec::new();
        for entry in std::fs::read_dir(folder).map_err(told)? {
            files.push(entry.map_err(told)?.path());
        }
        files.retain(|file| file.extension().is_some_and(|extension| extension == "wasm"));
        files.sort();
        let mut loaded = 0;
        let mut settled = Vec::new();
        for file in files {
            let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let admitted = match self.read(&file) {
                Ok(wasm) => self.admit(wasm, &settled).await,
                Err(error) => Err(error),
            };
            match admitted {
                Ok(scaler) => {
                    settled.push(scaler.digest);
                    tracing::info!(component = %scaler.name, digest = %scaler.digest, triggers = ?scaler.triggers, "loaded");
                    loaded += 1;
                }
                Err(error) => {
                    tracing::error!(file = %file.display(), %error, "a component was not loaded");
                    self.ready.rcu(|now| {
                        let mut next = Registry::clone(now);
                        next.failed.insert(name.clone(), error.clone());
                        next
                    });
                }
            }
        }
        Ok(loaded)
    }

    /// The limits of guest calls.
    pub fn limits(&self) -> &Limits {
        &self.caller.shared.limits
    }

    /// Other budgets of sources from now on.
    pub fn set_budget(&self, budget: Budget) {
        self.caller.shared.budgets.replace(budget);
    }

    /// Whether a component is loaded.
    pub fn holds(&self, digest: Digest) -> bool {
        self.ready.load().by_digest.contains_key(&digest)
    }

    /// The components that have trigger types of their own, by name.
    pub fn bundled(&self) -> Vec<Arc<Scaler>> {
        let mut scalers: Vec<_> = self.ready.load().by_type.values().map(|ready| ready.scaler.clone()).collect();
        scalers.sort_by(|a, b| (&a.name, a.digest).cmp(&(&b.name, b.digest)));
        scalers.dedup_by_key(|scaler| scaler.digest);
        scalers
    }

    /// The components that serve something.
    pub fn scalers(&self) -> Vec<Arc<Scaler>> {
        let mut scalers: Vec<_> = self.ready.load().by_digest.values().map(|ready| ready.scaler.clone()).collect();
        scalers.sort_by(|a, b| a.name.cmp(&b.name));
        scalers
    }

    /// What was spent since the host was made.
    pub fn spent(&self) -> Spent {
        self.caller.shared.metrics.traffic.spent()
    }

    /// The hash under which a plan is remembered.
    fn plan_key(trigger: &ResolvedTrigger) -> [u8; 32] {
        let mut hash = Sha256::new();
        let mut part = |text: &str| {
            hash.update((text.len() as u64).to_le_bytes());
            hash.update(text);
        };
        part(&trigger.kind);
        for (name, value) in &trigger.values {
            part(name);
            part(value.text.expose());
        }
        part("extras");
        for (name, value) in &trigger.extras {
            part(name);
            part(value.expose());
        }
        part(trigger.identity.as_deref().unwrap_or_default());
        part(&trigger.owner.as_ref().map(ToString::to_string).unwrap_or_default());
        if let Some(bound) = &trigger.bound {
            part(bound.authentication());
            part(&bound.list());
        }
        if let Some(granted) = &trigger.granted {
            part("granted");
            part(&granted.list());
        }
        hash.finalize().into()
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        // Dropping a runtime inside another would block; guests have nothing to finish.
        if let Some(guests) = self.guests.take() {
            guests.shutdown_background();
        }
    }
}

impl Scalers for Host {
    fn find(&self, trigger_type: &str) -> Result<Arc<Scaler>, Fault> {
        let registry = self.ready.load();
        if let Some(ready) = registry.by_type.get(trigger_type) {
            return Ok(ready.scaler.clone());
        }
        if let Some((file, error)) =
            registry.failed.iter().find(|(file, _)| file.strip_suffix(".wasm") == Some(trigger_type))
        {
            let message = format!("no scaler serves '{trigger_type}': {file} was not loaded: {error}");
            return Err(Fault::new(Reason::ComponentUnavailable, message));
        }
        let known: Vec<&str> = registry.by_type.keys().map(|kind| &**kind).collect();
        let message = format!("no scaler serves '{trigger_type}'; known types: {}", known.join(", "));
        Err(Fault::new(Reason::UnknownTriggerType, message))
    }

    fn configure(
        &self,
        component: Digest,
        triggers: Vec<ResolvedTrigger>,
    ) -> BoxFuture<'static, Result<Vec<Result<QueryPlan, Vec<Problem>>>, Fault>> {
        let ready = self.ready.load().by_digest.get(&component).cloned();
        let (caller, plans) = (self.caller.clone(), self.plans.clone());
        Box::pin(async move {
            let ready = ready.ok_or_else(|| {
                Fault::new(Reason::ComponentUnavailable, format!("component {component} is not loaded"))
            })?;
            let keys: Vec<_> = triggers.iter().map(|trigger| (component, Host::plan_key(trigger))).collect();
            let mut answers: Vec<Option<Result<QueryPlan, Vec<Problem>>>> = {
                let plans = plans.lock().unwrap_or_else(PoisonError::into_inner);
                keys.iter().map(|key| plans.get(key).cloned()).collect()
            };
            let missing: Vec<usize> =
                (0..triggers.len()).filter(|i| answers.get(*i).is_some_and(Option::is_none)).collect();
            // An instance sees one namespace's values.
            let mut domains: BTreeMap<_, Vec<usize>> = BTreeMap::new();
            for index in missing {
                domains.entry(triggers.get(index).map(|trigger| &trigger.domain)).or_default().push(index);
            }
            // Small lists: a guest's memory and copies are limited.
            for part in domains.values().flat_map(|missing| missing.chunks(64)) {
                let asked: Vec<_> = part.iter().filter_map(|i| triggers.get(*i).cloned()).collect();
                let told = caller.configure(&ready, &asked).await?;
                let mut plans = plans.lock().unwrap_or_else(PoisonError::into_inner);
                if plans.len() > MOST_PLANS {
                    plans.clear();
                }
                for (index, answer) in part.iter().zip(told) {
                    if let Some(key) = keys.get(*index) {
                        plans.insert(*key, answer.clone());
                    }
                    if let Some(slot) = answers.get_mut(*index) {
                        *slot = Some(answer);
                    }
                }
            }
            Ok(answers.into_iter().flatten().collect())
        })
    }
}

impl Poller for Host {
    fn poll(&self, batch: Batch, report: Arc<dyn Report>) -> BoxFuture<'static, ()> {
        let ready = self.ready.load().by_digest.get(&batch.component).cloned();
        let caller = self.caller.clone();
        Box::pin(async move {
            match ready {
                Some(ready) => caller.poll(ready, batch, report).await,
                None => tracing::error!(component = %batch.component, "a batch for a component that is not loaded"),
            }
        })
    }
}
