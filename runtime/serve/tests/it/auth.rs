//! Who is believed.
use crate::client::{AGGREGATOR, Connection, HPA, Http};
use crate::pki::{Authority, Client};
use crate::server::{TestServer, config_map, path_of};
use std::time::Duration;
use windlass_core::Milli;
use windlass_serve::{FrontProxy, FrontProxyError, User};

async fn code(server: &TestServer, client: Option<&Client>, headers: &[(&str, &str)]) -> u16 {
    let mut connection = Connection::open(server, client, Http::Two).await;
    let reply = connection.get(&path_of("s0-queue", "orders"), headers).await;
    if reply.code != 200 {
        reply.status();
    }
    reply.code.as_u16()
}

#[tokio::test]
async fn who_may_read() {
    let server = TestServer::start().await;
    server.show("orders", "queue", Ok(Milli(1500)));
    let (front_proxy, clients) = (&server.front_proxy_ca, &server.client_ca);
    let stranger = Authority::new("stranger");
    let ended = front_proxy.client_until("front-proxy-client", &[], 1_600_000_000);

    assert_eq!(code(&server, Some(&front_proxy.client("front-proxy-client", &[])), HPA).await, 200);
    assert_eq!(code(&server, None, HPA).await, 401, "no certificate, headers of anybody");
    assert_eq!(code(&server, Some(&stranger.client("front-proxy-client", &[])), HPA).await, 401, "wrong authority");
    assert_eq!(code(&server, Some(&front_proxy.client("somebody", &[])), HPA).await, 401, "wrong name");
    assert_eq!(code(&server, Some(&front_proxy.client("", &[])), HPA).await, 401, "no name");
    assert_eq!(code(&server, Some(&ended), HPA).await, 401, "ended");
    assert_eq!(code(&server, Some(&server.front_proxy()), &[]).await, 401, "no user");
    assert_eq!(code(&server, Some(&server.front_proxy()), &[("x-remote-user", "")]).await, 401, "an empty user");
    assert_eq!(server.reviews.count(), 1, "only who is believed is asked about");

    // A client of the cluster speaks for itself: what it says in headers does not count.
    let alice = clients.client("alice", &["dev"]);
    server.reviews.users.lock().unwrap().clear();
    assert_eq!(code(&server, Some(&alice), AGGREGATOR).await, 200);
    let user =
        User { name: "alice".into(), groups: vec!["dev".into(), "system:authenticated".into()], ..User::default() };
    assert_eq!(*server.reviews.users.lock().unwrap(), [user]);
    assert_eq!(code(&server, Some(&clients.client("front-proxy-client", &[])), AGGREGATOR).await, 200);
    assert_eq!(server.reviews.count(), 3, "another user, not a master: the name alone makes no front proxy");
    assert_eq!(code(&server, Some(&clients.client("", &["system:masters"])), &[]).await, 401, "no name");
    assert_eq!(code(&server, Some(&clients.client("root", &["system:masters"])), &[]).await, 200);
    assert_eq!(server.reviews.count(), 3, "masters need no review");
}

#[tokio::test]
async fn the_user_is_told_completely() {
    let server = TestServer::start().await;
    server.show("orders", "queue", Ok(Milli(1500)));
    let headers = [HPA, &[("x-remote-uid", "u-1"), ("x-remote-extra-scopes", "a"), ("X-Remote-Extra-Scopes", "b")]];
    assert_eq!(code(&server, Some(&server.front_proxy()), &headers.concat()).await, 200);
    let user = server.reviews.users.lock().unwrap()[0].clone();
    assert_eq!(user.name, "system:serviceaccount:kube-system:horizontal-pod-autoscaler");
    assert_eq!(user.uid.as_deref(), Some("u-1"));
    assert_eq!(user.groups, ["system:serviceaccounts", "system:authenticated"]);
    let extra: Vec<_> = user.extra.iter().map(|(key, values)| (key.as_str(), values.join(","))).collect();
    assert_eq!(
        extra,
        [("authentication.kubernetes.io/credential-id", "JTI=1".to_string()), ("scopes", "a,b".to_string())]
    );
}

#[tokio::test]
async fn what_is_open_to_all() {
    let server = TestServer::start().await;
    for http in [Http::One, Http::Two] {
        let mut connection = Connection::open(&server, None, http).await;
        for path in ["/healthz", "/livez", "/readyz", "/version"] {
            assert_eq!(connection.get(path, &[]).await.code, 200, "{path}");
        }
        for path in ["/", "/apis", "/apis/external.metrics.k8s.io/v1beta1", "/openapi/v2", "/openapi/v3", "/nothing"] {
            let reply = connection.get(path, AGGREGATOR).await;
            assert_eq!((reply.code.as_u16(), &reply.status()["reason"]), (401, &"Unauthorized".into()), "{path}");
        }
    }
    let mut connection = Connection::open(&server, Some(&server.client_ca.client("alice", &[])), Http::Two).await;
    assert_eq!(connection.get("/apis", &[]).await.code, 200, "discovery is open to who is believed");
    assert_eq!(server.reviews.count(), 0);
}

/// The authorities change under a living connection.
#[tokio::test]
async fn trust_follows_the_config_map() {
    let server = TestServer::start().await;
    server.show("orders", "queue", Ok(Milli(1500)));
    let path = path_of("s0-queue", "orders");
    let mut before = Connection::open(&server, Some(&server.front_proxy()), Http::Two).await;
    assert_eq!(before.read(&path).await.code, 200);

    let renewed = Authority::new("front-proxy-2");
    let trust = FrontProxy::from_config_map(&config_map(&server.client_ca, &renewed)).unwrap();
    server.trust.send(trust.clone()).unwrap();
    assert_eq!(before.read(&path).await.code, 401);
    let mut after = Connection::open(&server, Some(&renewed.client("front-proxy-client", &[])), Http::Two).await;
    assert_eq!(after.read(&path).await.code, 200);

    // What cannot be used changes nothing.
    server.trust.send(FrontProxy { request_header_ca: "no certificate".into(), ..trust.clone() }).unwrap();
    assert_eq!(after.read(&path).await.code, 200, "the former trust stays");
    server.trust.send(FrontProxy { username_headers: vec!["no header".into()], ..trust.clone() }).unwrap();
    assert_eq!(after.read(&path).await.code, 200, "the former trust stays");
    server.trust.send(FrontProxy { request_header_ca: String::new(), ..trust }).unwrap();
    assert_eq!(after.read(&path).await.code, 401, "no authority, no front proxy");
}

/// A certificate that ends while its connection lives is no longer believed.
#[tokio::test]
async fn certificates_end_under_living_connections() {
    let server = TestServer::start().await;
    server.show("orders", "queue", Ok(Milli(1500)));
    let ends = server.clock.now().wall.0 / 1000 + 3600;
    let client = server.front_proxy_ca.client_until("front-proxy-client", &[], ends);
    let mut connection = Connection::open(&server, Some(&client), Http::Two).await;
    let path = "/apis";
    assert_eq!(connection.get(path, AGGREGATOR).await.code, 200);
    server.clock.advance(Duration::from_secs(3500));
    assert_eq!(connection.get(path, AGGREGATOR).await.code, 200);
    server.clock.advance(Duration::from_secs(200));
    assert_eq!(connection.get(path, AGGREGATOR).await.code, 401);
}

#[test]
fn config_maps() {
    let empty = FrontProxy::from_config_map(&Default::default()).unwrap();
    assert_eq!(empty, FrontProxy::default());
    let malformed = [("requestheader-allowed-names".to_string(), "front-proxy-client".to_string())].into();
    let error = FrontProxy::from_config_map(&malformed).unwrap_err();
    assert_eq!(error, FrontProxyError::NotAList("requestheader-allowed-names"));
}
