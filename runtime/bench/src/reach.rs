//! The way to an operator past the API server: as the aggregation layer, for the HPA controller.
use crate::load::Peer;
use anyhow::{Context, Result};
use http::HeaderMap;
use k8s_openapi::kube_aggregator::pkg::apis::apiregistration::v1::APIService;
use kube::api::Api;
use windlass_e2e::{ControlPlane, Installed, METRICS_API, Operator};

/// A peer that is the operator's external metrics API.
pub(crate) async fn past_api_server(
    control_plane: &ControlPlane,
    installed: &Installed,
    operator: &Operator,
) -> Result<Peer> {
    let registrations: Api<APIService> = Api::all(control_plane.client().await?);
    let bundle = registrations.get(METRICS_API).await?.spec.and_then(|spec| spec.ca_bundle);
    let authority = String::from_utf8(bundle.context("no caBundle")?.0)?;
    let Installed { namespace, service, .. } = installed;
    let (certificate, key) = control_plane.front_proxy_client();
    let mut headers = HeaderMap::new();
    headers.insert("x-remote-user", "system:serviceaccount:kube-system:horizontal-pod-autoscaler".parse()?);
    headers.append("x-remote-group", "system:serviceaccounts".parse()?);
    headers.append("x-remote-group", "system:authenticated".parse()?);
    let name = format!("{service}.{namespace}.svc");
    Peer::new(operator.metrics_api_address(), &name, &authority, Some((&certificate, &key)), headers)
}
