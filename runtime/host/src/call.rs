//! One guest call: a fresh instance under limits, on the guests' own runtime, and gone afterwards.
use crate::HostError;
use crate::abi::{self, ScalerPre, World};
use crate::component::Ready;
use crate::engine::TICK;
use crate::limits::{Hits, Limit, Passed};
use crate::meter::Meter;
use crate::state::{Shared, State};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;
use wasmtime::component::ResourceTableError;
use wasmtime::{Engine, Store, Trap, UpdateDeadline};
use windlass_core::failure::{Failure, FailureKind};
use windlass_core::message::Batch;
use windlass_core::port::Report;
use windlass_core::query::{Problem, QueryPlan, ResolvedTrigger};
use windlass_core::scaler::Scaler;
use windlass_core::{Digest, Fault, Reason};

/// Host calls of a poll end so much before its budget: a slow source is its query's `timeout`, not the end of the call. On a
/// busy machine a guest needs more than its CPU time to tell of it.
fn margin(budget: Duration) -> Duration {
    (budget / 8).clamp(Duration::from_millis(250), Duration::from_secs(1))
}

/// Makes calls.
pub(crate) struct Caller {
    pub(crate) engine: Engine,
    pub(crate) shared: Arc<Shared>,
    /// Instances that poll at the same time; each may hold its place for as long as its sources take.
    pub(crate) polls: Arc<Semaphore>,
    /// Instances that describe or configure: they never wait for polls, or objects that come while sources are slow would not be
    /// taken up.
    pub(crate) pure: Arc<Semaphore>,
    /// Guests' CPU time is spent here and nowhere else, so that a spinning guest delays only other guests.
    pub(crate) runtime: tokio::runtime::Handle,
}

/// What sets the time of `describe` and `configure`, and that of `poll`.
const PURE_CALL: &str = "--guest-pure-call-ms raises it";
const BATCH_BUDGET: &str = "it is the time of its batch";

/// How a call ended that gave no result.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CallError {
    #[error("{0}")]
    Trap(String),
    /// What happened, and the limit in words.
    #[error("{0} ({1})")]
    Limited(String, String),
    /// After how long, and what sets that time.
    #[error("it took longer than {} ms (limit {}: {})", .0.as_millis(), Limit::WallTime.as_label(), .1)]
    Late(Duration, &'static str),
    #[error("it waited {} ms for a place (limit {})", .0.as_millis(), Limit::Instances.told_as("as many as there are places"))]
    Crowded(Duration),
    #[error("the host is stopping")]
    Stopping,
}

impl Caller {
    fn store(&self, state: State, ticks: u32) -> Store<State> {
        let mut store = Store::new(&self.engine, state);
        store.limiter(|state| &mut state.growth);
        store.set_hostcall_fuel(self.shared.limits.hostcall_fuel);
        store.set_max_component_handles(self.shared.limits.resources);
        // One tick at a time: other guests get their turn in between. Ticks that pass while it waits are not its own.
        store.set_epoch_deadline(1);
        let (most, meter) = (TICK * ticks, store.data().meter.clone());
        store.epoch_deadline_callback(move |_| {
            Ok(if meter.spent() >= most { UpdateDeadline::Interrupt } else { UpdateDeadline::Yield(1) })
        });
        store
    }

    fn ticks(&self, queries: usize) -> u32 {
        let limits = &self.shared.limits;
        limits.cpu_ticks + limits.cpu_ticks_per_20 * u32::try_from(queries / 20).unwrap_or(0)
    }

    /// Runs a future on the guests' runtime, within a time.
    async fn within<T: Send + 'static>(
        &self,
        places: &Arc<Semaphore>,
        limit: Duration,
        set_by: &'static str,
        (component, meter): (Option<&str>, Arc<Meter>),
        call: impl Future<Output = Result<T, CallError>> + Send + 'static,
    ) -> Result<T, CallError> {
        let (places, counted) = (places.clone(), meter.clone());
        let until = tokio::time::Instant::now() + limit;
        let task = self.runtime.spawn(async move {
            let permit = tokio::time::timeout_at(until, places.acquire()).await;
            let _permit = permit.map_err(|_| CallError::Crowded(limit))?.map_err(|_| CallError::Stopping)?;
            tokio::time::timeout_at(until, meter.run(call)).await.unwrap_or(Err(CallError::Late(limit, set_by)))
        });
        let ended = task.await.unwrap_or(Err(CallError::Stopping));
        self.shared.metrics.cpu(component, counted.told());
        match &ended {
            Err(CallError::Late(..)) => self.shared.metrics.hit(Limit::WallTime),
            Err(CallError::Crowded(_)) => self.shared.metrics.hit(Limit::Instances),
            _ => {}
        }
        ended
    }

    /// Asks a component what it is.
    pub(crate) async fn describe(&self, digest: Digest, pre: &ScalerPre<State>) -> Result<Scaler, HostError> {
        let limits = &self.shared.limits;
        let mut store = self.store(State::new(self.shared.clone(), None), self.ticks(0));
        let (pre, meter) = (pre.clone(), store.data().meter.clone());
        let call = async move {
            let told = async {
                let world = pre.instantiate_async(&mut store).await?;
                world.windlass_scaler_polled().call_describe(&mut store).await
            };
            told.await.map_err(|error| ended(&error, store.data()))
        };
        let info = self
            .within(&self.pure, limits.pure_call, PURE_CALL, (None, meter), call)
            .await
            .map_err(|error| HostError::Description(crate::clean::line(&error.to_string()).into()))?;
        let scaler = abi::scaler(digest, info);
        crate::component::check_description(&scaler)?;
        Ok(scaler)
    }

    /// Asks a component what it makes of triggers.
    pub(crate) async fn configure(
        &self,
        ready: &Ready,
        triggers: &[ResolvedTrigger],
    ) -> Result<Vec<Result<QueryPlan, Vec<Problem>>>, Fault> {
        let mut store = self.store(State::new(self.shared.clone(), None), self.ticks(triggers.len()));
        let (pre, meter) = (ready.pre.clone(), store.data().meter.clone());
        let told: Vec<_> = triggers.iter().map(abi::trigger).collect();
        let call = async move {
            let answers = async {
                let world: World = pre.instantiate_async(&mut store).await?;
                world.windlass_scaler_polled().call_configure(&mut store, &told).await
            };
            answers.await.map_err(|error| ended(&error, store.data()))
        };
        let fault = |what: String| {
            Fault::new(
                Reason::ComponentUnavailable,
                format!("component {}: configure failed: {what}", ready.scaler.name),
            )
        };
        let pure_call = self.shared.limits.pure_call;
        let whose = (Some(&*ready.scaler.name), meter);
        let answers = self
            .within(&self.pure, pure_call, PURE_CALL, whose, call)
            .await
            .map_err(|error| fault(error.to_string()))?;
        if answers.len() != triggers.len() {
            return Err(fault(format!("{} answers for {} triggers", answers.len(), triggers.len())));
        }
        let hits = Hits::new(self.shared.metrics.clone());
        let checked = triggers.iter().zip(answers).map(|(trigger, answer)| match answer {
            Ok(plan) => crate::plan::check(abi::plan(plan), trigger, &ready.scaler, &self.shared.limits, &hits),
            Err(problems) => Err(problems.into_iter().map(abi::problem).collect()),
        });
        let secrets = crate::clean::secrets(triggers);
        Ok(checked
            .map(|answer| {
                answer.map_err(|problems| crate::clean::problems(problems, &ready.scaler.parameters, &secrets))
            })
            .collect())
    }

    /// Polls a batch. What was reported is reported; what was not has failed.
    pub(crate) async fn poll(&self, ready: Arc<Ready>, batch: Batch, report: Arc<dyn Report>) {
        let budget = batch.budget;
        let deadline = Instant::now() + budget.saturating_sub(margin(budget));
        let wit = abi::batch(&batch.queries, batch.now, budget);
        let ticks = self.ticks(batch.queries.len());
        let (id, domain, told) = (batch.id, batch.domain.clone(), report.clone());
        let mut store = self.store(State::new(self.shared.clone(), Some((batch, report, deadline))), ticks);
        let (pre, meter) = (ready.pre.clone(), store.data().meter.clone());
        let call = async move {
            let polled = async {
                let world: World = pre.instantiate_async(&mut store).await?;
                world.windlass_scaler_polled().call_poll(&mut store, &wit).await
            };
            polled.await.map_err(|error| ended(&error, store.data()))
        };
        let name = &*ready.scaler.name;
        let ended = self.within(&self.polls, budget, BATCH_BUDGET, (Some(name), meter), call).await;
        self.shared.metrics.call(name, ended.is_ok());
        if let Err(error) = ended {
            tracing::warn!(component = %ready.scaler.name, digest = %ready.scaler.digest, namespace = %domain, %error, "a batch did not end well");
            let why = crate::clean::line(&format!("component {}: {error}", ready.scaler.name));
            told.broke(id, Failure::new(FailureKind::Internal, why));
        }
    }
}

/// How a call ended: the first line of a trap, since a backtrace helps nobody who reads an object's condition, and the limit
/// that was behind it.
fn ended(error: &wasmtime::Error, state: &State) -> CallError {
    tracing::debug!(error = format!("{error:?}"), "a guest call failed");
    let what = crate::clean::line(&error.root_cause().to_string());
    match behind(error, &what, state) {
        Some(limit) => {
            state.hits.hit(limit);
            CallError::Limited(what, limit.told(&state.shared.limits))
        }
        None => CallError::Trap(what),
    }
}

/// The limit behind the end of a call.
fn behind(error: &wasmtime::Error, what: &str, state: &State) -> Option<Limit> {
    if let Some(Passed(limit)) = error.downcast_ref() {
        return Some(*limit);
    }
    match error.downcast_ref() {
        Some(Trap::Interrupt) => return Some(Limit::Cpu),
        Some(Trap::StackOverflow) => return Some(Limit::Stack),
        _ => {}
    }
    if matches!(error.downcast_ref(), Some(ResourceTableError::Full)) || what.contains("handle limit exceeded") {
        return Some(Limit::Resources);
    }
    // wasmtime keeps the type of this error to itself.
    if what.contains("fuel allocated for hostcalls") {
        return Some(Limit::HostcallFuel);
    }
    // A guest that gets no more memory gives up, each in its own way.
    [Limit::Memory, Limit::TableElements].into_iter().find(|limit| state.hits.has(*limit))
}
