//! References of an authentication, and what is made of them.
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use windlass_api::reference::{Fetched, Values, assemble, config_map_values, references, secret_values};
use windlass_api::{ClusterTriggerAuthentication, TriggerAuthenticationSpec};
use windlass_core::{Reason, Secret, Text};

fn spec(value: Value) -> TriggerAuthenticationSpec {
    serde_json::from_value(value).unwrap()
}

fn values(pairs: &[(&str, &str)]) -> Values {
    Arc::new(pairs.iter().map(|(name, value)| ((*name).into(), Secret::new(*value))).collect())
}

fn objects(name: &str, pairs: &[(&str, &str)]) -> BTreeMap<Text, Values> {
    BTreeMap::from([(name.into(), values(pairs))])
}

#[test]
fn a_later_source_overwrites_an_earlier_one() {
    let references = references("a", None, &spec(json!({
        "podIdentity": { "provider": "none" },
        "env": [{ "parameter": "p", "name": "P" }, { "parameter": "e", "name": "E", "containerName": "side" }],
        "configMapTargetRef": [{ "parameter": "p", "name": "m", "key": "k" }, { "parameter": "c", "name": "m", "key": "k" }],
        "secretTargetRef": [{ "parameter": "p", "name": "s", "key": "k" }],
    }))).unwrap();
    let needs = references.needs();
    assert_eq!(needs.secrets.iter().map(|n| &**n).collect::<Vec<_>>(), ["s"]);
    assert_eq!(needs.config_maps.iter().map(|n| &**n).collect::<Vec<_>>(), ["m"]);
    assert_eq!(references.containers(), [None, Some("side".into())].into());
    let fetched = Fetched {
        secrets: objects("s", &[("k", "secret")]),
        config_maps: objects("m", &[("k", "map")]),
        environments: BTreeMap::from([(None, values(&[])), (Some("side".into()), values(&[("E", "env")]))]),
    };
    // The variable P is missing, but the parameter comes from elsewhere.
    let parameters = assemble(&references, &fetched).unwrap();
    let told: Vec<(&str, &str)> = parameters.iter().map(|(name, value)| (&**name, value.expose())).collect();
    assert_eq!(told, [("c", "map"), ("e", "env"), ("p", "secret")]);
}

#[test]
fn what_is_missing_is_named_without_a_value() {
    let references = references(
        "login",
        None,
        &spec(json!({
            "secretTargetRef": [{ "parameter": "password", "name": "s", "key": "pass" }]
        })),
    )
    .unwrap();
    let fault = assemble(&references, &Fetched::default()).unwrap_err();
    assert_eq!(fault.reason, Reason::AuthenticationNotFound);
    assert_eq!(
        &*fault.message,
        "authentication 'login': parameter 'password': secretTargetRef: there is no Secret 's'; create it"
    );
    let fetched = Fetched { secrets: objects("s", &[("other", "hunter2")]), ..Fetched::default() };
    let fault = assemble(&references, &fetched).unwrap_err();
    assert_eq!(
        &*fault.message,
        "authentication 'login': parameter 'password': secretTargetRef: Secret 's' has no text under the key 'pass'; add it"
    );
    assert!(!format!("{fault:?} {fetched:?}").contains("hunter2"));
}

#[test]
fn sources_that_are_not_implemented_are_refused_by_their_field() {
    let key = json!({ "valueFrom": { "secretKeyRef": { "name": "s", "key": "k" } } });
    for (field, value) in [
        (
            "podIdentity.provider",
            json!({ "podIdentity": { "provider": "aws", "roleArn": "r", "externalID": "x", "identityOwner": "keda" } }),
        ),
        ("filePath", json!({ "filePath": "f.json" })),
        (
            "hashiCorpVault",
            json!({ "hashiCorpVault": {
            "address": "a", "authentication": "token", "namespace": "n", "role": "r", "mount": "m",
            "credential": { "token": "hunter2", "serviceAccount": "f", "serviceAccountName": "s" },
            "secrets": [{ "parameter": "p", "path": "q", "key": "k", "type": "pki", "pkiData": {
                "commonName": "c", "altNames": "a", "ipSans": "i", "uriSans": "u", "otherSans": "o", "ttl": "1h", "format": "pem" } }] } }),
        ),
        (
            "azureKeyVault",
            json!({ "azureKeyVault": {
            "vaultUri": "v", "secrets": [{ "parameter": "p", "name": "n", "version": "1" }],
            "credentials": { "clientId": "c", "tenantId": "t", "clientSecret": key },
            "podIdentity": { "provider": "azure-workload", "identityId": "i", "identityTenantId": "t", "identityAuthorityHost": "h" },
            "cloud": { "type": "Private", "keyVaultResourceURL": "u", "activeDirectoryEndpoint": "e" } } }),
        ),
        (
            "gcpSecretManager",
            json!({ "gcpSecretManager": {
            "secrets": [{ "parameter": "p", "id": "i", "version": "latest" }], "credentials": { "clientSecret": key }, "podIdentity": { "provider": "gcp" } } }),
        ),
        (
            "awsSecretManager",
            json!({ "awsSecretManager": {
            "secrets": [{ "parameter": "p", "name": "n", "versionId": "i", "versionStage": "s", "secretKey": "k" }],
            "credentials": { "accessKey": key, "accessSecretKey": key, "accessToken": key }, "podIdentity": { "provider": "aws" }, "region": "r" } }),
        ),
        (
            "boundServiceAccountToken",
            json!({ "boundServiceAccountToken": [{ "parameter": "p", "serviceAccountName": "s" }] }),
        ),
        (
            "oauth2",
            json!({ "oauth2": {
            "type": "clientCredentials", "clientId": "c", "clientSecret": key, "tokenUrl": "https://t", "scopes": ["s"], "tokenUrlParams": { "a": "b" } } }),
        ),
    ] {
        let spec = spec(value.clone());
        assert_eq!(serde_json::to_value(&spec).unwrap(), value, "every field is kept");
        assert!(!format!("{spec:?}").contains("hunter2"));
        let fault = references("login", None, &spec).unwrap_err();
        assert_eq!(fault.reason, Reason::UnsupportedField);
        assert!(
            fault.message.starts_with(&format!("authentication 'login': spec.{field}: not supported yet")),
            "{fault}"
        );
    }
}

#[test]
fn the_cluster_kind_has_the_same_spec() {
    let cluster: ClusterTriggerAuthentication = serde_json::from_value(json!({
        "apiVersion": "keda.sh/v1alpha1", "kind": "ClusterTriggerAuthentication", "metadata": { "name": "c" },
        "spec": { "secretTargetRef": [{ "parameter": "p", "name": "s", "key": "k" }] }
    }))
    .unwrap();
    assert_eq!(references("c", None, &cluster.spec.0).unwrap().secrets.len(), 1);
}

#[test]
fn objects_become_texts() {
    let secret =
        serde_json::from_value(json!({ "metadata": {}, "data": { "text": "aGk=", "bytes": "/w==" } })).unwrap();
    let values = secret_values(&secret);
    assert_eq!(values.get("text").map(Secret::expose), Some("hi"));
    assert_eq!(values.len(), 1, "what is no text is no value");
    let map = serde_json::from_value(json!({ "metadata": {}, "data": { "a": "b" } })).unwrap();
    assert_eq!(config_map_values(&map)["a"].expose(), "b");
}

#[test]
fn an_annotation_binds_to_hosts_or_is_refused() {
    let with = |list: &str| {
        let annotations = BTreeMap::from([("windlass.dev/hosts".to_owned(), list.to_owned())]);
        references("login", Some(&annotations), &TriggerAuthenticationSpec::default())
    };
    let bound = with("db.example, *.queue.example:443").unwrap().bound.unwrap();
    assert!(bound.permits("db.example", 5432) && bound.permits("a.queue.example", 443));
    assert!(!bound.permits("evil.example", 443));
    assert_eq!(references("login", Some(&BTreeMap::new()), &TriggerAuthenticationSpec::default()).unwrap().bound, None);
    for list in ["", "https://db.example", "*"] {
        let fault = with(list).unwrap_err();
        assert_eq!(fault.reason, Reason::InvalidTrigger);
        assert!(
            fault.message.starts_with("authentication 'login': metadata.annotations['windlass.dev/hosts']: "),
            "{fault}"
        );
    }
}
