//! What components may use, from flags.
use crate::args::{Compilation, Guests};
use std::time::Duration;
use windlass_host::{CompileLimits, Limits};

fn kib(kib: u32) -> usize {
    kib as usize * 1_024
}

fn mib(mib: u32) -> usize {
    mib as usize * 1_048_576
}

/// Milliseconds as ticks of 10, rounded up.
fn ticks(ms: u32) -> u32 {
    ms.div_ceil(10)
}

/// The host's limits. What has no flag is fixed.
pub(crate) fn limits(guests: &Guests, compilation: &Compilation) -> Limits {
    Limits {
        cpu_ticks: ticks(guests.guest_cpu_ms),
        cpu_ticks_per_20: ticks(guests.guest_cpu_ms_per_20_queries),
        pure_call: Duration::from_millis(guests.guest_pure_call_ms.into()),
        memory_bytes: mib(guests.guest_memory_mib),
        table_elements: guests.guest_table_elements as usize,
        hostcall_fuel: mib(guests.guest_hostcall_mib),
        resources: guests.guest_resources as usize,
        requests: guests.guest_requests,
        in_flight: guests.guest_requests_in_flight as usize,
        request_bytes: kib(guests.guest_request_kib),
        sent_bytes: mib(guests.guest_sent_mib),
        body_bytes: mib(guests.guest_body_mib),
        received_bytes: mib(guests.guest_received_mib),
        connections: guests.guest_connections,
        log_lines: guests.guest_log_lines,
        log_bytes: kib(guests.guest_log_kib),
        component_bytes: mib(compilation.component_max_mib),
        compile: CompileLimits {
            cpu: Duration::from_secs(compilation.compile_cpu_s.into()),
            wall: Duration::from_secs(compilation.compile_time_s.into()),
            memory_bytes: mib(compilation.compile_memory_mib),
            output_bytes: mib(compilation.compile_output_mib),
            jobs: compilation.compile_jobs as usize,
        },
        ..Limits::default()
    }
}

#[cfg(test)]
mod tests {
    use super::limits;
    use crate::args::{Compilation, Guests};
    use clap::{CommandFactory, Parser};
    use windlass_host::{Limit, Limits};

    #[derive(Parser)]
    struct Flags {
        #[command(flatten)]
        guests: Guests,
        #[command(flatten)]
        compilation: Compilation,
    }

    fn of(flags: &[&str]) -> Limits {
        let flags = Flags::parse_from(std::iter::once(&"windlass").chain(flags));
        limits(&flags.guests, &flags.compilation)
    }

    #[test]
    fn the_defaults_of_the_flags_are_those_of_the_host() {
        assert_eq!(of(&[]), Limits::default());
        assert_eq!(Flags::parse_from(["windlass"]).guests.guest_instances, windlass_host::INSTANCES);
    }

    /// What a failure tells people to raise is there, and raises what the failure names.
    #[test]
    fn the_flag_that_a_limit_names_changes_that_limit() {
        let command = Flags::command();
        for limit in Limit::ALL {
            let Some(flag) = limit.flag() else { continue };
            let known = command.get_arguments().any(|argument| argument.get_long() == flag.strip_prefix("--"));
            assert!(known, "{flag} is no flag");
            if limit != Limit::Instances {
                let raised = of(&[flag, "777"]);
                assert_ne!(limit.value(&raised), limit.value(&Limits::default()), "{flag} leaves {}", limit.as_label());
            }
        }
    }

    #[test]
    fn nothing_is_without_a_limit() {
        for wrong in ["--guest-cpu-ms=0", "--guest-memory-mib=0", "--guest-instances=0", "--compile-memory-mib=1"] {
            assert!(Flags::try_parse_from(["windlass", wrong]).is_err(), "{wrong}");
        }
    }
}
