//! What an authentication refers to, and what comes of it once that was fetched. Pure: the caller does the fetching.
use crate::annotation;
use crate::authentication::{EnvironmentReference, TargetReference, TriggerAuthenticationSpec};
use k8s_openapi::api::core::v1 as k8s;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use windlass_core::{Binding, Fault, Reason, Secret, Text};

/// What an authentication refers to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct References {
    /// Name of the authentication, for messages.
    pub authentication: Text,
    /// Variables of the target's containers.
    pub env: Vec<EnvironmentReference>,
    /// Keys of ConfigMaps.
    pub config_maps: Vec<TargetReference>,
    /// Keys of Secrets.
    pub secrets: Vec<TargetReference>,
    /// Where its values may go; none: wherever its users' triggers lead.
    pub bound: Option<Arc<Binding>>,
}

/// Values by key, as an object holds them.
pub type Values = Arc<BTreeMap<Text, Secret>>;

/// What was fetched. An object that is not in the map does not exist (or was not asked for, which is the same here).
#[derive(Clone, Debug, Default)]
pub struct Fetched {
    /// Secrets by name.
    pub secrets: BTreeMap<Text, Values>,
    /// ConfigMaps by name.
    pub config_maps: BTreeMap<Text, Values>,
    /// Environments of the target's containers, by name; `None` is the container that
    /// `scaleTargetRef.envSourceContainerName` chooses, or the first.
    pub environments: BTreeMap<Option<Text>, Values>,
}

/// Objects to fetch, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// Secrets.
    pub secrets: BTreeSet<Text>,
    /// ConfigMaps.
    pub config_maps: BTreeSet<Text>,
}

impl References {
    /// Secrets and ConfigMaps to fetch: from the trigger's namespace for a TriggerAuthentication, from the operator's
    /// own for a ClusterTriggerAuthentication.
    pub fn needs(&self) -> Needs {
        let names = |list: &[TargetReference]| list.iter().map(|r| r.name.as_str().into()).collect();
        Needs { secrets: names(&self.secrets), config_maps: names(&self.config_maps) }
    }

    /// Containers of the target whose environment is needed.
    pub fn containers(&self) -> BTreeSet<Option<Text>> {
        self.env.iter().map(container).collect()
    }
}

fn container(reference: &EnvironmentReference) -> Option<Text> {
    reference.container_name.as_deref().filter(|name| !name.is_empty()).map(Text::from)
}

/// The references of an authentication named `name`, with its annotations.
///
/// # Errors
/// [`Reason::UnsupportedField`] when it uses a source that is not implemented, [`Reason::InvalidTrigger`] when it is bound to
/// what is no host; the message names the field.
pub fn references(
    name: &str,
    annotations: Option<&BTreeMap<String, String>>,
    spec: &TriggerAuthenticationSpec,
) -> Result<References, Fault> {
    let bound = annotations.and_then(|all| all.get(annotation::HOSTS));
    let bound = bound.map(|list| Binding::parse(name, list).map(Arc::new)).transpose().map_err(|wrong| {
        let field = format!("metadata.annotations['{}']", annotation::HOSTS);
        Fault::new(Reason::InvalidTrigger, format!("authentication '{name}': {field}: {wrong}"))
    })?;
    let identity = spec.pod_identity.as_ref().is_some_and(|i| !i.provider.is_empty() && i.provider != "none");
    let fields = [
        ("podIdentity.provider", identity),
        ("filePath", spec.file_path.as_deref().is_some_and(|path| !path.is_empty())),
        ("hashiCorpVault", spec.hashi_corp_vault.is_some()),
        ("azureKeyVault", spec.azure_key_vault.is_some()),
        ("gcpSecretManager", spec.gcp_secret_manager.is_some()),
        ("awsSecretManager", spec.aws_secret_manager.is_some()),
        ("boundServiceAccountToken", spec.bound_service_account_token.as_ref().is_some_and(|list| !list.is_empty())),
        ("oauth2", spec.oauth2.is_some()),
    ];
    if let Some((field, _)) = fields.iter().find(|(_, used)| *used) {
        return Err(Fault::new(
            Reason::UnsupportedField,
            format!(
                "authentication '{name}': spec.{field}: not supported yet; use secretTargetRef, configMapTargetRef or env, \
                 or keep the objects that refer to it on KEDA"
            ),
        ));
    }
    Ok(References {
        authentication: name.into(),
        env: spec.env.clone().unwrap_or_default(),
        config_maps: spec.config_map_target_ref.clone().unwrap_or_default(),
        secrets: spec.secret_target_ref.clone().unwrap_or_default(),
        bound,
    })
}

/// Parameters in KEDA's order: environment, ConfigMaps, Secrets; a later source overwrites an earlier one.
///
/// # Errors
/// [`Reason::AuthenticationNotFound`] when a parameter got no value from any source. (KEDA goes on with an empty text,
/// and the trigger then fails with the source's own words, or runs without a password.) Names only, never values.
pub fn assemble(references: &References, fetched: &Fetched) -> Result<BTreeMap<Text, Secret>, Fault> {
    let mut found: BTreeMap<Text, Result<Secret, String>> = BTreeMap::new();
    for reference in &references.env {
        let container = container(reference);
        let value = fetched.environments.get(&container).and_then(|values| values.get(reference.name.as_str()));
        let missing = || {
            let place =
                container.as_deref().map_or_else(|| "the target's container".into(), |c| format!("container '{c}'"));
            format!("env: {place} has no variable '{}'; set it", reference.name)
        };
        found.insert(reference.parameter.as_str().into(), value.cloned().ok_or_else(missing));
    }
    let sources = [
        ("configMapTargetRef", "ConfigMap", &references.config_maps, &fetched.config_maps),
        ("secretTargetRef", "Secret", &references.secrets, &fetched.secrets),
    ];
    for (field, kind, list, objects) in sources {
        for reference in list {
            let value = match objects.get(reference.name.as_str()) {
                None => Err(format!("{field}: there is no {kind} '{}'; create it", reference.name)),
                Some(values) => values.get(reference.key.as_str()).cloned().ok_or_else(|| {
                    format!(
                        "{field}: {kind} '{}' has no text under the key '{}'; add it",
                        reference.name, reference.key
                    )
                }),
            };
            found.insert(reference.parameter.as_str().into(), value);
        }
    }
    found
        .into_iter()
        .map(|(parameter, value)| match value {
            Ok(value) => Ok((parameter, value)),
            Err(why) => Err(Fault::new(
                Reason::AuthenticationNotFound,
                format!("authentication '{}': parameter '{parameter}': {why}", references.authentication),
            )),
        })
        .collect()
}

/// The texts of a Secret. What is not UTF-8 is left out: no parameter could carry it.
pub fn secret_values(secret: &k8s::Secret) -> Values {
    let data = secret.data.iter().flatten();
    let texts =
        data.filter_map(|(key, bytes)| Some((key.as_str().into(), Secret::new(std::str::from_utf8(&bytes.0).ok()?))));
    Arc::new(texts.collect())
}

/// The texts of a ConfigMap.
pub fn config_map_values(map: &k8s::ConfigMap) -> Values {
    let data = map.data.iter().flatten();
    Arc::new(data.map(|(key, text)| (key.as_str().into(), Secret::new(text.as_str()))).collect())
}
