//! What a component made of a trigger, checked: above all that it reaches only what the user wrote.
mod grant;

pub(crate) use grant::UNPRIVILEGED;

use crate::limits::{Hits, Limit, Limits};
use std::collections::BTreeSet;
use windlass_core::MetricName;
use windlass_core::query::{Endpoint, MetricSpec, Problem, QueryPlan, ResolvedTrigger};
use windlass_core::scaler::Scaler;

/// Bytes of a group, and of each name in an endpoint: the host keeps them.
const MOST_TEXT: usize = 1_024;
/// Bytes of a metric's name.
const MOST_NAME: usize = 253;

/// A plan that may be used, or why not.
pub(crate) fn check(
    plan: QueryPlan,
    trigger: &ResolvedTrigger,
    scaler: &Scaler,
    limits: &Limits,
    hits: &Hits,
) -> Result<QueryPlan, Vec<Problem>> {
    let mut problems = Vec::new();
    let mut wrong = |parameter: Option<&str>, message: String| {
        problems.push(Problem { parameter: parameter.map(Into::into), message: message.into() });
    };
    if let Some(message) = plan.metrics.as_ref().and_then(|metrics| metrics_wrong(metrics, limits)) {
        hits.hit(Limit::Metrics);
        wrong(None, message);
    }
    if plan.endpoints.len() > limits.endpoints {
        hits.hit(Limit::Endpoints);
        let told = Limit::Endpoints.told(limits);
        // None of them is looked at: there may be a hundred thousand.
        return Err(vec![Problem {
            parameter: None,
            message: format!("the component planned {} endpoints ({told})", plan.endpoints.len()).into(),
        }]);
    }
    if plan.group.len() > MOST_TEXT || plan.endpoints.iter().any(|endpoint| longest(endpoint) > MOST_TEXT) {
        hits.hit(Limit::Endpoints);
        let message = format!("the component planned a group or an endpoint's name of more than {MOST_TEXT} bytes");
        return Err(vec![Problem { parameter: None, message: message.into() }]);
    }
    for endpoint in &plan.endpoints {
        if let Some(message) = refusal(endpoint, trigger, scaler) {
            wrong(endpoint.parameter.as_deref(), message);
        }
    }
    if problems.is_empty() { Ok(plan) } else { Err(problems) }
}

/// Bytes of the longest name in an endpoint.
fn longest(endpoint: &Endpoint) -> usize {
    let tls = endpoint.tls.iter();
    let names = tls.flat_map(|tls| [&tls.server_name, &tls.ca, &tls.certificate, &tls.key, &tls.key_password]);
    let names = names.chain([&endpoint.parameter]).flatten();
    names.chain([&endpoint.host]).map(|name| name.len()).max().unwrap_or_default()
}

/// What is wrong with metrics that a component planned or discovered.
pub(crate) fn metrics_wrong(metrics: &[MetricSpec], limits: &Limits) -> Option<String> {
    if metrics.is_empty() || metrics.len() > limits.metrics {
        return Some(format!("the component has {} metrics; 1 to {} are allowed", metrics.len(), limits.metrics));
    }
    let mut names = BTreeSet::new();
    metrics.iter().find_map(|metric| {
        let name = crate::clean::line(&metric.name);
        if metric.name.is_empty() || metric.name.len() > MOST_NAME || metric.name.chars().any(char::is_control) {
            return Some(format!(
                "the component named a metric '{name}': 1 to {MOST_NAME} bytes, no control characters"
            ));
        }
        // As the HPA will see them: two that become one name would be one metric.
        if !names.insert(MetricName::new(0, &metric.name)) {
            return Some(format!("the component named two metrics '{name}'"));
        }
        let numbers = metric.target.is_finite() && metric.activation.is_finite();
        (!numbers).then(|| format!("metric {name}: target and activation have to be numbers"))
    })
}

/// Why an endpoint is not granted.
fn refusal(endpoint: &Endpoint, trigger: &ResolvedTrigger, scaler: &Scaler) -> Option<String> {
    let host = crate::clean::line(&endpoint.host);
    if let Some(why) = grant::refusal(endpoint, trigger, scaler) {
        return Some(why);
    }
    if endpoint.tls.as_ref().is_some_and(|tls| !tls.verify) && !grant::unverified(trigger, scaler) {
        return Some(format!(
            "the component wants to take any certificate of {host}, which no parameter says: set one like unsafeSsl to \"true\""
        ));
    }
    trigger.bound.as_ref()?.refusal(&endpoint.host, endpoint.port)
}

#[cfg(test)]
mod tests;
