//! The program under test.
use std::path::Path;
use std::process::{Command, Output};

/// A command of it in a folder, with no colours and no log lines below warnings.
pub(crate) fn windlass(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_windlass"));
    command.args(arguments).args(["--log-level", "warn"]).current_dir(folder);
    command
}

/// Runs it to its end.
pub(crate) fn run(folder: &Path, arguments: &[&str]) -> Output {
    windlass(folder, arguments).output().unwrap()
}

/// Runs it, and gives what it exits with, and all that it says.
pub(crate) fn said(folder: &Path, arguments: &[&str]) -> (i32, String) {
    let output = run(folder, arguments);
    let text = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap(), String::from_utf8(text).unwrap())
}

/// Runs it with `--output json`, and gives what it exits with and the one line that it prints.
pub(crate) fn told(folder: &Path, arguments: &[&str]) -> (i32, serde_json::Value) {
    let output = run(folder, &[arguments, &["--output", "json"]].concat());
    let text = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<_> = text.lines().collect();
    let [line] = lines[..] else {
        panic!("{arguments:?}: {text}\n{}", String::from_utf8_lossy(&output.stderr));
    };
    (output.status.code().unwrap(), serde_json::from_str(line).unwrap())
}
