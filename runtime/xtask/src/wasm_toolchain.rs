//! The Rust toolchain that builds guests, installed where there is none: on Debian and Ubuntu as root the distribution's packages,
//! else `rustup target add`. Else an error that names the remedies.
use crate::tool;
use anyhow::{Result, bail};
use std::process::Command;
use windlass_build::{RUST_TARGET as TARGET, RustToolchain};

/// Finds a toolchain, installing one where there is none.
pub(crate) fn find() -> Result<RustToolchain> {
    if let Some(found) = RustToolchain::find() {
        return Ok(found);
    }
    if tool::can_apt() {
        match tool::apt(&RustToolchain::PACKAGES, "building scalers for WebAssembly") {
            Ok(()) => {
                if let Some(found) = RustToolchain::find() {
                    return Ok(found);
                }
                eprintln!("the packages came without a standard library for {TARGET}");
            }
            Err(error) => eprintln!("{error:#}"),
        }
    }
    if tool::found("rustup") {
        tool::say(&format!("rustup target add {TARGET}"));
        tool::run(Command::new("rustup").args(["target", "add", TARGET]))?;
        if let Some(found) = RustToolchain::find() {
            return Ok(found);
        }
    }
    bail!(
        "no Rust toolchain for {TARGET}: run `rustup target add {TARGET}`, or on Debian and Ubuntu \
         `sudo apt-get install {}`",
        RustToolchain::PACKAGES.join(" ")
    )
}
