//! Sources on loopback that behave badly, each in its own way.
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use windlass_core::failure::FailureKind;

/// How a source behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Behaviour {
    /// Nobody listens.
    Refuses,
    /// It takes connections and never answers.
    Hangs,
    /// It says bytes of no protocol, and closes.
    Babbles,
    /// It closes instead of answering.
    HangsUp,
    /// It answers 200 over HTTP, with a body that is nothing.
    Garbage,
    /// It answers 200 over HTTP, with a body larger than scalers may read.
    Oversized,
    /// It answers 429 over HTTP: come back in seven seconds.
    Throttles,
    /// It answers 401 over HTTP.
    Unauthorized,
    /// It answers 500 over HTTP.
    Broken,
}

pub(crate) const BEHAVIOURS: [Behaviour; 9] = [
    Behaviour::Refuses,
    Behaviour::Hangs,
    Behaviour::Babbles,
    Behaviour::HangsUp,
    Behaviour::Garbage,
    Behaviour::Oversized,
    Behaviour::Throttles,
    Behaviour::Unauthorized,
    Behaviour::Broken,
];

/// Seconds of `Retry-After`.
pub(crate) const RETRY_S: u64 = 7;

impl Behaviour {
    /// The failures that it may be for a scaler; which speaks HTTP, or something else.
    pub(crate) fn failures(self, http: bool) -> &'static [FailureKind] {
        use FailureKind::{Auth, BadResponse, Throttled, Timeout, Unreachable};
        match (self, http) {
            (Behaviour::Refuses | Behaviour::HangsUp, _) => &[Unreachable],
            (Behaviour::Hangs, _) => &[Timeout],
            (Behaviour::Babbles, true) => &[Unreachable, BadResponse],
            (Behaviour::Garbage | Behaviour::Oversized, true) => &[BadResponse],
            (Behaviour::Throttles, true) => &[Throttled],
            (Behaviour::Unauthorized, true) => &[Auth],
            (Behaviour::Broken, true) => &[Unreachable, BadResponse],
            // To other protocols HTTP is babble, of which it may wait for more.
            (_, false) => &[Unreachable, BadResponse, Timeout],
        }
    }

    fn answer(self) -> Vec<u8> {
        let http = |head: &str, body: &str| {
            format!("HTTP/1.1 {head}\r\nContent-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
        };
        match self {
            Behaviour::Refuses | Behaviour::Hangs | Behaviour::HangsUp => Vec::new(),
            Behaviour::Babbles => b"\x00\xff\x15 what?\r\n\r\n\x80\x80\x80\x80".to_vec(),
            Behaviour::Garbage => http("200 OK\r\nContent-Type: application/json", "<<{[\u{fffd}"),
            Behaviour::Oversized => http("200 OK\r\nContent-Type: application/json", &" ".repeat(1 << 20)),
            Behaviour::Throttles => http(&format!("429 Too Many Requests\r\nRetry-After: {RETRY_S}"), "slow down"),
            Behaviour::Unauthorized => http("401 Unauthorized", "who?"),
            Behaviour::Broken => http("500 Internal Server Error", "oh"),
        }
    }
}

/// A source, until it is dropped.
pub(crate) struct Source {
    pub(crate) address: SocketAddr,
    http: Arc<AtomicBool>,
    server: Option<tokio::task::JoinHandle<()>>,
    /// Held and not listened on, so that nobody else gets the port.
    _port: Option<TcpSocket>,
}

impl Source {
    pub(crate) async fn start(behaviour: Behaviour) -> std::io::Result<Source> {
        let http = Arc::new(AtomicBool::new(false));
        if behaviour == Behaviour::Refuses {
            let port = TcpSocket::new_v4()?;
            port.bind(([127, 0, 0, 1], 0).into())?;
            return Ok(Source { address: port.local_addr()?, http, server: None, _port: Some(port) });
        }
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let heard = http.clone();
        let server = tokio::spawn(async move {
            let mut all = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                all.spawn(serve(stream, behaviour, heard.clone()));
            }
        });
        Ok(Source { address, http, server: Some(server), _port: None })
    }

    /// Whether it was spoken to in HTTP.
    pub(crate) fn heard_http(&self) -> bool {
        self.http.load(Ordering::Relaxed)
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        if let Some(server) = &self.server {
            server.abort();
        }
    }
}

async fn serve(mut stream: TcpStream, behaviour: Behaviour, http: Arc<AtomicBool>) {
    let answer = behaviour.answer();
    let mut heard = vec![0; 16 << 10];
    while let Ok(length) = stream.read(&mut heard).await {
        let said = heard.get(..length).unwrap_or_default();
        if said.is_empty() {
            return;
        }
        if said.windows(9).any(|piece| piece == b" HTTP/1.1") {
            http.store(true, Ordering::Relaxed);
        }
        match behaviour {
            Behaviour::Hangs | Behaviour::Refuses => continue,
            Behaviour::HangsUp => return,
            _ => {}
        }
        if stream.write_all(&answer).await.is_err() || behaviour == Behaviour::Babbles {
            return;
        }
    }
}
