//! A conversation's side of its connection.

/// What arrived and what is to be sent.
#[derive(Debug, Default)]
pub struct Wire {
    fresh: bool,
    input: Vec<u8>,
    consumed: usize,
    output: Vec<u8>,
}

impl Wire {
    pub(crate) fn new(fresh: bool) -> Wire {
        Wire { fresh, ..Wire::default() }
    }

    /// Whether the connection is new: log in first. Otherwise it is one that an earlier conversation left in good order.
    pub fn fresh(&self) -> bool {
        self.fresh
    }

    /// What has arrived and has not been consumed.
    pub fn input(&self) -> &[u8] {
        self.input.get(self.consumed..).unwrap_or_default()
    }

    /// Marks the first bytes of the input as read.
    pub fn consume(&mut self, count: usize) {
        self.consumed = (self.consumed + count).min(self.input.len());
        if self.consumed == self.input.len() {
            self.input.clear();
            self.consumed = 0;
        }
    }

    /// Sends bytes, once the conversation waits.
    pub fn write(&mut self, bytes: &[u8]) {
        self.output.extend_from_slice(bytes);
    }

    pub(crate) fn arrived(&mut self, bytes: &[u8]) {
        if self.consumed > 0 {
            self.input.drain(..self.consumed);
            self.consumed = 0;
        }
        self.input.extend_from_slice(bytes);
    }

    pub(crate) fn take_output(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.output)
    }
}
