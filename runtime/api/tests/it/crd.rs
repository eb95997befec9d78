//! The generated definitions against the schema of `keda.sh/v1alpha1`: every field, bound, default and column.
use serde_json::{Value, json};
use std::collections::BTreeSet;

fn definition(kind: &str) -> Value {
    let all = windlass_api::definitions().unwrap();
    all.into_iter().map(|d| d.value).find(|value| value["spec"]["names"]["kind"] == kind).unwrap()
}

fn schema(definition: &Value) -> &Value {
    &definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
}

/// Every field that has a scalar or a map of scalars below it: `spec.triggers[].name string`.
fn fields(schema: &Value, path: &str, into: &mut BTreeSet<String>) {
    if let Some(properties) = schema["properties"].as_object() {
        for (name, below) in properties {
            fields(below, &if path.is_empty() { name.clone() } else { format!("{path}.{name}") }, into);
        }
    } else if schema["items"].is_object() {
        fields(&schema["items"], &format!("{path}[]"), into);
    } else if schema["additionalProperties"].is_object() {
        fields(&schema["additionalProperties"], &format!("{path}{{}}"), into);
    } else {
        let kind =
            if schema["x-kubernetes-int-or-string"] == true { "quantity" } else { schema["type"].as_str().unwrap() };
        into.insert(format!("{path} {kind}"));
    }
}

fn all_fields(kind: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    fields(schema(&definition(kind)), "", &mut found);
    for field in ["apiVersion string", "kind string", "metadata object"] {
        assert!(found.remove(field), "{field}");
    }
    found
}

fn at<'a>(kind: &'a Value, path: &str) -> &'a Value {
    path.split('.').fold(schema(kind), |schema, name| match name.strip_suffix("[]") {
        Some(name) => &schema["properties"][name]["items"],
        None => &schema["properties"][name],
    })
}

#[test]
fn every_field_of_a_scaled_object() {
    let rules = |side: &str| {
        let at = format!("spec.advanced.horizontalPodAutoscalerConfig.behavior.{side}");
        [
            "policies[].periodSeconds integer",
            "policies[].type string",
            "policies[].value integer",
            "selectPolicy string",
            "stabilizationWindowSeconds integer",
            "tolerance quantity",
        ]
        .map(|field| format!("{at}.{field}"))
    };
    let rest = [
        "spec.scaleTargetRef.name string",
        "spec.scaleTargetRef.apiVersion string",
        "spec.scaleTargetRef.kind string",
        "spec.scaleTargetRef.envSourceContainerName string",
        "spec.pollingInterval integer",
        "spec.initialCooldownPeriod integer",
        "spec.cooldownPeriod integer",
        "spec.idleReplicaCount integer",
        "spec.minReplicaCount integer",
        "spec.maxReplicaCount integer",
        "spec.fallback.failureThreshold integer",
        "spec.fallback.replicas integer",
        "spec.fallback.behavior string",
        "spec.advanced.restoreToOriginalReplicaCount boolean",
        "spec.advanced.horizontalPodAutoscalerConfig.name string",
        "spec.advanced.scalingModifiers.formula string",
        "spec.advanced.scalingModifiers.target string",
        "spec.advanced.scalingModifiers.activationTarget string",
        "spec.advanced.scalingModifiers.metricType string",
        "spec.triggers[].type string",
        "spec.triggers[].metadata{} string",
        "spec.triggers[].name string",
        "spec.triggers[].useCachedMetrics boolean",
        "spec.triggers[].authenticationRef.name string",
        "spec.triggers[].authenticationRef.kind string",
        "spec.triggers[].metricType string",
        "status.scaleTargetKind string",
        "status.scaleTargetGVKR.group string",
        "status.scaleTargetGVKR.version string",
        "status.scaleTargetGVKR.kind string",
        "status.scaleTargetGVKR.resource string",
        "status.originalReplicaCount integer",
        "status.lastActiveTime string",
        "status.externalMetricNames[] string",
        "status.resourceMetricNames[] string",
        "status.compositeScalerName string",
        "status.conditions[].type string",
        "status.conditions[].status string",
        "status.conditions[].reason string",
        "status.conditions[].message string",
        "status.health{}.numberOfFailures integer",
        "status.health{}.status string",
        "status.triggersActivity{}.isActive boolean",
        "status.pausedReplicaCount integer",
        "status.hpaName string",
        "status.triggersTypes string",
        "status.authenticationsTypes string",
    ];
    let expected = rest.into_iter().map(String::from).chain(rules("scaleUp")).chain(rules("scaleDown")).collect();
    assert_eq!(all_fields("ScaledObject"), expected);
}

#[test]
fn every_field_of_an_authentication() {
    let identity = [
        "provider",
        "identityId",
        "identityTenantId",
        "identityAuthorityHost",
        "roleArn",
        "externalID",
        "identityOwner",
    ];
    let mut expected: BTreeSet<String> = BTreeSet::new();
    let mut add = |prefix: &str, names: &[&str]| {
        expected.extend(names.iter().map(|name| format!("spec.{prefix}{name} string")));
    };
    for holder in ["", "azureKeyVault.", "gcpSecretManager.", "awsSecretManager."] {
        add(&format!("{holder}podIdentity."), &identity);
    }
    for list in ["secretTargetRef[].", "configMapTargetRef[]."] {
        add(list, &["parameter", "name", "key"]);
    }
    add("env[].", &["parameter", "name", "containerName"]);
    add("", &["filePath"]);
    add("hashiCorpVault.", &["address", "authentication", "namespace", "role", "mount"]);
    add("hashiCorpVault.credential.", &["token", "serviceAccount", "serviceAccountName"]);
    add("hashiCorpVault.secrets[].", &["parameter", "path", "key", "type"]);
    let pki = ["commonName", "altNames", "ipSans", "uriSans", "otherSans", "ttl", "format"];
    add("hashiCorpVault.secrets[].pkiData.", &pki);
    add("azureKeyVault.", &["vaultUri"]);
    add("azureKeyVault.secrets[].", &["parameter", "name", "version"]);
    add("azureKeyVault.credentials.", &["clientId", "tenantId"]);
    add("azureKeyVault.cloud.", &["type", "keyVaultResourceURL", "activeDirectoryEndpoint"]);
    add("gcpSecretManager.secrets[].", &["parameter", "id", "version"]);
    add("awsSecretManager.", &["region"]);
    add("awsSecretManager.secrets[].", &["parameter", "name", "versionId", "versionStage", "secretKey"]);
    add("boundServiceAccountToken[].", &["parameter", "serviceAccountName"]);
    add("oauth2.", &["type", "clientId", "tokenUrl", "scopes[]", "tokenUrlParams{}"]);
    for holder in [
        "azureKeyVault.credentials.clientSecret",
        "gcpSecretManager.credentials.clientSecret",
        "awsSecretManager.credentials.accessKey",
        "awsSecretManager.credentials.accessSecretKey",
        "awsSecretManager.credentials.accessToken",
        "oauth2.clientSecret",
    ] {
        add(&format!("{holder}.valueFrom.secretKeyRef."), &["name", "key"]);
    }
    expected.extend(["status.scaledobjects string".to_owned(), "status.scaledjobs string".to_owned()]);
    assert_eq!(all_fields("TriggerAuthentication"), expected);
    assert_eq!(all_fields("ClusterTriggerAuthentication"), expected);
}

#[test]
fn bounds_defaults_and_choices() {
    let object = definition("ScaledObject");
    for (field, minimum) in [
        ("pollingInterval", 1),
        ("initialCooldownPeriod", 0),
        ("cooldownPeriod", 0),
        ("idleReplicaCount", 0),
        ("minReplicaCount", 0),
        ("maxReplicaCount", 1),
        ("fallback.failureThreshold", 0),
        ("fallback.replicas", 0),
    ] {
        let field = at(&object, &format!("spec.{field}"));
        assert_eq!((&field["minimum"], &field["format"]), (&json!(minimum), &json!("int32")));
    }
    assert_eq!(at(&object, "spec.scaleTargetRef.name")["minLength"], 1);
    assert_eq!(at(&object, "spec.triggers[].type")["minLength"], 1);
    assert_eq!(at(&object, "spec.triggers")["minItems"], 1);
    let behavior = at(&object, "spec.fallback.behavior");
    assert_eq!(behavior["default"], "static");
    let behaviors =
        ["static", "currentReplicas", "currentReplicasIfHigher", "currentReplicasIfLower", "scalingModifiers"];
    assert_eq!(behavior["enum"], json!(behaviors));
    assert_eq!(at(&object, "spec.advanced.scalingModifiers.metricType")["enum"], json!(["AverageValue", "Value"]));
    let kinds = json!(["TriggerAuthentication", "ClusterTriggerAuthentication"]);
    assert_eq!(at(&object, "spec.triggers[].authenticationRef.kind")["enum"], kinds);
    let down = at(&object, "spec.advanced.horizontalPodAutoscalerConfig.behavior.scaleDown");
    let window = &down["properties"]["stabilizationWindowSeconds"];
    assert_eq!((&window["minimum"], &window["maximum"]), (&json!(0), &json!(3600)));
    assert_eq!(down["properties"]["tolerance"]["anyOf"], json!([{ "type": "integer" }, { "type": "string" }]));
    assert_eq!(at(&object, "status.lastActiveTime")["format"], "date-time");
    assert_eq!(
        at(&object, "spec")["x-kubernetes-validations"],
        json!([{
            "rule": "!has(self.minReplicaCount) || self.minReplicaCount <= (has(self.maxReplicaCount) ? self.maxReplicaCount : 100)",
            "message": "minReplicaCount must be less than or equal to maxReplicaCount"
        }])
    );
    assert_eq!(schema(&object)["required"], json!(["spec"]));
    for (path, required) in [
        ("spec", json!(["scaleTargetRef", "triggers"])),
        ("spec.scaleTargetRef", json!(["name"])),
        ("spec.triggers[]", json!(["metadata", "type"])),
        ("spec.triggers[].authenticationRef", json!(["name"])),
        ("spec.fallback", json!(["failureThreshold", "replicas"])),
        ("status.conditions[]", json!(["status", "type"])),
        ("status.scaleTargetGVKR", json!(["group", "kind", "resource", "version"])),
        ("spec.advanced", Value::Null),
        ("status", Value::Null),
    ] {
        assert_eq!(at(&object, path)["required"], required, "{path}");
    }
    let authentication = definition("TriggerAuthentication");
    assert_eq!(at(&authentication, "spec.oauth2.type")["default"], "clientCredentials");
    let providers = json!(["azure-workload", "gcp", "aws", "aws-eks", "none"]);
    assert_eq!(at(&authentication, "spec.podIdentity.provider")["enum"], providers);
    assert_eq!(at(&authentication, "spec.podIdentity.identityOwner")["enum"], json!(["keda", "workload"]));
    assert_eq!(at(&authentication, "spec.hashiCorpVault.authentication")["enum"], json!(["token", "kubernetes"]));
    assert_eq!(
        at(&authentication, "spec.hashiCorpVault.secrets[].type")["enum"],
        json!(["", "secretV2", "secret", "pki"])
    );
    for (path, required) in [
        ("spec.oauth2", json!(["clientId", "tokenUrl", "type"])),
        ("spec.hashiCorpVault", json!(["address", "authentication", "secrets"])),
        ("spec.hashiCorpVault.secrets[]", json!(["key", "parameter", "path"])),
        ("spec.azureKeyVault", json!(["secrets", "vaultUri"])),
        ("spec.azureKeyVault.credentials", json!(["clientId", "clientSecret", "tenantId"])),
        ("spec.awsSecretManager.credentials", json!(["accessKey", "accessSecretKey"])),
        ("spec.env[]", json!(["name", "parameter"])),
        ("spec.secretTargetRef[]", json!(["key", "name", "parameter"])),
        ("spec", Value::Null),
    ] {
        assert_eq!(at(&authentication, path)["required"], required, "{path}");
    }
    for path in ["hashiCorpVault", "azureKeyVault", "gcpSecretManager", "awsSecretManager"] {
        assert_eq!(at(&authentication, &format!("spec.{path}.secrets"))["minItems"], 1, "{path}");
    }
}

#[test]
fn names_and_columns() {
    let columns = |kind: &str| -> Vec<String> {
        let definition = definition(kind);
        let columns = definition["spec"]["versions"][0]["additionalPrinterColumns"].as_array().unwrap().clone();
        let told = |column: &Value| {
            let priority = column["priority"].as_i64().map(|p| format!(" {p}")).unwrap_or_default();
            format!(
                "{} {} {}{priority}",
                column["name"].as_str().unwrap(),
                column["type"].as_str().unwrap(),
                column["jsonPath"].as_str().unwrap()
            )
        };
        columns.iter().map(told).collect()
    };
    assert_eq!(
        columns("ScaledObject"),
        [
            "ScaleTargetKind string .status.scaleTargetKind",
            "ScaleTargetName string .spec.scaleTargetRef.name",
            "Min integer .spec.minReplicaCount",
            "Max integer .spec.maxReplicaCount",
            r#"Ready string .status.conditions[?(@.type=="Ready")].status"#,
            r#"Active string .status.conditions[?(@.type=="Active")].status"#,
            r#"Fallback string .status.conditions[?(@.type=="Fallback")].status"#,
            r#"Paused string .status.conditions[?(@.type=="Paused")].status"#,
            "Triggers string .status.triggersTypes",
            "Authentications string .status.authenticationsTypes",
            "Age date .metadata.creationTimestamp",
        ]
    );
    let own = [
        "PodIdentity string .spec.podIdentity.provider",
        "Secret string .spec.secretTargetRef[*].name",
        "Env string .spec.env[*].name",
        "VaultAddress string .spec.hashiCorpVault.address",
        "ScaledObjects string .status.scaledobjects 1",
        "ScaledJobs string .status.scaledjobs 1",
    ];
    assert_eq!(columns("TriggerAuthentication"), own);
    let mut cluster = own.to_vec();
    cluster.insert(3, "FilePath string .spec.filePath");
    assert_eq!(columns("ClusterTriggerAuthentication"), cluster);
    for (kind, plural, short, scope) in [
        ("ScaledObject", "scaledobjects", json!(["so"]), "Namespaced"),
        ("TriggerAuthentication", "triggerauthentications", json!(["ta", "triggerauth"]), "Namespaced"),
        (
            "ClusterTriggerAuthentication",
            "clustertriggerauthentications",
            json!(["cta", "clustertriggerauth"]),
            "Cluster",
        ),
    ] {
        let definition = definition(kind);
        let (names, version) = (&definition["spec"]["names"], &definition["spec"]["versions"][0]);
        assert_eq!(
            (&names["plural"], &names["shortNames"], &definition["spec"]["scope"]),
            (&json!(plural), &short, &json!(scope))
        );
        assert_eq!(names["listKind"], format!("{kind}List"));
        assert_eq!(definition["metadata"]["name"], format!("{plural}.keda.sh"));
        assert_eq!(
            (&version["name"], &version["served"], &version["storage"]),
            (&json!("v1alpha1"), &json!(true), &json!(true))
        );
        assert_eq!(version["subresources"], json!({ "status": {} }));
    }
}

#[test]
fn nothing_is_nullable_or_defaulted_beside_the_two() {
    fn count(value: &Value, word: &str) -> usize {
        match value {
            Value::Object(map) => map.iter().map(|(name, below)| usize::from(name == word) + count(below, word)).sum(),
            Value::Array(items) => items.iter().map(|item| count(item, word)).sum(),
            _ => 0,
        }
    }
    for kind in ["ScaledObject", "TriggerAuthentication", "ClusterTriggerAuthentication"] {
        let definition = definition(kind);
        assert_eq!(count(&definition, "nullable"), 0, "{kind}");
        assert_eq!(count(&definition, "default"), 1, "{kind}");
    }
}
