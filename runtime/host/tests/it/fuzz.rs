//! Heads and bodies of sources, spoiled, through the whole of the host to the guest and back.
use crate::raw::Raw;
use crate::world::{BUDGET, Subject, open, subject};
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use windlass_core::query::Endpoint;
use windlass_core::sample::Outcome;
use windlass_testkit::guest::{Ask, Guest};
use windlass_testkit::{Edits, mangled};

const ANSWERS: [&str; 6] = [
    "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    "HTTP/1.0 429 Too Many\r\nRetry-After: 120\r\nX-A: b\r\n\r\nwait",
    "HTTP/1.1 301 Moved\r\nLocation: http://169.254.169.254/\r\nContent-Length: 0\r\n\r\n",
    "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n",
    "HTTP/1.1 401 No\r\nWWW-Authenticate: Basic realm=\"\u{e9}\"\r\nContent-Length: 3\r\nConnection: close\r\n\r\nno!",
];

/// A guest that asks, and a source that says whatever it is given and closes.
async fn start(said: Arc<Mutex<Vec<u8>>>) -> (Subject, Raw) {
    let source = Raw::start(move |mut stream| {
        let said = said.lock().unwrap().clone();
        async move {
            let _ = stream.read(&mut [0; 4_096]).await?;
            stream.write_all(&said).await?;
            stream.shutdown().await
        }
    });
    let mut guest = Guest::new("asks");
    let requests = guest.requests(&[Ask { method: "POST".into(), target: "/".into(), ..Ask::default() }]);
    guest.poll = format!("(call $ask {requests})");
    (subject(&guest).await, source.await)
}

#[test]
fn answers() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let said = Arc::new(Mutex::new(Vec::new()));
    let (subject, source) = runtime.block_on(start(said.clone()));
    let port = source.address.port();
    let endpoint = Endpoint { parameter: Some("host".into()), host: "127.0.0.1".into(), port, tls: None };
    let asked = AssertUnwindSafe((runtime, subject, said));
    bolero::check!().with_type::<Edits>().for_each(|edits| {
        let (runtime, subject, said) = &*asked;
        *said.lock().unwrap() = mangled(&ANSWERS, edits);
        let batch =
            subject.batch(vec![subject.trigger([open("host", "127.0.0.1")])], std::slice::from_ref(&endpoint), BUDGET);
        let polled =
            runtime.block_on(async { tokio::time::timeout(Duration::from_secs(60), subject.poll(batch)).await });
        match polled.unwrap().remove(0) {
            Some(Outcome::Ready(sample, _)) => assert!((100..1_000).contains(&(sample.values[0].0 / 1_000))),
            Some(Outcome::Failed(failure)) => assert!(!failure.message.chars().any(char::is_control), "{failure}"),
            other => panic!("{other:?}"),
        }
    });
}
