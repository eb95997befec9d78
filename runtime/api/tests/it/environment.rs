//! The environment of a container.
use k8s_openapi::api::core::v1::PodSpec;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use windlass_api::environment::{container, environment, needs};
use windlass_api::reference::{Fetched, Values};
use windlass_core::{Reason, Secret, Text};

fn pod(containers: Value) -> PodSpec {
    serde_json::from_value(json!({ "containers": containers })).unwrap()
}

fn objects(name: &str, pairs: &[(&str, &str)]) -> BTreeMap<Text, Values> {
    let values = pairs.iter().map(|(name, value)| ((*name).into(), Secret::new(*value))).collect();
    BTreeMap::from([(name.into(), Arc::new(values))])
}

fn told(pod: &PodSpec, fetched: &Fetched) -> BTreeMap<String, String> {
    let variables = environment(container(pod, None).unwrap(), fetched).unwrap();
    variables.iter().map(|(name, value)| (name.to_string(), value.expose().to_owned())).collect()
}

#[test]
fn the_container_is_the_named_one_or_the_first() {
    let pod = pod(json!([{ "name": "a" }, { "name": "b" }]));
    assert_eq!(container(&pod, None).unwrap().name, "a");
    assert_eq!(container(&pod, Some("")).unwrap().name, "a");
    assert_eq!(container(&pod, Some("b")).unwrap().name, "b");
    assert!(container(&pod, Some("c")).unwrap_err().message.contains("has no container 'c'"));
    assert!(container(&PodSpec::default(), None).is_err());
}

#[test]
fn values_come_from_everywhere_in_order() {
    let pod = pod(json!([{
        "name": "main",
        "envFrom": [
            { "configMapRef": { "name": "map" } },
            { "prefix": "S_", "secretRef": { "name": "secret" } },
            { "secretRef": { "name": "absent", "optional": true } }
        ],
        "env": [
            { "name": "PLAIN", "value": "x" },
            { "name": "EMPTY" },
            { "name": "SECRET", "valueFrom": { "secretKeyRef": { "name": "secret", "key": "k" } } },
            { "name": "NO_KEY", "valueFrom": { "secretKeyRef": { "name": "secret", "key": "none" } } },
            { "name": "MAP", "valueFrom": { "configMapKeyRef": { "name": "map", "key": "A" } } },
            { "name": "ABSENT", "valueFrom": { "configMapKeyRef": { "name": "absent", "key": "A", "optional": true } } },
            { "name": "POD", "valueFrom": { "fieldRef": { "fieldPath": "metadata.name" } } },
            { "name": "A", "value": "own" },
            { "name": "URL", "value": "http://$(PLAIN):$(S_k)@$(LATER)/$(A" },
            { "name": "DOLLAR", "value": "$$(PLAIN) $x $" },
            { "name": "LATER", "value": "l" }
        ]
    }]));
    let main = container(&pod, None).unwrap();
    assert_eq!(needs(main).secrets, ["absent".into(), "secret".into()].into());
    assert_eq!(needs(main).config_maps, ["absent".into(), "map".into()].into());
    let fetched = Fetched {
        secrets: objects("secret", &[("k", "s3cret")]),
        config_maps: objects("map", &[("A", "from-map")]),
        environments: BTreeMap::new(),
    };
    let expected = [
        ("A", "own"),
        ("DOLLAR", "$(PLAIN) $x $"),
        ("EMPTY", ""),
        ("LATER", "l"),
        ("MAP", "from-map"),
        ("NO_KEY", ""),
        ("PLAIN", "x"),
        ("SECRET", "s3cret"),
        ("S_k", "s3cret"),
        ("URL", "http://x:s3cret@$(LATER)/$(A"),
    ];
    assert_eq!(told(&pod, &fetched), expected.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
}

#[test]
fn what_is_missing_and_not_optional_is_named() {
    for (part, place) in [
        (json!({ "envFrom": [{ "secretRef": { "name": "gone" } }] }), "envFrom: there is no Secret 'gone'"),
        (
            json!({ "env": [{ "name": "X", "valueFrom": { "configMapKeyRef": { "name": "gone", "key": "k" } } }] }),
            "env: there is no ConfigMap 'gone'",
        ),
    ] {
        let mut one = part;
        one["name"] = json!("main");
        let pod = pod(json!([one]));
        let fault = environment(&pod.containers[0], &Fetched::default()).unwrap_err();
        assert_eq!(fault.reason, Reason::AuthenticationNotFound);
        assert!(fault.message.contains(place), "{fault}");
    }
}
