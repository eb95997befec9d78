//! The child that compiles, as the product's binary has it.
use std::process::ExitCode;

fn main() -> ExitCode {
    // The first argument is the name of the command.
    match windlass_host::compile_child(std::env::args().skip(2)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
