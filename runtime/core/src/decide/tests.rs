//! The rules as a table: what is known → what is done.
use super::*;
use crate::key::{MetricName, TargetRef, WorkloadKey};
use crate::milli::Milli;
use crate::sample::Sample;
use crate::time::Mono;
use crate::workload::{Bounds, Declared, HpaOptions, Metric, Pause};
use std::collections::BTreeMap;
use std::sync::Arc;

const NOW: Wall = Wall(1_000_000);
const RESOURCE: Reading<'_> = Reading::Resource { known: None, failure: None, failing: false };

fn workload(bounds: Bounds, pause: Pause, force_active: bool) -> Workload {
    let target = TargetRef {
        group: "apps".into(),
        version: "v1".into(),
        kind: "Deployment".into(),
        resource: "deployments".into(),
        name: "web".into(),
    };
    let declared = Declared {
        key: WorkloadKey::scaled_object("shop", "web"),
        uid: "uid".into(),
        generation: 1,
        created: Wall(0),
        labels: BTreeMap::new(),
        annotations: BTreeMap::new(),
        target,
        env_container: None,
        bounds,
        poll: Duration::from_secs(30),
        cooldown: Duration::from_secs(100),
        initial_cooldown: Duration::ZERO,
        triggers: Vec::new(),
        pause,
        force_active,
        hpa: HpaOptions { name: "hpa".into(), named: false, behavior: None },
        engine: Engine::Hpa,
        restore_original: false,
    };
    Workload { declared: Arc::new(declared), triggers: Vec::new(), fault: None }
}

struct Case {
    bounds: (u32, Option<u32>),
    replicas: u32,
    says: Activity,
    last_active_s: Option<i64>,
    past_known: bool,
    force: bool,
    pause: (bool, bool),
}

const BASE: Case = Case {
    bounds: (0, None),
    replicas: 0,
    says: Activity::Inactive,
    last_active_s: None,
    past_known: true,
    force: false,
    pause: (false, false),
};

fn known<'a>(sample: &'a Sample, metrics: &'a [Metric]) -> Reading<'a> {
    Reading::Known { sample, metrics, aged: None, failure: None, failing: false, quarantine: None }
}

fn decided(case: &Case) -> Decision {
    let (min, idle) = case.bounds;
    let pause = Pause { all: None, scale_in: case.pause.0, scale_out: case.pause.1 };
    let workload = workload(Bounds { min, max: 10, idle }, pause, case.force);
    let value = if case.says == Activity::Active { Milli(1) } else { Milli(0) };
    let sample =
        Sample { values: [value].into_iter().collect(), active: None, observed: Mono(0), next: None, metrics: None };
    let metrics = [Metric { name: MetricName::new(0, "q"), target: Milli(5000), activation: 0.0 }];
    let reading = match case.says {
        Activity::Active | Activity::Inactive => known(&sample, &metrics),
        Activity::Unknown => Reading::Unknown { failure: None, failing: true, quarantine: None },
        Activity::Waiting => Reading::Waiting,
    };
    let target =
        TargetSeen::Found { spec: case.replicas, ready: case.replicas, current: case.replicas, version: "1".into() };
    let last_active = case.last_active_s.map(|ago| Wall(NOW.0 - ago * 1000));
    let memory = Memory { last_active, ..Memory::default() };
    let now = Now { mono: Mono(1_000_000), wall: NOW };
    decide(&Facts {
        workload: &workload,
        readings: &[reading],
        fault: None,
        target: Some(&target),
        past_known: case.past_known,
        memory: &memory,
        behavior: None,
        flags: algorithm::Flags::default(),
        now,
    })
}

#[test]
fn the_table() {
    use Activity::{Active, Inactive, Unknown, Waiting};
    let cases = [
        // Activation.
        ("wakes", Case { says: Active, ..BASE }, Some(1)),
        ("wakes to the minimum", Case { says: Active, bounds: (3, None), ..BASE }, Some(3)),
        ("is awake", Case { says: Active, replicas: 2, ..BASE }, None),
        ("wakes from idle", Case { says: Active, bounds: (3, Some(1)), replicas: 1, ..BASE }, Some(3)),
        ("may not wake", Case { says: Active, pause: (false, true), ..BASE }, None),
        ("is forced awake", Case { force: true, ..BASE }, Some(1)),
        ("is forced awake though nothing is known", Case { force: true, says: Unknown, ..BASE }, Some(1)),
        // Rest.
        ("sleeps", Case { says: Inactive, ..BASE }, None),
        ("was never active", Case { replicas: 2, ..BASE }, Some(0)),
        ("cools down", Case { replicas: 2, last_active_s: Some(99), ..BASE }, None),
        ("cools down to the last moment", Case { replicas: 2, last_active_s: Some(100), ..BASE }, None),
        ("has cooled down", Case { replicas: 2, last_active_s: Some(101), ..BASE }, Some(0)),
        ("cools down to idle", Case { replicas: 5, bounds: (3, Some(1)), last_active_s: Some(101), ..BASE }, Some(1)),
        ("may not sleep", Case { replicas: 2, pause: (true, false), ..BASE }, None),
        ("is forced to stay awake", Case { replicas: 2, force: true, ..BASE }, None),
        ("rests at the minimum", Case { replicas: 3, bounds: (3, None), ..BASE }, None),
        ("is below the minimum", Case { replicas: 1, bounds: (3, None), ..BASE }, Some(3)),
        ("does not know its past", Case { replicas: 2, past_known: false, ..BASE }, None),
        // Not known.
        ("holds", Case { says: Unknown, replicas: 2, last_active_s: Some(5000), ..BASE }, None),
        ("holds at zero", Case { says: Unknown, ..BASE }, None),
        ("holds below the minimum", Case { says: Unknown, replicas: 1, bounds: (3, None), ..BASE }, None),
        ("waits", Case { says: Waiting, replicas: 2, last_active_s: Some(5000), ..BASE }, None),
    ];
    for (name, case, expected) in cases {
        let decision = decided(&case);
        assert_eq!(decision.replicas, expected, "{name}: {}", decision.because);
        assert_eq!(decision.activity, case.says, "{name}");
    }
}

#[test]
fn a_cooldown_says_when_it_is_over() {
    let decision = decided(&Case { replicas: 2, last_active_s: Some(40), ..BASE });
    assert_eq!(decision.wake, Some(Wall(NOW.0 + 60_001)));
    assert_eq!(decision.because, Because::Cooldown { until: Wall(NOW.0 + 60_000), to: 0 });
}

#[test]
fn together() {
    let sample = |value| Sample {
        values: [Milli(value)].into_iter().collect(),
        active: None,
        observed: Mono(0),
        next: None,
        metrics: None,
    };
    let (some, none) = (sample(1), sample(0));
    let metrics = [Metric { name: MetricName::new(0, "q"), target: Milli(5000), activation: 0.0 }];
    let known = |sample| known(sample, &metrics);
    let (yes, no) = (known(&some), known(&none));
    let unknown = Reading::Unknown { failure: None, failing: true, quarantine: None };
    use Activity::{Active, Inactive, Unknown, Waiting};
    let cases: [(&[Reading<'_>], Activity); 11] = [
        (&[], Waiting),
        (&[RESOURCE], Active),
        (&[RESOURCE, no], Inactive),
        (&[RESOURCE, unknown], Unknown),
        (&[no, no], Inactive),
        (&[no, yes, unknown], Active),
        (&[unknown, yes], Active),
        (&[no, unknown], Unknown),
        (&[Reading::Waiting, no], Waiting),
        (&[Reading::Waiting, unknown], Unknown),
        (&[unknown, Reading::Waiting], Unknown),
    ];
    for (readings, expected) in cases {
        assert_eq!(activity(readings), expected, "{readings:?}");
    }
}
