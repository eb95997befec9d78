//! All hostile components of the test kit, one after the other on one host, beside a neighbour that is asked all the while: each
//! ends as the table says, the neighbour notices nothing, and nothing is left behind.
//!
//! A program of its own, since it counts descriptors and threads.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use prometheus_client::registry::Registry;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use windlass_core::failure::Failure;
use windlass_core::message::{Asked, Batch, BatchId, QueryId};
use windlass_core::port::{Poller, Report, Scalers};
use windlass_core::query::{QueryPlan, ResolvedTrigger, Value};
use windlass_core::resolve::{ProcessKey, question};
use windlass_core::sample::Outcome;
use windlass_core::scaler::{Scaler, Secrecy};
use windlass_core::{Mono, Now, Secret, Wall};
use windlass_host::{Budget, CompileLimits, Egress, Host, HostOptions, Limits, Metrics};
use windlass_testkit::guest::Guest;
use windlass_testkit::hostile::{Attack, End, Group, HostileSource, SECRET, SERVER, TOKEN, attacks};

/// What a poll of an attack may take: enough for all that ends by itself.
const BUDGET: Duration = Duration::from_secs(8);
/// The same where it ends by the time alone.
const SHORT: Duration = Duration::from_millis(1_500);

/// A host, and what it counts.
struct World {
    host: Arc<Host>,
    registry: Registry,
    source: HostileSource,
}

#[derive(Default)]
struct Heard {
    outcomes: Mutex<Vec<(u32, Outcome)>>,
    why: Mutex<Option<Failure>>,
}

impl Report for Heard {
    fn outcome(&self, _: BatchId, query: QueryId, outcome: Outcome) {
        self.outcomes.lock().unwrap().push((query.index, outcome));
    }

    fn broke(&self, _: BatchId, why: Failure) {
        *self.why.lock().unwrap() = Some(why);
    }
}

impl World {
    async fn new() -> World {
        let (started, mut registry) = (Instant::now(), Registry::default());
        let compile = CompileLimits {
            cpu: Duration::from_secs(3),
            wall: Duration::from_secs(60),
            memory_bytes: 1 << 30,
            output_bytes: 16 << 20,
            jobs: 2,
        };
        let options = HostOptions {
            limits: Limits { compile, ..Limits::default() },
            egress: Egress { allow_loopback: true, ..Egress::default() },
            budget: Budget {
                share_window: Duration::ZERO,
                breaker_failures: 10_000,
                rate: 1e6,
                burst: 1_000_000,
                ..Budget::default()
            },
            ca_dirs: Vec::new(),
            cache: None,
            compiler: Some(env!("CARGO_BIN_EXE_compile-component").into()),
            clock: Arc::new(move || {
                let ms = u64::try_from(started.elapsed().as_millis()).unwrap();
                Now { mono: Mono(ms), wall: Wall(1_700_000_000_000) }
            }),
            metrics: Metrics::new(&mut registry),
            instances: 8,
        };
        World { host: Arc::new(Host::new(options).unwrap()), registry, source: HostileSource::start().await.unwrap() }
    }

    /// The lines of a metric: what is in their braces, and their numbers.
    fn lines(&self, metric: &str) -> BTreeMap<String, f64> {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry).unwrap();
        let of = |line: &str| {
            let (labels, number) = line.strip_prefix(metric)?.strip_prefix('{')?.split_once("} ")?;
            Some((labels.to_owned(), number.parse().ok()?))
        };
        text.lines().filter_map(of).collect()
    }

    fn sum(&self, metric: &str) -> f64 {
        self.lines(metric).values().sum()
    }

    /// Hits of the limits whose label begins so.
    fn hits(&self, limit: &str) -> f64 {
        let label = format!("limit=\"{limit}");
        let lines = self.lines("windlass_guest_limit_hits_total");
        lines.iter().filter(|(labels, _)| labels.starts_with(&label)).map(|(_, count)| count).sum()
    }

    fn trigger(&self, scaler: &Scaler, domain: &str) -> ResolvedTrigger {
        let value = |text: &str, secrecy| Value {
            text: Secret::new(text),
            secrecy,
            from_authentication: secrecy != Secrecy::Open,
        };
        let url = format!("http://127.0.0.1:{}", self.source.port());
        let values = [(SERVER, value(&url, Secrecy::Open)), (TOKEN, value(SECRET, Secrecy::Revealed))];
        ResolvedTrigger {
            kind: scaler.triggers[0].clone(),
            domain: domain.into(),
            values: values.into_iter().map(|(name, value)| (name.into(), value)).collect(),
            extras: BTreeMap::new(),
            identity: None,
            owner: None,
            bound: None,
            granted: None,
        }
    }

    async fn poll(&self, scaler: &Scaler, trigger: ResolvedTrigger, plan: QueryPlan, budget: Duration) -> Heard {
        let domain = trigger.domain.clone();
        let question = Arc::new(question(&ProcessKey::new([7; 32]), scaler, trigger, plan));
        let id = QueryId { index: 0, generation: 0 };
        let queries = vec![Asked { id, question, state: Arc::from([].as_slice()) }];
        let now = Wall(1_700_000_000_000);
        let batch = Batch { id: BatchId(1), component: scaler.digest, domain, queries, now, budget };
        let heard = Arc::new(Heard::default());
        self.host.poll(batch, heard.clone()).await;
        Arc::into_inner(heard).expect("nobody reports any more")
    }

    /// What became of an attack, in the words of its table.
    async fn suffer(&self, attack: &Attack) -> Result<(), String> {
        let scaler = match (self.host.load((attack.made)(self.source.port())).await, attack.end) {
            (Ok(scaler), End::Refused(_)) => return Err(format!("{} was loaded", scaler.name)),
            (Ok(scaler), _) => scaler,
            (Err(error), End::Refused(words)) => return says(&error.to_string(), words),
            (Err(error), _) => return Err(format!("not loaded: {error}")),
        };
        let trigger = self.trigger(&scaler, "hostile");
        let configured = self.host.configure(scaler.digest, vec![trigger.clone()]).await;
        let plan = match (configured, attack.end) {
            (Err(fault), End::NoPlan(words)) => return says(&fault.to_string(), words),
            (Err(fault), _) => return Err(format!("no plan: {fault}")),
            (Ok(mut plans), end) => match (plans.remove(0), end) {
                (Err(problems), End::BadPlan(words)) => return says(&problems[0].message, words),
                (Err(problems), _) => return Err(format!("bad plan: {problems:?}")),
                (Ok(_), End::BadPlan(_) | End::NoPlan(_)) => return Err("it has a plan".to_owned()),
                (Ok(plan), _) => plan,
            },
        };
        let budget = if matches!(attack.end, End::Fails("timeout", _)) { SHORT } else { BUDGET };
        let mut heard = Heard::default();
        for _ in 0..attack.polls {
            heard = self.poll(&scaler, trigger.clone(), plan.clone(), budget).await;
        }
        let (outcomes, why) = (heard.outcomes.into_inner().unwrap(), heard.why.into_inner().unwrap());
        let why = why.map_or(String::new(), |why| why.to_string());
        if outcomes.len() > 1 || outcomes.iter().any(|(query, _)| *query != 0) {
            return Err(format!("told of others, or twice: {outcomes:?}"));
        }
        match (outcomes.first().map(|(_, outcome)| outcome), attack.end) {
            (None, End::Ended(words)) => says(&why, words),
            (Some(Outcome::Failed(failure)), End::Fails(kind, words)) if failure.kind.as_label() == kind => {
                says(&failure.message, words)
            }
            (Some(Outcome::Ready(sample, _)), End::Answers(value)) if sample.values[..] == [value_of(value)] => Ok(()),
            (outcome, _) => Err(format!("{outcome:?}, {why}")),
        }
    }
}

fn value_of(value: f64) -> windlass_core::Milli {
    windlass_core::Milli::from_f64(value).unwrap()
}

/// That a text has the words, and neither secrets nor control characters.
fn says(text: &str, words: &str) -> Result<(), String> {
    match text.contains(words) && !text.contains(SECRET) && !text.chars().any(char::is_control) {
        true => Ok(()),
        false => Err(format!("{text:?} was to say {words:?}")),
    }
}

/// Asks a good component again and again until it is told to stop: how many answers were right, and what else came.
struct Neighbour {
    stop: Arc<AtomicBool>,
    right: Arc<AtomicU32>,
    task: tokio::task::JoinHandle<Vec<String>>,
}

impl Neighbour {
    async fn start(world: &Arc<World>) -> Neighbour {
        let good = Guest::polling("good", "(call $ready (i32.const 0) (f64.const 7))").component();
        let scaler = world.host.load(good).await.unwrap();
        let trigger = world.trigger(&scaler, "neighbour");
        let plan = world.host.configure(scaler.digest, vec![trigger.clone()]).await.unwrap().remove(0).unwrap();
        let (stop, right) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU32::new(0)));
        let (world, stopped, counted) = (world.clone(), stop.clone(), right.clone());
        let task = tokio::spawn(async move {
            let mut wrong = Vec::new();
            while !stopped.load(Ordering::Relaxed) {
                let heard = world.poll(&scaler, trigger.clone(), plan.clone(), BUDGET).await;
                match heard.outcomes.into_inner().unwrap().as_slice() {
                    [(0, Outcome::Ready(sample, _))] if sample.values[..] == [value_of(7.0)] => {
                        counted.fetch_add(1, Ordering::Relaxed);
                    }
                    other => wrong.push(format!("{other:?}")),
                }
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            wrong
        });
        Neighbour { stop, right, task }
    }
}

/// Open descriptors of this process that are no epoll's and no timer's.
fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").unwrap().count()
}

/// Children of this process: compilers.
fn children() -> usize {
    let of = |task: std::io::Result<std::fs::DirEntry>| {
        let text = std::fs::read_to_string(task.unwrap().path().join("children")).unwrap_or_default();
        text.split_whitespace().count()
    };
    std::fs::read_dir("/proc/self/task").unwrap().map(of).sum()
}

/// Waits until nothing is left of what was done.
async fn settled(world: &World, before: (usize, usize)) -> Result<(), String> {
    let mut left = String::new();
    for _ in 0..80 {
        let (in_flight, waiting) = (world.sum("windlass_source_in_flight"), world.sum("windlass_source_waiting"));
        let connections = world.sum("windlass_source_connections");
        let now = (descriptors(), threads(), children());
        // Connections that rest are kept for the next poll: they are counted, and have a descriptor on each side. A component
        // that is loaded has one, for the first contents of its memory.
        let kept = 2 * connections as usize + world.host.scalers().len();
        if in_flight == 0.0 && waiting == 0.0 && now.0 <= before.0 + kept && now.1 <= before.1 && now.2 == 0 {
            return Ok(());
        }
        left = format!("{in_flight} in flight, {waiting} waiting, {connections} connections, {now:?} of {before:?}");
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    Err(left)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_attack_ends_as_it_should_and_nobody_else_notices() {
    let attacks = attacks();
    assert!(attacks.len() >= 30, "{}", attacks.len());
    let world = Arc::new(World::new().await);
    let neighbour = Neighbour::start(&world).await;
    // Once through, so that all threads and pools are there that there will be.
    for attack in
        attacks.iter().filter(|attack| matches!(attack.name, "trap" | "redirected" | "unanswered" | "foreign-import"))
    {
        let _ = world.suffer(attack).await;
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    let kept = 2 * world.sum("windlass_source_connections") as usize + world.host.scalers().len();
    let before = (descriptors() - kept, threads() + 4);
    let mut wrong = Vec::new();
    for attack in &attacks {
        let (hits, right) = (attack.limit.map(|limit| world.hits(limit)), neighbour.right.load(Ordering::Relaxed));
        let started = Instant::now();
        if let Err(end) = world.suffer(attack).await {
            wrong.push(format!("{}: {end}", attack.name));
        }
        if let (Some(limit), Some(hits)) = (attack.limit, hits)
            && world.hits(limit) <= hits
        {
            wrong.push(format!("{}: the limit {limit} was not hit", attack.name));
        }
        if let Err(left) = settled(&world, before).await {
            wrong.push(format!("{}: it left {left}", attack.name));
        }
        // It was asked all the while: more often, the longer it took.
        let polls = neighbour.right.load(Ordering::Relaxed) - right;
        if polls == 0 && started.elapsed() > Duration::from_millis(200) {
            wrong.push(format!("{}: the neighbour was not answered for {:?}", attack.name, started.elapsed()));
        }
    }
    neighbour.stop.store(true, Ordering::Relaxed);
    wrong.extend(neighbour.task.await.unwrap().into_iter().map(|outcome| format!("the neighbour: {outcome}")));
    assert!(wrong.is_empty(), "{} of {} attacks:\n{}", wrong.len(), attacks.len(), wrong.join("\n"));
    for group in Group::ALL {
        assert!(attacks.iter().any(|attack| attack.group == group), "{}", group.as_label());
    }
}
