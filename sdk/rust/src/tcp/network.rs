//! What a batch over TCP is driven with: connections, and bounds.
use crate::Failure;

/// The bounds of a batch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Conversations at a time. More only cost the source connections: queries of a batch ask the same source.
    pub conversations: usize,
    /// Longest input that a conversation may leave unconsumed, in bytes.
    pub input: usize,
    /// Connections that a conversation may use one after the other.
    pub connections: u32,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { conversations: 8, input: 4 << 20, connections: 16 }
    }
}

/// Connections, as the host or a test gives them. Errors are told at first use.
pub(crate) trait Network {
    type Connection;

    fn open(&mut self, query: u32, endpoint: u32) -> Result<(Self::Connection, bool), Failure>;
    fn start_tls(&mut self, connection: &Self::Connection) -> Result<(), Failure>;
    fn write(&mut self, connection: &Self::Connection, bytes: &[u8]) -> Result<(), Failure>;
    fn read(&mut self, connection: &Self::Connection, max: u32, timeout_ms: u32) -> Result<Vec<u8>, Failure>;
    fn keep(&mut self, connection: Self::Connection);
    fn wait(&mut self, connections: &[&Self::Connection], timeout_ms: u32) -> Vec<u32>;
    fn learn(&mut self, query: u32, parent: u32, host: &str, port: u16) -> Result<u32, Failure>;
    fn now_ms(&mut self) -> u64;
}
