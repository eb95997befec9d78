//! One bad guest is its own trouble: the others answer meanwhile.
use crate::world::{Told, host, number, open, subject_in};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use windlass_core::port::Poller as _;
use windlass_core::query::Endpoint;
use windlass_testkit::guest::{Ask, Guest};

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_is_answered_while_guests_spin() {
    let host = host(|options| {
        options.limits.cpu_ticks = u32::MAX - 100;
        options.instances = 8;
    });
    let spin = Guest::polling("spin", "(call $ready (i32.const 0) (f64.const 1)) (loop $spin (br $spin))");
    let spinning = subject_in(host, &spin).await;
    let told = Arc::new(Told::default());
    let spins: Vec<_> = (0..4)
        .map(|_| {
            let batch = spinning.batch(vec![spinning.trigger([])], &[], Duration::from_secs(600));
            tokio::spawn(spinning.host.poll(batch, told.clone()))
        })
        .collect();
    // All of them run: each has answered before it spins.
    tokio::time::timeout(Duration::from_secs(60), async {
        while told.0.lock().unwrap().len() < 4 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await
    .unwrap();
    let good = Guest::polling("good", "(call $ready (i32.const 0) (f64.const 7))");
    let scaler = spinning.host.load(good.component()).await.unwrap();
    let subject = crate::world::Subject { host: spinning.host, scaler };
    for _ in 0..20 {
        assert_eq!(number(subject.poll_bare(1).await[0].as_ref()), 7.0);
    }
    assert!(spins.iter().all(|spin| !spin.is_finished()), "the guests spin all the while");
    spins.iter().for_each(tokio::task::JoinHandle::abort);
}

#[tokio::test(flavor = "multi_thread")]
async fn guests_with_several_memories_do_not_take_each_others_place() {
    // Each answer waits until all have asked, by a method that is not shared: so many instances live at the same time.
    const INSTANCES: usize = 3;
    let all = Arc::new(tokio::sync::Barrier::new(INSTANCES));
    let source = crate::raw::Raw::start(move |mut stream| {
        let all = all.clone();
        async move {
            let _ = stream.read(&mut [0; 1_024]).await?;
            all.wait().await;
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await
        }
    })
    .await;
    let mut guest = Guest { fields: "(memory $a 1) (memory $b 1) (memory $c 1)".to_owned(), ..Guest::new("several") };
    let requests = guest.requests(&[Ask { method: "POST".into(), target: "/".into(), ..Ask::default() }]);
    guest.poll = format!("(call $ask {requests})");
    let subject = subject_in(host(|options| options.instances = 3), &guest).await;
    let endpoint =
        Endpoint { parameter: Some("host".into()), host: "127.0.0.1".into(), port: source.address.port(), tls: None };
    let polls = (0..INSTANCES).map(|n| {
        let trigger = subject.trigger_of(&format!("ns-{n}"), [open("host", "127.0.0.1")]);
        subject.poll(subject.batch(vec![trigger], std::slice::from_ref(&endpoint), Duration::from_secs(60)))
    });
    for outcomes in futures::future::join_all(polls).await {
        assert_eq!(number(outcomes[0].as_ref()), 200.0);
    }
}
