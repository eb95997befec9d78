//! What a registry sends is not what it is, not what was asked for, or never comes.
use crate::world::{Liar, Reply, component, manifest, ok, options, reply, store, with};
use std::sync::Arc;
use std::time::Duration;
use windlass_oci::{COMPONENT_LIMIT, Digest, Fault, Store, Transport, TransportOptions};

#[tokio::test]
async fn each_status_has_its_own_error_which_names_the_reference() {
    let (liar, _) = Liar::with_component().await;
    let expected = [
        (401, Fault::NoCredentials),
        (403, Fault::Forbidden { action: "pull" }),
        (404, Fault::NotFound { what: "manifest" }),
        (429, Fault::Throttled),
        (500, Fault::Server { status: 500 }),
        (503, Fault::Server { status: 503 }),
    ];
    for (status, fault) in expected {
        liar.always(reply(status));
        let error = store().pull(&liar.pull(":1")).await.unwrap_err();
        assert_eq!(error.fault, fault, "{status}");
        assert!(error.to_string().contains(&liar.reference(":1").to_string()), "{error}");
    }
    liar.always(reply(418));
    let error = store().pull(&liar.pull(":1")).await.unwrap_err();
    assert!(matches!(error.fault, Fault::BadAnswer { .. }), "{error}");
}

#[tokio::test]
async fn a_hang_ends_with_the_deadline() {
    let (liar, _) = Liar::with_component().await;
    let transport = TransportOptions { deadline: Duration::from_secs(1), ..options() };
    let store = Store::new(Transport::new(transport).unwrap(), None);
    liar.always(Reply::Never);
    assert_eq!(store.pull(&liar.pull(":1")).await.unwrap_err().fault, Fault::TimedOut { seconds: 1 });
}

#[tokio::test]
async fn nobody_there_is_said_so() {
    let liar = Liar::start().await;
    let pull = liar.pull(":1");
    drop(liar);
    let error = store().pull(&pull).await.unwrap_err();
    assert_eq!(error.fault.word(), "unreachable", "{error}");
    assert!(error.fault.transient());
}

#[tokio::test]
async fn more_than_allowed_is_not_read() {
    let (liar, _) = Liar::with_component().await;
    let path = |asked: &crate::world::Asked, word: &str| asked.path.contains(word);
    liar.script(move |asked| path(asked, "/manifests/").then_some(Reply::Endless));
    let error = store().pull(&liar.pull(":1")).await.unwrap_err();
    assert_eq!(error.fault, Fault::TooLarge { what: "manifest", limit: 1 << 20 });

    liar.script(move |asked| path(asked, "/blobs/").then_some(Reply::Endless));
    let error = store().pull(&liar.pull(":1")).await.unwrap_err();
    assert_eq!(error.fault, Fault::TooLarge { what: "component", limit: COMPONENT_LIMIT });

    // A manifest that says so itself costs no request for the component.
    liar.honest();
    let text =
        String::from_utf8(manifest(&component(), "application/vnd.wasm.config.v0+json", "application/wasm").to_vec());
    let size = format!("\"size\":{}", component().len());
    liar.hold("manifests/large", text.unwrap().replace(&size, "\"size\":99999999999"));
    liar.log();
    let error = store().pull(&liar.pull(":large")).await.unwrap_err();
    assert!(matches!(error.fault, Fault::TooLarge { .. }), "{error}");
    assert_eq!(liar.log().len(), 1);
}

#[tokio::test]
async fn other_bytes_than_asked_for_are_refused() {
    let (liar, digest) = Liar::with_component().await;
    liar.script(|asked| asked.path.contains("/blobs/").then(|| ok("other")));
    let error = store().pull(&liar.pull(":1")).await.unwrap_err();
    let (expected, actual) = (Digest::of(&component()), Digest::of(b"other"));
    assert_eq!(error.fault, Fault::DigestMismatch { expected, actual });

    let other = manifest(b"other", "application/vnd.wasm.config.v0+json", "application/wasm");
    let actual = Digest::of(&other);
    liar.script(move |asked| asked.path.contains("/manifests/").then(|| ok(other.clone())));
    let error = store().pull(&liar.pull(&format!("@{digest}"))).await.unwrap_err();
    assert_eq!(error.fault, Fault::DigestMismatch { expected: digest, actual });
}

#[tokio::test]
async fn what_is_no_component_is_named() {
    let (liar, _) = Liar::with_component().await;
    liar.hold("manifests/image", manifest(b"", "application/vnd.oci.image.config.v1+json", "application/wasm"));
    let error = store().pull(&liar.pull(":image")).await.unwrap_err();
    assert_eq!(error.fault.word(), "media-type");
    assert!(error.to_string().contains("windlass scaler push"), "{error}");
    liar.hold("manifests/page", "<html>");
    assert_eq!(store().pull(&liar.pull(":page")).await.unwrap_err().fault.word(), "bad-answer");
}

#[tokio::test]
async fn a_registry_leads_to_its_storage_and_not_astray() {
    let (liar, _) = Liar::with_component().await;
    let moved = format!("/v2/q/blobs/{}?moved", Digest::of(&component()));
    let to = moved.clone();
    liar.script(move |asked| {
        let blob = asked.path.contains("/blobs/") && !asked.path.ends_with("?moved");
        blob.then(|| with(307, "location", &to)).or_else(|| (asked.path == to).then(|| ok(component())))
    });
    assert_eq!(store().pull(&liar.pull(":1")).await.unwrap().bytes, component());

    for (location, words) in [
        ("http://10.0.0.1/blob", "TLS"),
        ("https://169.254.169.254/latest/meta-data", "a metadata address"),
        ("https://localhost:1/blob", "a metadata address"),
    ] {
        let transport = TransportOptions {
            refusal: Arc::new(|address| {
                (address.is_loopback() || address.to_string() == "169.254.169.254").then_some("a metadata address")
            }),
            ..options()
        };
        let store = Store::new(Transport::new(transport).unwrap(), None);
        liar.script(move |asked| asked.path.contains("/blobs/").then(|| with(302, "location", location)));
        let error = store.pull(&liar.pull(":1")).await.unwrap_err();
        assert!(error.to_string().contains(words), "{location}: {error}");
    }

    liar.script(move |asked| asked.path.contains("/blobs/").then(|| with(302, "location", &moved)));
    liar.log();
    assert_eq!(store().pull(&liar.pull(":1")).await.unwrap_err().fault.word(), "bad-answer");
    assert!(liar.log().len() <= 8, "a circle is left");
}
