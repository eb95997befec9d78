//! The closed list of limits: what a metric's label, a failure's message and the table of `runtime/host/README.md` say.
use crate::Limits;
use crate::engine::{TICK, WASM_STACK};
use std::time::Duration;

/// A limit of what a component may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Limit {
    /// CPU time of a call.
    Cpu,
    /// Wall time of a call.
    WallTime,
    /// Instances at the same time: a call waited for a place until its time was over.
    Instances,
    /// Bytes of all memories of an instance.
    Memory,
    /// Elements of all tables of an instance.
    TableElements,
    /// Bytes of WebAssembly stack.
    Stack,
    /// What one host call, or one answer, may make the host copy.
    HostcallFuel,
    /// Host resources and handles that are held at the same time.
    Resources,
    /// HTTP requests of a call.
    Requests,
    /// Bytes of one request, or of one write to a connection.
    RequestBytes,
    /// Bytes of all requests and writes of a call.
    SentBytes,
    /// Bytes of one answer's body.
    BodyBytes,
    /// Bytes that a call reads from all its sources.
    ReceivedBytes,
    /// TCP connections of a call.
    Connections,
    /// Peers that one query learns.
    Peers,
    /// Log lines of a call.
    LogLines,
    /// Log bytes of a call.
    LogBytes,
    /// Bytes of one message for people.
    MessageBytes,
    /// Bytes of a query's state.
    StateBytes,
    /// Values that can be scaled on, one for each metric.
    Values,
    /// Metrics of a plan, their names and numbers.
    Metrics,
    /// Endpoints of a plan.
    Endpoints,
    /// Bytes of a component.
    ComponentBytes,
    /// Instances and wiring that a component is put together of.
    ComponentStructure,
    /// CPU time of a compilation.
    CompileCpu,
    /// Wall time of a compilation.
    CompileTime,
    /// Address space of a compilation.
    CompileMemory,
    /// Bytes of compiled code.
    CompileBytes,
}

impl Limit {
    /// All of them.
    pub const ALL: [Limit; 28] = [
        Limit::Cpu,
        Limit::WallTime,
        Limit::Instances,
        Limit::Memory,
        Limit::TableElements,
        Limit::Stack,
        Limit::HostcallFuel,
        Limit::Resources,
        Limit::Requests,
        Limit::RequestBytes,
        Limit::SentBytes,
        Limit::BodyBytes,
        Limit::ReceivedBytes,
        Limit::Connections,
        Limit::Peers,
        Limit::LogLines,
        Limit::LogBytes,
        Limit::MessageBytes,
        Limit::StateBytes,
        Limit::Values,
        Limit::Metrics,
        Limit::Endpoints,
        Limit::ComponentBytes,
        Limit::ComponentStructure,
        Limit::CompileCpu,
        Limit::CompileTime,
        Limit::CompileMemory,
        Limit::CompileBytes,
    ];

    /// The word used in metrics and messages.
    pub fn as_label(self) -> &'static str {
        match self {
            Limit::Cpu => "cpu",
            Limit::WallTime => "wall-time",
            Limit::Instances => "instances",
            Limit::Memory => "memory",
            Limit::TableElements => "table-elements",
            Limit::Stack => "stack",
            Limit::HostcallFuel => "hostcall-fuel",
            Limit::Resources => "resources",
            Limit::Requests => "requests",
            Limit::RequestBytes => "request-bytes",
            Limit::SentBytes => "sent-bytes",
            Limit::BodyBytes => "body-bytes",
            Limit::ReceivedBytes => "received-bytes",
            Limit::Connections => "connections",
            Limit::Peers => "peers",
            Limit::LogLines => "log-lines",
            Limit::LogBytes => "log-bytes",
            Limit::MessageBytes => "message-bytes",
            Limit::StateBytes => "state-bytes",
            Limit::Values => "values",
            Limit::Metrics => "metrics",
            Limit::Endpoints => "endpoints",
            Limit::ComponentBytes => "component-bytes",
            Limit::ComponentStructure => "component-structure",
            Limit::CompileCpu => "compile-cpu",
            Limit::CompileTime => "compile-time",
            Limit::CompileMemory => "compile-memory",
            Limit::CompileBytes => "compile-bytes",
        }
    }

    /// The operator's flag that sets it; none: it is part of the contract, or nothing that more of would help.
    pub fn flag(self) -> Option<&'static str> {
        Some(match self {
            Limit::Cpu => "--guest-cpu-ms",
            Limit::WallTime => "--guest-pure-call-ms",
            Limit::Instances => "--guest-instances",
            Limit::Memory => "--guest-memory-mib",
            Limit::TableElements => "--guest-table-elements",
            Limit::HostcallFuel => "--guest-hostcall-mib",
            Limit::Resources => "--guest-resources",
            Limit::Requests => "--guest-requests",
            Limit::RequestBytes => "--guest-request-kib",
            Limit::SentBytes => "--guest-sent-mib",
            Limit::BodyBytes => "--guest-body-mib",
            Limit::ReceivedBytes => "--guest-received-mib",
            Limit::Connections => "--guest-connections",
            Limit::LogLines => "--guest-log-lines",
            Limit::LogBytes => "--guest-log-kib",
            Limit::ComponentBytes => "--component-max-mib",
            Limit::CompileCpu => "--compile-cpu-s",
            Limit::CompileTime => "--compile-time-s",
            Limit::CompileMemory => "--compile-memory-mib",
            Limit::CompileBytes => "--compile-output-mib",
            Limit::Stack
            | Limit::Peers
            | Limit::MessageBytes
            | Limit::StateBytes
            | Limit::Values
            | Limit::Metrics
            | Limit::Endpoints
            | Limit::ComponentStructure => return None,
        })
    }

    /// Its value, for people.
    pub fn value(self, limits: &Limits) -> String {
        match self {
            Limit::Cpu => {
                let (call, more) = (TICK * limits.cpu_ticks, TICK * limits.cpu_ticks_per_20);
                format!("{} ms and {} ms more per 20 queries", call.as_millis(), more.as_millis())
            }
            Limit::WallTime => time(limits.pure_call),
            Limit::Instances => crate::INSTANCES.to_string(),
            Limit::Memory => bytes(limits.memory_bytes),
            Limit::TableElements => limits.table_elements.to_string(),
            Limit::Stack => bytes(WASM_STACK),
            Limit::HostcallFuel => bytes(limits.hostcall_fuel),
            Limit::Resources => limits.resources.to_string(),
            Limit::Requests => limits.requests.to_string(),
            Limit::RequestBytes => bytes(limits.request_bytes),
            Limit::SentBytes => bytes(limits.sent_bytes),
            Limit::BodyBytes => bytes(limits.body_bytes),
            Limit::ReceivedBytes => bytes(limits.received_bytes),
            Limit::Connections => limits.connections.to_string(),
            Limit::Peers => limits.peers.to_string(),
            Limit::LogLines => limits.log_lines.to_string(),
            Limit::LogBytes => bytes(limits.log_bytes),
            Limit::MessageBytes => bytes(crate::clean::MOST),
            Limit::StateBytes => bytes(limits.state_bytes),
            Limit::Values => "one for each metric, finite and below 2^63 thousandths".to_owned(),
            Limit::Metrics => format!("1 to {}", limits.metrics),
            Limit::Endpoints => limits.endpoints.to_string(),
            Limit::ComponentBytes => bytes(limits.component_bytes),
            Limit::ComponentStructure => {
                let (instances, wiring) = (crate::shape::MOST_INSTANCES, bytes(crate::shape::MOST_WIRING));
                format!("{instances} instances, {wiring} of types and wiring")
            }
            Limit::CompileCpu => time(limits.compile.cpu),
            Limit::CompileTime => time(limits.compile.wall),
            Limit::CompileMemory => format!("{} of address space", bytes(limits.compile.memory_bytes)),
            Limit::CompileBytes => bytes(limits.compile.output_bytes),
        }
    }

    /// `limit memory: 64 MiB; --guest-memory-mib raises it`.
    pub fn told(self, limits: &Limits) -> String {
        self.told_as(&self.value(limits))
    }

    /// The same with another value than that of the settings.
    pub(crate) fn told_as(self, value: &str) -> String {
        let raised = self.flag().map_or_else(|| "it is fixed".to_owned(), |flag| format!("{flag} raises it"));
        format!("limit {}: {value}; {raised}", self.as_label())
    }
}

/// `64 MiB`.
fn bytes(bytes: usize) -> String {
    match bytes {
        bytes if bytes >= 1 << 20 && bytes.is_multiple_of(1 << 20) => format!("{} MiB", bytes >> 20),
        bytes if bytes >= 1 << 10 && bytes.is_multiple_of(1 << 10) => format!("{} KiB", bytes >> 10),
        bytes => format!("{bytes} bytes"),
    }
}

/// `2 s`.
fn time(time: Duration) -> String {
    if time.subsec_millis() == 0 { format!("{} s", time.as_secs()) } else { format!("{} ms", time.as_millis()) }
}

/// A limit was passed, and that ends the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the component passed the limit {}", .0.as_label())]
pub(crate) struct Passed(pub(crate) Limit);

#[cfg(test)]
mod tests {
    use super::Limit;
    use crate::Limits;
    use std::collections::BTreeSet;

    #[test]
    fn every_limit_has_a_label_of_its_own_and_says_what_raises_it() {
        let limits = Limits::default();
        let labels: BTreeSet<_> = Limit::ALL.iter().map(|limit| limit.as_label()).collect();
        assert_eq!(labels.len(), Limit::ALL.len());
        assert_eq!(Limit::Memory.told(&limits), "limit memory: 64 MiB; --guest-memory-mib raises it");
        assert_eq!(Limit::Stack.told(&limits), "limit stack: 512 KiB; it is fixed");
    }

    /// What operators are told is what is.
    #[test]
    fn the_readme_lists_every_limit_with_its_flag_and_value() {
        let page = include_str!("../../README.md");
        let limits = Limits::default();
        for limit in Limit::ALL {
            let flag = limit.flag().map_or_else(|| "–".to_owned(), |flag| format!("`{flag}`"));
            let row = format!("| `{}` | {flag} | {} |", limit.as_label(), limit.value(&limits));
            assert!(page.contains(&row), "runtime/host/README.md lacks the row: {row}");
        }
    }
}
