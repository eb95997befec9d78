//! What a process uses, as the kernel tells it.
use anyhow::{Context, Result};
use std::time::Duration;

/// Clock ticks per second in `/proc`: 100 on every Linux that people run.
const TICKS: f64 = 100.0;

/// Resident memory in MiB, split as the kernel splits it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Memory {
    /// Everything resident.
    pub(crate) all_mib: f64,
    /// Of that, pages of files: code, compiled components.
    pub(crate) file_mib: f64,
}

/// Resident memory of a process.
pub(crate) fn memory(process: u32) -> Result<Memory> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).context("the process is gone")?;
    let field = |name: &str| -> Result<f64> {
        let line = status.lines().find(|line| line.starts_with(name)).with_context(|| format!("no {name}"))?;
        let kib = line.split_whitespace().nth(1).with_context(|| format!("no value of {name}"))?;
        Ok(kib.parse::<f64>()? / 1024.0)
    };
    Ok(Memory { all_mib: field("VmRSS:")?, file_mib: field("RssFile:")? + field("RssShmem:")? })
}

/// CPU time that a process has spent.
pub(crate) fn cpu(process: u32) -> Result<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).context("the process is gone")?;
    let fields: Vec<&str> = stat.rsplit_once(')').context("not a stat line")?.1.split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<f64>().ok()).unwrap_or(0.0);
    Ok(Duration::from_secs_f64((ticks(11) + ticks(12)) / TICKS))
}

/// Threads of a process.
pub(crate) fn threads(process: u32) -> Result<usize> {
    Ok(std::fs::read_dir(format!("/proc/{process}/task")).context("the process is gone")?.count())
}

/// Open descriptors of a process.
pub(crate) fn descriptors(process: u32) -> Result<usize> {
    Ok(std::fs::read_dir(format!("/proc/{process}/fd")).context("the process is gone")?.count())
}
