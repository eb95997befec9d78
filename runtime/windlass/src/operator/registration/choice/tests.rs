use super::{Written, choose};
use windlass_oci::{Policy, Registrant};

const DIGEST: &str = "sha256:0000000000000000000000000000000000000000000000000000000000000000";

fn policy() -> Policy {
    Policy::parse(
        "apiVersion: windlass.dev/v1alpha1\nkind: ComponentPolicy\nrepositories:\n\
         - { pattern: registry.example/team-a/**, cluster: false, namespaces: [team-a], pinned: false }\n\
         - { pattern: registry.example/shadow/**, cluster: false, namespaces: [team-a], pinned: false, shadow: true }\n\
         - { pattern: registry.example/all/**, namespaces: all }\n\
         - { pattern: registry.example/cluster/**, pinned: false }\n\
         files: [/opt/scalers]\n",
    )
    .unwrap()
}

fn at(rest: &str) -> String {
    format!("oci://registry.example/{rest}")
}

/// Who registers what serves `queue` for an object of a namespace, as `registrant reference`, or the refusal.
fn chosen(namespace: &str, written: Written<'_>, shared: bool) -> Result<String, String> {
    let told = choose(&policy(), namespace, "queue", written, shared)?;
    Ok(told.map_or("bundled".to_owned(), |chosen| match chosen.registrant {
        Registrant::Cluster => format!("cluster {}", chosen.location),
        Registrant::Namespace(of) => {
            assert_eq!(of, namespace, "a component of another namespace");
            format!("{of} {}", chosen.location)
        }
    }))
}

#[test]
fn the_nearest_wins() {
    let (object, own, cluster) = (at("shadow/object:1"), at("shadow/own:1"), at("cluster/queue:1"));
    let mut written = Written { object: Some(&object), namespace: Some(&own), cluster: Some(&cluster), bundled: true };
    assert_eq!(chosen("team-a", written, false).unwrap(), format!("team-a {object}"));
    written.object = None;
    assert_eq!(chosen("team-a", written, false).unwrap(), format!("team-a {own}"));
    written.namespace = None;
    assert_eq!(chosen("team-a", written, true).unwrap(), format!("cluster {cluster}"));
    written.cluster = None;
    assert_eq!(chosen("team-a", written, true).unwrap(), "bundled");
}

#[test]
fn what_the_policy_refuses_serves_nobody() {
    let (theirs, pinned, cluster) = (at("team-a/queue:1"), at(&format!("all/queue@{DIGEST}")), at("cluster/queue:1"));
    let unpinned = at("all/queue:1");
    let object = |text| Written { object: Some(text), ..Written::default() };
    let namespace = |text| Written { namespace: Some(text), ..Written::default() };
    let clustered = |text| Written { cluster: Some(text), ..Written::default() };
    for (namespaced, written, words) in [
        ("team-b", object(&theirs), "add team-b to repositories[0].namespaces"),
        ("team-b", namespace(&theirs), "of its namespace"),
        ("team-a", clustered(&theirs), "set repositories[0].cluster to true"),
        ("team-b", object(&cluster), "add team-b to repositories[3].namespaces"),
        ("team-b", object(&unpinned), "wants a digest"),
        ("team-b", object("file:///opt/scalers/queue.wasm"), "administrator alone"),
        ("team-b", clustered("file:///etc/queue.wasm"), "add its folder to `files`"),
        ("team-b", clustered("queue.wasm"), "write oci://"),
        // It does not stand before the cluster's, whether that is registered or bundled.
        ("team-a", Written { bundled: true, ..object(&theirs) }, "shadow: true"),
        ("team-a", Written { cluster: Some(&cluster), ..namespace(&theirs) }, "shadow: true"),
    ] {
        let refusal = chosen(namespaced, written, false).unwrap_err();
        assert!(refusal.contains(words), "{refusal}");
        assert!(refusal.starts_with("windlass.dev/scaler.queue of "), "{refusal}");
    }
    assert!(chosen("team-b", object(&pinned), false).is_ok());
    assert!(chosen("team-b", clustered("file:///opt/scalers/queue.wasm"), false).is_ok());
}

#[test]
fn a_namespaces_component_gets_nothing_of_the_clusters_secrets() {
    let (theirs, cluster) = (at("team-a/queue:1"), at("cluster/queue:1"));
    for written in [
        Written { object: Some(&theirs), ..Written::default() },
        Written { namespace: Some(&theirs), ..Written::default() },
    ] {
        assert!(chosen("team-a", written, false).is_ok());
        assert!(chosen("team-a", written, true).unwrap_err().contains("ClusterTriggerAuthentication"));
    }
    assert!(chosen("team-a", Written { cluster: Some(&cluster), ..Written::default() }, true).is_ok());
}
