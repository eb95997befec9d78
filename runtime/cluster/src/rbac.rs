//! What the operator may do: exactly what this crate's code does. `deploy/rbac.yaml` is generated from here.
use serde_json::{Value, json};

/// Name of the operator's roles, bindings and service account.
pub const NAME: &str = "windlass-operator";

/// ClusterRoles with this label, as `"true"`, are added to what the operator may do: for targets of other kinds than
/// Deployment and StatefulSet, grant `get`, `list` and `watch` of the kind in one. (`/scale` is granted for all kinds.)
pub const TARGETS_LABEL: &str = "rbac.windlass.dev/aggregate-to-targets";

/// One line of the table.
struct Grant {
    group: &'static str,
    resources: &'static [&'static str],
    names: &'static [&'static str],
    verbs: &'static [&'static str],
}

const fn grant(group: &'static str, resources: &'static [&'static str], verbs: &'static [&'static str]) -> Grant {
    Grant { group, resources, names: &[], verbs }
}

const fn named(
    group: &'static str,
    resources: &'static [&'static str],
    names: &'static [&'static str],
    verbs: &'static [&'static str],
) -> Grant {
    Grant { group, resources, names, verbs }
}

/// In all namespaces.
const EVERYWHERE: &[Grant] = &[
    // Finalizer and label are patched.
    grant("keda.sh", &["scaledobjects"], &["list", "watch", "patch"]),
    grant("keda.sh", &["scaledobjects/status"], &["patch"]),
    // An HPA's reference to its ScaledObject blocks the owner's deletion, which admission allows only with this.
    grant("keda.sh", &["scaledobjects/finalizers"], &["update"]),
    grant("keda.sh", &["triggerauthentications", "clustertriggerauthentications"], &["list", "watch"]),
    grant("autoscaling", &["horizontalpodautoscalers"], &["list", "watch", "create", "update", "delete"]),
    // `get` for the pod template, when a trigger takes values from the environment.
    grant("apps", &["deployments", "statefulsets"], &["get", "list", "watch"]),
    grant("*", &["*/scale"], &["get", "patch"]),
    // Listed and watched as metadata only; read when something refers to one.
    grant("", &["secrets", "configmaps"], &["get", "list", "watch"]),
    // For cpu and memory triggers of objects in the direct engine, as the HPA controller does for an HPA.
    grant("", &["pods"], &["list"]),
    grant("metrics.k8s.io", &["pods"], &["list"]),
    grant("events.k8s.io", &["events"], &["create"]),
    named("apiregistration.k8s.io", &["apiservices"], &[crate::api_service::NAME], &["get", "patch"]),
];

/// In the operator's own namespace. The certificate's Secret may have any name, so its writing is not bound to one.
const AT_HOME: &[Grant] = &[
    grant("", &["secrets"], &["create", "patch"]),
    grant("coordination.k8s.io", &["leases"], &["create"]),
    named("coordination.k8s.io", &["leases"], &[crate::lease::NAME], &["get", "patch"]),
];

fn rules(grants: &[Grant]) -> Value {
    let rule = |grant: &Grant| {
        let mut rule = json!({ "apiGroups": [grant.group], "resources": grant.resources, "verbs": grant.verbs });
        if !grant.names.is_empty() {
            rule["resourceNames"] = json!(grant.names);
        }
        rule
    };
    grants.iter().map(rule).collect()
}

fn object(kind: &str, name: &str, namespace: Option<&str>) -> Value {
    let mut metadata = json!({
        "name": name,
        "labels": { "app.kubernetes.io/name": NAME, "app.kubernetes.io/part-of": "windlass" },
    });
    if let Some(namespace) = namespace {
        metadata["namespace"] = json!(namespace);
    }
    json!({ "apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind, "metadata": metadata })
}

fn with(mut object: Value, fields: Value) -> Value {
    if let (Some(object), Value::Object(fields)) = (object.as_object_mut(), fields) {
        object.extend(fields);
    }
    object
}

fn binding(name: &str, home: Option<&str>, role: (&str, &str), subject: (&str, &str)) -> Value {
    let kind = if home.is_some() { "RoleBinding" } else { "ClusterRoleBinding" };
    with(
        object(kind, name, home),
        json!({
            "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": role.0, "name": role.1 },
            "subjects": [{ "kind": "ServiceAccount", "namespace": subject.0, "name": subject.1 }],
        }),
    )
}

/// The service account of `namespace`, its roles and bindings, and the HPA controller's right to read external metrics.
pub fn manifests(namespace: &str) -> Vec<Value> {
    let us = (namespace, NAME);
    let targets = "windlass-targets";
    let reader = "windlass-external-metrics-reader";
    let aggregation = json!({ "clusterRoleSelectors": [{ "matchLabels": { TARGETS_LABEL: "true" } }] });
    let read_metrics = json!([{
        "apiGroups": ["external.metrics.k8s.io"], "resources": ["*"], "verbs": ["get", "list", "watch"],
    }]);
    vec![
        with(object("ServiceAccount", NAME, Some(namespace)), json!({ "apiVersion": "v1" })),
        with(object("ClusterRole", NAME, None), json!({ "rules": rules(EVERYWHERE) })),
        binding(NAME, None, ("ClusterRole", NAME), us),
        // Filled by the API server from the roles with the label.
        with(object("ClusterRole", targets, None), json!({ "aggregationRule": aggregation })),
        binding(targets, None, ("ClusterRole", targets), us),
        with(object("Role", NAME, Some(namespace)), json!({ "rules": rules(AT_HOME) })),
        binding(NAME, Some(namespace), ("Role", NAME), us),
        binding("windlass-operator-auth-delegator", None, ("ClusterRole", "system:auth-delegator"), us),
        binding(
            "windlass-operator-auth-reader",
            Some("kube-system"),
            ("Role", "extension-apiserver-authentication-reader"),
            us,
        ),
        with(object("ClusterRole", reader, None), json!({ "rules": read_metrics })),
        binding(reader, None, ("ClusterRole", reader), ("kube-system", "horizontal-pod-autoscaler")),
    ]
}
