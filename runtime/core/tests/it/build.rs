//! Short ways to write down objects.
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use windlass_core::failure::Fault;
use windlass_core::key::{Digest, Fingerprint, MetricName, TargetRef, Text, WorkloadKey};
use windlass_core::milli::Milli;
use windlass_core::query::{Endpoint, MetricSpec, QueryIdentity, QueryPlan, Question, ResolvedTrigger, SourceKey};
use windlass_core::time::Wall;
use windlass_core::workload::{
    Aim, Ask, Bounds, Declared, DeclaredTrigger, Engine, Hold, HpaOptions, Metric, Pause, ResourceTarget,
    ResourceTrigger, Trigger, Workload,
};

/// The wall clock at the start of every run: a whole hour.
pub(crate) const START: Wall = Wall(1_700_000_000_000 - 1_700_000_000_000 % 3_600_000);

/// A fingerprint of a text.
pub(crate) fn fingerprint(text: &str) -> Fingerprint {
    let mut bytes = [0; 32];
    let mut hash = 0xcbf2_9ce4_8422_2325u64;
    for (at, byte) in text.bytes().chain(0..32).enumerate() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        bytes[at % 32] ^= (hash >> 24) as u8;
    }
    Fingerprint(bytes)
}

/// An object in the making.
#[derive(Clone)]
pub(crate) struct Object {
    pub(crate) declared: Declared,
    triggers: Vec<Trigger>,
    fault: Option<Fault>,
    held_back: Vec<(u16, Text)>,
}

/// A question about `queue`, at `source`, of a domain.
pub(crate) fn question(domain: &str, source: &str, queue: &str, discovered: bool) -> Arc<Question> {
    let metric = MetricSpec { name: queue.into(), target: 5.0, activation: 0.0 };
    Arc::new(Question {
        identity: QueryIdentity(fingerprint(&format!("{domain}|{source}|{queue}"))),
        alike: fingerprint(&format!("{source}|{queue}")),
        component: Digest([7; 32]),
        trigger: ResolvedTrigger {
            kind: "queue".into(),
            domain: domain.into(),
            values: BTreeMap::new(),
            extras: BTreeMap::new(),
            identity: None,
            owner: None,
            bound: None,
            granted: None,
        },
        plan: QueryPlan {
            metrics: (!discovered).then(|| vec![metric]),
            endpoints: vec![Endpoint { parameter: None, host: source.into(), port: 80, tls: None }],
            // Some sources are asked for many things by one request.
            group: source.strip_prefix("grouped-").unwrap_or_default().into(),
            requests: 1,
        },
        source: SourceKey(fingerprint(source)),
        secrets: fingerprint("secrets"),
    })
}

/// A Deployment.
pub(crate) fn deployment(name: &str) -> TargetRef {
    TargetRef {
        group: "apps".into(),
        version: "v1".into(),
        kind: "Deployment".into(),
        resource: "deployments".into(),
        name: name.into(),
    }
}

/// An object in the namespace `shop` without triggers: 0 to 10 replicas, polled every 30 s, cooldown 60 s.
pub(crate) fn object(name: &str) -> Object {
    object_in("shop", name)
}

/// The same in another namespace.
pub(crate) fn object_in(namespace: &str, name: &str) -> Object {
    let declared = Declared {
        key: WorkloadKey::scaled_object(namespace, name),
        uid: format!("uid-{namespace}-{name}").into(),
        generation: 1,
        created: START,
        labels: BTreeMap::new(),
        annotations: BTreeMap::new(),
        target: deployment(name),
        env_container: None,
        bounds: Bounds { min: 0, max: 10, idle: None },
        poll: Duration::from_secs(30),
        cooldown: Duration::from_secs(60),
        initial_cooldown: Duration::ZERO,
        triggers: Vec::new(),
        pause: Pause::default(),
        force_active: false,
        hpa: HpaOptions { name: format!("keda-hpa-{name}").into(), named: false, behavior: None },
        engine: Engine::Hpa,
        restore_original: false,
        components: Default::default(),
    };
    Object { declared, triggers: Vec::new(), fault: None, held_back: Vec::new() }
}

impl Object {
    /// Adds a trigger on a queue, target 5 per replica.
    pub(crate) fn queue(self, queue: &str) -> Object {
        self.external("broker", queue, Aim::Average, false)
    }

    /// The same at a source of its own.
    pub(crate) fn queue_at(self, source: &str, queue: &str) -> Object {
        self.external(source, queue, Aim::Average, false)
    }

    /// The same with a target for all replicas.
    pub(crate) fn value(self, queue: &str) -> Object {
        self.external("broker", queue, Aim::Value, false)
    }

    /// The same with `useCachedMetrics`.
    pub(crate) fn cached(self, queue: &str) -> Object {
        self.external("broker", queue, Aim::Average, true)
    }

    fn external(mut self, source: &str, queue: &str, aim: Aim, cached: bool) -> Object {
        let index = self.triggers.len() as u16;
        let question = question(&self.declared.key.namespace, source, queue, false);
        let metric = Metric { name: MetricName::new(index, queue), target: Milli(5000), activation: 0.0 };
        self.triggers.push(Trigger::External { index, question, metrics: vec![metric], aim, cached });
        self.declare(index, Ask::External { metadata: BTreeMap::new(), aim, cached })
    }

    /// Adds a trigger whose metrics are told by its first reading.
    pub(crate) fn discovered(mut self, queue: &str) -> Object {
        let index = self.triggers.len() as u16;
        let question = question(&self.declared.key.namespace, "broker", queue, true);
        let aim = Aim::Average;
        self.triggers.push(Trigger::External { index, question, metrics: Vec::new(), aim, cached: false });
        self.declare(index, Ask::External { metadata: BTreeMap::new(), aim, cached: false })
    }

    /// Adds a `cpu` trigger.
    pub(crate) fn cpu(mut self) -> Object {
        let index = self.triggers.len() as u16;
        let target = ResourceTarget::Utilization(50);
        let resource = ResourceTrigger { resource: "cpu".into(), container: None, target };
        self.triggers.push(Trigger::Resource { index, resource: resource.clone() });
        self.declare(index, Ask::Resource(resource))
    }

    /// Another component answers its triggers from now on.
    pub(crate) fn answered_by(mut self, component: u8) -> Object {
        for trigger in &mut self.triggers {
            if let Trigger::External { question, .. } = trigger {
                let mut other = Question::clone(question);
                other.component = Digest([component; 32]);
                other.identity = QueryIdentity(fingerprint(&format!("{:?}|{component}", other.identity)));
                *question = Arc::new(other);
            }
        }
        self
    }

    /// A newer component is not taken for a trigger.
    pub(crate) fn held_back(mut self, index: u16, why: &str) -> Object {
        self.held_back.push((index, why.into()));
        self
    }

    /// Adds a trigger that cannot be asked.
    pub(crate) fn unusable(mut self, fault: Fault) -> Object {
        let index = self.triggers.len() as u16;
        self.triggers.push(Trigger::Unusable { index, fault });
        self.declare(index, Ask::External { metadata: BTreeMap::new(), aim: Aim::Average, cached: false })
    }

    fn declare(mut self, index: u16, ask: Ask) -> Object {
        let kind: Text = "queue".into();
        self.declared.triggers.push(DeclaredTrigger { index, kind, name: None, ask, authentication: None });
        self
    }

    pub(crate) fn fault(mut self, fault: Fault) -> Object {
        self.fault = Some(fault);
        self
    }

    pub(crate) fn bounds(mut self, min: u32, max: u32) -> Object {
        (self.declared.bounds.min, self.declared.bounds.max) = (min, max);
        self
    }

    pub(crate) fn idle(mut self, idle: u32) -> Object {
        self.declared.bounds.idle = Some(idle);
        self
    }

    pub(crate) fn cooldown(mut self, seconds: u64) -> Object {
        self.declared.cooldown = Duration::from_secs(seconds);
        self
    }

    pub(crate) fn initial_cooldown(mut self, seconds: u64) -> Object {
        self.declared.initial_cooldown = Duration::from_secs(seconds);
        self
    }

    pub(crate) fn poll(mut self, seconds: u64) -> Object {
        self.declared.poll = Duration::from_secs(seconds);
        self
    }

    pub(crate) fn paused(mut self, hold: Hold) -> Object {
        self.declared.pause.all = Some(hold);
        self
    }

    pub(crate) fn pause(mut self, scale_in: bool, scale_out: bool) -> Object {
        (self.declared.pause.scale_in, self.declared.pause.scale_out) = (scale_in, scale_out);
        self
    }

    pub(crate) fn forced(mut self) -> Object {
        self.declared.force_active = true;
        self
    }

    pub(crate) fn direct(mut self) -> Object {
        self.declared.engine = Engine::Direct;
        self
    }

    /// Without an API server: nothing is stored about it.
    pub(crate) fn local(mut self) -> Object {
        self.declared.uid = "".into();
        self
    }

    pub(crate) fn restored(mut self) -> Object {
        self.declared.restore_original = true;
        self
    }

    pub(crate) fn generation(mut self, generation: i64) -> Object {
        self.declared.generation = generation;
        self
    }

    pub(crate) fn key(&self) -> WorkloadKey {
        self.declared.key.clone()
    }

    pub(crate) fn workload(self) -> Workload {
        Workload {
            declared: Arc::new(self.declared),
            triggers: self.triggers,
            fault: self.fault,
            held_back: self.held_back,
        }
    }
}
