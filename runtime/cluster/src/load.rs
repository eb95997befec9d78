//! What a load test asks of the API server: a namespace of its own with many objects, reads of their metrics, and what became of
//! them. Nothing outside that namespace is touched.
use crate::client::Client;
use crate::error::Error;
use crate::survey::{ready, scaled_objects};
use futures::stream::{StreamExt, TryStreamExt};
use http::Request;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::authorization::v1::{ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec};
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
use kube::api::{DeleteParams, DynamicObject, ListParams, PostParams, WatchEvent, WatchParams};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use windlass_api::quantity::Quantity;

/// Label of the namespaces that load tests make.
pub const LABEL: &str = "windlass.dev/bench";
/// Seconds of a watch: an API server lets none last longer than five minutes.
const WATCH_S: u32 = 290;
/// Objects that are created at the same time.
const AT_ONCE: usize = 10;

/// A load test's own namespace.
#[derive(Clone)]
pub struct Field {
    kube: kube::Client,
    namespace: String,
}

/// What is stored of a ScaledObject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Its Ready condition is True.
    pub ready: bool,
    /// Its first external metric.
    pub metric: Option<String>,
    /// Reason and message of a Ready condition that is False.
    pub trouble: Option<String>,
    /// Its resource version.
    pub version: String,
}

/// A right that is needed.
struct Right {
    group: &'static str,
    resource: &'static str,
    verb: &'static str,
    namespaced: bool,
}

const fn right(group: &'static str, resource: &'static str, verb: &'static str, namespaced: bool) -> Right {
    Right { group, resource, verb, namespaced }
}

const RIGHTS: [Right; 9] = [
    right("", "namespaces", "create", false),
    right("", "namespaces", "delete", false),
    right("apps", "deployments", "create", true),
    right("apps", "deployments", "watch", true),
    right("keda.sh", "scaledobjects", "create", true),
    right("keda.sh", "scaledobjects", "list", true),
    right("keda.sh", "scaledobjects", "delete", true),
    right("autoscaling", "horizontalpodautoscalers", "list", true),
    right("external.metrics.k8s.io", "*", "get", true),
];

impl Field {
    /// The namespace, which need not be there.
    pub fn new(client: &Client, namespace: &str) -> Field {
        Field { kube: client.kube.clone(), namespace: namespace.to_owned() }
    }

    /// The rights that are missing, as `create namespaces`.
    ///
    /// # Errors
    /// When the API server cannot be asked.
    pub async fn missing_rights(&self) -> Result<Vec<String>, Error> {
        let reviews: Api<SelfSubjectAccessReview> = Api::all(self.kube.clone());
        let mut missing = Vec::new();
        for Right { group, resource, verb, namespaced } in RIGHTS {
            let attributes = ResourceAttributes {
                group: Some(group.to_owned()),
                resource: Some(resource.to_owned()),
                verb: Some(verb.to_owned()),
                namespace: namespaced.then(|| self.namespace.clone()),
                ..ResourceAttributes::default()
            };
            let spec = SelfSubjectAccessReviewSpec { resource_attributes: Some(attributes), ..Default::default() };
            let review = SelfSubjectAccessReview { spec, ..Default::default() };
            let answer = reviews.create(&PostParams::default(), &review).await.map_err(Error::from)?;
            if !answer.status.is_some_and(|status| status.allowed) {
                let of = if group.is_empty() { String::new() } else { format!(".{group}") };
                missing.push(format!("{verb} {resource}{of}"));
            }
        }
        Ok(missing)
    }

    /// Whether the external metrics API is served.
    ///
    /// # Errors
    /// That it is not, in the API server's words.
    pub async fn metrics_served(&self) -> Result<(), Error> {
        self.get("/apis/external.metrics.k8s.io/v1beta1").await.map(drop)
    }

    /// Makes the namespace, with a label that says whose it is.
    ///
    /// # Errors
    /// [`Error::Exists`] when there is one of that name; others when it cannot be made.
    pub async fn make(&self) -> Result<(), Error> {
        let namespaces: Api<Namespace> = Api::all(self.kube.clone());
        let object = object(json!({ "metadata": { "name": self.namespace, "labels": { LABEL: "true" } } }))?;
        namespaces.create(&PostParams::default(), &object).await.map(drop).map_err(Error::from)
    }

    /// Makes Deployments without replicas and ScaledObjects of the same names, from what each ScaledObject's `spec` says.
    ///
    /// # Errors
    /// When one cannot be made.
    pub async fn create(&self, specs: Vec<(String, Value)>) -> Result<(), Error> {
        let (targets, objects) = (self.deployments(), self.objects());
        let made = futures::stream::iter(specs).map(|(name, spec)| {
            let (targets, objects) = (&targets, &objects);
            async move {
                let labels = json!({ "app": name });
                let target = object(json!({
                    "metadata": { "name": name },
                    "spec": {
                        "replicas": 0, "selector": { "matchLabels": labels },
                        // Pods that are asked for find no node, so that none ever runs.
                        "template": { "metadata": { "labels": labels }, "spec": {
                            "containers": [{ "name": "none", "image": "none" }], "nodeSelector": { LABEL: "none" },
                        } },
                    },
                }))?;
                targets.create(&PostParams::default(), &target).await.map_err(Error::from)?;
                let scaled = object(json!({
                    "apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject", "metadata": { "name": name }, "spec": spec,
                }))?;
                objects.create(&PostParams::default(), &scaled).await.map(drop).map_err(Error::from)
            }
        });
        made.buffer_unordered(AT_ONCE).try_collect().await
    }

    /// What is stored of all ScaledObjects, by name.
    ///
    /// # Errors
    /// When they cannot be listed.
    pub async fn stored(&self) -> Result<BTreeMap<String, Stored>, Error> {
        let listed = self.objects().list(&ListParams::default()).await.map_err(Error::from)?;
        Ok(listed.items.into_iter().filter_map(|object| Some((object.metadata.name.clone()?, read(&object)))).collect())
    }

    /// Resource versions of all HPAs, by name.
    ///
    /// # Errors
    /// When they cannot be listed.
    pub async fn hpa_versions(&self) -> Result<BTreeMap<String, String>, Error> {
        let hpas: Api<HorizontalPodAutoscaler> = Api::namespaced(self.kube.clone(), &self.namespace);
        let listed = hpas.list_metadata(&ListParams::default()).await.map_err(Error::from)?;
        let version = |metadata: kube::core::ObjectMeta| Some((metadata.name?, metadata.resource_version?));
        Ok(listed.items.into_iter().filter_map(|object| version(object.metadata)).collect())
    }

    /// Tells of every Deployment that is to have replicas, as soon as it is stored: its name. Ends when the API server ends the watch.
    ///
    /// # Errors
    /// When they cannot be watched.
    pub async fn watch_awake(&self, mut told: impl FnMut(String)) -> Result<(), Error> {
        let params = WatchParams::default().timeout(WATCH_S);
        let events = self.deployments().watch(&params, "0").await.map_err(Error::from)?;
        let mut events = std::pin::pin!(events);
        while let Some(event) = events.try_next().await.map_err(Error::from)? {
            let (WatchEvent::Added(target) | WatchEvent::Modified(target)) = event else { continue };
            if target.spec.replicas.is_some_and(|replicas| replicas > 0) {
                target.metadata.name.into_iter().for_each(&mut told);
            }
        }
        Ok(())
    }

    /// Reads a metric as the HPA controller does.
    ///
    /// # Errors
    /// What the API server or the adapter answered instead.
    pub async fn metric(&self, metric: &str, object: &str) -> Result<f64, Error> {
        let path = format!(
            "/apis/external.metrics.k8s.io/v1beta1/namespaces/{}/{metric}?labelSelector=scaledobject.keda.sh%2Fname%3D{object}",
            self.namespace
        );
        let list = self.get(&path).await?;
        let value = list["items"][0]["value"].as_str().and_then(|text| text.parse::<Quantity>().ok());
        let milli = value.and_then(Quantity::as_milli).ok_or(Error::Unreadable("external metric"))?;
        Ok(milli.as_f64())
    }

    /// Deletes the namespace with all that is in it.
    ///
    /// # Errors
    /// When it cannot be deleted.
    pub async fn delete(&self) -> Result<(), Error> {
        let objects = self.objects();
        // Finalizers first: a namespace controller deletes one object at a time.
        let _ = objects.delete_collection(&DeleteParams::default(), &ListParams::default()).await;
        let namespaces: Api<Namespace> = Api::all(self.kube.clone());
        match namespaces.delete(&self.namespace, &DeleteParams::default()).await.map_err(Error::from) {
            Ok(_) | Err(Error::NotFound) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Whether nothing of it is left but, perhaps, an empty namespace that is being deleted.
    ///
    /// # Errors
    /// When that cannot be asked.
    pub async fn is_gone(&self) -> Result<bool, Error> {
        Ok(self.objects().list_metadata(&ListParams::default().limit(1)).await.map_err(Error::from)?.items.is_empty())
    }

    async fn get(&self, path: &str) -> Result<Value, Error> {
        let request = Request::get(path).body(Vec::new()).map_err(|error| Error::Transport(error.to_string()))?;
        self.kube.request(request).await.map_err(Error::from)
    }

    fn deployments(&self) -> Api<Deployment> {
        Api::namespaced(self.kube.clone(), &self.namespace)
    }

    fn objects(&self) -> Api<DynamicObject> {
        scaled_objects(&self.kube, Some(&self.namespace))
    }
}

fn object<T: serde::de::DeserializeOwned>(value: Value) -> Result<T, Error> {
    serde_json::from_value(value).map_err(|_| Error::Unreadable("object"))
}

fn read(object: &DynamicObject) -> Stored {
    let [status, reason, message] = ready(object).unwrap_or_default();
    Stored {
        ready: status == "True",
        metric: object.data["status"]["externalMetricNames"][0].as_str().map(str::to_owned),
        trouble: (status == "False").then(|| format!("{reason}: {message}")),
        version: object.metadata.resource_version.clone().unwrap_or_default(),
    }
}
