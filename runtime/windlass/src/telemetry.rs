//! Log lines: to standard error, as text or JSON.
use crate::args::{Log, LogFormat};
use anyhow::Context;
use tracing_subscriber::EnvFilter;

/// Starts logging.
///
/// # Errors
/// When the filter cannot be understood.
pub(crate) fn start(log: &Log) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(&log.log_level)
        .with_context(|| format!("--log-level {}: as `info` or `warn,windlass_host=debug`", log.log_level))?;
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match log.log_format {
        LogFormat::Text => lines.init(),
        LogFormat::Json => lines.json().flatten_event(true).init(),
    }
    Ok(())
}
