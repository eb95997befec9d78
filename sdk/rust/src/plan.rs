//! Making plans, endpoints, credentials and problems.
use crate::{Credential, Endpoint, Metric, Metrics, Plan, Problem, Sealed, Tls};

impl Plan {
    /// A plan with one metric. Its name has no `s<index>-` prefix and is [`normalize`](crate::normalize)d; the target is per
    /// replica or in all, as the trigger's `metricType` says; the workload is active above `activation`.
    pub fn metric(name: impl Into<String>, target: f64, activation: f64) -> Plan {
        Plan::metrics(vec![Metric { name: name.into(), target, activation }])
    }

    /// A plan with several metrics.
    pub fn metrics(metrics: Vec<Metric>) -> Plan {
        Plan { metrics: Metrics::Fixed(metrics), endpoints: Vec::new(), group: String::new(), requests: 0 }
    }

    /// Adds an endpoint; requests name it by its place, the first is 0. Counts one request per poll for it; see
    /// [`Plan::requests`].
    #[must_use]
    pub fn endpoint(mut self, endpoint: Endpoint) -> Plan {
        self.endpoints.push(endpoint);
        self.requests += 1;
        self
    }

    /// The usual number of requests per poll, where it is not one per endpoint.
    #[must_use]
    pub fn requests(mut self, requests: u32) -> Plan {
        self.requests = requests;
        self
    }

    /// Queries of equal group and endpoints may share a request.
    #[must_use]
    pub fn group(mut self, group: impl Into<String>) -> Plan {
        self.group = group.into();
        self
    }
}

impl Endpoint {
    /// An endpoint whose host the user wrote in the value of `parameter`.
    pub fn new(parameter: impl Into<String>, host: impl Into<String>, port: u16) -> Endpoint {
        Endpoint { parameter: Some(parameter.into()), host: host.into(), port, tls: None }
    }

    /// With TLS.
    #[must_use]
    pub fn tls(mut self, tls: Tls) -> Endpoint {
        self.tls = Some(tls);
        self
    }
}

impl Tls {
    /// TLS from the first byte; the peer's certificate is verified for the endpoint's host.
    pub fn verified() -> Tls {
        Tls {
            upgrade: false,
            server_name: None,
            verify: true,
            ca: None,
            certificate: None,
            key: None,
            key_password: None,
        }
    }

    /// Whether the peer's certificate is verified.
    #[must_use]
    pub fn verify(mut self, verify: bool) -> Tls {
        self.verify = verify;
        self
    }

    /// The authorities to trust, where the parameter is set.
    #[must_use]
    pub fn ca(mut self, ca: Option<&Sealed>) -> Tls {
        self.ca = ca.map(Sealed::parameter);
        self
    }

    /// A client certificate, where both parameters are set.
    #[must_use]
    pub fn certificate(mut self, certificate: Option<&Sealed>, key: Option<&Sealed>) -> Tls {
        if let (Some(certificate), Some(key)) = (certificate, key) {
            self.certificate = Some(certificate.parameter());
            self.key = Some(key.parameter());
        }
        self
    }
}

impl Credential {
    fn scheme(scheme: &str) -> Credential {
        Credential { scheme: scheme.to_owned(), secrets: Vec::new(), settings: Vec::new() }
    }

    fn secret(mut self, role: &str, secret: &Sealed) -> Credential {
        self.secrets.push((role.to_owned(), secret.parameter()));
        self
    }

    fn setting(mut self, role: &str, text: impl Into<String>) -> Credential {
        self.settings.push((role.to_owned(), text.into()));
        self
    }

    /// `Authorization: Bearer <token>`.
    pub fn bearer(token: &Sealed) -> Credential {
        Credential::scheme("bearer").secret("token", token)
    }

    /// `Authorization: Basic`, with a user name that is a secret too.
    pub fn basic(username: &Sealed, password: Option<&Sealed>) -> Credential {
        let credential = Credential::scheme("basic").secret("username", username);
        password.map_or(credential.clone(), |password| credential.secret("password", password))
    }

    /// `Authorization: Basic`, with a user name that is known.
    pub fn basic_as(username: impl Into<String>, password: Option<&Sealed>) -> Credential {
        let credential = Credential::scheme("basic").setting("username", username);
        password.map_or(credential.clone(), |password| credential.secret("password", password))
    }

    /// `Authorization: Basic` from the user part of a URL parameter; nothing where the URL has none.
    pub fn user_of(parameter: &str) -> Credential {
        let part =
            |part: &str| (part.to_owned(), format!("{parameter}.{}", if part == "username" { "user" } else { part }));
        Credential { secrets: vec![part("username"), part("password")], ..Credential::scheme("basic") }
    }

    /// A header whose value is a secret.
    pub fn header(name: impl Into<String>, value: &Sealed) -> Credential {
        Credential::scheme("header").setting("name", name).secret("value", value)
    }

    /// A header whose name is a secret too.
    pub fn sealed_header(name: &Sealed, value: &Sealed) -> Credential {
        Credential::scheme("header").secret("name", name).secret("value", value)
    }

    /// A parameter of the target's query whose value is a secret.
    pub fn query(name: impl Into<String>, value: &Sealed) -> Credential {
        Credential::scheme("query").setting("name", name).secret("value", value)
    }
}

/// A problem of one parameter: the message says what is wrong and what to do, and does not repeat the name.
pub fn problem(parameter: &str, message: impl Into<String>) -> Problem {
    Problem { parameter: Some(parameter.to_owned()), message: message.into() }
}
