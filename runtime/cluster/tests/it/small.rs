//! The small edges: access, front proxy, certificate, APIService, Lease, RBAC.
use crate::edge::{AUTHENTICATIONS, DEPLOYMENTS, Edge, OBJECTS, client, deployment, key, object};
use crate::server::{ApiServer, Asked};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;
use windlass_cluster::{Error, Lease, LeaseOptions, access, api_service, certificate, front_proxy, rbac};
use windlass_core::Reason;
use windlass_core::write::{StatusView, Write};

const LEASES: &str = "coordination.k8s.io/v1/leases";

#[tokio::test]
async fn a_review_asks_for_all_external_metrics() {
    let server = ApiServer::start().await;
    let client = client(&server);
    let hpa = "system:serviceaccount:kube-system:horizontal-pod-autoscaler";
    let groups = ["system:authenticated".to_owned()];
    let extra = BTreeMap::from([("scopes".to_owned(), vec!["a".to_owned()])]);
    assert!(access::review(&client, hpa, "u", &groups, &extra).await.unwrap());
    assert!(!access::review(&client, "somebody", "", &[], &BTreeMap::new()).await.unwrap());
    let asked = server.writes();
    assert_eq!(asked[0].line(), "create /apis/authorization.k8s.io/v1/subjectaccessreviews");
    assert_eq!(
        asked[0].body["spec"],
        json!({
            "user": hpa, "uid": "u", "groups": groups, "extra": extra,
            "resourceAttributes": { "group": "external.metrics.k8s.io", "version": "v1beta1", "resource": "*", "verb": "list" },
        })
    );
    server.trouble("create", 500);
    assert!(access::review(&client, hpa, "u", &groups, &extra).await.is_err());
}

#[tokio::test]
async fn the_front_proxy_is_watched_by_name() {
    let server = ApiServer::start().await;
    let map = |ca: &str| {
        json!({
            "metadata": { "namespace": "kube-system", "name": "extension-apiserver-authentication" },
            "data": { "requestheader-client-ca-file": ca, "requestheader-allowed-names": "[\"front-proxy-client\"]" },
        })
    };
    server.put("v1/configmaps", map("one"));
    server.put("v1/configmaps", json!({ "metadata": { "namespace": "kube-system", "name": "other" } }));
    let mut watch = front_proxy::watch_front_proxy(&client(&server));
    let wait = |ca: &'static str| {
        move |known: &Option<BTreeMap<String, String>>| {
            known.as_ref().is_some_and(|known| known["requestheader-client-ca-file"] == ca)
        }
    };
    let patience = Duration::from_secs(20);
    tokio::time::timeout(patience, watch.value.wait_for(wait("one"))).await.unwrap().unwrap();
    server.put("v1/configmaps", map("two"));
    tokio::time::timeout(patience, watch.value.wait_for(wait("two"))).await.unwrap().unwrap();
    let lines: Vec<_> = server.asked().iter().map(Asked::line).collect();
    assert_eq!(lines, ["watch /api/v1/namespaces/kube-system/configmaps"]);
}

#[tokio::test]
async fn a_certificate_is_kept_and_never_overwritten_unseen() {
    let server = ApiServer::start().await;
    let client = client(&server);
    assert!(certificate::load(&client, "windlass", "certs").await.unwrap().is_none());
    let data = |text: &str| BTreeMap::from([("tls.key".to_owned(), text.as_bytes().to_vec())]);
    certificate::store(&client, "windlass", "certs", &data("one"), None).await.unwrap();
    assert!(matches!(certificate::store(&client, "windlass", "certs", &data("x"), None).await, Err(Error::Exists)));
    let kept = certificate::load(&client, "windlass", "certs").await.unwrap().unwrap();
    assert_eq!(kept.data, data("one"));
    assert!(!format!("{kept:?}").contains("111"), "{kept:?}");
    certificate::store(&client, "windlass", "certs", &data("two"), Some(&kept.version)).await.unwrap();
    let late = certificate::store(&client, "windlass", "certs", &data("three"), Some(&kept.version)).await;
    assert!(matches!(late, Err(Error::Conflict)));
    assert_eq!(certificate::load(&client, "windlass", "certs").await.unwrap().unwrap().data, data("two"));
}

#[tokio::test]
async fn the_ca_bundle_is_written_only_when_it_differs() {
    let server = ApiServer::start().await;
    let client = client(&server);
    assert!(matches!(api_service::set_ca_bundle(&client, b"pem").await, Err(Error::NotFound)));
    server.put("apiregistration.k8s.io/v1/apiservices", json!({
        "metadata": { "name": api_service::NAME },
        "spec": { "group": "external.metrics.k8s.io", "version": "v1beta1", "groupPriorityMinimum": 100, "versionPriority": 100 },
    }));
    assert!(api_service::set_ca_bundle(&client, b"pem").await.unwrap());
    assert!(!api_service::set_ca_bundle(&client, b"pem").await.unwrap());
    assert_eq!(server.writes().len(), 1);
    assert_eq!(server.writes()[0].body["spec"], json!({ "caBundle": "cGVt" }));
}

#[tokio::test]
async fn one_holds_the_lease_and_hands_it_over() {
    let server = ApiServer::start().await;
    let options =
        |identity: &str| LeaseOptions { renew: Duration::from_millis(20), ..LeaseOptions::new("keda", identity) };
    let mut first = Lease::hold(client(&server), options("first"));
    let patience = Duration::from_secs(20);
    tokio::time::timeout(patience, first.held.wait_for(|held| *held)).await.unwrap().unwrap();
    let mut second = Lease::hold(client(&server), options("second"));
    let begun = server.writes().len();
    server.until("it is renewed", |asked| asked.iter().filter(|asked| asked.verb == "patch").count() > 3).await;
    assert!(server.writes().len() > begun);
    assert!(!*second.held.borrow(), "it is renewed all the time");
    assert_eq!(server.get(LEASES, "keda", "operator.keda.sh").unwrap()["spec"]["holderIdentity"], "first");
    first.release(patience).await;
    tokio::time::timeout(patience, second.held.wait_for(|held| *held)).await.unwrap().unwrap();
    let lease = server.get(LEASES, "keda", "operator.keda.sh").unwrap();
    assert_eq!(lease["spec"]["holderIdentity"], "second");
    assert_eq!(lease["spec"]["leaseTransitions"], 1);
    // Somebody takes it, whatever the rules: we stop acting.
    server.change(LEASES, "keda", "operator.keda.sh", |lease| lease["spec"]["holderIdentity"] = json!("third"));
    tokio::time::timeout(patience, second.held.wait_for(|held| !*held)).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_lease_that_is_not_renewed_is_taken() {
    let server = ApiServer::start().await;
    server.put(
        LEASES,
        json!({
            "metadata": { "namespace": "keda", "name": "operator.keda.sh" },
            "spec": { "holderIdentity": "dead", "leaseDurationSeconds": 1, "renewTime": "2026-01-01T00:00:00.000000Z" },
        }),
    );
    let options = LeaseOptions { renew: Duration::from_millis(50), ..LeaseOptions::new("keda", "us") };
    let mut lease = Lease::hold(client(&server), options);
    tokio::time::timeout(Duration::from_secs(20), lease.held.wait_for(|held| *held)).await.unwrap().unwrap();
    let tries = server.gets().len();
    assert!(tries > 1, "its time is measured by our own clock, from when it was first seen");
}

/// Rules of the roles that are bound to us, by namespace (`""`: everywhere).
fn rules(manifests: &[Value]) -> Vec<(String, Value)> {
    manifests
        .iter()
        .filter(|manifest| {
            matches!(manifest["kind"].as_str(), Some("ClusterRole" | "Role"))
                && manifest["metadata"]["name"] == rbac::NAME
        })
        .flat_map(|manifest| {
            let namespace = manifest["metadata"]["namespace"].as_str().unwrap_or_default().to_owned();
            manifest["rules"]
                .as_array()
                .cloned()
                .unwrap_or_default()
                .into_iter()
                .map(move |rule| (namespace.clone(), rule))
        })
        .collect()
}

fn permitted(rules: &[(String, Value)], asked: &Asked) -> bool {
    let parts: Vec<&str> = asked.path.split('/').filter(|part| !part.is_empty()).collect();
    let (group, rest) = match parts.as_slice() {
        ["api", _, rest @ ..] => ("", rest),
        ["apis", group, _, rest @ ..] => (*group, rest),
        _ => panic!("{asked:?}"),
    };
    let (namespace, rest) = match rest {
        ["namespaces", namespace, rest @ ..] => (*namespace, rest),
        rest => ("", rest),
    };
    let resource = match rest {
        [] => return true, // discovery
        [plural, _, subresource] => format!("{plural}/{subresource}"),
        [plural, ..] => (*plural).to_owned(),
    };
    let name = rest.get(1).copied();
    let has = |list: &Value, text: &str| list.as_array().is_some_and(|list| list.iter().any(|entry| entry == text));
    rules.iter().any(|(home, rule)| {
        let any = format!("*/{}", resource.split_once('/').map_or("", |(_, subresource)| subresource));
        (home.is_empty() || *home == namespace)
            && (has(&rule["apiGroups"], group) || has(&rule["apiGroups"], "*"))
            && (has(&rule["resources"], &resource) || has(&rule["resources"], &any))
            && has(&rule["verbs"], &asked.verb)
            && (rule["resourceNames"].is_null() || name.is_some_and(|name| has(&rule["resourceNames"], name)))
    })
}

#[tokio::test]
async fn every_request_is_permitted_by_the_table() {
    let server = ApiServer::start().await;
    let mut with_all = object("orders", "orders");
    with_all["spec"]["triggers"][0]["metadata"] = json!({ "addressFromEnv": "ADDRESS" });
    with_all["spec"]["triggers"][0]["authenticationRef"] = json!({ "name": "auth" });
    let stored = server.put(OBJECTS, with_all);
    let version: windlass_core::Text = stored["metadata"]["resourceVersion"].as_str().unwrap().into();
    server.put(DEPLOYMENTS, deployment("orders", 1));
    let reference = json!([{ "parameter": "p", "name": "n", "key": "k" }]);
    server.put(
        AUTHENTICATIONS,
        json!({
            "metadata": { "namespace": "shop", "name": "auth" },
            "spec": { "secretTargetRef": reference, "configMapTargetRef": reference },
        }),
    );
    server.put("apiregistration.k8s.io/v1/apiservices", json!({ "metadata": { "name": api_service::NAME }, "spec": {
        "group": "external.metrics.k8s.io", "version": "v1beta1", "groupPriorityMinimum": 100, "versionPriority": 100,
    }}));
    let mut edge = Edge::start(server).await;
    edge.put().await;
    edge.synced().await;
    edge.drain().await;
    let client = client(&edge.server);
    let record = |finalizer| Write::Meta { key: key("orders"), finalizer, label: true, if_version: version.clone() };
    edge.cluster.writer.submit(record(true));
    let wanted = StatusView { hpa_name: Some("x".into()), ..StatusView::default() };
    let stored = Box::new(StatusView::default());
    edge.cluster.writer.submit(Write::Status {
        key: key("orders"),
        wanted: Box::new(wanted),
        stored,
        if_version: version.clone(),
    });
    let text = "text".into();
    edge.cluster.writer.submit(Write::Event {
        key: key("orders"),
        uid: "u".into(),
        reason: Reason::ScaledObjectReady,
        text,
    });
    for _ in 0..3 {
        edge.ack().await;
    }
    api_service::set_ca_bundle(&client, b"pem").await.unwrap();
    let data = BTreeMap::from([("a".to_owned(), vec![1])]);
    let version = certificate::store(&client, "windlass", "certs", &data, None).await.unwrap();
    certificate::store(&client, "windlass", "certs", &data, Some(&version)).await.unwrap();
    let mut lease = Lease::hold(client, LeaseOptions::new("windlass", "us"));
    lease.held.wait_for(|held| *held).await.unwrap();
    lease.release(Duration::from_secs(20)).await;
    let rules = rules(&rbac::manifests("windlass"));
    let asked = edge.server.asked();
    assert!(asked.len() > 15);
    for asked in &asked {
        assert!(permitted(&rules, asked), "{asked:?}");
    }
    let not_ours = Asked { verb: "delete".into(), path: "/api/v1/namespaces/shop/secrets/n".into(), body: Value::Null };
    assert!(!permitted(&rules, &not_ours), "the check can fail");
}

#[test]
fn every_role_is_bound_and_nothing_is_granted_to_others() {
    let manifests = rbac::manifests("windlass");
    let of = |kind: &str| manifests.iter().filter(|manifest| manifest["kind"] == kind).collect::<Vec<_>>();
    assert_eq!((of("ClusterRole").len(), of("Role").len()), (3, 1));
    for binding in of("ClusterRoleBinding").into_iter().chain(of("RoleBinding")) {
        let subjects = binding["subjects"].as_array().unwrap();
        assert_eq!(subjects.len(), 1);
        let expected = match binding["roleRef"]["name"].as_str().unwrap() {
            "windlass-external-metrics-reader" => ("kube-system", "horizontal-pod-autoscaler"),
            _ => ("windlass", rbac::NAME),
        };
        assert_eq!((&subjects[0]["namespace"], &subjects[0]["name"]), (&json!(expected.0), &json!(expected.1)));
    }
    for role in of("ClusterRole").into_iter().chain(of("Role")) {
        let bound = |binding: &&Value| {
            binding["roleRef"]["kind"] == role["kind"] && binding["roleRef"]["name"] == role["metadata"]["name"]
        };
        let bindings = of("ClusterRoleBinding").into_iter().chain(of("RoleBinding"));
        assert_eq!(bindings.filter(|binding| bound(binding)).count(), 1, "{role}");
    }
}
