//! Flags for what components may use. The table with reasons is in `runtime/host/README.md`.
use clap::Args;

/// At least one.
fn some() -> clap::builder::RangedI64ValueParser<u32> {
    clap::value_parser!(u32).range(1..)
}

/// What one call of a scaler may use. Each hit counts in windlass_guest_limit_hits_total under the limit's name.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Limits of scalers")]
pub(crate) struct Guests {
    /// CPU time of a call, in milliseconds, in steps of 10; what it waits is not counted
    #[arg(long, value_name = "MS", default_value_t = 100, value_parser = clap::value_parser!(u32).range(10..=60_000))]
    pub(crate) guest_cpu_ms: u32,
    /// CPU time more for every 20 queries of a batch, in milliseconds, in steps of 10
    #[arg(long, value_name = "MS", default_value_t = 10, value_parser = clap::value_parser!(u32).range(..=60_000))]
    pub(crate) guest_cpu_ms_per_20_queries: u32,
    /// Time of a call that only describes or plans, in milliseconds; that of a poll is its batch's
    #[arg(long, value_name = "MS", default_value_t = 2_000, value_parser = clap::value_parser!(u32).range(100..=60_000))]
    pub(crate) guest_pure_call_ms: u32,
    /// Instances at the same time; further calls wait for a place
    #[arg(long, value_name = "NUMBER", default_value_t = windlass_host::INSTANCES, value_parser = clap::value_parser!(u32).range(1..=1_024))]
    pub(crate) guest_instances: u32,
    /// Memory of an instance, all its memories together
    #[arg(long, value_name = "MIB", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=4_096))]
    pub(crate) guest_memory_mib: u32,
    /// Table elements of an instance, all its tables together
    #[arg(long, value_name = "NUMBER", default_value_t = 60_000, value_parser = some())]
    pub(crate) guest_table_elements: u32,
    /// What one host call, or one answer, may make the host copy
    #[arg(long, value_name = "MIB", default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=1_024))]
    pub(crate) guest_hostcall_mib: u32,
    /// Connections, exchanges and bodies held at the same time, and handles, those to the guest's own resources included
    #[arg(long, value_name = "NUMBER", default_value_t = 10_000, value_parser = some())]
    pub(crate) guest_resources: u32,
    /// HTTP requests of a call
    #[arg(long, value_name = "NUMBER", default_value_t = 1_000, value_parser = some())]
    pub(crate) guest_requests: u32,
    /// Of these, under way at the same time; further ones wait
    #[arg(long, value_name = "NUMBER", default_value_t = 32, value_parser = some())]
    pub(crate) guest_requests_in_flight: u32,
    /// Size of one HTTP request with headers and target, and of one write to a connection
    #[arg(long, value_name = "KIB", default_value_t = 1_024, value_parser = clap::value_parser!(u32).range(1..=1_048_576))]
    pub(crate) guest_request_kib: u32,
    /// Bytes of all requests and writes of a call
    #[arg(long, value_name = "MIB", default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=4_096))]
    pub(crate) guest_sent_mib: u32,
    /// Size of one answer's body
    #[arg(long, value_name = "MIB", default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=4_096))]
    pub(crate) guest_body_mib: u32,
    /// Bytes that a call reads from all its sources
    #[arg(long, value_name = "MIB", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=65_536))]
    pub(crate) guest_received_mib: u32,
    /// TCP connections of a call
    #[arg(long, value_name = "NUMBER", default_value_t = 256, value_parser = some())]
    pub(crate) guest_connections: u32,
    /// Log lines of a call; further ones are left out
    #[arg(long, value_name = "NUMBER", default_value_t = 1_000)]
    pub(crate) guest_log_lines: u32,
    /// Log bytes of a call, each line counted as at least 64; further ones are left out
    #[arg(long, value_name = "KIB", default_value_t = 64, value_parser = clap::value_parser!(u32).range(..=1_048_576))]
    pub(crate) guest_log_kib: u32,
}

/// What compiling a component may use. It is done once per component, in a child process.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Limits of scalers")]
pub(crate) struct Compilation {
    /// Size of a component
    #[arg(long, value_name = "MIB", default_value_t = 32, value_parser = clap::value_parser!(u32).range(1..=1_024))]
    pub(crate) component_max_mib: u32,
    /// CPU time of a compilation, in seconds
    #[arg(long, value_name = "S", default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=3_600))]
    pub(crate) compile_cpu_s: u32,
    /// Time of a compilation, in seconds
    #[arg(long, value_name = "S", default_value_t = 120, value_parser = clap::value_parser!(u32).range(1..=3_600))]
    pub(crate) compile_time_s: u32,
    /// Address space of a compilation; less where the container has less memory left
    #[arg(long, value_name = "MIB", default_value_t = 4_096, value_parser = clap::value_parser!(u32).range(512..=1_048_576))]
    pub(crate) compile_memory_mib: u32,
    /// Size of a compiled component
    #[arg(long, value_name = "MIB", default_value_t = 128, value_parser = clap::value_parser!(u32).range(1..=4_096))]
    pub(crate) compile_output_mib: u32,
    /// Compilations at the same time; further ones wait
    #[arg(long, value_name = "NUMBER", default_value_t = 2, value_parser = some())]
    pub(crate) compile_jobs: u32,
}
