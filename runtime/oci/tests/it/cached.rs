//! With the registry down, what was pulled goes on.
use crate::world::{Liar, cached, component, ok, reply};
use windlass_oci::{Fault, Identity, PrivateKey, Pull, Registrant, Requirement, TrustedRoot};

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
    let required =
        |key: &PrivateKey| Some(Requirement { keys: vec![key.public()], ..Requirement::wanted("it is wanted") });
    let pull = Pull { requirement: required(&key), ..liar.pull(&format!("@{digest}")) };
    assert_eq!(cached(folder.path()).pull(&pull).await.unwrap_err().fault.word(), "unsigned");

    let payload = format!(
        r#"{{"critical":{{"identity":{{"docker-reference":""}},"image":{{"docker-manifest-digest":"{digest}"}},"type":"cosign container image signature"}},"optional":{{"by":"cosign"}}}}"#
    );
    use base64::Engine as _;
    let signature = base64::engine::general_purpose::STANDARD.encode(key.sign(payload.as_bytes()).unwrap());
    let annotations = serde_json::json!({ "dev.cosignproject.cosign/signature": signature });
    let layer = liar.hold_signature(digest, payload, annotations).to_string();
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

/// The trusted root and signatures of `Liar::with_component`'s artifact (`src/signature/vectors/main.go`).
const KEYLESS: &str = include_str!("../../src/signature/vectors/keyless.json");

#[tokio::test]
async fn a_keyless_signature_is_read_remembered_and_checked_without_asking_anybody_else() {
    let folder = tempfile::tempdir().unwrap();
    let (liar, digest) = Liar::with_component().await;
    let vectors: serde_json::Value = serde_json::from_str(KEYLESS).unwrap();
    assert_eq!(vectors["manifest"], digest.to_string(), "go run main.go {digest} > keyless.json");
    let trusted = TrustedRoot::parse(&vectors["trustedRoot"].to_string()).unwrap();
    let by = |subject: &str| {
        let issuer = "https://token.actions.githubusercontent.com".to_owned();
        let identities = vec![Identity { issuer, subject: subject.to_owned() }];
        let trusted = Some(std::sync::Arc::new(trusted.clone()));
        Some(Requirement { identities, trusted, ..Requirement::wanted("it is wanted") })
    };
    let hold = |name: &str| {
        let all = vectors["vectors"].as_array().unwrap();
        let vector = all.iter().find(|vector| vector["name"] == name).unwrap();
        use base64::Engine as _;
        let payload = base64::engine::general_purpose::STANDARD.decode(vector["payload"].as_str().unwrap()).unwrap();
        let annotations = serde_json::json!({
            "dev.cosignproject.cosign/signature": vector["signature"],
            "dev.sigstore.cosign/certificate": vector["certificate"],
            "dev.sigstore.cosign/chain": vector["chain"],
            "dev.sigstore.cosign/bundle": vector["bundle"],
        });
        liar.hold_signature(digest, payload, annotations);
    };
    let ours = "https://github.com/acme/*/.github/workflows/release.yaml@refs/tags/*";
    let pull = |subject: &str| Pull { requirement: by(subject), ..liar.pull(&format!("@{digest}")) };
    let word = |result: Result<_, windlass_oci::Error>| result.map(|_| ()).unwrap_err().fault.word();

    hold("another authority");
    assert_eq!(word(cached(folder.path()).pull(&pull(ours)).await), "unproven");
    hold("good");
    assert_eq!(word(cached(folder.path()).pull(&pull("somebody@example.com")).await), "wrong-identity");
    cached(folder.path()).pull(&pull(ours)).await.unwrap();
    // Down, and in another process: what was remembered is proof enough, for whom it is proof.
    liar.always(reply(503));
    cached(folder.path()).pull(&pull(ours)).await.unwrap();
    assert_eq!(word(cached(folder.path()).pull(&pull("somebody@example.com")).await), "server-error");
}
