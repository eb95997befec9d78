//! One source: who waits for it, who is in flight, and whether it may be asked at all.
use super::Budget;
use super::breaker::{Breaker, Rule, Shut};
use super::limiter::Limiter;
use super::metrics::{Series, SourceMetrics};
use super::place::{Place, Probes, Slot, Ticket, Verdict};
use super::refusal::Refusal;
use super::share::{Full, Share};
use super::slow::{Slow, Wait};
use arc_swap::ArcSwap;
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, oneshot};
use tokio::time::Instant;
use windlass_core::failure::Failure;
use windlass_core::query::Domain;

/// A namespace's breaker stays closed while one of its requests was answered within this: the longest usual
/// `pollingInterval` is half of it.
const QUIET: Duration = Duration::from_secs(60);
/// How often one that needs a connection asks others to give up theirs.
const SHED: Duration = Duration::from_millis(50);

type Waiter = oneshot::Sender<Result<(), Refusal>>;

/// A source and its budget.
pub(crate) struct Source {
    name: String,
    pub(super) budget: ArcSwap<Budget>,
    state: Mutex<State>,
    pub(super) series: Series,
    connections: Arc<Semaphore>,
    /// Connections that have to be closed before there is room for new ones.
    excess: AtomicUsize,
    io: Handle,
}

pub(super) struct State {
    limiter: Limiter,
    pub(super) share: Share<Waiter>,
    /// Tokens that were taken and not used.
    pub(super) spare: u32,
    /// A timer looks again when there is a token.
    armed: bool,
    pub(super) slow: Slow,
    pub(super) breaker: Breaker,
    /// Of namespaces whose requests were told something about.
    pub(super) breakers: HashMap<Domain, Breaker>,
    used: Instant,
}

impl Source {
    pub(super) fn new(name: String, budget: Arc<Budget>, metrics: &SourceMetrics, io: Handle) -> Source {
        let state = State {
            limiter: Limiter::new(budget.rate, budget.burst),
            share: Share::new(budget.bounds()),
            spare: 0,
            armed: false,
            slow: Slow::default(),
            breaker: Breaker::default(),
            breakers: HashMap::new(),
            used: Instant::now(),
        };
        Source {
            series: metrics.series(&name),
            name,
            state: Mutex::new(state),
            connections: Arc::new(Semaphore::new(budget.most_connections())),
            excess: AtomicUsize::new(0),
            budget: ArcSwap::new(budget),
            io,
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `host:port`.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn used(&self) -> Instant {
        self.lock().used
    }

    /// Another budget from now on. A greater burst is there at once; a smaller number of connections is kept to as they end.
    pub(super) fn adapt(self: &Arc<Self>, budget: Arc<Budget>) {
        let mut state = self.lock();
        let before = self.budget.swap(budget.clone());
        if before.rate != budget.rate || before.burst != budget.burst {
            state.limiter = Limiter::new(budget.rate, budget.burst);
            state.spare = state.spare.min(budget.burst);
        }
        state.share.set_bounds(budget.bounds());
        let (had, has) = (before.most_connections(), budget.most_connections());
        if has < had {
            let forgotten = self.connections.forget_permits(had - has);
            self.excess.fetch_add(had - has - forgotten, Ordering::AcqRel);
        } else {
            let spared = (has - had).min(self.excess.load(Ordering::Acquire));
            let paid = (0..spared).filter(|_| self.pay()).count();
            self.connections.add_permits(has - had - paid);
        }
        self.pump(&mut state);
    }

    /// Takes one connection off the excess, when there is any.
    pub(super) fn pay(&self) -> bool {
        self.excess.fetch_update(Ordering::AcqRel, Ordering::Acquire, |excess| excess.checked_sub(1)).is_ok()
    }

    pub(super) fn refuse(&self, refusal: Refusal) -> Failure {
        self.series.refused(refusal);
        refusal.failure(&self.name, &self.budget.load())
    }

    /// A place in the queue for one request of a namespace.
    ///
    /// # Errors
    /// `Throttled` or `Unreachable` at once when the request cannot be sent in any case.
    pub(crate) fn enter(self: &Arc<Self>, domain: &Domain) -> Result<Ticket, Failure> {
        let now = Instant::now();
        let mut state = self.lock();
        state.used = now;
        state.check(domain, now).map_err(|refusal| self.refuse(refusal))?;
        let (tell, told) = oneshot::channel();
        let (id, pushed_out) = state.share.enter(domain, tell).map_err(|full| {
            self.refuse(match full {
                Full::Domain => Refusal::QueueOfNamespace,
                Full::Queue => Refusal::Queue,
            })
        })?;
        self.series.waiting.inc();
        self.send_away(pushed_out, Refusal::Queue);
        let probes = Probes {
            source: state.breaker.begin(),
            domain: state.breakers.get_mut(domain).is_some_and(Breaker::begin),
        };
        self.pump(&mut state);
        drop(state);
        Ok(Ticket { told, since: now, place: Place { source: self.clone(), domain: domain.clone(), id, probes } })
    }

    /// Admits as many as slots and tokens allow.
    pub(super) fn pump(self: &Arc<Self>, state: &mut State) {
        while state.share.ready() {
            if state.spare > 0 {
                state.spare -= 1;
            } else if let Err(wait) = state.limiter.take() {
                return self.arm(state, wait);
            }
            let Some(waiter) = state.share.admit() else { return };
            self.series.waiting.dec();
            self.series.in_flight.inc();
            self.series.used.inc();
            // One that is gone has its place given back by its own end, which waits for the lock that we hold.
            let _ = waiter.send(Ok(()));
        }
    }

    /// Looks again once there is a token.
    fn arm(self: &Arc<Self>, state: &mut State, wait: Duration) {
        if std::mem::replace(&mut state.armed, true) {
            return;
        }
        let source = Arc::downgrade(self);
        self.io.spawn(async move {
            tokio::time::sleep(wait).await;
            if let Some(source) = source.upgrade() {
                let mut state = source.lock();
                state.armed = false;
                source.pump(&mut state);
            }
        });
    }

    fn send_away(&self, waiters: impl IntoIterator<Item = Waiter>, why: Refusal) {
        for waiter in waiters {
            self.series.waiting.dec();
            let _ = waiter.send(Err(why));
        }
    }

    /// What was waited for in vain.
    pub(super) fn missing(&self, domain: &Domain) -> Refusal {
        let (state, budget) = (self.lock(), self.budget.load());
        if state.share.in_flight() >= budget.bounds().in_flight {
            Refusal::InFlight
        } else if state.share.in_flight_of(domain) >= budget.in_flight_per_namespace() {
            Refusal::InFlightOfNamespace
        } else {
            Refusal::Rate
        }
    }

    fn rules(&self) -> (Rule, Rule) {
        let budget = self.budget.load();
        let rule = Rule {
            failures: budget.breaker_failures.max(1),
            quiet: Duration::ZERO,
            first: budget.breaker_pause,
            cap: budget.breaker_pause_cap,
        };
        (rule, Rule { quiet: QUIET, ..rule })
    }

    /// Takes what a request tells about the source.
    pub(super) fn learn(&self, domain: &Domain, probes: Probes, verdict: Verdict) {
        let now = Instant::now();
        let (of_source, of_domain) = self.rules();
        let mut state = self.lock();
        let before = state.open_breakers();
        let State { breaker, breakers, .. } = &mut *state;
        let own = breakers.entry(domain.clone()).or_default();
        match verdict {
            Verdict::Answered => {
                breaker.succeeded(now);
                own.succeeded(now);
            }
            Verdict::Unconnected => {
                breaker.failed(now, probes.source, &of_source, chance());
                if probes.domain {
                    own.abandoned(now);
                }
            }
            Verdict::Failed => {
                // Somebody took the connection.
                breaker.succeeded(now);
                own.failed(now, probes.domain, &of_domain, chance());
            }
            Verdict::Late => {
                if probes.source {
                    breaker.failed(now, true, &of_source, chance());
                }
                own.failed(now, probes.domain, &of_domain, chance());
            }
        }
        let opened = state.open_breakers() - before;
        self.series.breakers.inc_by(opened);
        if opened > 0
            && let Err(refusal) = state.check(domain, now)
        {
            let whose = matches!(refusal, Refusal::Failing(_)).then_some(domain);
            let waiters = state.share.drain(whose);
            self.send_away(waiters, refusal);
        }
    }

    /// The source asked to be left alone.
    pub(super) fn slow_down(&self, wait: Wait) {
        let now = Instant::now();
        let mut state = self.lock();
        state.slow.asked(wait, now, self.budget.load().retry_after_cap, chance());
        if let Some(left) = state.slow.left(now) {
            let waiters = state.share.drain(None);
            self.send_away(waiters, Refusal::Slowed(left));
        }
    }

    /// Room for one more open connection. While there is none, `shed` is called now and then: it should close one that
    /// rests.
    pub(crate) async fn slot(self: &Arc<Self>, shed: impl Fn()) -> Slot {
        let acquire = self.connections.clone().acquire_owned();
        tokio::pin!(acquire);
        let permit = loop {
            tokio::select! {
                biased;
                permit = &mut acquire => break permit.ok(),
                () = std::future::ready(()) => shed(),
            }
            tokio::select! {
                biased;
                permit = &mut acquire => break permit.ok(),
                () = tokio::time::sleep(SHED) => {}
            }
        };
        Slot::new(self.clone(), permit)
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        let open = self.lock().open_breakers();
        self.series.breakers.dec_by(open);
    }
}

impl State {
    /// Why nothing can be sent now, for one namespace.
    fn check(&self, domain: &Domain, now: Instant) -> Result<(), Refusal> {
        if let Some(left) = self.slow.left(now) {
            return Err(Refusal::Slowed(left));
        }
        self.breaker.check(now).map_err(|Shut(next)| Refusal::Dead(next))?;
        let own = self.breakers.get(domain).map_or(Ok(()), |breaker| breaker.check(now));
        own.map_err(|Shut(next)| Refusal::Failing(next))
    }

    fn open_breakers(&self) -> i64 {
        let open = self.breakers.values().filter(|breaker| breaker.is_open()).count();
        i64::try_from(open).unwrap_or(i64::MAX) + i64::from(self.breaker.is_open())
    }
}

/// A number from 0 to 1, so that those who wait do not come back all at once.
fn chance() -> f64 {
    let mut bytes = [0; 4];
    // Without randomness there is no jitter, and all else works.
    let _ = getrandom::fill(&mut bytes);
    f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX)
}

#[cfg(test)]
impl Source {
    pub(crate) fn in_flight(&self) -> i64 {
        self.series.in_flight.get()
    }

    pub(crate) fn connections(&self) -> i64 {
        self.series.connections.get()
    }

    pub(crate) fn used_tokens(&self) -> u64 {
        self.series.used.get()
    }
}
