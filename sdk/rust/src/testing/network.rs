//! A network that a test plays.
use crate::Failure;
use crate::tcp::Network;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

/// What a source does when something was written to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// It sends these bytes.
    Bytes(Vec<u8>),
    /// It waits for more.
    Nothing,
    /// It closes the connection.
    Close,
    /// It does not accept the connection, until the host gives up.
    NotAccepted,
}

/// The source's side of a connection.
#[derive(Default)]
struct Side {
    pending: Vec<u8>,
    closed: bool,
    given_up: bool,
}

/// A network whose other end is a closure. Time passes only in a wait that nothing ends.
pub(super) struct Scripted<F> {
    source: F,
    sides: BTreeMap<usize, Rc<RefCell<Side>>>,
    kept: Vec<Connection>,
    learned: Vec<(String, u16)>,
    opened: usize,
    now_ms: u64,
}

/// A connection of the scripted network.
pub(super) struct Connection {
    number: usize,
    endpoint: u32,
    side: Rc<RefCell<Side>>,
}

/// The number of the first endpoint that is learned.
const LEARNED: u32 = 1_000;

impl<F> Scripted<F> {
    pub(super) fn new(source: F) -> Scripted<F> {
        Scripted { source, sides: BTreeMap::new(), kept: Vec::new(), learned: Vec::new(), opened: 0, now_ms: 0 }
    }
}

impl<F: FnMut(u32, usize, &[u8]) -> Reply> Network for Scripted<F> {
    type Connection = Connection;

    fn open(&mut self, _: u32, endpoint: u32) -> Result<(Connection, bool), Failure> {
        if let Some(place) = self.kept.iter().position(|kept| kept.endpoint == endpoint) {
            return Ok((self.kept.remove(place), false));
        }
        let (number, side) = (self.opened, Rc::<RefCell<Side>>::default());
        self.opened += 1;
        self.sides.insert(number, side.clone());
        Ok((Connection { number, endpoint, side }, true))
    }

    fn start_tls(&mut self, _: &Connection) -> Result<(), Failure> {
        Ok(())
    }

    fn write(&mut self, connection: &Connection, bytes: &[u8]) -> Result<(), Failure> {
        match (self.source)(connection.endpoint, connection.number, bytes) {
            Reply::Bytes(bytes) => connection.side.borrow_mut().pending.extend(bytes),
            Reply::Nothing => {}
            Reply::Close => connection.side.borrow_mut().closed = true,
            Reply::NotAccepted => connection.side.borrow_mut().given_up = true,
        }
        Ok(())
    }

    fn read(&mut self, connection: &Connection, max: u32, _: u32) -> Result<Vec<u8>, Failure> {
        let mut side = connection.side.borrow_mut();
        if side.pending.is_empty() && !side.closed {
            return Err(Failure::timeout("the source did not accept a connection in time"));
        }
        let count = side.pending.len().min(max as usize);
        Ok(side.pending.drain(..count).collect())
    }

    fn keep(&mut self, connection: Connection) {
        self.kept.push(connection);
    }

    fn wait(&mut self, connections: &[&Connection], timeout_ms: u32) -> Vec<u32> {
        let readable = |connection: &Connection| {
            let side = connection.side.borrow();
            side.closed || side.given_up || !side.pending.is_empty()
        };
        let ready: Vec<u32> =
            (0..).zip(connections).filter(|(_, connection)| readable(connection)).map(|(index, _)| index).collect();
        if ready.is_empty() {
            self.now_ms += u64::from(timeout_ms);
        }
        ready
    }

    fn learn(&mut self, _: u32, _: u32, host: &str, port: u16) -> Result<u32, Failure> {
        let peer = (host.to_owned(), port);
        let place = self.learned.iter().position(|learned| *learned == peer).unwrap_or_else(|| {
            self.learned.push(peer);
            self.learned.len() - 1
        });
        Ok(LEARNED + u32::try_from(place).unwrap_or(u32::MAX - LEARNED))
    }

    fn now_ms(&mut self) -> u64 {
        self.now_ms
    }
}
