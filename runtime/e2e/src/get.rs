//! One HTTP GET without TLS, for programs on loopback that only need to be asked now and then.
use anyhow::{Context, Result};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const LIMIT: Duration = Duration::from_secs(5);

/// An answer: status and body.
pub(crate) async fn get(address: &str, path: &str, authorization: Option<&str>) -> Result<(u16, String)> {
    tokio::time::timeout(LIMIT, exchange(address, path, authorization))
        .await
        .with_context(|| format!("no answer from {address} within {LIMIT:?}"))?
        .with_context(|| format!("GET http://{address}{path}"))
}

async fn exchange(address: &str, path: &str, authorization: Option<&str>) -> Result<(u16, String)> {
    let mut stream = tokio::net::TcpStream::connect(address).await?;
    let authorization = authorization.map_or_else(String::new, |value| format!("Authorization: {value}\r\n"));
    // HTTP/1.0: the answer ends with the connection and is never chunked.
    let request = format!("GET {path} HTTP/1.0\r\nHost: {address}\r\n{authorization}\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    let answer = String::from_utf8(answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").context("no HTTP answer")?;
    let status = head.split_whitespace().nth(1).and_then(|code| code.parse().ok()).context("no HTTP status")?;
    Ok((status, body.to_owned()))
}
