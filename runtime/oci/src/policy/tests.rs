use super::*;
use crate::PrivateKey;

const DIGEST: &str = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

fn policy(body: &str) -> Result<Policy, PolicyError> {
    Policy::parse(&format!("apiVersion: windlass.dev/v1alpha1\nkind: ComponentPolicy\n{body}"))
}

fn at(text: &str) -> Location {
    text.parse().unwrap()
}

fn team(name: &str) -> Registrant {
    Registrant::Namespace(name.to_owned())
}

fn key() -> String {
    let pem = PrivateKey::from_pem(&PrivateKey::generate().unwrap()).unwrap().public().to_pem();
    pem.lines().map(|line| format!("    {line}\n")).collect()
}

#[test]
fn without_a_policy_the_administrator_may_register_what_is_pinned() {
    let policy = Policy::default();
    let pinned = at(&format!("oci://registry.example/q@{DIGEST}"));
    assert_eq!(policy.allows(&pinned, &Registrant::Cluster), Ok(Allowed::default()));
    let refusal = policy.allows(&at("oci://registry.example/q:1"), &Registrant::Cluster).unwrap_err();
    assert!(refusal.contains("repositories[0].pinned"), "{refusal}");
    let refusal = policy.allows(&pinned, &team("a")).unwrap_err();
    assert!(refusal.contains("add a to repositories[0].namespaces"), "{refusal}");
    assert!(policy.allows(&at("file:///opt/q.wasm"), &Registrant::Cluster).unwrap_err().contains("`files`"));
}

#[test]
fn the_first_rule_that_fits_decides_and_a_refusal_names_the_setting() {
    let policy = policy(&format!(
        "keys:\n  acme: |\n{}  other: |\n{}repositories:\n\
         - {{pattern: registry.example/acme/**, namespaces: [team-*], signedBy: [acme, other], pinned: false, shadow: true}}\n\
         - {{pattern: registry.example/acme/open, cluster: false, namespaces: all}}\n\
         files: [/opt/scalers]\n",
        key(),
        key()
    ))
    .unwrap();
    let allowed = policy.allows(&at("oci://registry.example/acme/q:1"), &team("team-a")).unwrap();
    let requirement = allowed.requirement.unwrap();
    assert!(allowed.shadow);
    assert_eq!(requirement.keys.len(), 2);
    assert!(
        requirement.wanted.contains("repositories[0].signedBy wants a signature by acme or other"),
        "{}",
        requirement.wanted
    );
    assert!(policy.allows(&at("oci://registry.example/acme/q:1"), &Registrant::Cluster).is_ok());
    let open = at(&format!("oci://registry.example/acme/open@{DIGEST}"));
    assert_eq!(policy.allows(&open, &team("b")), Ok(Allowed::default()));

    let refused = |location: &str, registrant: &Registrant, words: &str| {
        let refusal = policy.allows(&at(location), registrant).unwrap_err();
        assert!(refusal.contains(words), "{refusal}");
    };
    refused(
        "oci://registry.example/acme/q:1",
        &team("b"),
        "the namespace b register it: add b to repositories[0].namespaces",
    );
    refused("oci://registry.example/acme/open:1", &team("b"), "repositories[1].pinned");
    refused(
        "oci://other.example/q:1",
        &team("b"),
        "add other.example/q to repositories, as `pattern` with `namespaces: [b]`",
    );
    refused("oci://other.example/q:1", &Registrant::Cluster, "add other.example/q to repositories");
    refused("oci://registry.example/acmes/q:1", &Registrant::Cluster, "add registry.example/acmes/q");

    assert!(policy.allows(&at("file:///opt/scalers/q.wasm"), &Registrant::Cluster).is_ok());
    refused("file:///opt/scalers/../q.wasm", &Registrant::Cluster, "`files`");
    refused("file:///opt/scalers-other/q.wasm", &Registrant::Cluster, "`files`");
    refused("file:///opt/scalers/q.wasm", &team("team-a"), "administrator alone");
}

#[test]
fn grants_are_by_repository_or_digest() {
    let policy = policy(&format!(
        "grants:\n- {{pattern: registry.example/acme/*, hosts: ['api.example:443', '*.eu.example']}}\n- {{digest: '{DIGEST}', hosts: [one.example]}}\n"
    ))
    .unwrap();
    let granted = |reference: &str, manifest: Digest| {
        let reference: Reference = reference.parse().unwrap();
        policy.grants(&reference, manifest).map(ToString::to_string).collect::<Vec<_>>().join(" ")
    };
    let (ours, other) = (DIGEST.parse().unwrap(), Digest::of(b"other"));
    assert_eq!(granted("oci://registry.example/acme/q:1", other), "api.example:443 *.eu.example");
    assert_eq!(granted("oci://registry.example/acme/q:1", ours), "api.example:443 *.eu.example one.example");
    assert_eq!(granted("oci://registry.example/q:1", ours), "one.example");
    assert_eq!(granted("oci://registry.example/q:1", other), "");
}

#[test]
fn what_is_wrong_names_the_field() {
    let says = |body: &str, words: &str| {
        let error = policy(body).unwrap_err().to_string();
        assert!(error.contains(words), "{body}: {error}");
    };
    says("repositorys: []", "repositorys");
    says("repositories: [{}]", "pattern");
    says("repositories: [{pattern: 'r.example/**', pined: true}]", "pined");
    says("repositories: [{pattern: 'r.example/**', namespaces: some}]", "repositories[0].namespaces: is `all`");
    says(
        "repositories: [{pattern: 'r.example/**', signedBy: [acme]}]",
        "repositories[0].signedBy[0]: there is no acme in `keys`",
    );
    says("repositories: [{pattern: 'oci://r.example/q'}]", "repositories[0].pattern: write HOST/REPOSITORY");
    says("repositories: [{pattern: 'acme'}]", "repositories[0].pattern: begin with the registry");
    says("repositories: [{pattern: '**/q'}]", "repositories[0].pattern: begin with the registry");
    says("keys: {acme: nothing}", "keys.acme: holds no public key");
    let ci = |issuer: &str, subject: &str| format!("identities: {{ci: {{issuer: '{issuer}', subject: '{subject}'}}}}");
    says(&ci("https://issuer.example", "a@example.com"), "identities.ci: wants `trustedRoot`");
    says(&ci("issuer.example", "a@example.com"), "identities.ci.issuer: is the URL");
    says(&ci("https://*.example", "a@example.com"), "identities.ci.issuer: is one URL");
    says(&ci("https://issuer.example", "**"), "identities.ci.subject: would be anybody");
    says("trustedRoot: '{}'", "trustedRoot: is no trusted_root.json");
    says("files: [scalers]", "files[0]");
    says("grants: [{hosts: [a.example]}]", "grants[0]: name either");
    says("grants: [{digest: 'x', hosts: []}]", "grants[0].digest");
    for (host, words) in [
        ("'*'", "no host"),
        ("'*.com'", "two labels"),
        ("'a.*.example'", "no host"),
        ("'https://a.example'", "grants[0].hosts[0]"),
        ("'a.example:0'", "port"),
        ("''", "no host"),
    ] {
        says(&format!("grants: [{{pattern: 'r.example/q', hosts: [{host}]}}]"), words);
    }
    assert!(Policy::parse("apiVersion: v1\nkind: ComponentPolicy").unwrap_err().to_string().starts_with("apiVersion"));
    assert!(
        Policy::parse("apiVersion: windlass.dev/v1alpha1\nkind: Policy").unwrap_err().to_string().starts_with("kind")
    );
}
