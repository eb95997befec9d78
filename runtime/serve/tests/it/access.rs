//! Access reviews: how many are asked, and what is answered meanwhile.
use crate::client::{Connection, DEADLINE, HPA, Http};
use crate::server::{TestServer, path_of};
use std::time::Duration;
use tokio::time::timeout;
use windlass_core::Milli;
use windlass_serve::{AccessOptions, Limits, ReviewError};

async fn start() -> (TestServer, Connection, String) {
    with(AccessOptions::default()).await
}

async fn with(options: AccessOptions) -> (TestServer, Connection, String) {
    let server = TestServer::with(Limits::default(), options).await;
    let connection = Connection::open(&server, Some(&server.front_proxy()), Http::Two).await;
    // Longer valid than any test advances.
    for metric in 0..10 {
        server.show("orders", &format!("queue-{metric}"), Ok(Milli(1500)));
    }
    (server, connection, path_of("s0-queue-0", "orders"))
}

/// Waits for something that happens in the background.
async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let waited = timeout(DEADLINE, async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    assert!(waited.await.is_ok(), "{what}");
}

fn reviewed(server: &TestServer, result: &str) -> f64 {
    server.metric(&format!("windlass_access_reviews_total{{result={result:?}}}")).unwrap_or_default()
}

/// Whatever the board says (values expire as the tests advance the clock), 403 and 503 of the review are told apart.
fn admitted(reply: &crate::client::Reply) -> bool {
    match reply.code.as_u16() {
        200 => true,
        503 => !reply.message().contains("did not answer"),
        _ => false,
    }
}

#[tokio::test]
async fn one_review_for_many_first_requests() {
    let (server, _, path) = start().await;
    server.reviews.permits.forget_permits(usize::MAX);
    let mut waiting = Vec::new();
    for _ in 0..20 {
        let mut connection = Connection::open(&server, Some(&server.front_proxy()), Http::Two).await;
        let path = path.clone();
        waiting.push(tokio::spawn(async move { connection.read(&path).await.code.as_u16() }));
    }
    eventually("a review begins", || server.reviews.count() == 1).await;
    server.reviews.permits.add_permits(1000);
    for reader in waiting {
        assert_eq!(reader.await.unwrap(), 200);
    }
    assert_eq!(server.reviews.count(), 1);
}

#[tokio::test]
async fn a_known_user_never_waits() {
    let (server, mut connection, path) = start().await;
    assert!(admitted(&connection.read(&path).await));
    server.clock.advance(Duration::from_secs(239));
    assert!(admitted(&connection.read(&path).await));
    assert_eq!(server.reviews.count(), 1);

    // From now on reviews hang; reads go on while one is asked in the background.
    server.reviews.permits.forget_permits(usize::MAX);
    server.clock.advance(Duration::from_secs(1));
    for _ in 0..50 {
        assert!(admitted(&connection.read(&path).await));
    }
    eventually("a refresh begins", || server.reviews.count() == 2).await;
    server.reviews.permits.add_permits(1000);
    eventually("it ends", || reviewed(&server, "allowed") == 2.0).await;
    server.clock.advance(Duration::from_secs(239));
    assert!(admitted(&connection.read(&path).await));
    assert_eq!(server.reviews.count(), 2, "the refreshed answer counts from its own time");
}

#[tokio::test]
async fn a_refusal_is_kept_shortly() {
    let (server, mut connection, path) = start().await;
    server.reviews.answer(Ok(false));
    for _ in 0..3 {
        let reply = connection.read(&path).await;
        assert_eq!((reply.code.as_u16(), &reply.status()["reason"]), (403, &"Forbidden".into()));
        assert!(reply.message().contains("horizontal-pod-autoscaler"));
    }
    assert_eq!(server.reviews.count(), 1);
    server.reviews.answer(Ok(true));
    server.clock.advance(Duration::from_secs(10));
    assert_eq!(connection.read(&path).await.code, 200);
    assert_eq!(server.reviews.count(), 2);
}

#[tokio::test]
async fn a_withdrawn_permission_ends() {
    let (server, mut connection, path) = start().await;
    assert_eq!(connection.read(&path).await.code, 200);
    server.reviews.answer(Ok(false));
    server.clock.advance(Duration::from_secs(300));
    assert_eq!(connection.read(&path).await.code, 403, "a user that was idle waits for the new answer");
}

#[tokio::test]
async fn while_the_api_server_does_not_answer() {
    let (server, mut connection, path) = start().await;
    server.reviews.answer(Err(ReviewError("connection refused".into())));
    let reply = connection.read(&path).await;
    assert_eq!((reply.code.as_u16(), &reply.status()["reason"]), (503, &"ServiceUnavailable".into()));
    assert!(!admitted(&reply));
    assert!(!admitted(&connection.read(&path).await));
    assert_eq!(server.reviews.count(), 1, "a failed review is not repeated at once");

    server.reviews.answer(Ok(true));
    server.clock.advance(Duration::from_secs(2));
    assert_eq!(connection.read(&path).await.code, 200);

    // A former answer counts on, up to its bound.
    server.reviews.answer(Err(ReviewError("connection refused".into())));
    server.clock.advance(Duration::from_secs(299));
    assert!(admitted(&connection.read(&path).await));
    eventually("the refresh fails", || reviewed(&server, "failed") == 2.0).await;
    let mut failed = 2.0;
    for _ in 0..14 {
        server.clock.advance(Duration::from_secs(100));
        assert!(admitted(&connection.read(&path).await));
        failed += 1.0;
        eventually("the next one fails", || reviewed(&server, "failed") == failed).await;
    }
    server.clock.advance(Duration::from_secs(101));
    assert!(!admitted(&connection.read(&path).await), "1,800 s are over");
}

#[tokio::test]
async fn a_review_that_hangs_has_failed() {
    let options = AccessOptions { timeout: Duration::from_millis(50), ..AccessOptions::default() };
    let (server, mut connection, path) = with(options).await;
    server.reviews.permits.forget_permits(usize::MAX);
    assert!(!admitted(&connection.read(&path).await));
    assert_eq!(reviewed(&server, "failed"), 1.0);
}

#[tokio::test]
async fn users_are_bounded() {
    let options = AccessOptions { users: 4, ..AccessOptions::default() };
    let (server, mut connection, path) = with(options).await;
    let users: Vec<String> = (0..10).map(|at| format!("user-{at}")).collect();
    for user in &users {
        assert_eq!(connection.get(&path, &[("x-remote-user", user)]).await.code, 200);
        server.clock.advance(Duration::from_millis(1));
    }
    assert_eq!(server.reviews.count(), 10);
    for user in users.iter().rev().take(4) {
        assert_eq!(connection.get(&path, &[("x-remote-user", user)]).await.code, 200);
    }
    assert_eq!(server.reviews.count(), 10, "the last four are remembered");
    assert_eq!(connection.get(&path, &[("x-remote-user", "user-0")]).await.code, 200);
    assert_eq!(server.reviews.count(), 11, "the first is not");
}

/// The same name with other groups is another user.
#[tokio::test]
async fn users_are_told_apart() {
    let (server, mut connection, path) = start().await;
    assert_eq!(connection.get(&path, HPA).await.code, 200);
    server.reviews.answer(Ok(false));
    let name = HPA[1];
    assert_eq!(connection.get(&path, &[name]).await.code, 403);
    assert_eq!(connection.get(&path, &[name, ("x-remote-group", "system:masters")]).await.code, 200);
    assert_eq!(connection.get(&path, &[name, ("x-remote-uid", "1")]).await.code, 403);
    assert_eq!(connection.get(&path, HPA).await.code, 200);
    assert_eq!(server.reviews.count(), 3);
}
