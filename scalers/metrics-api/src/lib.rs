//! Scales by a number that an HTTP API tells, as JSON, YAML, XML or Prometheus text.
//!
//! One `GET` per poll; the number stands at a location whose syntax is that of the answer's format. Parameters, names and
//! locations are those of KEDA's metrics-api scaler.
#[cfg(test)]
mod fuzz;
mod gjson;
mod location;
mod node;
mod number;
mod prometheus;
mod quantity;
mod shorten;
mod xml;
mod yaml;

use location::Location;
use std::time::Duration;
use windlass_sdk::http::{Request, Response};
use windlass_sdk::http_auth::{AuthMode, HttpAuth};
use windlass_sdk::{
    Choice, Context, Credential, Failure, Http, HttpScaler, Plan, Problem, Reading, Scaler, Trigger, Url,
    export_scaler, normalize, problem,
};

/// The scaler.
#[derive(Debug)]
pub struct MetricsApi;

/// What the API answers with.
#[derive(Choice, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// The text format of Prometheus.
    Prometheus,
    /// JSON.
    Json,
    /// XML.
    Xml,
    /// YAML.
    Yaml,
}

/// How the values of a Service's endpoints become one.
#[derive(Choice, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aggregation {
    /// Their mean.
    Average,
    /// Their sum.
    Sum,
    /// The greatest.
    Max,
    /// The smallest.
    Min,
}

impl Aggregation {
    fn word(self) -> &'static str {
        match self {
            Aggregation::Average => "average",
            Aggregation::Sum => "sum",
            Aggregation::Max => "maximum",
            Aggregation::Min => "minimum",
        }
    }
}

/// What users write.
#[derive(windlass_sdk::Parameters, Debug)]
pub struct Parameters {
    /// Value per replica, or in all with `metricType: Value`; greater than 0.
    target_value: f64,
    /// The workload is active while the value is greater than this.
    #[parameter(default = "0")]
    activation_target_value: f64,
    /// Address of the API, for instance `http://shop.default:8080/stats`. It is asked by `GET`.
    #[parameter(sealed)]
    url: Url,
    /// Format of the answer.
    #[parameter(default = "json")]
    format: Format,
    /// Where the number stands in the answer; its syntax is that of the format.
    value_location: String,
    /// Accept any certificate of the API.
    #[parameter(default = "false")]
    unsafe_ssl: bool,
    /// Not supported: ask each endpoint of a Service, and aggregate.
    #[parameter(default = "false")]
    aggregate_from_kube_service_endpoints: bool,
    /// How to aggregate; without effect, as aggregation is not supported.
    #[parameter(default = "average")]
    aggregation_type: Aggregation,
    /// How long to wait for the answer.
    timeout: Option<Duration>,
    #[parameter(flatten)]
    auth: HttpAuth,
}

impl Scaler for MetricsApi {
    const NAME: &'static str = "metrics-api";
    type Parameters = Parameters;
    type Transport = Http;

    fn configure(parameters: &Parameters, _: &Trigger) -> Result<Plan, Vec<Problem>> {
        let mut problems = parameters.auth.check();
        if parameters.target_value <= 0.0 {
            problems.push(problem("targetValue", "must be greater than 0"));
        }
        if parameters.aggregate_from_kube_service_endpoints {
            problems.push(problem(
                "aggregateFromKubeServiceEndpoints",
                format!(
                    "is not supported: let `url` be one address that tells the {} over all pods, or let Prometheus scrape \
                     them and use a prometheus trigger",
                    parameters.aggregation_type.word()
                ),
            ));
        }
        let location = Location::parse(parameters.format, &parameters.value_location);
        problems.extend(location.err().map(|message| problem("valueLocation", message)));
        let endpoint = parameters.url.endpoint(parameters.auth.tls(!parameters.unsafe_ssl));
        match endpoint {
            Ok(endpoint) if problems.is_empty() => {
                let name = normalize(&format!("metric-api-{}", parameters.value_location));
                let plan = Plan::metric(name, parameters.target_value, parameters.activation_target_value);
                return Ok(plan.endpoint(endpoint));
            }
            Ok(_) => {}
            Err(message) => problems.push(problem("url", message)),
        }
        Err(problems)
    }
}

impl HttpScaler for MetricsApi {
    fn requests(parameters: &Parameters, _: &Context<'_>) -> Result<Vec<Request>, Failure> {
        // A timeout of 0 is no timeout of one's own, as in KEDA.
        let timeout = parameters.timeout.filter(|timeout| !timeout.is_zero());
        let request = Request::get(0, parameters.url.target()).timeout(timeout).credentials(credentials(parameters));
        Ok(vec![request])
    }

    fn parse(parameters: &Parameters, _: &Context<'_>, responses: &[Response]) -> Result<Reading, Failure> {
        let [response] = responses else { return Err(Failure::internal("one response is expected")) };
        let location = Location::parse(parameters.format, &parameters.value_location).map_err(Failure::invalid)?;
        location.read(response.text()?).map(Reading::value).map_err(Failure::bad_response)
    }
}

/// What `authModes` asks for; without another `Authorization`, the user part of the URL.
fn credentials(parameters: &Parameters) -> Vec<Credential> {
    let mut credentials = parameters.auth.credentials();
    if ![AuthMode::Basic, AuthMode::Bearer].iter().any(|mode| parameters.auth.enabled(*mode)) {
        credentials.push(Credential::user_of(&parameters.url.parameter));
    }
    credentials
}

export_scaler!(MetricsApi);
