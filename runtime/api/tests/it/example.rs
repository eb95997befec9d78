//! The examples that people start from are right, and their definitions are up to date.
use serde_json::Value;
use std::path::{Path, PathBuf};
use windlass_api::local::read_directory;
use windlass_api::{ScaledObject, lower};

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/examples")
}

#[test]
fn local_examples_can_be_run() {
    let local = read_directory(&examples().join("local")).unwrap_or_else(|errors| panic!("{errors}"));
    assert!(!local.objects.is_empty() && !local.process_sets.is_empty());
}

#[test]
fn cluster_examples_are_lowered() {
    let mut objects = 0;
    for entry in std::fs::read_dir(examples().join("cluster")).unwrap() {
        let file = entry.unwrap().path();
        let text = std::fs::read_to_string(&file).unwrap();
        for document in serde_saphyr::from_multiple::<Value>(&text).unwrap() {
            if document["kind"] == "ScaledObject" {
                let object: ScaledObject = serde_json::from_value(document).unwrap();
                lower(&object).unwrap_or_else(|fault| panic!("{}: {fault}", file.display()));
                objects += 1;
            }
        }
    }
    assert!(objects >= 3, "found {objects}");
}
