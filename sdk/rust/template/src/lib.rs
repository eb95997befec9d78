//! The number at a place in a JSON document.
mod location;

use location::number_at;
use windlass_sdk::http::{Request, Response};
use windlass_sdk::{
    Context, Credential, Failure, Http, HttpScaler, Parameters, Plan, Problem, Reading, Scaler,
    Sealed, Tls, Trigger, Url, export_scaler, normalize, problem,
};

/// What users write.
#[derive(Parameters)]
pub struct {{pascal}}Parameters {
    /// Address that answers with JSON.
    #[parameter(from(metadata, environment))]
    url: Url,
    /// Place of the number: names with dots between them, and indices of lists, as `queues.0.length`.
    #[parameter(default = "value")]
    value_location: String,
    /// Value per replica.
    #[parameter(default = "5")]
    target_value: f64,
    /// The workload is active above this value.
    #[parameter(default = "0")]
    activation_target_value: f64,
    /// Sent as bearer token.
    #[parameter(from(authentication))]
    token: Option<Sealed>,
}

/// The scaler.
pub struct {{pascal}};

impl Scaler for {{pascal}} {
    const NAME: &'static str = "{{name}}";
    type Parameters = {{pascal}}Parameters;
    type Transport = Http;

    fn configure(parameters: &{{pascal}}Parameters, _: &Trigger) -> Result<Plan, Vec<Problem>> {
        if parameters.target_value <= 0.0 {
            return Err(vec![problem("targetValue", "must be greater than zero")]);
        }
        let endpoint = parameters
            .url
            .endpoint(Tls::verified())
            .map_err(|message| vec![problem("url", message)])?;
        let name = normalize(&format!("{{name}}-{}", parameters.value_location));
        let (target, activation) = (parameters.target_value, parameters.activation_target_value);
        Ok(Plan::metric(name, target, activation).endpoint(endpoint))
    }
}

impl HttpScaler for {{pascal}} {
    fn requests(parameters: &{{pascal}}Parameters, _: &Context<'_>) -> Result<Vec<Request>, Failure> {
        let request = Request::get(0, parameters.url.target())
            .header("accept", "application/json")
            .credentials(parameters.token.as_ref().map(Credential::bearer));
        Ok(vec![request])
    }

    fn parse(
        parameters: &{{pascal}}Parameters,
        _: &Context<'_>,
        responses: &[Response],
    ) -> Result<Reading, Failure> {
        let [response] = responses else {
            return Err(Failure::internal("one response is expected"));
        };
        number_at(&response.body, &parameters.value_location).map(Reading::value)
    }
}

export_scaler!({{pascal}});
