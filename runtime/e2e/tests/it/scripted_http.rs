//! The scripted source does as it is told.
use anyhow::Result;
use http::StatusCode;
use std::io::{Read, Write};
use std::time::Duration;
use windlass_testkit::{Mood, ScriptedHttp};

/// A GET on a thread of its own; the answer's text, empty when the connection was closed.
async fn get(source: &ScriptedHttp, path: &str, limit: Duration) -> Result<std::io::Result<String>> {
    let (address, request) =
        (source.address(), format!("GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n"));
    let exchange = move || {
        let mut stream = std::net::TcpStream::connect(address)?;
        stream.set_read_timeout(Some(limit))?;
        stream.write_all(request.as_bytes())?;
        let mut text = String::new();
        stream.read_to_string(&mut text).map(|_| text)
    };
    Ok(tokio::task::spawn_blocking(exchange).await?)
}

#[tokio::test]
async fn answers_hangs_and_remembers() -> Result<()> {
    let patience = Duration::from_secs(20);
    let source = ScriptedHttp::start().await?;
    source.set_value(7.5);
    assert!(get(&source, "/depth?queue=a", patience).await??.ends_with(r#"{"value":7.5}"#));
    source.set_status(StatusCode::SERVICE_UNAVAILABLE);
    assert!(get(&source, "/", patience).await??.starts_with("HTTP/1.1 503"));
    source.set_mood(Mood::Rude);
    assert_eq!(get(&source, "/", patience).await?.unwrap_or_default(), "");
    source.set_mood(Mood::Hanging);
    assert!(get(&source, "/", Duration::from_millis(300)).await?.is_err());
    let waiting = get(&source, "/waiting", patience);
    let release = async {
        while source.count() < 5 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        source.set_mood(Mood::Willing);
    };
    assert!(tokio::join!(waiting, release).0??.starts_with("HTTP/1.1 503"));
    let targets: Vec<String> = source.requests().into_iter().map(|request| request.target).collect();
    assert_eq!(targets, ["/depth?queue=a", "/", "/", "/", "/waiting"]);
    Ok(())
}
