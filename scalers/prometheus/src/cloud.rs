//! What authenticates to the clouds' own Prometheus services in KEDA. None of it works here yet, and a trigger that asks
//! for it is refused: without it, each of its requests would be.
use windlass_sdk::{Parameters, Problem, Sealed, problem};

const AWS: &str = "is not supported yet: requests are not signed for Amazon Managed Service for Prometheus. Ask through a \
    proxy that signs them, and remove this parameter";
const AZURE: &str = "is not supported yet: use authModes bearer with a token that is kept fresh, or ask through a proxy \
    that authenticates to Azure, and remove this parameter";
const GCP: &str = "is not supported yet: use authModes bearer with a token that is kept fresh, or ask through a proxy \
    that authenticates to Google Cloud, and remove this parameter";

/// The parameters. Whether they are set is all that counts.
#[derive(Parameters, Clone, Debug)]
pub(crate) struct Cloud {
    /// Not supported: a trigger with it is refused.
    #[parameter(from(metadata, authentication))]
    aws_region: Option<Sealed>,
    /// Not supported: a trigger with it is refused.
    identity_owner: Option<Sealed>,
    /// Not supported: a trigger with it is refused.
    #[parameter(from(authentication))]
    aws_role_arn: Option<Sealed>,
    /// Not supported: a trigger with it is refused.
    #[parameter(name = "awsAccessKeyID", from(authentication))]
    aws_access_key_id: Option<Sealed>,
    /// Not supported: a trigger with it is refused.
    #[parameter(from(authentication))]
    aws_secret_access_key: Option<Sealed>,
    /// Not supported: a trigger with it is refused.
    #[parameter(from(authentication))]
    aws_session_token: Option<Sealed>,
    /// Not supported: a trigger with it is refused.
    #[parameter(name = "awsAccessKeyIDFromEnv")]
    aws_access_key_id_from_env: Option<Sealed>,
    /// Not supported: a trigger with it is refused.
    aws_secret_access_key_from_env: Option<Sealed>,
    /// Not supported: a trigger with it is refused.
    aws_session_token_from_env: Option<Sealed>,
    /// Not supported: a trigger with it is refused.
    #[parameter(name = "azureManagedPrometheusResourceURL")]
    azure_resource_url: Option<Sealed>,
    /// Not supported: a trigger with it is refused.
    cloud: Option<Sealed>,
    /// Not supported: a trigger with it is refused.
    #[parameter(name = "GoogleApplicationCredentials", from(authentication))]
    google_application_credentials: Option<Sealed>,
    /// Not supported: a trigger with it is refused.
    credentials_from_env: Option<Sealed>,
    /// Not supported: a trigger with it is refused.
    credentials_from_env_file: Option<Sealed>,
}

impl Cloud {
    /// A problem for each that is set, and for a pod identity.
    pub(crate) fn check(&self, identity: Option<&str>) -> Vec<Problem> {
        let parameters = [
            (&self.aws_region, AWS),
            (&self.identity_owner, AWS),
            (&self.aws_role_arn, AWS),
            (&self.aws_access_key_id, AWS),
            (&self.aws_secret_access_key, AWS),
            (&self.aws_session_token, AWS),
            (&self.aws_access_key_id_from_env, AWS),
            (&self.aws_secret_access_key_from_env, AWS),
            (&self.aws_session_token_from_env, AWS),
            (&self.azure_resource_url, AZURE),
            (&self.cloud, AZURE),
            (&self.google_application_credentials, GCP),
            (&self.credentials_from_env, GCP),
            (&self.credentials_from_env_file, GCP),
        ];
        let set = parameters.iter().filter_map(|(set, remedy)| Some((set.as_ref()?.parameter(), *remedy)));
        let mut problems: Vec<Problem> = set.map(|(name, remedy)| problem(&name, remedy)).collect();
        problems.extend(identity.filter(|provider| *provider != "none").map(of_identity));
        problems
    }
}

fn of_identity(provider: &str) -> Problem {
    let remedy = match provider {
        "gcp" => GCP,
        "azure" | "azure-workload" => AZURE,
        _ => AWS,
    };
    problem("podIdentity", format!("{provider} {remedy}"))
}
