//! From watches to the intake and to what is seen.
use crate::edge::{
    AUTHENTICATIONS, CLUSTER_AUTHENTICATIONS, DEPLOYMENTS, Edge, HPAS, OBJECTS, SECRETS, deployment, hpa, key, object,
};
use crate::server::ApiServer;
use serde_json::{Value, json};
use windlass_cluster::{Options, RequireBound};
use windlass_core::write::TargetSeen;
use windlass_core::{IntakeMsg, Msg, Reason, Seen};

fn encoded(text: &str) -> String {
    // base64 of ASCII, enough for these tests.
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for chunk in text.as_bytes().chunks(3) {
        let bits = chunk.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for digit in 0..4 {
            let value = (bits >> (18 - 6 * digit)) & 63;
            out.push(if digit <= chunk.len() { DIGITS[value as usize] as char } else { '=' });
        }
    }
    out
}

fn secret(namespace: &str, name: &str, password: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": { "namespace": namespace, "name": name },
        "data": { "password": encoded(password) },
    })
}

fn authentication(name: &str, secret: &str) -> Value {
    json!({
        "apiVersion": "keda.sh/v1alpha1", "kind": "TriggerAuthentication",
        "metadata": { "namespace": "shop", "name": name },
        "spec": { "secretTargetRef": [{ "parameter": "password", "name": secret, "key": "password" }] },
    })
}

fn with_authentication(mut object: Value, name: &str, kind: &str) -> Value {
    object["spec"]["triggers"][0]["authenticationRef"] = json!({ "name": name, "kind": kind });
    object
}

#[tokio::test]
async fn an_object_with_its_target_costs_watches_and_nothing_else() {
    let server = ApiServer::start().await;
    server.put(OBJECTS, object("orders", "orders"));
    server.put(DEPLOYMENTS, deployment("orders", 3));
    let mut edge = Edge::start(server).await;
    let intake = edge.put().await;
    assert_eq!(intake.declared.key, key("orders"));
    assert_eq!(&*intake.declared.target.resource, "deployments");
    assert_eq!(intake.materials.len(), 1);
    assert_eq!(intake.fault, None);
    let record = edge.record().await;
    assert!(!record.finalizer && !record.label && !record.version.is_empty());
    assert_eq!(edge.hpa().await, None);
    let TargetSeen::Found { spec: 3, ready: 3, current: 3, version } = edge.target().await else { panic!() };
    assert_eq!(
        *version,
        *edge.server.get(DEPLOYMENTS, "shop", "orders").unwrap()["metadata"]["resourceVersion"].as_str().unwrap()
    );
    edge.synced().await;
    edge.quiet().await;
    let mut lines: Vec<String> = edge.server.asked().iter().map(|asked| asked.line()).collect();
    lines.sort();
    let watches = [
        "watch /apis/apps/v1/deployments",
        "watch /apis/autoscaling/v2/horizontalpodautoscalers",
        "watch /apis/keda.sh/v1alpha1/clustertriggerauthentications",
        "watch /apis/keda.sh/v1alpha1/scaledobjects",
        "watch /apis/keda.sh/v1alpha1/triggerauthentications",
    ];
    assert_eq!(lines, watches);
    assert!(edge.server.agents().iter().all(|agent| agent.starts_with("windlass/")));
}

#[tokio::test]
async fn only_changes_are_told() {
    let server = ApiServer::start().await;
    server.put(OBJECTS, object("orders", "orders"));
    server.put(DEPLOYMENTS, deployment("orders", 3));
    server.put(DEPLOYMENTS, deployment("other", 1));
    let mut edge = Edge::start(server).await;
    edge.synced().await;
    edge.drain().await;
    edge.server.change(DEPLOYMENTS, "shop", "orders", |object| object["spec"]["replicas"] = json!(7));
    let TargetSeen::Found { spec: 7, current: 3, .. } = edge.target().await else { panic!() };
    edge.server.change(DEPLOYMENTS, "shop", "other", |object| object["spec"]["replicas"] = json!(7));
    edge.quiet().await;
    // Our own status writes come back as records, and are no reason to prepare the object again.
    edge.server.change(OBJECTS, "shop", "orders", |object| object["status"] = json!({ "hpaName": "keda-hpa-orders" }));
    assert_eq!(edge.record().await.status.hpa_name.as_deref(), Some("keda-hpa-orders"));
    edge.quiet().await;
    edge.server.put(HPAS, hpa("keda-hpa-orders", "orders", Some("uid-orders")));
    assert_eq!(edge.hpa().await.unwrap().owner.as_deref(), Some("uid-orders"));
    edge.server.remove(DEPLOYMENTS, "shop", "orders");
    assert_eq!(edge.target().await, TargetSeen::Missing);
    edge.quiet().await;
    assert_eq!(edge.server.writes(), []);
    assert!(edge.server.gets().is_empty());
}

#[tokio::test]
async fn objects_come_change_and_go() {
    let mut edge = Edge::start(ApiServer::start().await).await;
    edge.synced().await;
    edge.server.put(OBJECTS, object("orders", "orders"));
    assert_eq!(edge.put().await.declared.bounds.max, 100);
    assert_eq!(edge.target().await, TargetSeen::Missing);
    edge.server.change(OBJECTS, "shop", "orders", |object| {
        object["spec"]["maxReplicaCount"] = json!(7);
        object["metadata"]["generation"] = json!(2);
    });
    assert_eq!(edge.put().await.declared.bounds.max, 7);
    edge.server.change(OBJECTS, "shop", "orders", |object| {
        object["metadata"]["deletionTimestamp"] = json!("2026-01-02T00:00:00Z");
    });
    assert!(matches!(edge.next().await, IntakeMsg::Deleting(k) if k == key("orders")));
    edge.server.remove(OBJECTS, "shop", "orders");
    assert!(matches!(edge.next().await, IntakeMsg::Gone(k) if k == key("orders")));
}

#[tokio::test]
async fn one_bad_object_does_not_stop_the_others() {
    let server = ApiServer::start().await;
    let mut bad = object("bad", "a");
    bad["spec"]["triggers"] = json!("none");
    bad["status"] = json!({ "hpaName": "kept" });
    server.put(OBJECTS, bad);
    let mut unfit = object("unfit", "b");
    unfit["spec"]["fallback"] = json!({ "failureThreshold": 3, "replicas": 2 });
    server.put(OBJECTS, unfit);
    server.put(OBJECTS, object("good", "c"));
    let mut edge = Edge::start(server).await;
    edge.synced().await;
    let (intake, inbox) = edge.drain().await;
    let mut told: Vec<String> = intake
        .iter()
        .map(|message| match message {
            IntakeMsg::Put(intake) => format!("{} put", intake.declared.key.name),
            IntakeMsg::Refused { key, fault, generation: 1, .. } => format!("{} {}", key.name, fault.reason),
            other => panic!("{other:?}"),
        })
        .collect();
    told.sort();
    assert_eq!(told, ["bad ScaledObjectCheckFailed", "good put", "unfit UnsupportedField"]);
    let kept = inbox.iter().any(|message| {
        matches!(message, Msg::Seen(k, Seen::Record(record)) if *k == key("bad") && record.status.hpa_name.as_deref() == Some("kept"))
    });
    assert!(kept, "the status of an object that cannot be read is known all the same");
}

#[tokio::test]
async fn the_older_keeps_the_target_until_it_goes() {
    let server = ApiServer::start().await;
    let mut younger = object("a-younger", "orders");
    younger["metadata"]["creationTimestamp"] = json!("2026-06-01T00:00:00Z");
    server.put(OBJECTS, younger);
    server.put(OBJECTS, object("older", "orders"));
    server.put(DEPLOYMENTS, deployment("orders", 1));
    let mut edge = Edge::start(server).await;
    edge.synced().await;
    let (intake, _) = edge.drain().await;
    let faults: Vec<_> = intake
        .iter()
        .map(|message| match message {
            IntakeMsg::Put(intake) => (&*intake.declared.key.name, intake.fault.as_ref()),
            other => panic!("{other:?}"),
        })
        .collect();
    let fault = |name| faults.iter().rev().find(|(other, _)| *other == name).unwrap().1;
    assert_eq!(fault("older"), None);
    let conflict = fault("a-younger").unwrap();
    assert_eq!(conflict.reason, Reason::ConflictingScaledObject);
    assert!(conflict.message.contains("'older'"), "{}", conflict.message);
    edge.server.remove(OBJECTS, "shop", "older");
    let (mut gone, mut free) = (false, false);
    while !(gone && free) {
        match edge.next().await {
            IntakeMsg::Gone(k) => gone = k == key("older"),
            IntakeMsg::Put(intake) => free = intake.declared.key == key("a-younger") && intake.fault.is_none(),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn an_hpa_of_somebody_else_is_a_conflict_until_it_is_handed_over() {
    let server = ApiServer::start().await;
    server.put(OBJECTS, object("orders", "orders"));
    server.put(DEPLOYMENTS, deployment("orders", 1));
    server.put(HPAS, hpa("theirs", "orders", None));
    let mut edge = Edge::start(server).await;
    let fault = edge.put().await.fault.unwrap();
    assert_eq!(fault.reason, Reason::ConflictingHpa);
    assert!(fault.message.contains("'theirs'"), "{}", fault.message);
    edge.server.change(OBJECTS, "shop", "orders", |object| {
        object["metadata"]["annotations"] = json!({ "scaledobject.keda.sh/transfer-hpa-ownership": "true" });
        object["spec"]["advanced"] = json!({ "horizontalPodAutoscalerConfig": { "name": "theirs" } });
        object["metadata"]["generation"] = json!(2);
    });
    assert_eq!(edge.put().await.fault, None);
    assert_eq!(&*edge.hpa().await.map(|hpa| hpa.shape.name).unwrap_or_else(|| "".into()), "");
    assert_eq!(&*edge.hpa().await.unwrap().shape.name, "theirs");
    edge.server.put(HPAS, hpa("another", "orders", Some("uid-of-somebody")));
    assert!(edge.put().await.fault.unwrap().message.contains("'another'"));
    edge.server.change(HPAS, "shop", "another", |hpa| {
        hpa["metadata"]["annotations"] = json!({ "validations.keda.sh/hpa-ownership": "false" });
    });
    assert_eq!(edge.put().await.fault, None);
}

#[tokio::test]
async fn secrets_are_read_when_referred_to_and_again_when_they_change() {
    let server = ApiServer::start().await;
    server.put(OBJECTS, with_authentication(object("orders", "orders"), "auth", "TriggerAuthentication"));
    server.put(OBJECTS, with_authentication(object("bills", "bills"), "auth", "TriggerAuthentication"));
    server.put(AUTHENTICATIONS, authentication("auth", "login"));
    server.put(SECRETS, secret("shop", "login", "pass-1"));
    server.put(SECRETS, secret("shop", "unrelated", "none of our business"));
    let mut edge = Edge::start(server).await;
    for _ in 0..2 {
        let intake = edge.put().await;
        assert_eq!(intake.materials[0].authentication["password"].expose(), "pass-1");
        assert!(!format!("{intake:?}").contains("pass-1"), "never in a print");
    }
    edge.synced().await;
    edge.drain().await;
    assert_eq!(edge.server.gets(), ["get /api/v1/namespaces/shop/secrets/login"], "once for both");
    edge.server.put(SECRETS, secret("shop", "unrelated", "still none"));
    edge.quiet().await;
    edge.server.put(SECRETS, secret("shop", "login", "two"));
    for _ in 0..2 {
        assert_eq!(edge.put().await.materials[0].authentication["password"].expose(), "two");
    }
    assert_eq!(edge.server.gets().len(), 2);
    // The metadata has changed, the values have not: read, and nothing told.
    edge.server.change(SECRETS, "shop", "login", |secret| secret["metadata"]["labels"] = json!({ "a": "b" }));
    edge.server.until("read again", |asked| asked.iter().filter(|asked| asked.verb == "get").count() == 3).await;
    edge.quiet().await;
    edge.server.remove(SECRETS, "shop", "login");
    for _ in 0..2 {
        let fault = edge.put().await.materials[0].fault.clone().unwrap();
        assert_eq!(fault.reason, Reason::AuthenticationNotFound);
    }
    edge.server.put(SECRETS, secret("shop", "login", "three"));
    for _ in 0..2 {
        assert_eq!(edge.put().await.materials[0].authentication["password"].expose(), "three");
    }
    let whole = edge.server.asked().iter().filter(|asked| asked.path.ends_with("/secrets")).count();
    assert_eq!(whole, 1, "one watch");
}

#[tokio::test]
async fn a_secret_that_changes_while_it_is_read_is_read_again() {
    let server = ApiServer::start().await;
    server.put(OBJECTS, with_authentication(object("orders", "orders"), "auth", "TriggerAuthentication"));
    server.put(AUTHENTICATIONS, authentication("auth", "login"));
    server.put(SECRETS, secret("shop", "login", "one"));
    let mut edge = Edge::start(server).await;
    edge.synced().await;
    edge.drain().await;
    edge.server.hold(&["get /api/v1/namespaces/shop/secrets"]);
    edge.server.put(SECRETS, secret("shop", "login", "two"));
    edge.server.until("asked", |asked| asked.iter().filter(|asked| asked.verb == "get").count() == 2).await;
    edge.server.put(SECRETS, secret("shop", "login", "three"));
    edge.server.hold(&[]);
    let mut seen = edge.put().await.materials[0].authentication["password"].expose().to_owned();
    if seen == "two" {
        seen = edge.put().await.materials[0].authentication["password"].expose().to_owned();
    }
    assert_eq!(seen, "three");
    edge.quiet().await;
}

#[tokio::test]
async fn cluster_wide_authentications_take_their_secrets_from_our_namespace() {
    let server = ApiServer::start().await;
    server.put(OBJECTS, with_authentication(object("orders", "orders"), "shared", "ClusterTriggerAuthentication"));
    server.put(
        CLUSTER_AUTHENTICATIONS,
        json!({
            "apiVersion": "keda.sh/v1alpha1", "kind": "ClusterTriggerAuthentication",
            "metadata": { "name": "shared" },
            "spec": { "secretTargetRef": [{ "parameter": "password", "name": "login", "key": "password" }] },
        }),
    );
    server.put(SECRETS, secret("windlass", "login", "ours"));
    server.put(SECRETS, secret("shop", "login", "theirs"));
    let mut edge = Edge::start(server).await;
    assert_eq!(edge.put().await.materials[0].authentication["password"].expose(), "ours");
    // The authentication itself changes.
    edge.server.change(CLUSTER_AUTHENTICATIONS, "", "shared", |object| {
        object["spec"]["secretTargetRef"][0]["key"] = json!("other");
    });
    assert_eq!(edge.put().await.materials[0].fault.as_ref().unwrap().reason, Reason::AuthenticationNotFound);
}

#[tokio::test]
async fn an_authentication_that_is_missing_is_a_fault_of_the_trigger_alone() {
    let server = ApiServer::start().await;
    server.put(OBJECTS, with_authentication(object("orders", "orders"), "auth", "TriggerAuthentication"));
    let mut edge = Edge::start(server).await;
    let intake = edge.put().await;
    assert_eq!(intake.fault, None);
    assert_eq!(intake.materials[0].fault.as_ref().unwrap().reason, Reason::AuthenticationNotFound);
    edge.server.put(SECRETS, secret("shop", "login", "one"));
    edge.server.put(AUTHENTICATIONS, authentication("auth", "login"));
    assert_eq!(edge.put().await.materials[0].authentication["password"].expose(), "one");
}

#[tokio::test]
async fn the_environment_follows_the_pod_template() {
    let server = ApiServer::start().await;
    let mut from_env = object("orders", "orders");
    from_env["spec"]["triggers"][0]["metadata"] = json!({ "addressFromEnv": "ADDRESS" });
    server.put(OBJECTS, from_env);
    server.put(DEPLOYMENTS, deployment("orders", 1));
    server.put(OBJECTS, object("plain", "plain"));
    server.put(DEPLOYMENTS, deployment("plain", 1));
    let mut edge = Edge::start(server).await;
    edge.synced().await;
    let (intake, _) = edge.drain().await;
    let address = intake.iter().find_map(|message| match message {
        IntakeMsg::Put(intake) if intake.declared.key == key("orders") => {
            Some(intake.materials[0].environment["ADDRESS"].expose().to_owned())
        }
        _ => None,
    });
    assert_eq!(address.as_deref(), Some("b:2"));
    let template = "get /apis/apps/v1/namespaces/shop/deployments/orders";
    assert_eq!(edge.server.gets(), [template], "only where the environment is used");
    edge.server.change(DEPLOYMENTS, "shop", "orders", |object| {
        object["metadata"]["generation"] = json!(2);
        object["spec"]["template"]["spec"]["containers"][0]["env"][0]["value"] = json!("c:3");
    });
    assert_eq!(edge.put().await.materials[0].environment["ADDRESS"].expose(), "c:3");
    assert_eq!(edge.server.gets(), [template, template]);
    // Replicas alone: the generation stays, so nothing is read.
    edge.server.change(DEPLOYMENTS, "shop", "orders", |object| object["status"]["replicas"] = json!(0));
    edge.target().await;
    assert_eq!(edge.server.gets().len(), 2);
}

#[tokio::test]
async fn a_kind_that_nobody_knows_is_a_fault() {
    let server = ApiServer::start().await;
    let mut first = object("first", "one");
    first["spec"]["scaleTargetRef"] = json!({ "apiVersion": "example.com/v1", "kind": "Fleet", "name": "one" });
    server.put(OBJECTS, first);
    let mut edge = Edge::start(server).await;
    let fault = edge.put().await.fault.unwrap();
    assert_eq!(fault.reason, Reason::TargetNotScalable);
    assert!(fault.message.contains("Fleet"), "{}", fault.message);
    edge.synced().await;
}

#[tokio::test]
async fn kinds_with_a_scale_are_watched_as_metadata() {
    let server = ApiServer::start().await;
    server.serve_kind("example.com/v1", json!([
        { "name": "fleets", "singularName": "fleet", "kind": "Fleet", "namespaced": true, "verbs": ["get", "list", "watch"] },
        { "name": "fleets/scale", "singularName": "", "kind": "Scale", "namespaced": true, "verbs": ["get", "patch"] },
    ]));
    for name in ["one", "two"] {
        let mut object = object(name, name);
        object["spec"]["scaleTargetRef"] = json!({ "apiVersion": "example.com/v1", "kind": "Fleet", "name": name });
        server.put(OBJECTS, object);
    }
    let fleet = json!({ "metadata": { "namespace": "shop", "name": "one" }, "spec": { "replicas": 4 }, "status": { "replicas": 2 } });
    server.put("example.com/v1/fleets", fleet);
    let mut edge = Edge::start(server).await;
    edge.synced().await;
    let (_, inbox) = edge.drain().await;
    let targets: Vec<_> = inbox
        .into_iter()
        .filter_map(|message| match message {
            Msg::Seen(k, Seen::Target(target)) => Some((k.name.to_string(), target)),
            _ => None,
        })
        .collect();
    assert!(targets.iter().any(
        |(name, target)| name == "one" && matches!(target, TargetSeen::Found { spec: 4, current: 2, ready: 2, .. })
    ));
    assert!(targets.iter().any(|(name, target)| name == "two" && *target == TargetSeen::Missing));
    let scale = "get /apis/example.com/v1/namespaces/shop/fleets/one/scale";
    assert_eq!(edge.server.gets(), ["get /apis/example.com/v1", scale]);
    edge.server.change("example.com/v1/fleets", "shop", "one", |fleet| fleet["spec"]["replicas"] = json!(6));
    let TargetSeen::Found { spec: 6, .. } = edge.target().await else { panic!() };
    assert_eq!(edge.server.gets(), ["get /apis/example.com/v1", scale, scale]);
    edge.quiet().await;
}

#[tokio::test]
async fn listed_namespaces_only() {
    let server = ApiServer::start().await;
    server.put(OBJECTS, with_authentication(object("orders", "orders"), "auth", "TriggerAuthentication"));
    let mut foreign = object("foreign", "foreign");
    foreign["metadata"]["namespace"] = json!("elsewhere");
    server.put(OBJECTS, foreign);
    server.put(AUTHENTICATIONS, authentication("auth", "login"));
    server.put(SECRETS, secret("shop", "login", "one"));
    let mut options = Options::new("windlass");
    options.namespaces = vec!["shop".into(), "bar".into()];
    let mut edge = Edge::start_with(server, options).await;
    assert_eq!(edge.put().await.declared.key, key("orders"));
    edge.synced().await;
    edge.drain().await;
    let cluster_wide: Vec<_> = edge
        .server
        .asked()
        .iter()
        .filter(|asked| asked.verb != "get" && !asked.path.contains("/namespaces/"))
        .map(|asked| asked.line())
        .collect();
    assert_eq!(cluster_wide, ["watch /apis/keda.sh/v1alpha1/clustertriggerauthentications"]);
    edge.server.put(SECRETS, secret("shop", "login", "two"));
    assert_eq!(edge.put().await.materials[0].authentication["password"].expose(), "two");
}

#[tokio::test]
async fn api_servers_without_streaming_lists_are_listed() {
    let server = ApiServer::start().await;
    server.without_streaming_lists();
    server.put(OBJECTS, object("orders", "orders"));
    server.put(DEPLOYMENTS, deployment("orders", 3));
    let mut edge = Edge::start(server).await;
    edge.put().await;
    edge.synced().await;
    edge.drain().await;
    let lists = edge.server.asked().iter().filter(|asked| asked.verb == "list").count();
    assert_eq!(lists, 5);
    edge.server.put(OBJECTS, object("bills", "bills"));
    assert_eq!(edge.put().await.declared.key, key("bills"));
}

#[tokio::test]
async fn a_target_that_may_not_be_watched_is_unreadable_until_it_may() {
    let server = ApiServer::start().await;
    for _ in 0..2 {
        server.trouble("watch /apis/apps", 403);
    }
    server.put(OBJECTS, object("orders", "orders"));
    server.put(DEPLOYMENTS, deployment("orders", 3));
    let mut edge = Edge::start(server).await;
    edge.put().await;
    edge.synced().await;
    let TargetSeen::Unreadable(why) = edge.target().await else { panic!() };
    assert!(why.starts_with("deployments cannot be watched: the API server answered 403"), "{why}");
    assert!(matches!(edge.target().await, TargetSeen::Found { spec: 3, .. }), "it is tried again");
}

#[tokio::test]
async fn a_secret_that_cannot_be_read_is_tried_again() {
    let server = ApiServer::start().await;
    server.put(OBJECTS, with_authentication(object("orders", "orders"), "auth", "TriggerAuthentication"));
    server.put(AUTHENTICATIONS, authentication("auth", "login"));
    server.put(SECRETS, secret("shop", "login", "pass-1"));
    server.trouble("get /api/v1/namespaces/shop/secrets", 500);
    let mut edge = Edge::start(server).await;
    assert_eq!(
        edge.put().await.materials[0].authentication["password"].expose(),
        "pass-1",
        "a short trouble is waited for"
    );
    edge.server.trouble("get /api/v1/namespaces/shop/secrets", 500);
    edge.server.put(SECRETS, secret("shop", "login", "pass-2"));
    assert_eq!(edge.put().await.materials[0].authentication["password"].expose(), "pass-2");
    edge.quiet_intake().await;
}

#[tokio::test]
async fn what_an_authentication_is_bound_to_comes_with_its_values_and_can_be_asked_for() {
    for (require, cluster, refused) in [
        (RequireBound::None, false, false),
        (RequireBound::None, true, false),
        (RequireBound::Cluster, false, false),
        (RequireBound::Cluster, true, true),
        (RequireBound::All, false, true),
        (RequireBound::All, true, true),
    ] {
        let server = ApiServer::start().await;
        let kind = if cluster { "ClusterTriggerAuthentication" } else { "TriggerAuthentication" };
        let mut auth = authentication("auth", "login");
        let (collection, namespace) = match cluster {
            true => (CLUSTER_AUTHENTICATIONS, ""),
            false => (AUTHENTICATIONS, "shop"),
        };
        if cluster {
            auth["kind"] = json!(kind);
            auth["metadata"] = json!({ "name": "auth" });
        }
        server.put(OBJECTS, with_authentication(object("orders", "orders"), "auth", kind));
        server.put(collection, auth);
        server.put(SECRETS, secret("shop", "login", "one"));
        server.put(SECRETS, secret("windlass", "login", "one"));
        let mut edge = Edge::start_with(server, Options { require_bound: require, ..Options::new("windlass") }).await;
        let material = edge.put().await.materials[0].clone();
        assert_eq!(material.bound, None);
        match &material.fault {
            Some(fault) => {
                assert!(refused, "{require:?} {kind}");
                assert_eq!(fault.reason, Reason::InvalidTrigger);
                for part in [kind, "'auth'", "windlass.dev/hosts", "--require-bound-credentials"] {
                    assert!(fault.message.contains(part), "{part}: {fault}");
                }
            }
            None => assert!(!refused, "{require:?} {kind}"),
        }
        // The annotation is taken as soon as it is there.
        edge.server.change(collection, namespace, "auth", |auth| {
            auth["metadata"]["annotations"] = json!({ "windlass.dev/hosts": "db.example:5432" });
        });
        let material = edge.put().await.materials[0].clone();
        assert_eq!(material.fault, None);
        assert_eq!(material.authentication["password"].expose(), "one");
        assert!(material.bound.unwrap().permits("db.example", 5432));
    }
}
