//! What a host has spent: counted where it is spent, so that one who tries a scaler can be told what a poll cost.
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;
use std::pin::Pin;
use std::sync::atomic::AtomicU64;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use windlass_core::Text;

/// What a host has spent since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spent {
    /// HTTP requests that components made, those included that another's answer served.
    pub requests: u64,
    /// Connections that were opened to sources.
    pub connections: u64,
    /// Bytes that went to sources, TLS included.
    pub sent_bytes: u64,
    /// Bytes that came from sources, TLS included.
    pub received_bytes: u64,
    /// CPU time of components.
    pub guest_cpu: Duration,
    /// Polls that did not end well: traps, spent CPU or memory, lateness.
    pub failed_calls: u64,
}

impl Spent {
    /// What was spent since then.
    #[must_use]
    pub fn since(self, then: Spent) -> Spent {
        Spent {
            requests: self.requests.saturating_sub(then.requests),
            connections: self.connections.saturating_sub(then.connections),
            sent_bytes: self.sent_bytes.saturating_sub(then.sent_bytes),
            received_bytes: self.received_bytes.saturating_sub(then.received_bytes),
            guest_cpu: self.guest_cpu.saturating_sub(then.guest_cpu),
            failed_calls: self.failed_calls.saturating_sub(then.failed_calls),
        }
    }
}

/// A component, or `other`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct ComponentLabel {
    pub(crate) component: Text,
}

/// The counters behind [`Spent`].
#[derive(Clone, Debug, Default)]
pub(crate) struct Traffic {
    pub(crate) requests: Counter,
    connections: Counter,
    sent: Counter,
    received: Counter,
    cpu: Counter<f64, AtomicU64>,
    cpu_of: Family<ComponentLabel, Counter<f64, AtomicU64>>,
    pub(crate) failed_calls: Counter,
}

impl Traffic {
    /// Registers those that no other metric tells.
    pub(crate) fn new(registry: &mut Registry) -> Traffic {
        let new = Traffic::default();
        let help = "Connections that were opened to sources. As many as requests: sources close them, or logins differ";
        registry.register("windlass_source_connections_opened", help, new.connections.clone());
        let help = "Bytes that went to sources, TLS included";
        registry.register("windlass_source_sent_bytes", help, new.sent.clone());
        let help =
            "Bytes that came from sources, TLS included. Many for few queries: a scaler reads more than it needs";
        registry.register("windlass_source_received_bytes", help, new.received.clone());
        let help = "CPU time of guest calls, by component. The component with the most is what the guests' threads are busy \
                    with; --guest-cpu-ms bounds each call";
        registry.register("windlass_guest_cpu_seconds", help, new.cpu_of.clone());
        new
    }

    /// A guest's call took so much CPU time.
    pub(crate) fn cpu(&self, component: Text, spent: Duration) {
        self.cpu.inc_by(spent.as_secs_f64());
        self.cpu_of.get_or_create(&ComponentLabel { component }).inc_by(spent.as_secs_f64());
    }

    /// Counts a connection, and from now on what goes over it.
    pub(crate) fn opened(&self, stream: TcpStream) -> Counted {
        self.connections.inc();
        Counted { stream, sent: self.sent.clone(), received: self.received.clone() }
    }

    pub(crate) fn spent(&self) -> Spent {
        Spent {
            requests: self.requests.get(),
            connections: self.connections.get(),
            sent_bytes: self.sent.get(),
            received_bytes: self.received.get(),
            guest_cpu: Duration::try_from_secs_f64(self.cpu.get()).unwrap_or_default(),
            failed_calls: self.failed_calls.get(),
        }
    }
}

/// A connection whose bytes are counted.
#[derive(Debug)]
pub(crate) struct Counted {
    stream: TcpStream,
    sent: Counter,
    received: Counter,
}

impl AsyncRead for Counted {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<std::io::Result<()>> {
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, buf);
        self.received.inc_by((buf.filled().len() - before) as u64);
        polled
    }
}

impl AsyncWrite for Counted {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<std::io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(cx, data);
        if let Poll::Ready(Ok(count)) = polled {
            self.sent.inc_by(count as u64);
        }
        polled
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
