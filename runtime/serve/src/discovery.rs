//! What the API tells about itself. All of it is fixed, so it is rendered once.
use crate::route::Route;
use crate::{GROUP, VERSION};
use bytes::Bytes;
use serde_json::{Value, json};

/// A fixed document.
#[derive(Clone, Debug)]
pub(crate) struct Document {
    pub(crate) body: Bytes,
    /// Changes with the body; the aggregator asks again only for what changed.
    pub(crate) etag: String,
}

impl Document {
    fn new(value: &Value) -> Document {
        let text = value.to_string();
        // FNV-1a: the same in every build, unlike the standard library's.
        let hash = text
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
        Document { etag: format!("\"{hash:016X}\""), body: text.into() }
    }
}

/// All fixed documents.
#[derive(Debug)]
pub(crate) struct Documents {
    version: Document,
    paths: Document,
    groups: Document,
    group: Document,
    resources: Document,
    open_api_v2: Document,
    open_api_v3: Document,
    open_api_v3_group: Document,
}

impl Documents {
    pub(crate) fn new() -> Documents {
        let group = group();
        let open_api_v3_group = Document::new(&open_api_v3_group());
        let index = json!({ "paths": { format!("apis/{GROUP}/{VERSION}"): {
            "serverRelativeURL":
                format!("/openapi/v3/apis/{GROUP}/{VERSION}?hash={}", open_api_v3_group.etag.trim_matches('"')),
        } } });
        let mut groups = json!({ "kind": "APIGroupList", "apiVersion": "v1" });
        groups["groups"] = json!([group]);
        let mut alone = json!({ "kind": "APIGroup", "apiVersion": "v1" });
        merge(&mut alone, group);
        Documents {
            version: Document::new(&version()),
            paths: Document::new(&json!({ "paths": [
                "/apis", format!("/apis/{GROUP}"), format!("/apis/{GROUP}/{VERSION}"),
                "/healthz", "/livez", "/openapi/v2", "/openapi/v3", "/readyz", "/version",
            ] })),
            groups: Document::new(&groups),
            group: Document::new(&alone),
            resources: Document::new(&resources()),
            open_api_v2: Document::new(&open_api_v2()),
            open_api_v3: Document::new(&index),
            open_api_v3_group,
        }
    }

    /// The document of a route, for the routes that have one.
    pub(crate) fn find(&self, route: Route<'_>) -> Option<&Document> {
        match route {
            Route::Version => Some(&self.version),
            Route::Paths => Some(&self.paths),
            Route::Groups => Some(&self.groups),
            Route::Group => Some(&self.group),
            Route::Resources => Some(&self.resources),
            Route::OpenApiV2 => Some(&self.open_api_v2),
            Route::OpenApiV3 => Some(&self.open_api_v3),
            Route::OpenApiV3Group => Some(&self.open_api_v3_group),
            Route::Alive | Route::Ready | Route::Metric { .. } | Route::Why { .. } | Route::Unknown => None,
        }
    }
}

fn merge(into: &mut Value, from: Value) {
    if let (Value::Object(into), Value::Object(from)) = (into, from) {
        into.extend(from);
    }
}

fn group() -> Value {
    let version = json!({ "groupVersion": format!("{GROUP}/{VERSION}"), "version": VERSION });
    json!({ "name": GROUP, "versions": [version], "preferredVersion": version })
}

/// One resource, whatever objects there are: the metric's name in the path stands in the place of a resource.
fn resources() -> Value {
    json!({
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": format!("{GROUP}/{VERSION}"),
        "resources": [{
            "name": "externalmetrics",
            "singularName": "",
            "namespaced": true,
            "kind": "ExternalMetricValueList",
            "verbs": ["get"],
        }],
    })
}

/// `version.Info` of apimachinery, whose fields must all be there.
fn version() -> Value {
    json!({
        "major": env!("CARGO_PKG_VERSION_MAJOR"),
        "minor": env!("CARGO_PKG_VERSION_MINOR"),
        "gitVersion": concat!("v", env!("CARGO_PKG_VERSION")),
        "gitCommit": "",
        "gitTreeState": "",
        "buildDate": "",
        "goVersion": "",
        "compiler": "rustc",
        "platform": "linux",
    })
}

const LIST: &str = "io.k8s.metrics.pkg.apis.external_metrics.v1beta1.ExternalMetricValueList";
const ITEM: &str = "io.k8s.metrics.pkg.apis.external_metrics.v1beta1.ExternalMetricValue";

/// The schemas, with references that start with `prefix`. Types of apimachinery are written out in place, so that the
/// aggregator has nothing to rename when it merges.
fn schemas(prefix: &str) -> Value {
    json!({
        LIST: {
            "description": "A list of values of one external metric.",
            "type": "object",
            "required": ["items"],
            "properties": {
                "apiVersion": { "type": "string", "description": "The version of this representation." },
                "kind": { "type": "string", "description": "The kind of this representation." },
                "metadata": { "type": "object", "description": "Standard list metadata." },
                "items": { "type": "array", "items": { "$ref": format!("{prefix}{ITEM}") } },
            },
            "x-kubernetes-group-version-kind": [gvk()],
        },
        ITEM: {
            "description": "The value of an external metric at one moment.",
            "type": "object",
            "required": ["metricName", "metricLabels", "timestamp", "value"],
            "properties": {
                "metricName": { "type": "string", "description": "The name of the metric." },
                "metricLabels": {
                    "type": "object",
                    "additionalProperties": { "type": "string" },
                    "description": "The labels that identify the time series.",
                },
                "timestamp": {
                    "type": "string", "format": "date-time", "description": "When the value was read from its source.",
                },
                "window": { "type": "integer", "format": "int64", "description": "Seconds over which it was computed." },
                "value": { "type": "string", "description": "The value, as a Kubernetes quantity." },
            },
        },
    })
}

fn gvk() -> Value {
    json!({ "group": GROUP, "version": VERSION, "kind": "ExternalMetricValueList" })
}

fn metric_path() -> String {
    format!("/apis/{GROUP}/{VERSION}/namespaces/{{namespace}}/{{metricName}}")
}

fn info() -> Value {
    json!({ "title": "Windlass external metrics", "version": concat!("v", env!("CARGO_PKG_VERSION")) })
}

fn operation() -> Value {
    json!({
        "description": "Read an external metric of the ScaledObject that the label selector names.",
        "operationId": "readExternalMetricsV1beta1NamespacedExternalMetric",
        "tags": ["externalMetrics_v1beta1"],
        "x-kubernetes-action": "list",
        "x-kubernetes-group-version-kind": gvk(),
    })
}

fn open_api_v2() -> Value {
    let parameter = |name: &str, place: &str| json!({ "name": name, "in": place, "required": true, "type": "string" });
    let mut get = operation();
    merge(
        &mut get,
        json!({
            "produces": ["application/json", "application/yaml"],
            "schemes": ["https"],
            "parameters": [{
                "name": "labelSelector", "in": "query", "required": true, "type": "string",
                "description": "scaledobject.keda.sh/name=NAME",
            }],
            "responses": {
                "200": { "description": "OK", "schema": { "$ref": format!("#/definitions/{LIST}") } },
                "401": { "description": "Unauthorized" },
            },
        }),
    );
    json!({
        "swagger": "2.0",
        "info": info(),
        "paths": { metric_path(): {
            "get": get,
            "parameters": [parameter("namespace", "path"), parameter("metricName", "path")],
        } },
        "definitions": schemas("#/definitions/"),
    })
}

fn open_api_v3_group() -> Value {
    let parameter = |name: &str, place: &str| json!({ "name": name, "in": place, "required": true, "schema": { "type": "string" } });
    let mut get = operation();
    merge(
        &mut get,
        json!({
            "parameters": [parameter("labelSelector", "query")],
            "responses": {
                "200": {
                    "description": "OK",
                    "content": { "application/json": {
                        "schema": { "$ref": format!("#/components/schemas/{LIST}") },
                    } },
                },
                "401": { "description": "Unauthorized" },
            },
        }),
    );
    json!({
        "openapi": "3.0.0",
        "info": info(),
        "paths": { metric_path(): {
            "get": get,
            "parameters": [parameter("namespace", "path"), parameter("metricName", "path")],
        } },
        "components": { "schemas": schemas("#/components/schemas/") },
    })
}
