//! Who asks, and who gets to know it.
use crate::world::{Asked, Liar, Reply, login, ok, reply, store, with};
use http::header::AUTHORIZATION;
use windlass_oci::{Credential, Fault, Pull};

const BASIC: &str = "Basic cmVhZGVyOmh1bnRlcjI=";

fn authorization(asked: &Asked) -> Option<&str> {
    asked.headers.get(AUTHORIZATION).map(|value| value.to_str().unwrap())
}

fn pull(liar: &Liar, credential: Option<Credential>) -> Pull {
    Pull { credential, ..liar.pull(":1") }
}

#[tokio::test]
async fn name_and_password_are_sent_once_asked_for() {
    let (liar, _) = Liar::with_component().await;
    liar.script(|asked| {
        (authorization(asked) != Some(BASIC)).then(|| with(401, "www-authenticate", "Basic realm=\"r\""))
    });
    store().pull(&pull(&liar, login())).await.unwrap();
    let log = liar.log();
    // One refusal, then manifest and component with the login.
    assert_eq!(log.iter().map(authorization).collect::<Vec<_>>(), [None, Some(BASIC), Some(BASIC)]);

    assert_eq!(store().pull(&pull(&liar, None)).await.unwrap_err().fault, Fault::NoCredentials);
    let wrong = Some(Credential::Basic { user: "reader".to_owned(), password: "hunter3".to_owned() });
    let error = store().pull(&pull(&liar, wrong)).await.unwrap_err();
    assert_eq!(error.fault, Fault::Unauthorized);
    assert!(!format!("{error} {error:?}").contains("hunter3"));
}

/// A registry with a token service at `/token`.
fn with_tokens(liar: &Liar) {
    let challenge = format!("Bearer realm=\"http://{}/token\",service=\"registry\"", liar.address);
    liar.script(move |asked| {
        if asked.path.starts_with("/token") {
            let refresh =
                asked.body.starts_with(b"scope=repository%3Aq%3Apull") && asked.body.ends_with(b"refresh_token=long");
            let known = refresh
                || (asked.path == "/token?scope=repository%3Aq%3Apull&service=registry"
                    && authorization(asked) == Some(BASIC));
            return Some(if known { ok("{\"token\":\"short\"}") } else { reply(401) });
        }
        (authorization(asked) != Some("Bearer short")).then(|| with(401, "www-authenticate", &challenge))
    });
}

#[tokio::test]
async fn a_login_is_changed_into_a_token() {
    let (liar, _) = Liar::with_component().await;
    with_tokens(&liar);
    for credential in [login(), Some(Credential::Identity("long".to_owned()))] {
        store().pull(&pull(&liar, credential)).await.unwrap();
        let log = liar.log();
        // Refused, token, manifest, component; the registry itself never sees the login.
        assert_eq!(log.len(), 4);
        assert!(
            log.iter()
                .filter(|asked| !asked.path.starts_with("/token"))
                .all(|asked| authorization(asked) != Some(BASIC))
        );
    }
    store().pull(&pull(&liar, Some(Credential::Bearer("short".to_owned())))).await.unwrap();
    assert_eq!(store().pull(&pull(&liar, None)).await.unwrap_err().fault, Fault::NoCredentials);
    let error = store().pull(&pull(&liar, Some(Credential::Identity("other".to_owned())))).await.unwrap_err();
    assert_eq!(error.fault, Fault::Unauthorized);
}

#[tokio::test]
async fn a_token_service_that_misbehaves_is_said_so() {
    let (liar, _) = Liar::with_component().await;
    for (token, fault) in [
        (reply(503), "server-error"),
        (ok("{}"), "bad-answer"),
        (ok("{\"token\":\"a\\r\\nx: y\"}"), "unauthorized"),
        (Reply::Endless, "too-large"),
    ] {
        let challenge = format!("Bearer realm=\"http://{}/token\"", liar.address);
        liar.script(move |asked| {
            Some(if asked.path.starts_with("/token") {
                token.clone()
            } else {
                with(401, "www-authenticate", &challenge)
            })
        });
        let error = store().pull(&pull(&liar, login())).await.unwrap_err();
        assert_eq!(error.fault.word(), fault, "{error}");
    }
}

#[tokio::test]
async fn a_login_never_goes_where_there_is_no_tls() {
    let (liar, _) = Liar::with_component().await;
    let thief = Liar::start().await;
    let challenge = format!("Bearer realm=\"http://{}/token\"", thief.address);
    liar.script(move |_| Some(with(401, "www-authenticate", &challenge)));
    assert_eq!(store().pull(&pull(&liar, login())).await.unwrap_err().fault.word(), "misled");
    assert!(thief.log().is_empty());
}
