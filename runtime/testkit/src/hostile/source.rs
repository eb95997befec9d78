//! A source that harms who asks it.
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// `/turn` answers so many requests well.
pub(super) const WELL: u32 = 20;

/// A source whose paths are each bad in their own way, until it is dropped. What is no HTTP gets `hello` for every piece.
pub struct HostileSource {
    address: SocketAddr,
    server: tokio::task::JoinHandle<()>,
}

impl HostileSource {
    /// Starts it on a free port of 127.0.0.1.
    ///
    /// # Errors
    /// When no port can be bound.
    pub async fn start() -> io::Result<HostileSource> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let turned = Arc::new(AtomicU32::new(0));
        let server = tokio::spawn(async move {
            let mut all = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                while all.try_join_next().is_some() {}
                let turned = turned.clone();
                all.spawn(async move { drop(serve(stream, &turned).await) });
            }
        });
        Ok(HostileSource { address, server })
    }

    /// Its port of 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.address.port()
    }
}

impl Drop for HostileSource {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn serve(mut stream: TcpStream, turned: &AtomicU32) -> io::Result<()> {
    let mut heard = [0; 4_096];
    loop {
        let length = stream.read(&mut heard).await?;
        if length == 0 {
            return Ok(());
        }
        let text = String::from_utf8_lossy(heard.get(..length).unwrap_or_default()).into_owned();
        let Some((_, rest)) = text.split_once(' ').filter(|(_, rest)| rest.contains("HTTP/1.1")) else {
            stream.write_all(b"hello").await?;
            continue;
        };
        match rest.split([' ', '?']).next().unwrap_or_default() {
            "/redirect" => {
                let to = "HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/latest/\r\nContent-Length: 0\r\n\r\n";
                stream.write_all(to.as_bytes()).await?;
            }
            "/endless" => {
                stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").await?;
                let chunk = format!("10000\r\n{}\r\n", "x".repeat(1 << 16));
                loop {
                    stream.write_all(chunk.as_bytes()).await?;
                }
            }
            "/drip" => {
                stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n").await?;
                loop {
                    stream.write_all(b"x").await?;
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
            // Until its peer has had enough.
            "/silent" => {
                while stream.read(&mut heard).await? > 0 {}
                return Ok(());
            }
            "/head" => {
                stream.write_all(b"HTTP/1.1 200 OK\r\n").await?;
                loop {
                    stream.write_all(b"X-More: 0123456789012345678901234567890123456789\r\n").await?;
                }
            }
            "/garbage" => return stream.write_all(b"\0\x01\x02 no protocol at all\r\n\r\n").await,
            "/turn" => {
                let well = turned.fetch_add(1, Ordering::Relaxed) < WELL;
                let status = if well { "200 OK" } else { "500 Internal Server Error" };
                let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n");
                stream.write_all(answer.as_bytes()).await?;
            }
            _ => stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await?,
        }
    }
}
