//! What ends a command from outside.
use std::io;
use tokio::signal::unix::{SignalKind, signal};

/// Ends at SIGTERM or Ctrl-C, whichever comes first after this call.
///
/// # Errors
/// When the system does not let us listen for them.
pub(crate) fn interrupted() -> io::Result<impl Future<Output = ()> + Send> {
    let (mut terminated, mut interrupted) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = terminated.recv() => {}
            _ = interrupted.recv() => {}
        }
    })
}
