//! The state of one call: whose queries, what they may still use, and where their outcomes go.
use crate::abi::{self, clock, log, network, random, report, types};
use crate::budget::Budgets;
use crate::clean::Secrets;
use crate::egress::canonical;
use crate::http::Http;
use crate::limits::{Growth, Hits, Limit, Limits};
use crate::meter::Meter;
use crate::plan::UNPRIVILEGED;
use crate::tcp::Tcp;
use std::net::IpAddr;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};
use wasmtime::component::ResourceTable;
use windlass_core::failure::{Failure, FailureKind};
use windlass_core::message::Batch;
use windlass_core::port::Report;
use windlass_core::query::{Endpoint, Question};

/// What every call shares.
pub(crate) struct Shared {
    pub(crate) limits: Limits,
    pub(crate) http: Http,
    pub(crate) tcp: Tcp,
    pub(crate) budgets: Budgets,
    pub(crate) clock: crate::Clock,
    pub(crate) started: Instant,
    pub(crate) io: tokio::runtime::Handle,
    pub(crate) metrics: crate::Metrics,
}

/// A poll under way. Pure calls have none, and every import traps.
pub(crate) struct Poll {
    pub(crate) batch: Batch,
    pub(crate) report: Arc<dyn Report>,
    /// Host calls end before this, so that a slow source is a `timeout` of its query and not the end of the call.
    pub(crate) deadline: Instant,
    answered: Vec<bool>,
    /// What may stand in no message: the guest has seen the secrets of the whole batch, as far as they are revealed at all.
    secrets: OnceLock<Secrets>,
    /// Endpoints that sources named, per query.
    learned: Vec<Vec<Endpoint>>,
}

/// The data of a store.
pub(crate) struct State {
    pub(crate) shared: Arc<Shared>,
    pub(crate) growth: Growth,
    pub(crate) hits: Arc<Hits>,
    pub(crate) meter: Arc<Meter>,
    pub(crate) table: ResourceTable,
    pub(crate) poll: Option<Poll>,
    pub(crate) requests_left: u32,
    pub(crate) connections_left: u32,
    pub(crate) in_flight: Arc<tokio::sync::Semaphore>,
    sent_left: usize,
    received_left: usize,
    log_lines_left: u32,
    log_left: usize,
}

/// Bytes of randomness in one answer.
const MOST_RANDOM: u32 = 1024;

impl Poll {
    /// Whether an endpoint may be talked to. What is bound to hosts holds for the whole batch: the guest has seen the secrets of
    /// all its queries, and could use any of their endpoints to tell them.
    fn permits(&self, endpoint: &Endpoint) -> Result<(), Failure> {
        crate::egress::host(&endpoint.host)?;
        let mut questions = self.batch.queries.iter().map(|asked| &asked.question.trigger);
        questions.try_for_each(|trigger| crate::credential::permitted(trigger, endpoint))
    }
}

impl State {
    pub(crate) fn new(shared: Arc<Shared>, poll: Option<(Batch, Arc<dyn Report>, Instant)>) -> State {
        let limits = &shared.limits;
        let hits = Arc::new(Hits::new(shared.metrics.clone()));
        let mut table = ResourceTable::new();
        table.set_max_capacity(limits.resources);
        State {
            growth: Growth::new(limits, hits.clone()),
            hits,
            meter: Arc::default(),
            table,
            requests_left: limits.requests,
            connections_left: limits.connections,
            in_flight: Arc::new(tokio::sync::Semaphore::new(limits.in_flight)),
            sent_left: limits.sent_bytes,
            received_left: limits.received_bytes,
            log_lines_left: limits.log_lines,
            log_left: limits.log_bytes,
            poll: poll.map(|(batch, report, deadline)| Poll {
                answered: vec![false; batch.queries.len()],
                secrets: OnceLock::new(),
                learned: vec![Vec::new(); batch.queries.len()],
                batch,
                report,
                deadline,
            }),
            shared,
        }
    }

    /// The poll under way.
    pub(crate) fn polling(&self) -> wasmtime::Result<&Poll> {
        self.poll.as_ref().ok_or_else(|| wasmtime::Error::msg("imports may not be called from describe or configure"))
    }

    fn polling_mut(&mut self) -> wasmtime::Result<&mut Poll> {
        self.poll.as_mut().ok_or_else(|| wasmtime::Error::msg("imports may not be called from describe or configure"))
    }

    /// The question and endpoint that a host call names.
    pub(crate) fn granted(
        &self,
        query: u32,
        endpoint: u32,
    ) -> wasmtime::Result<Result<(Arc<Question>, Endpoint), Failure>> {
        let poll = self.polling()?;
        let denied = |what: &str| Ok(Err(Failure::new(FailureKind::Denied, what)));
        let Some(asked) = poll.batch.queries.get(query as usize) else {
            return denied("the component named a query that is not in its batch");
        };
        let planned = &asked.question.plan.endpoints;
        let endpoint = endpoint as usize;
        let learned = poll.learned.get(query as usize);
        let found = planned
            .get(endpoint)
            .or_else(|| learned.and_then(|learned| endpoint.checked_sub(planned.len()).and_then(|i| learned.get(i))));
        match found {
            Some(found) => {
                let permitted = poll.permits(found);
                Ok(permitted.map(|()| (asked.question.clone(), found.clone())))
            }
            None => denied("the component named an endpoint that was not granted"),
        }
    }

    /// What a host call is told that hits a limit.
    pub(crate) fn refuse(&self, kind: FailureKind, what: &str, limit: Limit) -> Failure {
        self.hits.hit(limit);
        Failure::new(kind, format!("{what} ({})", limit.told(&self.shared.limits)))
    }

    /// Counts what goes out. The error ends the call.
    pub(crate) fn send(&mut self, bytes: usize) -> wasmtime::Result<()> {
        self.sent_left = self.sent_left.checked_sub(bytes).ok_or_else(|| self.hits.passed(Limit::SentBytes))?;
        Ok(())
    }

    /// Counts what comes in. The error ends the call.
    pub(crate) fn receive(&mut self, bytes: usize) -> wasmtime::Result<()> {
        self.received_left =
            self.received_left.checked_sub(bytes).ok_or_else(|| self.hits.passed(Limit::ReceivedBytes))?;
        Ok(())
    }

    /// How much time a host call has.
    pub(crate) fn time_left(&self) -> Duration {
        self.poll.as_ref().map_or(Duration::ZERO, |poll| poll.deadline.saturating_duration_since(Instant::now()))
    }
}

fn secrets(batch: &Batch) -> Secrets {
    crate::clean::secrets(batch.queries.iter().map(|asked| &asked.question.trigger))
}

impl types::Host for State {}

impl report::Host for State {
    async fn put(&mut self, query: u32, outcome: types::Outcome) -> wasmtime::Result<()> {
        let (shared, hits) = (self.shared.clone(), self.hits.clone());
        let poll = self.polling_mut()?;
        // The first outcome counts; one for a query that was not asked is nobody's.
        let (Some(asked), Some(answered)) =
            (poll.batch.queries.get(query as usize), poll.answered.get_mut(query as usize))
        else {
            return Ok(());
        };
        if !std::mem::replace(answered, true) {
            let secrets = poll.secrets.get_or_init(|| secrets(&poll.batch));
            let outcome = abi::outcome(outcome, asked, secrets, (shared.clock)(), &shared.limits, &hits);
            poll.report.outcome(poll.batch.id, asked.id, outcome);
        }
        Ok(())
    }
}

impl network::Host for State {
    async fn learn(
        &mut self,
        query: u32,
        parent: u32,
        host: String,
        port: u16,
    ) -> wasmtime::Result<Result<u32, types::Failure>> {
        let (_, endpoint) = match self.granted(query, parent)? {
            Ok(granted) => granted,
            Err(failure) => return Ok(Err(abi::told(&failure))),
        };
        let refusal = |message: String| Ok(Err(abi::told(&Failure::new(FailureKind::Denied, message))));
        if !may_learn(&endpoint.host, &host) {
            return refusal(format!("{} is no peer of {}", crate::clean::line(&host), endpoint.host));
        }
        if port != endpoint.port && port < UNPRIVILEGED {
            return refusal(format!("port {port} of {} is a system service's, no peer's", crate::clean::line(&host)));
        }
        let peer = Endpoint { host: host.into(), port, ..endpoint };
        let (most, hits, told) = (self.shared.limits.peers, self.hits.clone(), Limit::Peers.told(&self.shared.limits));
        let poll = self.polling_mut()?;
        if let Err(failure) = poll.permits(&peer) {
            return Ok(Err(abi::told(&failure)));
        }
        let planned = poll.batch.queries.get(query as usize).map_or(0, |asked| asked.question.plan.endpoints.len());
        let Some(learned) = poll.learned.get_mut(query as usize) else {
            return refusal("the component named a query that is not in its batch".to_owned());
        };
        let place = learned.iter().position(|known| *known == peer).unwrap_or(learned.len());
        if place >= most && place == learned.len() {
            hits.hit(Limit::Peers);
            return refusal(format!("the query has too many peers ({told})"));
        }
        if place == learned.len() {
            learned.push(peer);
        }
        Ok(Ok(u32::try_from(planned + place).unwrap_or(u32::MAX)))
    }
}

/// Whether a source may name a peer: the same host; a name under the same parent domain of at least two labels, or in the same
/// namespace of a cluster; or an address,
/// where the user wrote an address of the same kind and, when it is private, from the same /16 (IPv6: /48), or wrote a name
/// without dots or of a cluster (whose peers are told by address). What may be dialled at all is egress's business.
fn may_learn(granted: &str, peer: &str) -> bool {
    let (granted, peer) = (canonical(granted), canonical(peer));
    if granted == peer {
        return true;
    }
    match (granted.parse::<IpAddr>(), peer.parse::<IpAddr>()) {
        (Ok(IpAddr::V4(a)), Ok(IpAddr::V4(b))) => a.octets().iter().zip(b.octets()).take(2).all(|(a, b)| *a == b),
        (Ok(IpAddr::V6(a)), Ok(IpAddr::V6(b))) => a.segments().iter().zip(b.segments()).take(3).all(|(a, b)| *a == b),
        (Ok(_), _) => false,
        // Sources in a cluster know their peers by the addresses of pods, which are private.
        (Err(_), Ok(IpAddr::V4(b))) => b.is_private() || b.is_loopback(),
        (Err(_), Ok(IpAddr::V6(b))) => b.is_loopback() || b.segments().first().is_some_and(|s| s & 0xfe00 == 0xfc00),
        (Err(_), Err(_)) => {
            let parent = granted.split_once('.').map(|(_, parent)| parent).filter(|parent| parent.contains('.'));
            parent.is_some_and(|parent| peer.strip_suffix(parent).is_some_and(|rest| rest.ends_with('.')))
                || namespace_in_full(&peer).is_some_and(|namespace| namespace_in_short(&granted) == Some(namespace))
        }
    }
}

/// The namespace of a name in a cluster that is written in full, as sources announce themselves.
fn namespace_in_full(name: &str) -> Option<&str> {
    name.strip_suffix(".svc.cluster.local")?.rsplit_once('.').map(|(_, namespace)| namespace)
}

/// The namespace of a Service as users write it for short: `redis.shop`, `redis.shop.svc`.
fn namespace_in_short(name: &str) -> Option<&str> {
    let (_, namespace) = name.strip_suffix(".svc").unwrap_or(name).rsplit_once('.')?;
    (name.ends_with(".svc") || name.matches('.').count() == 1).then_some(namespace)
}

impl clock::Host for State {
    async fn monotonic_ms(&mut self) -> wasmtime::Result<u64> {
        self.polling()?;
        Ok(u64::try_from(self.shared.started.elapsed().as_millis()).unwrap_or(u64::MAX))
    }
}

impl random::Host for State {
    async fn bytes(&mut self, count: u32) -> wasmtime::Result<Vec<u8>> {
        self.polling()?;
        let mut bytes = vec![0; count.min(MOST_RANDOM) as usize];
        getrandom::fill(&mut bytes).map_err(|error| wasmtime::Error::msg(format!("no randomness: {error}")))?;
        Ok(bytes)
    }
}

impl log::Host for State {
    async fn write(&mut self, level: log::Level, query: Option<u32>, message: String) -> wasmtime::Result<()> {
        let poll = self.polling()?;
        let (component, namespace) = (poll.batch.component, &poll.batch.domain);
        let left = match (self.log_lines_left.checked_sub(1), self.log_left.checked_sub(message.len().max(64))) {
            (Some(lines), Some(bytes)) => Ok((lines, bytes)),
            (None, _) => Err(Limit::LogLines),
            (_, None) => Err(Limit::LogBytes),
        };
        let (lines, bytes) = match left {
            Ok(left) => left,
            Err(limit) => {
                if self.hits.hit(limit) {
                    let told = limit.told(&self.shared.limits);
                    tracing::warn!(%component, %namespace, "further log lines of this call are left out ({told})");
                }
                return Ok(());
            }
        };
        if message.len() > crate::clean::MOST {
            self.hits.hit(Limit::MessageBytes);
        }
        (self.log_lines_left, self.log_left) = (lines, bytes);
        let poll = self.polling()?;
        let asked = query.and_then(|query| poll.batch.queries.get(query as usize));
        let secrets = poll.secrets.get_or_init(|| secrets(&poll.batch));
        let message = crate::clean::message(crate::clean::beginning(&message), secrets);
        let (component, namespace) = (poll.batch.component, &poll.batch.domain);
        let kind = asked.map_or("", |asked| &*asked.question.trigger.kind);
        match level {
            log::Level::Debug => tracing::debug!(%component, %namespace, trigger = kind, "{message}"),
            log::Level::Info => tracing::info!(%component, %namespace, trigger = kind, "{message}"),
            log::Level::Warn => tracing::warn!(%component, %namespace, trigger = kind, "{message}"),
            log::Level::Error => tracing::error!(%component, %namespace, trigger = kind, "{message}"),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::may_learn;

    #[test]
    fn peers() {
        for (granted, peer, may) in [
            ("redis-0.redis.prod.svc", "redis-1.redis.prod.svc", true),
            ("redis-0.redis.prod.svc", "redis-1.other.prod.svc", false),
            ("broker.example.com", "b-2.example.com", true),
            ("broker.example.com", "example.com", false),
            ("example.com", "evil.com", false),
            ("10.1.2.3", "10.1.9.9", true),
            ("10.1.2.3", "10.2.2.3", false),
            ("127.0.0.1", "127.0.0.1", true),
            ("10.1.2.3", "host.example.com", false),
            ("redis", "10.3.4.5", true),
            ("redis", "8.8.8.8", false),
            ("redis.prod.svc", "redis-0.headless.prod.svc.cluster.local", true),
            ("redis.prod", "redis-0.headless.prod.svc.cluster.local", true),
            ("redis.prod", "redis-0.headless.test.svc.cluster.local", false),
            ("redis.prod.svc", "redis-0.prod.svc.evil.com", false),
            ("prod.example.com", "redis-0.example.svc.cluster.local", false),
        ] {
            assert_eq!(may_learn(granted, peer), may, "{granted} names {peer}");
        }
    }
}
