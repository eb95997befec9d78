//! How the commands end. Scripts and pipelines go by these numbers; `sdk/README.md` lists them for users.
use serde::Serialize;
use std::process::ExitCode;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// All is well.
    Fine = 0,
    /// The scaler, the trigger or what its source answers is not as it should be.
    Wrong = 1,
    /// The command line, or a file or folder that it names, is none that can be worked with.
    Usage = 2,
    /// A program that is needed to build is not on this machine.
    Toolchain = 3,
    /// Something outside failed: a registry, the network, the disk.
    Outside = 4,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit as u8)
    }
}

/// Why a command could not do its work. A plain error is [`Exit::Wrong`].
#[derive(Debug)]
pub(crate) struct Stop {
    pub(crate) exit: Exit,
    pub(crate) error: anyhow::Error,
}

impl From<anyhow::Error> for Stop {
    fn from(error: anyhow::Error) -> Stop {
        Stop { exit: Exit::Wrong, error }
    }
}

/// Gives an error its way to end.
pub(crate) trait Ends<T> {
    /// An error ends the command like this.
    ///
    /// # Errors
    /// The error that was there, with its exit.
    fn ends(self, exit: Exit) -> Result<T, Stop>;
}

impl<T, E: Into<anyhow::Error>> Ends<T> for Result<T, E> {
    fn ends(self, exit: Exit) -> Result<T, Stop> {
        self.map_err(|error| Stop { exit, error: error.into() })
    }
}

/// What is printed as JSON where a command could not do its work.
#[derive(Debug, Serialize)]
pub(crate) struct Stopped {
    ok: bool,
    error: String,
}

impl Stop {
    /// The same for scripts.
    pub(crate) fn told(&self) -> Stopped {
        Stopped { ok: false, error: format!("{:#}", self.error) }
    }
}
