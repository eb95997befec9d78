//! What is pushed is what a registry is asked to keep.
use crate::world::{Asked, Liar, component, reply, store, with};
use http::{Method, StatusCode};
use windlass_oci::{About, Fault};

#[tokio::test]
async fn a_push_uploads_what_is_missing_and_then_the_manifest() {
    let liar = Liar::start().await;
    let upload = |asked: &Asked| match (&asked.method, asked.path.as_str()) {
        (&Method::POST, "/v2/q/blobs/uploads/") => Some(with(202, "location", "/v2/q/blobs/uploads/1?state=a")),
        (&Method::PUT, path) if path.starts_with("/v2/q/blobs/uploads/1?state=a&digest=sha256%3A") => Some(reply(201)),
        (&Method::PUT, "/v2/q/manifests/1") => Some(reply(201)),
        _ => None,
    };
    liar.script(upload);
    let pushed = store().push(&liar.reference(":1"), component(), &About::default(), None).await.unwrap();
    let log = liar.log();
    let methods: Vec<&str> = log.iter().map(|asked| asked.method.as_str()).collect();
    assert_eq!(methods, ["HEAD", "POST", "PUT", "HEAD", "POST", "PUT", "PUT"]);
    assert_eq!(log[2].body, component());
    assert_eq!(pushed.digest(), Some(windlass_oci::Digest::of(&log[6].body)));

    // What is there is not sent again.
    liar.script(
        move |asked| if asked.method == Method::HEAD { Some(reply(StatusCode::OK.as_u16())) } else { upload(asked) },
    );
    store().push(&liar.reference(":1"), component(), &About::default(), None).await.unwrap();
    assert_eq!(liar.log().len(), 3);
}

#[tokio::test]
async fn a_push_that_is_not_allowed_says_so() {
    let liar = Liar::start().await;
    let push = async |rest: &str| {
        store().push(&liar.reference(rest), component(), &About::default(), None).await.unwrap_err().fault
    };
    liar.always(reply(403));
    assert_eq!(push(":1").await, Fault::Forbidden { action: "push" });
    liar.log();
    let digest = windlass_oci::Digest::of(b"");
    assert!(matches!(push(&format!("@{digest}")).await, Fault::Refused(_)));
    assert!(liar.log().is_empty());
}
