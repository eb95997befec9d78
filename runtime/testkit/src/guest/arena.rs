//! Constants of a guest, laid out as the canonical ABI wants them.
use std::fmt;

/// Where a list, a text or a record lies in a guest's memory. Shown, it is two `i32.const`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Slice {
    /// Address.
    pub at: u32,
    /// Bytes of a text, elements of a list.
    pub length: u32,
}

impl fmt::Display for Slice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "(i32.const {}) (i32.const {})", self.at, self.length)
    }
}

/// A growing piece of a guest's memory.
#[derive(Clone, Debug)]
pub struct Arena {
    base: u32,
    bytes: Vec<u8>,
}

/// A record under way; fields are aligned as they are added.
#[derive(Clone, Debug, Default)]
pub(super) struct Record(Vec<u8>);

impl Arena {
    pub(super) fn new(base: u32) -> Arena {
        Arena { base, bytes: Vec::new() }
    }

    pub(super) fn end(&self) -> u32 {
        (self.base + u32::try_from(self.bytes.len()).unwrap_or(u32::MAX)).next_multiple_of(16)
    }

    pub(super) fn text(&mut self, text: &str) -> Slice {
        let at = self.place(text.as_bytes(), 1);
        Slice { at, length: u32::try_from(text.len()).unwrap_or(u32::MAX) }
    }

    pub(super) fn texts<'a>(&mut self, texts: impl IntoIterator<Item = &'a String>) -> Slice {
        let slices: Vec<Slice> = texts.into_iter().map(|text| self.text(text)).collect();
        self.list(slices.into_iter().map(|slice| Record::default().slice(slice)))
    }

    /// A list of records, each padded to the alignment of 8 that is enough for all.
    pub(super) fn list(&mut self, records: impl IntoIterator<Item = Record>) -> Slice {
        let records: Vec<Record> = records.into_iter().collect();
        let bytes: Vec<u8> = records.iter().flat_map(|record| record.0.iter().copied()).collect();
        let at = self.place(&bytes, 8);
        Slice { at, length: u32::try_from(records.len()).unwrap_or(u32::MAX) }
    }

    pub(super) fn record(&mut self, record: &Record) -> u32 {
        self.place(&record.0, 8)
    }

    fn place(&mut self, bytes: &[u8], align: usize) -> u32 {
        self.bytes.resize(self.bytes.len().next_multiple_of(align), 0);
        let at = self.base + u32::try_from(self.bytes.len()).unwrap_or(u32::MAX);
        self.bytes.extend_from_slice(bytes);
        at
    }

    /// The bytes as a string of WebAssembly text.
    pub(super) fn escaped(&self) -> String {
        self.bytes.iter().map(|byte| format!("\\{byte:02x}")).collect()
    }
}

impl Record {
    pub(super) fn len(&self) -> u32 {
        u32::try_from(self.0.len()).unwrap_or(u32::MAX)
    }

    pub(super) fn pad(mut self, align: usize) -> Record {
        self.0.resize(self.0.len().next_multiple_of(align), 0);
        self
    }

    pub(super) fn byte(mut self, byte: u8) -> Record {
        self.0.push(byte);
        self
    }

    pub(super) fn half(self, half: u16) -> Record {
        self.pad(2).with(&half.to_le_bytes())
    }

    pub(super) fn word(self, word: u32) -> Record {
        self.pad(4).with(&word.to_le_bytes())
    }

    pub(super) fn number(self, number: f64) -> Record {
        self.pad(8).with(&number.to_le_bytes())
    }

    pub(super) fn slice(self, slice: Slice) -> Record {
        self.word(slice.at).word(slice.length)
    }

    pub(super) fn optional(self, slice: Option<Slice>) -> Record {
        self.pad(4).byte(u8::from(slice.is_some())).slice(slice.unwrap_or_default())
    }

    pub(super) fn record(self, record: &Record, align: usize) -> Record {
        self.pad(align).with(&record.0)
    }

    fn with(mut self, bytes: &[u8]) -> Record {
        self.0.extend_from_slice(bytes);
        self
    }
}
