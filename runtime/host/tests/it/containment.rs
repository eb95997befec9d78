//! What a guest may use: CPU time, memory, tables, stack, and what it may make the host copy. Each attack ends the call, or
//! is told no, and takes nothing with it that was answered before.
use crate::world::{host, number, open, subject, subject_in};
use windlass_core::Reason;
use windlass_core::failure::FailureKind;
use windlass_host::HostError;
use windlass_testkit::guest::{Ask, Guest};

/// Pages of the memory that one instance may have.
const MOST_PAGES: f64 = 1_024.0;
const SPIN: &str = "(loop $spin (br $spin))";

async fn refused(guest: &Guest) -> HostError {
    host(|_| {}).load(guest.component()).await.unwrap_err()
}

#[track_caller]
fn interrupted(error: &HostError) {
    assert!(matches!(error, HostError::Description(why) if why.contains("interrupt")), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_function_that_spins_is_interrupted() {
    let guest = Guest { start: Some(SPIN.to_owned()), ..Guest::new("start") };
    interrupted(&refused(&guest).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_description_that_spins_is_interrupted() {
    let guest = Guest { describe: SPIN.to_owned(), ..Guest::new("describe") };
    interrupted(&refused(&guest).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_that_spins_is_a_fault_of_the_component() {
    let guest = Guest { configure: SPIN.to_owned(), ..Guest::new("configure") };
    let subject = subject(&guest).await;
    let fault = subject.configure(vec![subject.trigger([])]).await.unwrap_err();
    assert_eq!(fault.reason, Reason::ComponentUnavailable);
    assert!(fault.message.contains("interrupt"), "{fault}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_answered_before_a_spin_or_a_trap_stays_answered() {
    for end in
        [SPIN, "unreachable", "(drop (i32.load (i32.const -4)))", "(drop (i32.div_u (i32.const 1) (i32.const 0)))"]
    {
        let guest = Guest::polling("half", format!("(call $ready (i32.const 1) (f64.const 7)) {end}"));
        let outcomes = subject(&guest).await.poll_bare(3).await;
        assert_eq!(number(outcomes[1].as_ref()), 7.0, "{end}");
        assert_eq!((&outcomes[0], &outcomes[2]), (&None, &None), "{end}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_is_gone_after_a_trap_and_the_next_one_is_new() {
    let guest = Guest {
        fields: "(global $polls (mut i32) (i32.const 0))".to_owned(),
        ..Guest::polling(
            "again",
            "(global.set $polls (i32.add (global.get $polls) (i32.const 1)))
             (call $ready (i32.const 0) (f64.convert_i32_u (global.get $polls)))
             unreachable",
        )
    };
    let subject = subject(&guest).await;
    for _ in 0..3 {
        assert_eq!(number(subject.poll_bare(1).await[0].as_ref()), 1.0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_ends_at_the_limit() {
    let guest = Guest::polling(
        "bomb",
        "(loop $grow (br_if $grow (i32.ne (memory.grow $memory (i32.const 16)) (i32.const -1))))
         (call $ready (i32.const 0) (f64.convert_i32_u (memory.size $memory)))",
    );
    let pages = number(subject(&guest).await.poll_bare(1).await[0].as_ref());
    assert!((MOST_PAGES - 32.0..=MOST_PAGES).contains(&pages), "{pages} pages");
}

#[tokio::test(flavor = "multi_thread")]
async fn several_memories_share_one_limit() {
    let guest = Guest {
        fields: "(memory $a 1) (memory $b 1) (memory $c 1)".to_owned(),
        ..Guest::polling(
            "bombs",
            "(loop $grow
               (br_if $grow (i32.ne (i32.const -1) (memory.grow $a (i32.const 16))))
               (br_if $grow (i32.ne (i32.const -1) (memory.grow $b (i32.const 16))))
               (br_if $grow (i32.ne (i32.const -1) (memory.grow $c (i32.const 16)))))
             (call $ready (i32.const 0) (f64.convert_i32_u (i32.add (memory.size $memory)
               (i32.add (memory.size $a) (i32.add (memory.size $b) (memory.size $c))))))",
        )
    };
    let pages = number(subject(&guest).await.poll_bare(1).await[0].as_ref());
    assert!((MOST_PAGES - 64.0..=MOST_PAGES).contains(&pages), "{pages} pages in all");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_module_that_begins_above_the_limit_is_refused() {
    for fields in ["(memory $more 2000)", "(memory $a 600) (memory $b 600)", "(table $t 70000 funcref)"] {
        let guest = Guest { fields: fields.to_owned(), ..Guest::new("large") };
        let error = refused(&guest).await;
        assert!(
            matches!(error, HostError::Compile(_) | HostError::NotAScaler(_) | HostError::Description(_)),
            "{fields}: {error}"
        );
    }
    let guest = Guest { fields: "(memory $a 1)\n".repeat(8).replace("$a", ""), ..Guest::new("many") };
    assert!(matches!(refused(&guest).await, HostError::Compile(_)));
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_end_at_the_limit() {
    let guest = Guest {
        fields: "(table $a 1 funcref) (table $b 1 funcref) (table $c 1 funcref)".to_owned(),
        ..Guest::polling(
            "tables",
            "(loop $grow
               (br_if $grow (i32.ne (i32.const -1) (table.grow $a (ref.null func) (i32.const 500))))
               (br_if $grow (i32.ne (i32.const -1) (table.grow $b (ref.null func) (i32.const 500))))
               (br_if $grow (i32.ne (i32.const -1) (table.grow $c (ref.null func) (i32.const 500)))))
             (call $ready (i32.const 0)
               (f64.convert_i32_u (i32.add (table.size $a) (i32.add (table.size $b) (table.size $c)))))",
        )
    };
    let elements = number(subject(&guest).await.poll_bare(1).await[0].as_ref());
    assert!((59_000.0..=60_000.0).contains(&elements), "{elements} elements");
}

#[tokio::test(flavor = "multi_thread")]
async fn endless_recursion_is_a_trap() {
    let guest = Guest {
        fields: "(func $deep (param $n i32) (result i32) (i32.add (i32.const 1) (call $deep (local.get $n))))"
            .to_owned(),
        ..Guest::polling("deep", "(call $ready (i32.const 0) (f64.const 1)) (drop (call $deep (i32.const 0)))")
    };
    let outcomes = subject(&guest).await.poll_bare(2).await;
    assert_eq!(number(outcomes[0].as_ref()), 1.0);
    assert_eq!(outcomes[1], None);
    let guest = Guest { describe: "(drop (call $deep (i32.const 0)))".to_owned(), ..guest };
    assert!(matches!(refused(&guest).await, HostError::Description(why) if why.contains("call stack exhausted")));
}

/// A guest with 48 MiB of memory to point at.
fn vast(name: &str) -> Guest {
    Guest { fields: "(func $vast (drop (memory.grow $memory (i32.const 768))))".to_owned(), ..Guest::new(name) }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_description_that_is_too_much_to_copy_is_refused() {
    // The name, the version, the list of types and that of parameters: address and length at their places in the record.
    for (what, place, length) in
        [("name", 0, 40 << 20), ("version", 8, 40 << 20), ("triggers", 16, 4 << 20), ("parameters", 24, 500_000)]
    {
        let mut guest = vast("huge");
        let info = guest.room(48);
        guest.describe = format!(
            "(call $vast) (i32.store (i32.const {}) (i32.const {length})) (return (i32.const {info}))",
            info + place + 4
        );
        let error = refused(&guest).await;
        assert!(matches!(&error, HostError::Description(why) if why.contains("fuel")), "{what}: {error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_that_is_too_much_to_copy_is_a_fault() {
    let mut guest = vast("huge");
    let list = guest.room(8);
    guest.configure =
        format!("(call $vast) (i32.store offset=4 (i32.const {list}) (i32.const 1000000)) (return (i32.const {list}))");
    let subject = subject(&guest).await;
    let fault = subject.configure(vec![subject.trigger([])]).await.unwrap_err();
    assert_eq!(fault.reason, Reason::ComponentUnavailable);
    assert!(fault.message.contains("fuel"), "{fault}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outcome_that_is_too_much_to_copy_ends_the_call() {
    for huge in [
        "(call $failed (i32.const 1) (i32.const 8) (i32.const 0) (i32.const 41943040))",
        "(call $reading (i32.const 1) (i32.const 0) (i32.const 5000000) (i32.const 0) (i32.const 0))",
        "(call $reading (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 0) (i32.const 41943040))",
        "(call $log (i32.const 1) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 41943040))",
        "(loop $l (call $failed (i32.const 5) (i32.const 8) (i32.const 0) (i32.const 1048576)) (br $l))",
    ] {
        let guest = Guest {
            poll: format!(
                "(call $vast) (call $ready (i32.const 0) (f64.const 1)) {huge} (call $ready (i32.const 2) (f64.const 1))"
            ),
            ..vast("huge")
        };
        let outcomes = subject(&guest).await.poll_bare(3).await;
        assert_eq!(number(outcomes[0].as_ref()), 1.0, "{huge}");
        assert_eq!((&outcomes[1], &outcomes[2]), (&None, &None), "{huge}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_requests_that_point_at_one_text_count_each_by_itself() {
    let mut guest = vast("amplify");
    let one = guest.requests(&[Ask { target: "/".into(), ..Ask::default() }]);
    // 5,000 records, all with a body of the same megabyte: 5 GiB to copy.
    guest.poll = format!(
        "(call $vast)
         (local.set $p (call $alloc (i32.const 280000) (i32.const 8)))
         (loop $each
           (local.set $q (i32.add (local.get $p) (i32.mul (local.get $n) (i32.const 56))))
           (memory.copy (local.get $q) (i32.const {}) (i32.const 56))
           (i32.store offset=36 (local.get $q) (i32.const 1048576))
           (local.set $n (i32.add (local.get $n) (i32.const 1)))
           (br_if $each (i32.lt_u (local.get $n) (i32.const 5000))))
         (call $ask (local.get $p) (i32.const 5000))
         (call $ready (i32.const 0) (f64.const 1))",
        one.at
    );
    assert_eq!(subject(&guest).await.poll_bare(1).await, [None]);
}

#[tokio::test(flavor = "multi_thread")]
async fn imports_trap_in_calls_that_have_to_be_pure() {
    for import in [
        "(drop (call $clock))",
        "(call $random (i32.const 8) (i32.const 64))",
        "(call $ready (i32.const 0) (f64.const 1))",
        "(call $log (i32.const 1) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))",
        "(call $tcp_open (i32.const 0) (i32.const 0) (i32.const 192))",
        "(call $learn (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 192))",
    ] {
        let guest = Guest { describe: import.to_owned(), ..Guest::new("impure") };
        assert!(matches!(refused(&guest).await, HostError::Description(_)), "{import} in describe");
        let guest = Guest { configure: import.to_owned(), ..Guest::new("impure") };
        let subject = subject(&guest).await;
        let fault = subject.configure(vec![subject.trigger([])]).await.unwrap_err();
        assert_eq!(fault.reason, Reason::ComponentUnavailable, "{import} in configure");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn more_requests_than_a_call_may_send_end_it() {
    let mut guest = Guest::new("flood");
    let asks = vec![Ask { target: "/".into(), ..Ask::default() }; 9];
    let requests = guest.requests(&asks);
    guest.poll = format!("(call $ask {requests})");
    let subject = subject_in(host(|options| options.limits.requests = 8), &guest).await;
    assert_eq!(subject.poll_bare(1).await, [None]);
}

#[tokio::test(flavor = "multi_thread")]
async fn more_host_resources_than_a_call_may_have_end_it() {
    let mut guest = Guest::new("hoard");
    let none = guest.requests(&[]);
    guest.poll = format!(
        "(call $ready (i32.const 0) (f64.const 1))
         (loop $more (drop (call $http_send {none})) (br $more))"
    );
    let subject = subject_in(host(|options| options.limits.cpu_ticks = 10_000), &guest).await;
    let outcomes = subject.poll_bare(2).await;
    assert_eq!(number(outcomes[0].as_ref()), 1.0);
    assert_eq!(outcomes[1], None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_of_a_query_or_endpoint_that_was_not_granted_is_denied() {
    for (query, endpoint) in [(0, 0), (0, u32::MAX), (1, 0), (u32::MAX, 0)] {
        let mut guest = Guest::new("reach");
        let requests = guest.requests(&[Ask { query, endpoint, target: "/".into(), ..Ask::default() }]);
        // Of whatever query the request was: tell query 0.
        guest.poll = format!(
            "(local.set $p (call $http_send {requests}))
             (call $exchange_next (local.get $p) (i32.const 64))
             (call $failed (i32.const 0) (i32.load8_u (i32.const 88)) (i32.load (i32.const 92)) (i32.load (i32.const 96)))"
        );
        let subject = subject(&guest).await;
        let trigger = subject.trigger([open("url", "http://good.example")]);
        let outcomes = subject.poll(subject.batch(vec![trigger], &[], crate::world::BUDGET)).await;
        crate::world::failure(outcomes[0].as_ref(), FailureKind::Denied);
    }
}
