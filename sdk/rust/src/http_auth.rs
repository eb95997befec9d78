//! The authentication block that HTTP scalers share: KEDA's `authModes` and the parameters that go with them.
use crate::{Choice, Credential, Pairs, Parameters, Problem, Sealed, Tls, Url, problem};

/// A way to authenticate.
#[derive(Choice, Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthMode {
    /// A key in a header or in the query.
    ApiKey,
    /// User name and password.
    Basic,
    /// A client certificate.
    Tls,
    /// A bearer token.
    Bearer,
    /// A header of any name.
    Custom,
    /// OAuth 2 client credentials.
    #[choice(name = "oauth")]
    OAuth,
}

/// The block: a field `#[parameter(flatten)] auth: HttpAuth` adds it to a scaler's parameters.
#[derive(Parameters, Clone, Debug)]
pub struct HttpAuth {
    /// How to authenticate: one or more, separated by commas.
    #[parameter(name = "authModes", aliases("authMode"), from(metadata, authentication))]
    pub modes: Option<Vec<AuthMode>>,
    /// Token for `bearer`.
    #[parameter(aliases("token"), from(authentication))]
    pub bearer_token: Option<Sealed>,
    /// User name for `basic`.
    #[parameter(from(authentication))]
    pub username: Option<Sealed>,
    /// Password for `basic`.
    #[parameter(from(authentication))]
    pub password: Option<Sealed>,
    /// Client certificate for `tls`, PEM.
    #[parameter(name = "cert", from(authentication))]
    pub certificate: Option<Sealed>,
    /// Client key for `tls`, PEM.
    #[parameter(from(authentication))]
    pub key: Option<Sealed>,
    /// Certificate authorities to trust, PEM.
    #[parameter(from(authentication))]
    pub ca: Option<Sealed>,
    /// Where `oauth` gets its tokens.
    #[parameter(name = "oauthTokenURI", from(authentication))]
    pub oauth_token_uri: Option<Url>,
    /// Scopes for `oauth`, separated by commas.
    #[parameter(aliases("scope"), from(authentication))]
    pub scopes: Option<Vec<String>>,
    /// Client for `oauth`.
    #[parameter(name = "clientID", from(authentication))]
    pub client_id: Option<Sealed>,
    /// Client secret for `oauth`.
    #[parameter(from(authentication))]
    pub client_secret: Option<Sealed>,
    /// More parameters of the token request for `oauth`.
    #[parameter(from(authentication))]
    pub endpoint_params: Option<Pairs>,
    /// Key for `apiKey`.
    #[parameter(from(metadata, authentication))]
    pub api_key: Option<Sealed>,
    /// Where the key goes for `apiKey`.
    #[parameter(default = "header", choices("header", "query"), from(metadata, authentication))]
    pub method: String,
    /// Name of the header or of the query parameter for `apiKey`; without it `X-API-KEY` or `api_key`.
    #[parameter(from(metadata, authentication))]
    pub key_param_name: Option<String>,
    /// Header for `custom`.
    #[parameter(from(authentication))]
    pub custom_auth_header: Option<Sealed>,
    /// The header's value for `custom`.
    #[parameter(from(authentication))]
    pub custom_auth_value: Option<Sealed>,
}

impl HttpAuth {
    /// Whether a mode is enabled.
    pub fn enabled(&self, mode: AuthMode) -> bool {
        self.modes.as_ref().is_some_and(|modes| modes.contains(&mode))
    }

    /// What is missing or excludes one another; for `configure`.
    pub fn check(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut need = |mode: AuthMode, set: bool, parameter: &str, word: &str| {
            if self.enabled(mode) && !set {
                problems.push(problem(
                    parameter,
                    format!("is required by authModes {word}: set it in a TriggerAuthentication"),
                ));
            }
        };
        need(AuthMode::Bearer, self.bearer_token.is_some(), "bearerToken", "bearer");
        need(AuthMode::Basic, self.username.is_some(), "username", "basic");
        need(AuthMode::Tls, self.certificate.is_some(), "cert", "tls");
        need(AuthMode::Tls, self.key.is_some(), "key", "tls");
        need(AuthMode::Custom, self.custom_auth_header.is_some(), "customAuthHeader", "custom");
        need(AuthMode::Custom, self.custom_auth_value.is_some(), "customAuthValue", "custom");
        need(AuthMode::ApiKey, self.api_key.is_some(), "apiKey", "apiKey");
        let exclusive = [AuthMode::Bearer, AuthMode::Basic, AuthMode::OAuth];
        if exclusive.iter().filter(|mode| self.enabled(**mode)).count() > 1 {
            problems.push(problem("authModes", "bearer, basic and oauth exclude one another: keep one"));
        }
        if self.enabled(AuthMode::OAuth) {
            problems
                .push(problem("authModes", "oauth is not supported yet: use bearer with a token that is kept fresh"));
        }
        problems
    }

    /// What requests carry.
    pub fn credentials(&self) -> Vec<Credential> {
        let mut credentials = Vec::new();
        if let (true, Some(token)) = (self.enabled(AuthMode::Bearer), &self.bearer_token) {
            credentials.push(Credential::bearer(token));
        }
        if let (true, Some(username)) = (self.enabled(AuthMode::Basic), &self.username) {
            credentials.push(Credential::basic(username, self.password.as_ref()));
        }
        if let (true, Some(name), Some(value)) =
            (self.enabled(AuthMode::Custom), &self.custom_auth_header, &self.custom_auth_value)
        {
            credentials.push(Credential::sealed_header(name, value));
        }
        if let (true, Some(key)) = (self.enabled(AuthMode::ApiKey), &self.api_key) {
            let name = |default: &str| self.key_param_name.clone().unwrap_or_else(|| default.to_owned());
            credentials.push(match &*self.method {
                "query" => Credential::query(name("api_key"), key),
                _ => Credential::header(name("X-API-KEY"), key),
            });
        }
        credentials
    }

    /// TLS of the endpoint: the authorities wherever `ca` is set, the client certificate with mode `tls`.
    pub fn tls(&self, verify: bool) -> Tls {
        let tls = Tls::verified().verify(verify).ca(self.ca.as_ref());
        if self.enabled(AuthMode::Tls) { tls.certificate(self.certificate.as_ref(), self.key.as_ref()) } else { tls }
    }
}
