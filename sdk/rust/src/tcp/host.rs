//! The network as the host gives it.
use super::Network;
use crate::Failure;
use crate::bindings::windlass::scaler::{clock, network, tcp};

/// The host's network.
pub(super) struct Host;

impl Network for Host {
    type Connection = tcp::Connection;

    fn open(&mut self, query: u32, endpoint: u32) -> Result<(tcp::Connection, bool), Failure> {
        tcp::Connection::open(query, endpoint)
    }

    fn start_tls(&mut self, connection: &tcp::Connection) -> Result<(), Failure> {
        connection.start_tls()
    }

    fn write(&mut self, connection: &tcp::Connection, bytes: &[u8]) -> Result<(), Failure> {
        connection.write(bytes)
    }

    fn read(&mut self, connection: &tcp::Connection, max: u32, timeout_ms: u32) -> Result<Vec<u8>, Failure> {
        connection.read(max, timeout_ms)
    }

    fn keep(&mut self, connection: tcp::Connection) {
        tcp::Connection::keep(connection);
    }

    fn wait(&mut self, connections: &[&tcp::Connection], timeout_ms: u32) -> Vec<u32> {
        tcp::wait(connections, timeout_ms)
    }

    fn learn(&mut self, query: u32, parent: u32, host: &str, port: u16) -> Result<u32, Failure> {
        network::learn(query, parent, host, port)
    }

    fn now_ms(&mut self) -> u64 {
        clock::monotonic_ms()
    }
}
