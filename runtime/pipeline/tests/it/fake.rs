//! What the stages need from outside, scripted.
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use windlass_core::failure::{Failure, FailureKind};
use windlass_core::message::Batch;
use windlass_core::port::{BoxFuture, Poller, Report, Scalers, Serving, Writer};
use windlass_core::query::{MetricSpec, Problem, QueryPlan, ResolvedTrigger};
use windlass_core::sample::{Outcome, Sample};
use windlass_core::scaler::{Origin, Parameter, Scaler, Secrecy, Shape};
use windlass_core::workload::{Ask, Bounds, Declared, DeclaredTrigger, Engine, HpaOptions, Intake, Material, Pause};
use windlass_core::{Digest, Fault, Milli, Reason, TargetRef, Text, Wall, WorkloadKey, Write};

/// An object with one trigger of a type, and a parameter `n`.
pub(crate) fn intake(name: &str, kind: &str, n: &str) -> Intake {
    let declared = Declared {
        key: WorkloadKey::scaled_object("ns", name),
        uid: "".into(),
        generation: 1,
        created: Wall(0),
        labels: BTreeMap::new(),
        annotations: BTreeMap::new(),
        target: TargetRef {
            group: "apps".into(),
            version: "v1".into(),
            kind: "Deployment".into(),
            resource: "deployments".into(),
            name: name.into(),
        },
        env_container: None,
        bounds: Bounds { min: 0, max: 10, idle: None },
        poll: Duration::from_secs(30),
        cooldown: Duration::from_secs(300),
        initial_cooldown: Duration::ZERO,
        triggers: vec![DeclaredTrigger {
            index: 0,
            kind: kind.into(),
            name: None,
            ask: Ask::External {
                metadata: BTreeMap::from([(Text::from("n"), Text::from(n))]),
                aim: Default::default(),
                cached: false,
            },
            authentication: None,
        }],
        pause: Pause::default(),
        force_active: false,
        hpa: HpaOptions { name: format!("keda-hpa-{name}").into(), named: false, behavior: None },
        engine: Engine::Direct,
        restore_original: false,
        components: Default::default(),
    };
    Intake { declared: Arc::new(declared), materials: vec![Material::default()], fault: None }
}

/// Two components: `quick` answers at once, `slow` after a minute. Both refuse `n` = `bad`.
#[derive(Default)]
pub(crate) struct FakeScalers {
    /// How many triggers each `configure` call had, with the component's name.
    pub(crate) calls: Arc<Mutex<Vec<(Text, usize)>>>,
    /// Whether the component of `later` is known.
    pub(crate) known: AtomicBool,
    /// How many calls fail before one is answered.
    pub(crate) failing: AtomicU32,
}

fn digest(kind: &str) -> Digest {
    Digest([kind.len() as u8; 32])
}

impl Scalers for FakeScalers {
    fn serve(&self, _: &Arc<Intake>, trigger: &DeclaredTrigger) -> Result<Option<Serving>, Fault> {
        if &*trigger.kind == "later" && !self.known.load(Ordering::Relaxed) {
            return Ok(None);
        }
        Ok(Some(self.find(&trigger.kind)?.into()))
    }

    fn find(&self, trigger_type: &str) -> Result<Arc<Scaler>, Fault> {
        if !["quick", "slow", "later"].contains(&trigger_type) {
            return Err(Fault::new(Reason::UnknownTriggerType, "no scaler serves it"));
        }
        let parameter = Parameter {
            name: "n".into(),
            aliases: Vec::new(),
            shape: Shape::Text,
            required: true,
            initial: None,
            choices: Vec::new(),
            secrecy: Secrecy::Open,
            origin: Origin { metadata: true, environment: false, authentication: false },
            deprecated: None,
            doc: "".into(),
        };
        Ok(Arc::new(Scaler {
            digest: digest(trigger_type),
            name: trigger_type.into(),
            version: "1".into(),
            triggers: vec![trigger_type.into()],
            parameters: vec![parameter],
            open_ended: false,
            needs: Vec::new(),
        }))
    }

    fn configure(
        &self,
        component: Digest,
        triggers: Vec<ResolvedTrigger>,
    ) -> BoxFuture<'static, Result<Vec<Result<QueryPlan, Vec<Problem>>>, Fault>> {
        let slow = component == digest("slow");
        let name: Text = if slow { "slow" } else { "quick" }.into();
        self.calls.lock().unwrap().push((name, triggers.len()));
        let failing = self.failing.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok();
        Box::pin(async move {
            if failing {
                return Err(Fault::new(Reason::ComponentUnavailable, "it waited for a place"));
            }
            if slow {
                tokio::time::sleep(Duration::from_secs(60)).await;
            }
            let plan = |trigger: ResolvedTrigger| match trigger.values["n"].text.expose() {
                "bad" => Err(vec![Problem { parameter: Some("n".into()), message: "has to be good".into() }]),
                n => Ok(QueryPlan {
                    metrics: Some(vec![MetricSpec { name: n.into(), target: 1.0, activation: 0.0 }]),
                    endpoints: Vec::new(),
                    group: "".into(),
                    requests: 1,
                }),
            };
            Ok(triggers.into_iter().map(plan).collect())
        })
    }
}

/// How a poll behaves.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Mood {
    /// All queries have this value.
    Value(i64),
    /// The first query has this value, and then the component hangs.
    Hang(i64),
    /// The first query has this value, and then the component breaks.
    Break(i64),
}

/// Why it breaks.
pub(crate) const BROKE: &str = "it used too much";

/// Answers batches.
pub(crate) struct FakePoller {
    pub(crate) mood: Mutex<Mood>,
    pub(crate) batches: Mutex<Vec<usize>>,
    pub(crate) clock: windlass_pipeline::Clock,
}

impl Poller for FakePoller {
    fn poll(&self, batch: Batch, report: Arc<dyn Report>) -> BoxFuture<'static, ()> {
        self.batches.lock().unwrap().push(batch.queries.len());
        let (mood, observed) = (*self.mood.lock().unwrap(), self.clock.now().mono);
        Box::pin(async move {
            let (value, most) = match mood {
                Mood::Value(value) => (value, usize::MAX),
                Mood::Hang(value) | Mood::Break(value) => (value, 1),
            };
            for asked in batch.queries.iter().take(most) {
                let sample = Sample {
                    values: [Milli(value * 1000)].into_iter().collect(),
                    active: None,
                    observed,
                    next: None,
                    metrics: None,
                };
                report.outcome(batch.id, asked.id, Outcome::Ready(sample, None));
            }
            match mood {
                Mood::Value(_) => {}
                Mood::Hang(_) => std::future::pending().await,
                Mood::Break(_) => report.broke(batch.id, Failure::new(FailureKind::Internal, BROKE)),
            }
        })
    }
}

/// Remembers writes.
#[derive(Default)]
pub(crate) struct FakeWriter(pub(crate) Mutex<Vec<Write>>);

impl Writer for FakeWriter {
    fn submit(&self, write: Write) {
        self.0.lock().unwrap().push(write);
    }
}
