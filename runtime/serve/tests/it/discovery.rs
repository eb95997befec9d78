//! What the aggregation layer and clients learn of the API.
use crate::client::{AGGREGATOR, Connection, Http};
use crate::server::TestServer;

#[tokio::test]
async fn documents() {
    let server = TestServer::start().await;
    let mut connection = Connection::open(&server, Some(&server.front_proxy()), Http::Two).await;
    let group = "/apis/external.metrics.k8s.io";
    for (name, path) in [
        ("paths", "/".to_string()),
        ("groups", "/apis".into()),
        ("group", group.into()),
        ("resources", format!("{group}/v1beta1")),
        ("openapi_v2", "/openapi/v2".into()),
        ("openapi_v3", "/openapi/v3".into()),
        ("openapi_v3_group", format!("/openapi/v3{group}/v1beta1")),
        ("version", "/version".into()),
    ] {
        let reply = connection.get(&path, AGGREGATOR).await;
        assert_eq!((reply.code.as_u16(), &reply.headers["content-type"]), (200, &"application/json".parse().unwrap()));
        insta::assert_json_snapshot!(name, reply.json());

        let etag = reply.headers["etag"].to_str().unwrap().to_owned();
        let headers = [AGGREGATOR, &[("if-none-match", &etag)]].concat();
        let again = connection.get(&path, &headers).await;
        assert_eq!((again.code.as_u16(), again.body.len()), (304, 0), "{path}");
    }
}

/// Every `$ref` of the OpenAPI documents leads somewhere, and the index of version 3 leads to a document.
#[tokio::test]
async fn references_resolve() {
    let server = TestServer::start().await;
    let mut connection = Connection::open(&server, Some(&server.front_proxy()), Http::Two).await;
    let index = connection.get("/openapi/v3", AGGREGATOR).await.json();
    let url = &index["paths"]["apis/external.metrics.k8s.io/v1beta1"]["serverRelativeURL"];
    for path in ["/openapi/v2", url.as_str().unwrap()] {
        let document = connection.get(path, AGGREGATOR).await.json();
        let text = document.to_string();
        let references: Vec<_> =
            text.split(r##""$ref":"#"##).skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
        assert_eq!(references.len(), 2, "{path}");
        for reference in references {
            assert!(document.pointer(reference).is_some(), "{path}: {reference}");
        }
    }
}

/// What kube-apiserver and kubectl ask for aggregated discovery gets the plain form, and the content type says so.
#[tokio::test]
async fn aggregated_discovery_falls_back() {
    let server = TestServer::start().await;
    let mut connection = Connection::open(&server, Some(&server.front_proxy()), Http::Two).await;
    let aggregated = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,\
                      application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList";
    let reply = connection.get("/apis", &[AGGREGATOR, &[("accept", aggregated)]].concat()).await;
    assert_eq!(reply.headers["content-type"], "application/json");
    assert_eq!(reply.json()["kind"], "APIGroupList");

    let yaml = connection.get("/apis", &[AGGREGATOR, &[("accept", "application/yaml")]].concat()).await;
    assert_eq!((yaml.code.as_u16(), &yaml.headers["content-type"]), (200, &"application/yaml".parse().unwrap()));

    let protobuf = [AGGREGATOR, &[("accept", "application/vnd.kubernetes.protobuf")]].concat();
    let refused = connection.get("/apis", &protobuf).await;
    assert_eq!((refused.code.as_u16(), &refused.status()["reason"]), (406, &"NotAcceptable".into()));
}

#[tokio::test]
async fn unknown_paths() {
    let server = TestServer::start().await;
    let mut connection = Connection::open(&server, Some(&server.front_proxy()), Http::One).await;
    for path in [
        "/api",
        "/apis/custom.metrics.k8s.io",
        "/apis/external.metrics.k8s.io/v1",
        "/apis/external.metrics.k8s.io/v1beta1/s0-queue",
        "/apis/external.metrics.k8s.io/v1beta1/namespaces/shop",
        "/metrics",
    ] {
        let reply = connection.get(path, AGGREGATOR).await;
        assert_eq!((reply.code.as_u16(), &reply.status()["reason"]), (404, &"NotFound".into()), "{path}");
    }
}
