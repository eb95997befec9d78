//! With the registry down, what was pulled goes on.
use crate::world::{Liar, cached, component, ok, reply};
use windlass_oci::{Fault, PrivateKey, Pull, Registrant, Requirement};

#[tokio::test]
async fn what_is_pinned_and_cached_asks_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let (liar, digest) = Liar::with_component().await;
    let pinned = liar.pull(&format!("@{digest}"));
    cached(folder.path()).pull(&pinned).await.unwrap();
    assert_eq!(liar.log().len(), 2);
    // Another process, and the registry is down.
    liar.always(reply(503));
    let pulled = cached(folder.path()).pull(&pinned).await.unwrap();
    assert_eq!((pulled.bytes, pulled.resolved.stale), (component(), None));
    assert!(liar.log().is_empty());
    // What one namespace was given does not serve another.
    let other = Pull { registrant: Registrant::Namespace("other".to_owned()), ..pinned };
    assert_eq!(cached(folder.path()).pull(&other).await.unwrap_err().fault, Fault::Server { status: 503 });
}

#[tokio::test]
async fn a_tag_is_what_it_last_was_while_the_registry_is_down_and_not_when_it_says_no() {
    let folder = tempfile::tempdir().unwrap();
    let (liar, digest) = Liar::with_component().await;
    let pull = liar.pull(":1");
    assert_eq!(cached(folder.path()).pull(&pull).await.unwrap().resolved.manifest, digest);
    liar.always(reply(503));
    let pulled = cached(folder.path()).pull(&pull).await.unwrap();
    assert_eq!((pulled.resolved.manifest, pulled.resolved.stale), (digest, Some(Fault::Server { status: 503 })));
    for (status, word) in [(401, "unauthorized"), (403, "forbidden"), (404, "not-found")] {
        liar.always(reply(status));
        assert_eq!(cached(folder.path()).pull(&pull).await.unwrap_err().fault.word(), word);
    }
    liar.honest();
    assert_eq!(cached(folder.path()).resolve(&pull).await.unwrap().stale, None);
}

#[tokio::test]
async fn a_signature_is_remembered_and_checked_again_with_the_keys_of_today() {
    let folder = tempfile::tempdir().unwrap();
    let (liar, digest) = Liar::with_component().await;
    let key = PrivateKey::from_pem(&PrivateKey::generate().unwrap()).unwrap();
    let required = |key: &PrivateKey| Some(Requirement { keys: vec![key.public()], wanted: "it is wanted".to_owned() });
    let pull = Pull { requirement: required(&key), ..liar.pull(&format!("@{digest}")) };
    assert_eq!(cached(folder.path()).pull(&pull).await.unwrap_err().fault.word(), "unsigned");

    let payload = format!(
        r#"{{"critical":{{"identity":{{"docker-reference":""}},"image":{{"docker-manifest-digest":"{digest}"}},"type":"cosign container image signature"}},"optional":{{"by":"cosign"}}}}"#
    );
    use base64::Engine as _;
    let signature = base64::engine::general_purpose::STANDARD.encode(key.sign(payload.as_bytes()).unwrap());
    let layer = windlass_oci::Digest::of(payload.as_bytes()).to_string();
    let signatures = serde_json::json!({
        "schemaVersion": 2,
        "config": { "mediaType": "application/vnd.oci.image.config.v1+json", "digest": layer, "size": 1 },
        "layers": [{ "mediaType": "application/vnd.dev.cosign.simplesigning.v1+json", "digest": layer, "size": payload.len(),
                     "annotations": { "dev.cosignproject.cosign/signature": signature } }],
    });
    liar.hold(&format!("manifests/sha256-{}.sig", digest.hex()), signatures.to_string());
    liar.hold(&format!("blobs/{layer}"), payload.clone());
    cached(folder.path()).pull(&pull).await.unwrap();

    // Down: the remembered signature is checked, and another key does not accept it.
    liar.always(reply(503));
    cached(folder.path()).pull(&pull).await.unwrap();
    let other = PrivateKey::from_pem(&PrivateKey::generate().unwrap()).unwrap();
    let pull = Pull { requirement: required(&other), ..pull };
    assert_eq!(cached(folder.path()).pull(&pull).await.unwrap_err().fault.word(), "server-error");
    liar.honest();
    assert_eq!(cached(folder.path()).pull(&pull).await.unwrap_err().fault.word(), "wrong-key");

    // Tampered on its way: the payload is not the one whose digest the manifest has.
    liar.script(move |asked| asked.path.contains(&layer).then(|| ok("{}")));
    assert_eq!(cached(folder.path()).pull(&pull).await.unwrap_err().fault.word(), "digest-mismatch");
}
