//! Where credentials may go, and whom no scaler reaches.
use crate::shared::LIMIT;
use crate::windlass::{Windlass, holds};
use anyhow::{Result, bail};
use serde_json::{Value, json};
use windlass_e2e::until;
use windlass_testkit::ScriptedHttp;

/// A ScaledObject that asks an address with a bearer token of the authentication `login`.
fn asks(url: &str) -> Value {
    let metadata = json!({
        "url": url, "valueLocation": "value", "targetValue": "1", "authMode": "bearer", "unsafeSsl": "true",
    });
    let trigger = json!({ "type": "metrics-api", "metadata": metadata, "authenticationRef": { "name": "login" } });
    json!({ "pollingInterval": 1, "triggers": [trigger] })
}

/// The authentication `login`, bound to hosts.
async fn bind(windlass: &Windlass, hosts: &str) -> Result<()> {
    let metadata = json!({ "name": "login", "annotations": { "windlass.dev/hosts": hosts } });
    let references = json!([{ "parameter": "token", "name": "login", "key": "token" }]);
    let object = json!({
        "apiVersion": "keda.sh/v1alpha1", "kind": "TriggerAuthentication", "metadata": metadata,
        "spec": { "secretTargetRef": references },
    });
    windlass.apply(object).await.map(drop)
}

#[tokio::test]
async fn a_bound_credential_stays_with_its_hosts() -> Result<()> {
    let windlass = Windlass::beside("bound").await?;
    let source = ScriptedHttp::start().await?;
    source.set_value(1.0);
    windlass.secret("login", json!({ "token": "t0ken" })).await?;
    bind(&windlass, "elsewhere.example").await?;
    windlass.deployment("web", 1).await?;
    windlass.scale("web", asks(&source.url())).await?;
    let message = windlass.wait_condition("web", "Ready", "False", "InvalidTrigger").await?;
    for part in ["'login'", &source.address().to_string(), "windlass.dev/hosts", "elsewhere.example"] {
        assert!(message.contains(part), "{part}: {message}");
    }
    assert_eq!(source.count(), 0);

    // Listed, it works at once; no longer listed, it is asked no more.
    bind(&windlass, &format!("elsewhere.example, {}", source.address())).await?;
    windlass.wait_ready("web").await?;
    until("the source is asked", LIMIT, || async { Ok((source.count() > 0).then_some(())) }).await?;
    assert_eq!(source.requests()[0].headers["authorization"], "Bearer t0ken");
    bind(&windlass, "127.0.0.1:1").await?;
    windlass.wait_condition("web", "Ready", "False", "InvalidTrigger").await?;
    source.forget();
    holds(3, 0, || async { Ok(source.count()) }).await?;

    // What is no list of hosts binds to nothing, and says so.
    bind(&windlass, "https://elsewhere.example").await?;
    until("the condition names the annotation", LIMIT, || async {
        match windlass.condition("web", "Ready").await? {
            Some((_, _, message)) if message.contains("metadata.annotations['windlass.dev/hosts']") => Ok(Some(())),
            found => bail!("{found:?}"),
        }
    })
    .await
}

#[tokio::test]
async fn no_scaler_reaches_the_api_server_or_the_operator_itself() -> Result<()> {
    let alone = Windlass::alone("reach").await?;
    let (windlass, operator) = (&alone.windlass, &alone.operator);
    windlass.secret("login", json!({ "token": "t0ken" })).await?;
    bind(windlass, "127.0.0.1").await?;
    let denied = || async {
        let (_, page) = operator.page("/metrics").await?;
        let count =
            page.lines().find_map(|line| line.strip_prefix("windlass_source_requests_total{result=\"denied\"} "));
        anyhow::Ok(count.map_or(0, |count| count.parse::<u64>().unwrap_or(0)))
    };
    let health = format!("http://{}/metrics", operator.health_address());
    for (name, url) in [("api", windlass.control_plane().server()), ("ourselves", &health)] {
        let before = denied().await?;
        windlass.deployment(name, 1).await?;
        windlass.scale(name, asks(url)).await?;
        until(&format!("{url} is denied"), LIMIT, || async {
            let now = denied().await?;
            Ok((now > before).then_some(()))
        })
        .await?;
        windlass.delete(name).await?;
    }
    Ok(())
}
