//! Local mode's files.
use std::path::PathBuf;
use windlass_api::local::read_directory;

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

/// Errors, with the folder's own path taken out.
fn errors(files: &[(&str, &str)]) -> Vec<String> {
    let folder = folder(files);
    let prefix = format!("{}/", folder.path().display());
    let errors = read_directory(folder.path()).expect_err("must be refused");
    errors.0.iter().map(|error| error.to_string().replace(&prefix, "")).collect()
}

const WORKER: &str = "\
apiVersion: windlass.dev/v1alpha1
kind: ProcessSet
metadata:
  name: worker
spec:
  command: [./worker, --fast]
  env:
    PASSWORD: from-env
";

const OBJECT: &str = "\
apiVersion: keda.sh/v1alpha1
kind: ScaledObject
metadata:
  name: worker
spec:
  scaleTargetRef:
    apiVersion: windlass.dev/v1alpha1
    kind: ProcessSet
    name: worker
  triggers:
    - type: some-queue
      metadata:
        url: http://127.0.0.1:1/stats
      authenticationRef:
        name: login
";

const LOGIN: &str = "\
apiVersion: keda.sh/v1alpha1
kind: TriggerAuthentication
metadata: { name: login }
spec:
  env: [{ parameter: password, name: PASSWORD }]
  secretTargetRef: [{ parameter: user, name: account, key: user }]
---
apiVersion: v1
kind: Secret
metadata: { name: account }
stringData: { user: me }
data: { other: c2VjcmV0 }
";

#[test]
fn a_folder_is_put_together() {
    let folder = folder(&[("a.yaml", WORKER), ("b.yml", OBJECT), ("c.yaml", LOGIN), ("notes.txt", "{{{")]);
    let local = read_directory(folder.path()).unwrap();
    assert_eq!(local.process_sets.len(), 1);
    let set = &local.process_sets[0];
    assert_eq!(set.command, ["./worker", "--fast"]);
    assert_eq!(set.directory, PathBuf::from(folder.path()));
    assert_eq!(set.stop_grace.as_secs(), 30);
    let intake = &local.objects[0];
    assert_eq!(intake.fault, None);
    assert_eq!(intake.declared.engine, windlass_core::workload::Engine::Direct);
    assert_eq!(intake.materials[0].authentication["user"].expose(), "me");
    assert_eq!(intake.materials[0].authentication["password"].expose(), "from-env");
    assert_eq!(intake.materials[0].environment["PASSWORD"].expose(), "from-env");
}

#[test]
fn an_error_names_file_line_and_field() {
    let object = OBJECT
        .replace("  triggers:", "  pollinInterval: 5\n  cooldownPeriod: -1\n  maxReplicaCount: many\n  triggers:")
        .replace("url: http://127.0.0.1:1/stats", "port: 80");
    assert_eq!(
        errors(&[("a.yaml", WORKER), ("b.yaml", &object)]),
        [
            "b.yaml:10:3: spec.pollinInterval: unknown field; did you mean 'pollingInterval'?",
            "b.yaml:11:19: spec.cooldownPeriod: is -1; use at least 0",
            "b.yaml:12:20: spec.maxReplicaCount: is a text, but must be a whole number",
            "b.yaml:16:15: spec.triggers[0].metadata.port: is a number, but must be a text; put it in quotes",
        ]
    );
}

#[test]
fn rules_beyond_the_schema_name_the_line_too() {
    let object = OBJECT.replace("  triggers:", "  minReplicaCount: 5\n  maxReplicaCount: 2\n  triggers:");
    assert_eq!(
        errors(&[("a.yaml", WORKER), ("b.yaml", &object), ("c.yaml", LOGIN)]),
        ["b.yaml:10:3: spec.minReplicaCount: 5 is greater than maxReplicaCount 2; lower it or raise maxReplicaCount"]
    );
}

#[test]
fn what_is_missing_is_named() {
    let missing = errors(&[("b.yaml", OBJECT)]);
    assert_eq!(
        missing,
        ["b.yaml:9:5: spec.scaleTargetRef.name: there is no ProcessSet 'worker'; add one to the folder"]
    );
    let missing = errors(&[("a.yaml", WORKER), ("b.yaml", OBJECT)]);
    assert_eq!(
        missing,
        [
            "b.yaml:14:7: spec.triggers[0].authenticationRef: there is no TriggerAuthentication 'login'; add one to the folder"
        ]
    );
    let login = LOGIN.replace("user: me", "name: me");
    let missing = errors(&[("a.yaml", WORKER), ("b.yaml", OBJECT), ("c.yaml", &login)]);
    assert_eq!(
        missing,
        [
            "b.yaml:14:7: spec.triggers[0].authenticationRef: authentication 'login': parameter 'user': secretTargetRef: \
              Secret 'account' has no text under the key 'user'; add it"
        ]
    );
}

#[test]
fn a_target_of_the_cluster_is_refused() {
    let object =
        OBJECT.replace("apiVersion: windlass.dev/v1alpha1", "apiVersion: apps/v1").replace("ProcessSet", "Deployment");
    let told = errors(&[("a.yaml", WORKER), ("b.yaml", &object)]);
    assert!(
        told[0].starts_with("b.yaml:6:3: spec.scaleTargetRef: local mode scales a ProcessSet, not a Deployment"),
        "{told:?}"
    );
}

#[test]
fn broken_files_are_told_and_show_no_secret() {
    let told = errors(&[
        ("a.yaml", "kind: [\n"),
        ("b.yaml", "kind: Deployment\napiVersion: apps/v1\n"),
        ("c.yaml", "just text\n"),
    ]);
    assert!(told[0].starts_with("a.yaml:") && told[0].contains("is not valid YAML"), "{told:?}");
    assert!(told[1].starts_with("b.yaml:1:1: kind: 'Deployment' of apiVersion 'apps/v1' is not known"), "{told:?}");
    assert!(told[2].starts_with("c.yaml:1:1: kind: ''"), "{told:?}");
    let told = errors(&[("s.yaml", "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\ndata: {key: hunter2!}\n")]);
    assert_eq!(told.len(), 1);
    assert!(!told[0].contains("hunter2"), "{told:?}");
    let told = errors(&[("s.yaml", "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\ndata: {key: \"hunter2\n")]);
    assert!(!told[0].contains("hunter2"), "{told:?}");
}

#[test]
fn names_are_unique_and_an_empty_folder_is_an_error() {
    let told = errors(&[("a.yaml", WORKER), ("b.yaml", WORKER)]);
    assert_eq!(told, ["b.yaml:4:3: metadata.name: there is another ProcessSet of this name; give it another one"]);
    let told = errors(&[("a.yaml", WORKER)]);
    assert!(told[0].contains("has no ScaledObject"), "{told:?}");
    assert!(read_directory(&PathBuf::from("/does/not/exist")).unwrap_err().to_string().contains("cannot be read"));
}
