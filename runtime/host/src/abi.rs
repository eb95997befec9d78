//! The contract, version 0.1: generated bindings, and their one conversion to the core's words.
use crate::clean::Secrets;
use crate::limits::{Hits, Limit, Limits};
use std::sync::Arc;
use std::time::Duration;
use windlass_core::failure::{Failure, FailureKind};
use windlass_core::message::Asked;
use windlass_core::query::{Endpoint, MetricSpec, Problem, QueryPlan, ResolvedTrigger, Tls};
use windlass_core::sample::{Outcome, Sample};
use windlass_core::scaler::{Origin, Parameter, Scaler, Secrecy, Shape};
use windlass_core::{Digest, Milli, Now, Text, Wall, WorkloadKind};

mod bindings {
    #![allow(missing_docs, unreachable_pub, clippy::all, clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    wasmtime::component::bindgen!({
        path: "../../wit/v0.1",
        world: "scaler",
        imports: { default: async | trappable },
        exports: { default: async },
        with: {
            "windlass:scaler/http.body": crate::http::Body,
            "windlass:scaler/http.exchange": crate::http::Exchange,
            "windlass:scaler/tcp.connection": crate::tcp::Connection,
        },
    });
}

pub(crate) use bindings::windlass::scaler::{clock, http, log, network, random, report, tcp, types};
pub(crate) use bindings::{Scaler as World, ScalerPre};

/// A component's description.
pub(crate) fn scaler(digest: Digest, info: types::Info) -> Scaler {
    Scaler {
        digest,
        name: info.name.into(),
        version: info.version.into(),
        triggers: info.triggers.into_iter().map(Text::from).collect(),
        parameters: info.parameters.into_iter().map(parameter).collect(),
        open_ended: info.open_ended,
        needs: info.needs.into_iter().map(Text::from).collect(),
    }
}

fn parameter(parameter: types::Parameter) -> Parameter {
    Parameter {
        name: parameter.name.into(),
        aliases: parameter.aliases.into_iter().map(Text::from).collect(),
        shape: match parameter.shape {
            types::Shape::Text => Shape::Text,
            types::Shape::Integer => Shape::Integer,
            types::Shape::Number => Shape::Number,
            types::Shape::Boolean => Shape::Boolean,
            types::Shape::Duration => Shape::Duration,
            types::Shape::Url => Shape::Url,
            types::Shape::Address => Shape::Address,
            types::Shape::Addresses => Shape::Addresses,
            types::Shape::Texts => Shape::Texts,
            types::Shape::Pairs => Shape::Pairs,
        },
        required: parameter.required,
        initial: parameter.initial.map(Text::from),
        choices: parameter.choices.into_iter().map(Text::from).collect(),
        secrecy: match parameter.secrecy {
            types::Secrecy::Open => Secrecy::Open,
            types::Secrecy::Sealed => Secrecy::Sealed,
            types::Secrecy::Revealed => Secrecy::Revealed,
        },
        origin: Origin {
            metadata: parameter.origin.contains(types::Origin::METADATA),
            environment: parameter.origin.contains(types::Origin::ENVIRONMENT),
            authentication: parameter.origin.contains(types::Origin::AUTHENTICATION),
        },
        deprecated: parameter.deprecated.map(Text::from),
        doc: parameter.doc.into(),
    }
}

/// A trigger as a guest may see it: sealed values are only named, and a sealed URL comes without its user part.
pub(crate) fn trigger(trigger: &ResolvedTrigger) -> types::Trigger {
    types::Trigger {
        kind: trigger.kind.to_string(),
        values: trigger
            .values
            .iter()
            .map(|(name, value)| types::Value {
                name: name.to_string(),
                text: match value.secrecy {
                    Secrecy::Open | Secrecy::Revealed => Some(value.text.expose().to_owned()),
                    Secrecy::Sealed => crate::credential::without_user(value.text.expose()),
                },
            })
            .collect(),
        extras: trigger.extras.iter().map(|(name, text)| (name.to_string(), text.expose().to_owned())).collect(),
        identity: trigger.identity.as_deref().map(str::to_owned),
        owner: trigger.owner.as_ref().map(|owner| types::Owner {
            kind: match owner.kind {
                WorkloadKind::ScaledObject => types::OwnerKind::ScaledObject,
                WorkloadKind::ScaledJob => types::OwnerKind::ScaledJob,
            },
            namespace: owner.namespace.to_string(),
            name: owner.name.to_string(),
        }),
    }
}

/// A batch as a guest sees it.
pub(crate) fn batch(queries: &[Asked], now: Wall, budget: Duration) -> types::Batch {
    types::Batch {
        now_ms: u64::try_from(now.0).unwrap_or(0),
        budget_ms: u32::try_from(budget.as_millis()).unwrap_or(u32::MAX),
        queries: queries
            .iter()
            .map(|asked| types::Query { trigger: trigger(&asked.question.trigger), state: asked.state.to_vec() })
            .collect(),
    }
}

/// A plan; its endpoints are checked by the caller.
pub(crate) fn plan(plan: types::Plan) -> QueryPlan {
    QueryPlan {
        metrics: match plan.metrics {
            types::Metrics::Fixed(metrics) => Some(metrics.into_iter().map(metric).collect()),
            types::Metrics::Discovered => None,
        },
        endpoints: plan.endpoints.into_iter().map(endpoint).collect(),
        group: plan.group.into(),
        requests: plan.requests,
    }
}

fn metric(metric: types::Metric) -> MetricSpec {
    MetricSpec { name: metric.name.into(), target: metric.target, activation: metric.activation }
}

fn endpoint(endpoint: types::Endpoint) -> Endpoint {
    Endpoint {
        parameter: endpoint.parameter.map(Text::from),
        host: endpoint.host.into(),
        port: endpoint.port,
        tls: endpoint.tls.map(|tls| Tls {
            upgrade: tls.upgrade,
            server_name: tls.server_name.map(Text::from),
            verify: tls.verify,
            ca: tls.ca.map(Text::from),
            certificate: tls.certificate.map(Text::from),
            key: tls.key.map(Text::from),
            key_password: tls.key_password.map(Text::from),
        }),
    }
}

/// A problem, as the guest told it: not yet fit for people.
pub(crate) fn problem(problem: types::Problem) -> Problem {
    Problem { parameter: problem.parameter.map(Text::from), message: problem.message.into() }
}

/// A failure, its message cleaned of `secrets`.
fn failure(failure: types::Failure, secrets: &Secrets) -> Failure {
    let kind = match failure.kind {
        types::FailureKind::Invalid => FailureKind::Invalid,
        types::FailureKind::Auth => FailureKind::Auth,
        types::FailureKind::Unreachable => FailureKind::Unreachable,
        types::FailureKind::Timeout => FailureKind::Timeout,
        types::FailureKind::Throttled => FailureKind::Throttled,
        types::FailureKind::NotFound => FailureKind::NotFound,
        types::FailureKind::BadResponse => FailureKind::BadResponse,
        types::FailureKind::Denied => FailureKind::Denied,
        types::FailureKind::Internal => FailureKind::Internal,
    };
    let message = crate::clean::message(crate::clean::beginning(&failure.message), secrets);
    Failure { retry_after: failure.retry_after_ms.map(Duration::from_millis), ..Failure::new(kind, message) }
}

/// A failure of the host's own, as a guest sees it.
pub(crate) fn told(failure: &Failure) -> types::Failure {
    types::Failure {
        kind: match failure.kind {
            FailureKind::Invalid => types::FailureKind::Invalid,
            FailureKind::Auth => types::FailureKind::Auth,
            FailureKind::Unreachable => types::FailureKind::Unreachable,
            FailureKind::Timeout => types::FailureKind::Timeout,
            FailureKind::Throttled => types::FailureKind::Throttled,
            FailureKind::NotFound => types::FailureKind::NotFound,
            FailureKind::BadResponse => types::FailureKind::BadResponse,
            FailureKind::Denied => types::FailureKind::Denied,
            FailureKind::Internal => types::FailureKind::Internal,
        },
        message: failure.message.to_string(),
        retry_after_ms: failure.retry_after.map(|after| u64::try_from(after.as_millis()).unwrap_or(u64::MAX)),
    }
}

/// An outcome, checked: what a guest may not say becomes a failure that names it. `secrets` are those of the whole batch,
/// since the guest has seen them all.
pub(crate) fn outcome(
    outcome: types::Outcome,
    asked: &Asked,
    secrets: &Secrets,
    now: Now,
    limits: &Limits,
    hits: &Hits,
) -> Outcome {
    match outcome {
        types::Outcome::Failed(told) => {
            if told.message.len() > crate::clean::MOST {
                hits.hit(Limit::MessageBytes);
            }
            Outcome::Failed(failure(told, secrets))
        }
        types::Outcome::Pending(later) if later.state.len() <= limits.state_bytes => {
            Outcome::Pending { state: later.state.into(), retry: Duration::from_millis(later.retry_ms) }
        }
        types::Outcome::Pending(_) => Outcome::Failed(too_large(limits, hits)),
        types::Outcome::Ready(reading) => match sample(reading, asked, now, limits, hits) {
            Ok((sample, state)) => Outcome::Ready(sample, state),
            Err(failure) => Outcome::Failed(failure),
        },
    }
}

fn too_large(limits: &Limits, hits: &Hits) -> Failure {
    hits.hit(Limit::StateBytes);
    let message = format!("the component left too much state ({})", Limit::StateBytes.told(limits));
    Failure::new(FailureKind::Internal, message)
}

type Read = (Sample, Option<Arc<[u8]>>);

fn sample(reading: types::Reading, asked: &Asked, now: Now, limits: &Limits, hits: &Hits) -> Result<Read, Failure> {
    let wrong = |kind: FailureKind, limit: Limit, message: String| {
        hits.hit(limit);
        Failure::new(kind, message)
    };
    let metrics: Option<Arc<[MetricSpec]>> = reading.metrics.map(|metrics| metrics.into_iter().map(metric).collect());
    let expected = match (&asked.question.plan.metrics, &metrics) {
        (Some(fixed), _) => fixed.len(),
        (None, Some(found)) => found.len(),
        (None, None) => return Err(Failure::new(FailureKind::Internal, "the component told no metrics")),
    };
    if reading.values.len() != expected {
        let message = format!("the component gave {} values for {expected} metrics", reading.values.len());
        return Err(wrong(FailureKind::Internal, Limit::Values, message));
    }
    if let Some(message) = metrics.as_ref().and_then(|found| crate::plan::metrics_wrong(found, limits)) {
        return Err(wrong(FailureKind::Internal, Limit::Metrics, crate::clean::line(&message)));
    }
    let values = reading.values.iter().map(|value| {
        // Below zero counts as zero, as in KEDA; what is no number stays none.
        let value = if *value < 0.0 && value.is_finite() { 0.0 } else { *value };
        Milli::from_f64(value).ok_or_else(|| {
            let message = format!("{value:e} is not a value that can be scaled on ({})", Limit::Values.told(limits));
            wrong(FailureKind::BadResponse, Limit::Values, message)
        })
    });
    let values = values.collect::<Result<_, _>>()?;
    if reading.state.as_ref().is_some_and(|state| state.len() > limits.state_bytes) {
        return Err(too_large(limits, hits));
    }
    let sample = Sample {
        values,
        active: reading.active,
        observed: now.mono,
        next: reading.next_ms.and_then(|at| i64::try_from(at).ok()).map(Wall),
        metrics: if asked.question.plan.metrics.is_some() { None } else { metrics },
    };
    Ok((sample, reading.state.map(Arc::from)))
}
