//! Scales on the value of a PromQL query, asked from Prometheus or from anything that speaks its HTTP API.
//!
//! The parameters and rules are those of KEDA's prometheus scaler. One thing is left out of the request: `time`. Without it
//! the server evaluates the query at its own present, which is what is wanted; with it no two requests would be equal, and
//! the host could not share one answer among the triggers that ask the same.
mod answer;
mod cloud;
#[cfg(test)]
mod fuzz;
mod headers;

use cloud::Cloud;
use std::time::Duration;
use windlass_sdk::http::{Request, Response};
use windlass_sdk::http_auth::HttpAuth;
use windlass_sdk::{
    Context, Credential, Failure, Http, HttpScaler, Pairs, Plan, Problem, Reading, Scaler, Trigger, Url, export_scaler,
    problem,
};

/// The path of the API below the server's address.
const PATH: &str = "/api/v1/query";

/// The least target that the API server takes.
const LEAST_THRESHOLD: f64 = 0.001;

/// The scaler.
#[derive(Debug)]
pub struct Prometheus;

/// What users write.
#[derive(windlass_sdk::Parameters, Debug)]
pub struct Parameters {
    /// Address of the server, for instance `http://prometheus.monitoring.svc:9090`; may have a path, a query and a user.
    #[parameter(sealed)]
    server_address: Url,
    /// PromQL; its result is one number.
    query: String,
    /// The metric's target.
    threshold: f64,
    /// The workload is active above this.
    #[parameter(default = "0")]
    activation_threshold: f64,
    /// Sent as the query parameter `namespace`, for servers that serve one namespace at a time (Thanos Querier).
    namespace: Option<String>,
    /// More query parameters: `name=value`, separated by commas.
    query_parameters: Option<Pairs>,
    /// More headers: `Name=value`, separated by commas.
    custom_headers: Option<Pairs>,
    /// Whether an empty result, NaN and infinity count as 0; otherwise the value is unknown.
    #[parameter(default = "true")]
    ignore_null_values: bool,
    /// Whether the server's certificate is taken unseen.
    #[parameter(default = "false")]
    unsafe_ssl: bool,
    /// How long to wait for the answer; a bare number counts milliseconds. 0 leaves it to the host.
    timeout: Option<Duration>,
    #[parameter(flatten)]
    auth: HttpAuth,
    #[parameter(flatten)]
    cloud: Cloud,
}

impl Scaler for Prometheus {
    const NAME: &'static str = "prometheus";
    type Parameters = Parameters;
    type Transport = Http;

    fn configure(parameters: &Parameters, trigger: &Trigger) -> Result<Plan, Vec<Problem>> {
        let mut problems = parameters.cloud.check(trigger.identity.as_deref());
        problems.extend(parameters.auth.check());
        problems.extend(headers::check("customHeaders", parameters.custom_headers.as_ref()));
        if parameters.threshold < LEAST_THRESHOLD {
            problems.push(problem("threshold", format!("must be at least {LEAST_THRESHOLD}")));
        }
        match parameters.server_address.endpoint(parameters.auth.tls(!parameters.unsafe_ssl)) {
            Ok(endpoint) if problems.is_empty() => {
                let plan = Plan::metric("prometheus", parameters.threshold, parameters.activation_threshold);
                return Ok(plan.endpoint(endpoint));
            }
            Ok(_) => {}
            Err(message) => problems.push(problem("serverAddress", message)),
        }
        Err(problems)
    }
}

impl HttpScaler for Prometheus {
    fn requests(parameters: &Parameters, _: &Context<'_>) -> Result<Vec<Request>, Failure> {
        let mut query = vec![("query", &*parameters.query)];
        query.extend(parameters.namespace.as_deref().map(|namespace| ("namespace", namespace)));
        query.extend(pairs(parameters.query_parameters.as_ref()));
        let mut request = Request::get(0, parameters.server_address.target_with(PATH, &query))
            .credentials(credentials(parameters))
            .timeout(parameters.timeout.filter(|timeout| !timeout.is_zero()))
            .any_status();
        for (name, value) in pairs(parameters.custom_headers.as_ref()) {
            request = request.header(name, value);
        }
        Ok(vec![request])
    }

    fn parse(parameters: &Parameters, _: &Context<'_>, responses: &[Response]) -> Result<Reading, Failure> {
        let [response] = responses else { return Err(Failure::internal("one response is expected")) };
        answer::value(response, parameters.ignore_null_values).map(Reading::value)
    }
}

/// The user part of the address counts where nothing else says who asks: what follows it, replaces it.
fn credentials(parameters: &Parameters) -> Vec<Credential> {
    let mut headers = pairs(parameters.custom_headers.as_ref());
    let named = headers.any(|(name, _)| name.eq_ignore_ascii_case("Authorization"));
    let user = (!named).then(|| Credential::user_of("serverAddress"));
    user.into_iter().chain(parameters.auth.credentials()).collect()
}

fn pairs(pairs: Option<&Pairs>) -> impl Iterator<Item = (&str, &str)> {
    pairs.into_iter().flat_map(|pairs| &pairs.0).map(|(name, value)| (&**name, &**value))
}

export_scaler!(Prometheus);
