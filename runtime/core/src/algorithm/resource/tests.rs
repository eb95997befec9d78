use super::*;
use crate::algorithm::{Flags, Rules};
use crate::workload::ResourceTarget;
use serde_json::Value;

/// Pods that the HPA controller of Kubernetes 1.36 itself looked at (`tests/hpa/README.md`).
const CASES: &str = include_str!("../../../tests/hpa/resources-kubernetes-1.36.jsonl");

const NOW: i64 = 1_700_000_000_000;

fn tolerances() -> Tolerances {
    Tolerances::of(&Rules { min: 1, max: 100, behavior: None, flags: Flags::default() })
}

fn trigger(resource: &str, container: Option<&str>) -> ResourceTrigger {
    let target = ResourceTarget::Utilization(50);
    ResourceTrigger { resource: resource.into(), container: container.map(Into::into), target }
}

fn ago(value: &Value) -> Option<Wall> {
    value.as_i64().map(|ms| Wall(NOW - ms))
}

fn pod(resource: &str, name: &str, case: &Value) -> Pod {
    let container = |container: &Value| {
        let request = container["request"].as_i64().map(|amount| (resource.into(), amount));
        (container["name"].as_str().unwrap().into(), request.into_iter().collect())
    };
    Pod {
        name: name.into(),
        over: case["deleted"] == true || case["phase"] == "Failed",
        pending: case["phase"] == "Pending",
        started: ago(&case["started"]),
        ready: case["ready"].as_object().map(|ready| (ready["ready"] == true, ago(&ready["since"]).unwrap())),
        requests: BTreeMap::new(),
        containers: case["containers"].as_array().unwrap().iter().map(container).collect(),
    }
}

#[test]
fn proposals_are_those_of_the_controller() {
    let mut proposals = 0;
    for line in CASES.lines() {
        let case: Value = serde_json::from_str(line).unwrap();
        let resource = case["resource"].as_str().unwrap();
        let container = case["container"].as_str().filter(|name| !name.is_empty());
        let goal = match case["utilization"].as_i64() {
            Some(target) => Goal::Utilization(target.try_into().unwrap()),
            None => Goal::Average(case["average"].as_i64().unwrap()),
        };
        let (mut pods, mut uses) = (Vec::new(), Vec::new());
        for (place, given) in case["pods"].as_array().into_iter().flatten().enumerate() {
            let name = format!("p{place}");
            pods.push(pod(resource, &name, given));
            if let Some(one) = given["use"].as_object() {
                uses.push(PodUse {
                    pod: name.as_str().into(),
                    at: ago(&one["at"]).unwrap(),
                    window: Duration::from_millis(one["window"].as_u64().unwrap()),
                    containers: vec![("c0".into(), BTreeMap::from([(resource.into(), one["used"].as_i64().unwrap())]))],
                });
            }
        }
        let found = Resource::of(&trigger(resource, container), goal, &pods, &uses, Startup::default(), Wall(NOW));
        let current = u32::try_from(case["current"].as_i64().unwrap()).unwrap();
        let proposed = found.as_ref().ok().and_then(|found| found.propose(current, tolerances()));
        let expected = case["replicas"].as_i64().map(|replicas| u32::try_from(replicas).unwrap());
        assert_eq!(proposed, expected, "{found:?} of {line}");
        proposals += usize::from(expected.is_some());
    }
    assert!(proposals > 250, "{proposals}");
}

fn of_containers(amounts: &[(&str, Option<i64>)]) -> PodUse {
    let container = |(name, amount): &(&str, Option<i64>)| {
        ((*name).into(), amount.map(|amount| ("cpu".into(), amount)).into_iter().collect())
    };
    PodUse { pod: "p".into(), containers: amounts.iter().map(container).collect(), ..PodUse::default() }
}

#[test]
fn the_use_of_a_pod_is_that_of_all_its_containers_or_of_the_one_that_is_meant() {
    let both = of_containers(&[("main", Some(70)), ("proxy", Some(30))]);
    assert_eq!(use_of(&trigger("cpu", None), &both), Ok(Some(100)));
    assert_eq!(use_of(&trigger("cpu", Some("proxy")), &both), Ok(Some(30)));
    assert_eq!(use_of(&trigger("memory", None), &both), Ok(None));
    assert_eq!(use_of(&trigger("cpu", None), &of_containers(&[("main", Some(70)), ("proxy", None)])), Ok(None));
    assert_eq!(use_of(&trigger("cpu", None), &of_containers(&[])), Ok(None));
    let error = use_of(&trigger("cpu", Some("other")), &both).unwrap_err().message;
    assert!(error.contains("'other'"), "{error}");
}

#[test]
fn a_request_that_is_missing_is_named() {
    let requests = |amount| BTreeMap::from([(Text::from("cpu"), amount)]);
    let containers = vec![("main".into(), requests(100)), ("proxy".into(), BTreeMap::new())];
    let pod = Pod { name: "web-1".into(), containers, ..Pod::default() };
    assert_eq!(request_of(&trigger("cpu", Some("main")), &pod), Ok(100));
    let error = request_of(&trigger("cpu", None), &pod).unwrap_err().message;
    assert_eq!(&*error, "container 'proxy' of pod 'web-1' requests no cpu; set resources.requests.cpu of it");
    assert!(request_of(&trigger("cpu", Some("gone")), &pod).unwrap_err().message.contains("containerName"));
    let whole = Pod { requests: requests(500), ..pod };
    assert_eq!(request_of(&trigger("cpu", None), &whole), Ok(500));
    assert_eq!(request_of(&trigger("cpu", Some("main")), &whole), Ok(100));
}
