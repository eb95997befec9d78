use super::*;

const DIGEST: &str = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

fn reference(text: &str) -> Reference {
    text.parse().unwrap()
}

#[test]
fn a_reference_is_read_and_written() {
    let pinned = format!("oci://registry.example:5000/acme/my-queue:1.2@{DIGEST}");
    let read = reference(&pinned);
    assert_eq!((read.registry(), read.repository()), ("registry.example:5000", "acme/my-queue"));
    assert_eq!((read.tag(), read.digest().unwrap().to_string()), (Some("1.2"), DIGEST.to_owned()));
    assert_eq!(read.name(), "registry.example:5000/acme/my-queue");
    assert_eq!(read.asked(), DIGEST);
    assert_eq!(read.to_string(), pinned);

    let digest_alone = reference(&format!("oci://registry.example/q@{DIGEST}"));
    assert_eq!(digest_alone.tag(), None);
    let neither = reference("oci://localhost/q");
    assert_eq!((neither.tag(), neither.asked()), (Some("latest"), "latest".to_owned()));
    assert_eq!(reference("oci://Registry.Example/q:v1").registry(), "registry.example");
    assert_eq!(reference("oci://docker.io/acme/q").host(), "registry-1.docker.io");
}

#[test]
fn a_file_has_an_absolute_path() {
    assert_eq!("file:///opt/q.wasm".parse(), Ok(Location::File("/opt/q.wasm".into())));
    assert!(matches!("file://q.wasm".parse::<Location>(), Err(ReferenceError::RelativePath(_))));
}

#[test]
fn what_is_wrong_is_said_with_the_remedy() {
    let says = |text: &str, words: &str| {
        let error = text.parse::<Location>().unwrap_err().to_string();
        assert!(error.contains(words), "{text}: {error}");
    };
    says("registry.example/q", "write oci://HOST/REPOSITORY");
    says("https://registry.example/q", "write oci://HOST/REPOSITORY");
    says("oci://acme/q", "names no registry");
    says("oci://registry.example", "names no registry");
    says("oci://registry.example/", "names no registry");
    says("oci://registry.example/Q", "lower case");
    says("oci://registry.example/q:bad tag", "invalid");
    says("oci://registry.example/q@sha512:00", "sha256:<64");
    says("oci://registry.example/q@sha256:00", "sha256:<64");
}

#[test]
fn credentials_in_a_reference_are_refused_and_not_repeated() {
    for text in ["oci://user:hunter2@registry.example/q", "https://user:hunter2@registry.example/q"] {
        let error = text.parse::<Location>().unwrap_err();
        assert_eq!(error, ReferenceError::Credentials);
        assert!(!format!("{error} {error:?}").contains("hunter2"));
    }
}
