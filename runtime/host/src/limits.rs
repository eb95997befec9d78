//! What a call may use. Every number is a setting; each has a reason to be what it is.
mod hits;
mod limit;

pub(crate) use hits::Hits;
pub use limit::Limit;
pub(crate) use limit::Passed;

use crate::engine::TABLE_ELEMENTS;
use std::sync::Arc;
use std::time::Duration;
use wasmtime::ResourceLimiter;

/// Limits of one guest call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// CPU time of a call, in ticks of 10 ms. What it waits is not counted.
    pub cpu_ticks: u32,
    /// Further ticks per 20 queries.
    pub cpu_ticks_per_20: u32,
    /// Wall time of `describe` and `configure`. That of `poll` is its batch's budget.
    pub pure_call: Duration,
    /// Bytes of all memories of an instance together.
    pub memory_bytes: usize,
    /// Elements of all tables of an instance together.
    pub table_elements: usize,
    /// What a guest may make the host copy in one host call, or by one answer (wasmtime's host-call fuel).
    pub hostcall_fuel: usize,
    /// Host resources of one call: connections, exchanges, bodies; and handles, those to the guest's own resources included.
    pub resources: usize,
    /// HTTP requests of one call.
    pub requests: u32,
    /// Of these, under way at the same time. More wait.
    pub in_flight: usize,
    /// Bytes of one answer's body.
    pub body_bytes: usize,
    /// Bytes of one request's body and headers, and of one write to a connection.
    pub request_bytes: usize,
    /// Bytes of all requests and writes of one call: until they are sent, the host holds them.
    pub sent_bytes: usize,
    /// Bytes that one call reads from all its sources.
    pub received_bytes: usize,
    /// TCP connections of one call.
    pub connections: u32,
    /// Peers that one query learns from its source in one call.
    pub peers: usize,
    /// Log lines of one call.
    pub log_lines: u32,
    /// Log bytes of one call.
    pub log_bytes: usize,
    /// Bytes of a query's state.
    pub state_bytes: usize,
    /// Bytes of a component.
    pub component_bytes: usize,
    /// Metrics of a plan.
    pub metrics: usize,
    /// Endpoints of a plan.
    pub endpoints: usize,
    /// What compiling a component may use.
    pub compile: CompileLimits,
}

/// Limits of the child process that compiles a component.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CompileLimits {
    /// CPU time, of all its threads together.
    pub cpu: Duration,
    /// Wall time.
    pub wall: Duration,
    /// Address space. In a container that has less memory left than this, it is what is left.
    pub memory_bytes: usize,
    /// Bytes of compiled code.
    pub output_bytes: usize,
    /// Compilations at the same time. More wait.
    pub jobs: usize,
}

impl Default for CompileLimits {
    fn default() -> CompileLimits {
        CompileLimits {
            cpu: Duration::from_secs(60),
            wall: Duration::from_secs(120),
            memory_bytes: 4 << 30,
            output_bytes: 128 << 20,
            jobs: 2,
        }
    }
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            cpu_ticks: 10,
            cpu_ticks_per_20: 1,
            pure_call: Duration::from_secs(2),
            memory_bytes: 64 << 20,
            table_elements: 60_000,
            hostcall_fuel: 8 << 20,
            resources: 10_000,
            requests: 1_000,
            in_flight: 32,
            body_bytes: 8 << 20,
            request_bytes: 1 << 20,
            sent_bytes: 16 << 20,
            received_bytes: 64 << 20,
            connections: 256,
            peers: 64,
            log_lines: 1_000,
            log_bytes: 64 << 10,
            state_bytes: 16 << 10,
            component_bytes: 32 << 20,
            metrics: 16,
            endpoints: 64,
            compile: CompileLimits::default(),
        }
    }
}

/// Sums growth over all memories and tables of a store: wasmtime asks about one at a time.
#[derive(Debug)]
pub(crate) struct Growth {
    memory_left: usize,
    table_left: usize,
    hits: Arc<Hits>,
}

impl Growth {
    pub(crate) fn new(limits: &Limits, hits: Arc<Hits>) -> Growth {
        Growth { memory_left: limits.memory_bytes, table_left: limits.table_elements, hits }
    }

    fn told(&self, may: bool, limit: Limit) -> bool {
        if !may {
            self.hits.hit(limit);
        }
        may
    }
}

fn take(left: &mut usize, by: usize) -> bool {
    match left.checked_sub(by) {
        Some(rest) => {
            *left = rest;
            true
        }
        None => false,
    }
}

impl ResourceLimiter for Growth {
    fn memory_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let may = take(&mut self.memory_left, desired.saturating_sub(current));
        Ok(self.told(may, Limit::Memory))
    }

    fn table_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        // What the pool refuses anyway is not counted as used.
        let may = desired <= TABLE_ELEMENTS && take(&mut self.table_left, desired.saturating_sub(current));
        Ok(self.told(may, Limit::TableElements))
    }
}

#[cfg(test)]
mod tests {
    use super::Limits;
    use crate::engine::TICK;

    /// What authors are told is what is.
    #[test]
    fn the_contracts_page_says_what_the_limits_are() {
        let page = include_str!("../../../wit/README.md");
        let limits = Limits::default();
        let size = |bytes: usize| match bytes {
            0..1_024 => bytes.to_string(),
            1_024..1_048_576 => format!("{} KiB", bytes >> 10),
            _ => format!("{} MiB", bytes >> 20),
        };
        let (cpu, more) = (TICK * limits.cpu_ticks, TICK * limits.cpu_ticks_per_20);
        for row in [
            format!("| CPU time | {} ms, and {} ms more per 20 queries;", cpu.as_millis(), more.as_millis()),
            format!("| wall time of `describe` and `configure` | {} s |", limits.pure_call.as_secs()),
            format!("| memory, all memories together | {} |", size(limits.memory_bytes)),
            format!("| table elements, all tables together | {} |", limits.table_elements),
            format!("| what the host copies for it | {} |", size(limits.hostcall_fuel)),
            format!("| HTTP requests | {} |", limits.requests),
            format!("| HTTP requests in flight | {} |", limits.in_flight),
            format!("| bytes of a request, headers and target included | {} |", size(limits.request_bytes)),
            format!("| bytes of an answer's body | {} |", size(limits.body_bytes)),
            format!("| TCP connections | {} |", limits.connections),
            format!("| connections, exchanges and bodies held at a time | {} |", limits.resources),
            format!("| bytes of log lines, each counted as at least 64 | {} |", size(limits.log_bytes)),
            format!("| bytes of a query's state | {} |", size(limits.state_bytes)),
            format!("| metrics of a plan | {} |", limits.metrics),
            format!("| endpoints of a plan | {} |", limits.endpoints),
            format!("| bytes of a component | {} |", size(limits.component_bytes)),
        ] {
            assert!(page.contains(&row), "wit/README.md lacks the row: {row}");
        }
    }
}
