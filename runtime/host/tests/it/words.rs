//! What guests say to people: cut, without control characters, and without secrets, wherever it goes.
use crate::logs;
use crate::world::{BUDGET, failure, host, open, revealed, sealed, state, subject, subject_in};
use windlass_core::failure::FailureKind;
use windlass_core::query::ResolvedTrigger;
use windlass_testkit::guest::Guest;

const PASSWORD: &str = "correct horse&battery";

/// One trigger with secrets in all the forms in which they come.
fn secretive(subject: &crate::world::Subject, domain: &str) -> ResolvedTrigger {
    subject.trigger_of(
        domain,
        [
            revealed("password", PASSWORD),
            sealed("token", "t0ken-of-the-source"),
            sealed("url", "https://reader:p%40ssw0rd@db.example/metrics"),
            open("queue", "orders"),
        ],
    )
}

const TOLD: &str = "login with correct horse&battery, ?key=correct%20horse%26battery, t0ken-of-the-source or p@ssw0rd failed on orders";
const CLEAN: &str = "login with …, ?key=…, … or … failed on orders";

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_says_no_secret_of_its_batch() {
    let mut guest = Guest::new("tells");
    let message = guest.text(TOLD);
    guest.poll = format!(
        "(call $failed (i32.const 0) (i32.const 1) {message}) (call $failed (i32.const 1) (i32.const 1) {message})"
    );
    let subject = subject(&guest).await;
    // The other query has no secrets itself; the guest has seen those of its neighbour.
    let batch = subject.batch(vec![secretive(&subject, "ns"), subject.trigger([])], &[], BUDGET);
    let outcomes = subject.poll(batch).await;
    for outcome in &outcomes {
        assert_eq!(&*failure(outcome.as_ref(), FailureKind::Auth).message, CLEAN);
    }
}

/// What becomes a space becomes no secret by it.
#[tokio::test(flavor = "multi_thread")]
async fn a_secret_is_found_whatever_stands_for_its_spaces() {
    let mut guest = Guest::new("tells");
    let message = guest.text("login with correct\thorse&battery failed");
    guest.poll = format!("(call $failed (i32.const 0) (i32.const 1) {message})");
    let subject = subject(&guest).await;
    let outcomes = subject.poll(subject.batch(vec![secretive(&subject, "ns")], &[], BUDGET)).await;
    assert_eq!(&*failure(outcomes[0].as_ref(), FailureKind::Auth).message, "login with … failed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failures_message_is_one_short_line() {
    let mut guest = Guest::new("shouts");
    let message = guest.text(&format!("a\r\nb\u{1b}[2J\0{}", "é".repeat(400)));
    guest.poll = format!("(call $failed (i32.const 0) (i32.const 6) {message})");
    let outcomes = subject(&guest).await.poll_bare(1).await;
    let message = &failure(outcomes[0].as_ref(), FailureKind::BadResponse).message;
    assert!(message.starts_with("a  b [2J é"), "{message}");
    assert!(message.len() <= 256 && !message.chars().any(char::is_control), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn problems_are_few_short_and_without_secrets() {
    let problem = |text: &str| (Some(format!("pass\nword{}", "x".repeat(300))), text.to_owned());
    let guest = Guest { problems: vec![problem(TOLD); 50], ..Guest::new("complains") };
    let subject = subject(&guest).await;
    let problems = subject.plan(secretive(&subject, "ns")).await.unwrap_err();
    assert_eq!(problems.len(), 16);
    for problem in problems {
        assert_eq!(&*problem.message, CLEAN);
        let parameter = problem.parameter.unwrap();
        assert!(parameter.len() <= 256 && !parameter.chars().any(char::is_control), "{parameter}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plans_refusal_says_no_secret() {
    let guest = Guest {
        endpoints: vec![(Some("queue".to_owned()), format!("{PASSWORD}.evil.example"), 80)],
        ..Guest::new("smuggles")
    };
    let subject = subject(&guest).await;
    let problems = subject.plan(secretive(&subject, "ns")).await.unwrap_err();
    assert!(problems[0].message.contains("….evil.example"), "{problems:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_that_plans_sees_one_namespace() {
    let mut guest = Guest::new("counts");
    let message = guest.text("0 triggers");
    let room = guest.room(20);
    // One problem per trigger, which tells how many there were.
    guest.configure = format!(
        "(i32.store8 (i32.const {at}) (i32.add (i32.const 48) (local.get $count)))
         (i32.store offset=12 (i32.const {room}) (i32.const {at}))
         (i32.store offset=16 (i32.const {room}) (i32.const {length}))
         (local.set $p (call $alloc (i32.mul (local.get $count) (i32.const 36)) (i32.const 8)))
         (loop $each
           (local.set $q (i32.add (local.get $p) (i32.mul (local.get $n) (i32.const 36))))
           (i32.store8 (local.get $q) (i32.const 1))
           (i32.store offset=4 (local.get $q) (i32.const {room}))
           (i32.store offset=8 (local.get $q) (i32.const 1))
           (local.set $n (i32.add (local.get $n) (i32.const 1)))
           (br_if $each (i32.lt_u (local.get $n) (local.get $count))))
         (i32.store (i32.const 64) (local.get $p))
         (i32.store (i32.const 68) (local.get $count))
         (return (i32.const 64))",
        at = message.at,
        length = message.length
    );
    let subject = subject(&guest).await;
    let of = |domain: &str, n: &str| subject.trigger_of(domain, [open("n", n)]);
    let triggers = vec![of("a", "1"), of("b", "2"), of("a", "3"), of("b", "4"), of("a", "5")];
    let answers = subject.configure(triggers).await.unwrap();
    let seen: Vec<_> = answers.iter().map(|answer| &*answer.as_ref().unwrap_err()[0].message).collect();
    assert_eq!(seen, ["3 triggers", "2 triggers", "3 triggers", "2 triggers", "3 triggers"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_is_never_handed_a_sealed_value() {
    // All that the host has put into the guest's memory.
    let guest = Guest::polling(
        "remembers",
        "(call $reading (i32.const 0) (i32.const 128) (i32.const 1)
           (global.get $start) (i32.sub (global.get $heap) (global.get $start)))",
    );
    let subject = subject(&guest).await;
    let outcomes = subject.poll(subject.batch(vec![secretive(&subject, "ns")], &[], BUDGET)).await;
    let seen = state(outcomes[0].as_ref());
    let has = |text: &str| seen.windows(text.len()).any(|piece| piece == text.as_bytes());
    for handed in ["token", "orders", PASSWORD, "https://db.example/metrics"] {
        assert!(has(handed), "{handed}");
    }
    for kept in ["t0ken", "reader", "p%40ssw0rd", "p@ssw0rd"] {
        assert!(!has(kept), "{kept}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn logs_are_cut_off_cleaned_and_free_of_secrets() {
    let mut guest = Guest::new("logs");
    let (secret, control) = (guest.text(TOLD), guest.text("fine\r\n2026-01-01T00:00:00Z ERROR forged\u{1b}[31m"));
    guest.poll = format!(
        "(call $log (i32.const 3) (i32.const 1) (i32.const 0) {secret})
         (call $log (i32.const 1) (i32.const 0) (i32.const 0) {control})
         (loop $flood (call $log (i32.const 2) (i32.const 1) (i32.const 9) {control}) (br $flood))"
    );
    let subject = subject_in(host(|options| options.limits.log_bytes = 4_096), &guest).await;
    let domain = "a-namespace-whose-logs-are-counted";
    let batch = subject.batch(vec![secretive(&subject, domain)], &[], BUDGET);
    let lines = logs::of(domain, subject.poll(batch)).await;
    assert!(lines.iter().any(|line| line.starts_with("ERROR") && line.contains(CLEAN)), "{lines:?}");
    assert!(lines.iter().any(|line| line.contains("fine  2026-01-01T00:00:00Z ERROR forged [31m")), "{lines:?}");
    assert!((3..=4_096 / 48 + 3).contains(&lines.len()), "{} lines", lines.len());
    for line in lines {
        assert!(!line.chars().any(char::is_control), "{line:?}");
        assert!(!line.contains(PASSWORD) && !line.contains("t0ken-of") && !line.contains("p@ss"), "{line}");
    }
}
