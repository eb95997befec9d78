//! Commands in documentation, run as they stand there: what is fenced as `sh run`.
use std::path::{Path, PathBuf};
use std::process::Command;

/// The source that pages tell of; a test puts its own in its place.
const SOURCE: &str = "127.0.0.1:8080";

/// The folder of the whole repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// The blocks of a page that are to be run.
pub(crate) fn blocks(page: &str) -> Vec<String> {
    let (mut blocks, mut open) = (Vec::new(), None::<String>);
    for line in page.lines() {
        match &mut open {
            None if line == "```sh run" => open = Some(String::new()),
            None => {}
            Some(_) if line == "```" => blocks.extend(open.take()),
            Some(block) => {
                block.push_str(line);
                block.push('\n');
            }
        }
    }
    assert!(open.is_none(), "a block is not closed");
    blocks
}

/// Runs all of a page in one shell, in an empty folder; gives what it said. Where a page says that a source listens, one does.
pub(crate) fn run(page: &str, folder: &Path, source: &str) -> String {
    let lock = root().join("Cargo.lock");
    // Projects take the versions that we have: nothing depends on what was published since.
    let script = format!(
        r#"set -euo pipefail
windlass() {{
  command windlass "$@"
  find . -maxdepth 2 -name trigger.yaml -exec sed -i 's/{SOURCE}/{source}/' {{}} +
  find . -maxdepth 2 -name Cargo.toml -execdir cp -n '{}' Cargo.lock ';'
}}
{}"#,
        lock.display(),
        blocks(page).concat()
    );
    let program = Path::new(env!("CARGO_BIN_EXE_windlass")).parent().unwrap();
    let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap());
    let output = Command::new("bash").args(["-c", &script]).env("PATH", path).current_dir(folder).output().unwrap();
    let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert!(output.status.success(), "{script}\n{text}");
    text
}

/// Each language's own page, from nothing to a component that was examined.
#[test]
#[ignore = "needs the toolchains of all languages: cargo xtask test --only languages"]
fn the_pages_of_the_languages() {
    let mut pages = 0;
    for entry in std::fs::read_dir(root().join("sdk")).unwrap() {
        let page = std::fs::read_to_string(entry.unwrap().path().join("README.md")).unwrap_or_default();
        if blocks(&page).is_empty() {
            continue;
        }
        pages += 1;
        let folder = tempfile::tempdir().unwrap();
        let text = run(&page, folder.path(), SOURCE);
        assert!(text.contains(" passed, 0 failed"), "{text}");
    }
    assert!(pages > 0);
}

#[test]
fn only_marked_blocks_are_run() {
    let page = "a\n```sh\nrm -rf /\n```\n```sh run\none\ntwo\n```\n```sh run\nthree\n```\n";
    assert_eq!(blocks(page), ["one\ntwo\n", "three\n"]);
}
