//! URLs and what becomes of them.
use windlass_sdk::{Tls, Url, normalize, percent_encode};

fn url(text: &str) -> Url {
    Url::parse("address", text).expect(text)
}

#[test]
fn parts_are_taken_as_written() {
    let full = url("HTTPS://me:word@[::1]:8443/a/b/?c=d#e");
    assert_eq!((&*full.scheme, &*full.host, full.port, full.has_user), ("https", "::1", Some(8443), true));
    assert_eq!((&*full.path, full.query.as_deref()), ("/a/b/", Some("c=d")));
    let bare = url("http://host");
    assert_eq!((&*bare.host, bare.port, &*bare.path, bare.query, bare.has_user), ("host", None, "", None, false));
    assert_eq!(url("http://host?x=1").query.as_deref(), Some("x=1"));
    assert_eq!(url("http://host:/x").port, None);
    for wrong in ["host", "http://", "http://host:70000", "http://:80", "http://host:x"] {
        assert!(Url::parse("address", wrong).is_err(), "{wrong}");
    }
}

#[test]
fn targets_are_joined_and_encoded() {
    assert_eq!(url("http://host").target(), "/");
    assert_eq!(url("http://host/a?b=c").target(), "/a?b=c");
    assert_eq!(url("http://host/a/").target_with("/x", &[("q", "a b&c")]), "/a/x?q=a%20b%26c");
    assert_eq!(url("http://host/a?b=c").target_with("", &[("q", "1")]), "/a?b=c&q=1");
    assert_eq!(percent_encode("ü~"), "%C3%BC~");
}

#[test]
fn endpoints_name_their_parameter_and_know_their_port() {
    let endpoint = url("https://host").endpoint(Tls::verified()).unwrap();
    assert_eq!((endpoint.parameter.as_deref(), endpoint.port, endpoint.tls.is_some()), (Some("address"), 443, true));
    let endpoint = url("http://host").endpoint(Tls::verified()).unwrap();
    assert_eq!((endpoint.port, endpoint.tls), (80, None));
    assert!(url("amqp://host").endpoint(Tls::verified()).is_err());
}

#[test]
fn names_of_metrics_are_those_of_keda() {
    assert_eq!(normalize("a/b.c:d%e(f)g_h"), "a-b-c-d-e-f-g_h");
}
