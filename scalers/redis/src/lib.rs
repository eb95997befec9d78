//! Scales by the length of a Redis list: of one server, of a cluster, or of the master that sentinels name.
//!
//! The server counts: a script asks for the key's type and for the number of its items in one step, so sets, sorted sets and
//! hashes work too. Parameters, defaults and the metric's name are those of KEDA's `redis`, `redis-cluster` and
//! `redis-sentinel`.
mod address;
#[cfg(test)]
mod fuzz;
mod login;
mod parameters;
mod refusal;
mod resp;
mod session;

pub use parameters::Parameters;
pub use session::Session;

use windlass_sdk::{
    Context, Failure, Plan, Problem, Scaler, Tcp, TcpScaler, Trigger, export_scaler, normalize, problem,
};

/// The scaler.
#[derive(Debug)]
pub struct Redis;

/// How the servers stand to one another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Topology {
    /// One server: the first address.
    Single,
    /// Nodes that share the keys and send on to one another.
    Cluster,
    /// Sentinels, which name the master.
    Sentinel,
}

impl Topology {
    fn of(trigger: &Trigger) -> Topology {
        match &*trigger.kind {
            "redis-cluster" => Topology::Cluster,
            "redis-sentinel" => Topology::Sentinel,
            _ => Topology::Single,
        }
    }
}

impl Scaler for Redis {
    const NAME: &'static str = "redis";
    const TRIGGERS: &'static [&'static str] = &["redis", "redis-cluster", "redis-sentinel"];
    const NEEDS: &'static [&'static str] = &["learn"];
    type Parameters = Parameters;
    type Transport = Tcp;

    fn configure(parameters: &Parameters, trigger: &Trigger) -> Result<Plan, Vec<Problem>> {
        let topology = Topology::of(trigger);
        let (addresses, mut problems) = match parameters.addresses(topology) {
            Ok(addresses) => (addresses, Vec::new()),
            Err(problems) => (Vec::new(), problems),
        };
        if parameters.list_length < 1 {
            problems.push(problem("listLength", "must be greater than 0"));
        }
        if parameters.enable_tls.is_some() && parameters.tls.is_some() {
            problems.push(problem("enableTLS", "and `tls` of the authentication exclude one another: keep one"));
        }
        if topology == Topology::Sentinel && parameters.sentinel_master.is_none() {
            problems.push(problem("sentinelMaster", "is required: the name by which the sentinels know the master"));
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let name = normalize(&format!("redis-{}", parameters.list_name));
        // Lengths are exact up to 2^53, which no server holds.
        let plan = Plan::metric(name, parameters.list_length as f64, parameters.activation_list_length as f64);
        let tls = parameters.transport();
        let plan = addresses.iter().fold(plan, |plan, address| plan.endpoint(address.endpoint(tls.clone())));
        Ok(plan.requests(if topology == Topology::Single { 1 } else { 2 }))
    }
}

impl TcpScaler for Redis {
    type Conversation = Session;

    fn converse(parameters: &Parameters, context: &Context<'_>) -> Result<Session, Failure> {
        Session::new(parameters, Topology::of(context.trigger), context.state)
    }
}

export_scaler!(Redis);
