//! What is asked: a trigger with its resolved values, the plan its scaler made of it, and the identity under which
//! equal questions are asked once.
use crate::binding::Binding;
use crate::hosts::Hosts;
use crate::key::{Digest, Fingerprint, Text};
use crate::secret::Secret;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The isolation domain: a namespace. Batches never mix domains.
pub type Domain = Text;

/// A trigger whose values are resolved, trimmed, defaulted and checked against the scaler's declaration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResolvedTrigger {
    /// The trigger type.
    pub kind: Text,
    /// The namespace whose secrets these may be.
    pub domain: Domain,
    /// Values by the parameter's declared name. What is unset is absent.
    pub values: BTreeMap<Text, Value>,
    /// Undeclared metadata, for components that are `open_ended`.
    pub extras: BTreeMap<Text, Secret>,
    /// Provider of the pod identity, for instance `aws`.
    pub identity: Option<Text>,
    /// Addresses of the values of parameters of the shapes `Url`, `Address`, `Addresses` as the USER wrote them are what a trigger
    /// may reach; the host derives the grant from these values, never from what `configure` says alone.
    pub owner: Option<crate::key::WorkloadKey>,
    /// Where its secrets may go, when its authentication says so.
    pub bound: Option<Arc<Binding>>,
    /// Hosts that the operator lets its component reach beyond those that its own values name.
    pub granted: Option<Arc<Hosts>>,
}

/// One resolved value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Value {
    /// The text. Open values are kept in the same wrapper, so that no Debug print needs to know which is which.
    pub text: Secret,
    /// How the guest may see it.
    pub secrecy: crate::scaler::Secrecy,
    /// It came from a TriggerAuthentication or from the environment (a binding to hosts holds for the whole trigger).
    pub from_authentication: bool,
}

/// A problem that `resolve` or `configure` found. The message names the remedy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The parameter, when one is to blame.
    pub parameter: Option<Text>,
    /// What is wrong and what to do.
    pub message: Text,
}

/// Material of a TLS connection: the names of the parameters that hold it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Tls {
    /// Plain first, TLS at `start-tls`.
    pub upgrade: bool,
    /// Name to verify instead of the endpoint's host.
    pub server_name: Option<Text>,
    /// Verify the peer's certificate.
    pub verify: bool,
    /// Parameter with a PEM bundle of authorities.
    pub ca: Option<Text>,
    /// Parameter with the client certificate, PEM.
    pub certificate: Option<Text>,
    /// Parameter with the client key, PEM.
    pub key: Option<Text>,
    /// Parameter with the client key's password.
    pub key_password: Option<Text>,
}

/// Where a query's requests go.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Endpoint {
    /// The parameter in whose value the user wrote this host; none: by the operator's policy.
    pub parameter: Option<Text>,
    /// Host name or address.
    pub host: Text,
    /// Port.
    pub port: u16,
    /// TLS, when it is used.
    pub tls: Option<Tls>,
}

/// A metric that a query yields.
#[derive(Clone, Debug, PartialEq)]
pub struct MetricSpec {
    /// Name as the scaler gave it, without the `s<index>-` prefix.
    pub name: Text,
    /// Target of the HPA.
    pub target: f64,
    /// The workload is active when the value is greater.
    pub activation: f64,
}

/// What a scaler made of a trigger.
#[derive(Clone, Debug, PartialEq)]
pub struct QueryPlan {
    /// The metrics; `None`: the first reading tells them.
    pub metrics: Option<Vec<MetricSpec>>,
    /// Where its requests go; host calls name them by index.
    pub endpoints: Vec<Endpoint>,
    /// Queries of equal group and endpoints may share a request.
    pub group: Text,
    /// Usual number of requests per poll.
    pub requests: u32,
}

/// The identity of a question. Equal identity: asked once, whoever asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QueryIdentity(pub Fingerprint);

/// A source: scheme, host, port and credentials, as a hash. Budgets and phases go by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceKey(pub Fingerprint);

/// A question, ready to be asked. Immutable; shared by all who read its answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Question {
    /// Under which it is asked once.
    pub identity: QueryIdentity,
    /// Equal for questions that differ in nothing but their namespace: a source is asked all of them at the same moment, so
    /// that one request can answer them.
    pub alike: Fingerprint,
    /// Which component answers it.
    pub component: Digest,
    /// The trigger.
    pub trigger: ResolvedTrigger,
    /// The scaler's plan.
    pub plan: QueryPlan,
    /// The source of its first endpoint; of the component itself when it has none.
    pub source: SourceKey,
    /// Hash of all its secrets, for connection pools.
    pub secrets: Fingerprint,
}
