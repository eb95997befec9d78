//! RESP2, the protocol of Redis: commands and replies.
//!
//! Replies of a few kinds are read, each a few bytes long. A source may be hostile, so everything is bounded: the length of a
//! line and of a string, the number of elements, and the depth, which a parser for any reply leaves open.
#[cfg(test)]
mod tests;

use std::fmt;

/// Bytes of a line: numbers, and errors, which may quote a key.
const MOST_LINE: usize = 16 << 10;
/// Bytes of a string.
const MOST_TEXT: usize = 64 << 10;
/// Elements of an array: a master's role tells of each of its replicas.
const MOST_ELEMENTS: usize = 4_096;
/// Arrays in arrays.
const MOST_DEPTH: u32 = 4;

/// Writes a command.
pub(crate) fn command(words: &[&str]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        bytes.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        bytes.extend_from_slice(word.as_bytes());
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}

/// A reply. Text that is not UTF-8 has replacement characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    Simple(String),
    Error(String),
    Integer(i64),
    Text(String),
    Nil,
    Array(Vec<Reply>),
}

/// What arrived is no reply that is read here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Malformed {
    /// A kind that the protocol does not have.
    Kind(u8),
    /// A number that is none.
    Number,
    /// A line or a string without its end.
    End,
    /// Longer, or deeper, than anything that was asked for.
    Size,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // An alert of TLS begins with 0x15.
            Malformed::Kind(0x15) => f.write_str("speaks TLS: set enableTLS"),
            Malformed::Kind(_) => f.write_str("does not speak the protocol of Redis"),
            Malformed::Number => f.write_str("sent a number that is none"),
            Malformed::End => f.write_str("sent a text without its end"),
            Malformed::Size => f.write_str("sent more than was asked for"),
        }
    }
}

/// Reads one reply: it, and the number of its bytes. `None`: more bytes are needed.
pub(crate) fn decode(input: &[u8]) -> Result<Option<(Reply, usize)>, Malformed> {
    let mut reader = Reader { input, at: 0, elements_left: MOST_ELEMENTS };
    Ok(reader.reply(MOST_DEPTH)?.map(|reply| (reply, reader.at)))
}

struct Reader<'a> {
    input: &'a [u8],
    at: usize,
    elements_left: usize,
}

impl<'a> Reader<'a> {
    fn reply(&mut self, depth: u32) -> Result<Option<Reply>, Malformed> {
        let Some(kind) = self.input.get(self.at).copied() else { return Ok(None) };
        if !b"+-:$*".contains(&kind) {
            return Err(Malformed::Kind(kind));
        }
        self.at += 1;
        let Some(line) = self.line()? else { return Ok(None) };
        let reply = match kind {
            b'+' => Reply::Simple(text(line)),
            b'-' => Reply::Error(text(line)),
            b':' => Reply::Integer(number(line)?),
            b'$' => match length(line, MOST_TEXT)? {
                None => Reply::Nil,
                Some(length) => match self.text(length)? {
                    Some(text) => Reply::Text(text),
                    None => return Ok(None),
                },
            },
            _ => match length(line, self.elements_left)? {
                None => Reply::Nil,
                Some(count) => match self.array(count, depth)? {
                    Some(replies) => Reply::Array(replies),
                    None => return Ok(None),
                },
            },
        };
        Ok(Some(reply))
    }

    /// The rest of a line, without its end.
    fn line(&mut self) -> Result<Option<&'a [u8]>, Malformed> {
        let rest = self.input.get(self.at..).unwrap_or_default();
        let Some(end) = rest.iter().take(MOST_LINE).position(|byte| *byte == b'\r') else {
            return if rest.len() < MOST_LINE { Ok(None) } else { Err(Malformed::Size) };
        };
        match rest.get(end + 1) {
            None => Ok(None),
            Some(b'\n') => {
                self.at += end + 2;
                Ok(rest.get(..end))
            }
            Some(_) => Err(Malformed::End),
        }
    }

    fn text(&mut self, length: usize) -> Result<Option<String>, Malformed> {
        let rest = self.input.get(self.at..).unwrap_or_default();
        let (Some(bytes), Some(end)) = (rest.get(..length), rest.get(length..length + 2)) else { return Ok(None) };
        if end != b"\r\n" {
            return Err(Malformed::End);
        }
        self.at += length + 2;
        Ok(Some(text(bytes)))
    }

    fn array(&mut self, count: usize, depth: u32) -> Result<Option<Vec<Reply>>, Malformed> {
        let depth = depth.checked_sub(1).ok_or(Malformed::Size)?;
        let mut replies = Vec::new();
        for _ in 0..count {
            self.elements_left = self.elements_left.checked_sub(1).ok_or(Malformed::Size)?;
            let Some(reply) = self.reply(depth)? else { return Ok(None) };
            replies.push(reply);
        }
        Ok(Some(replies))
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn number(line: &[u8]) -> Result<i64, Malformed> {
    std::str::from_utf8(line).ok().and_then(|text| text.parse().ok()).ok_or(Malformed::Number)
}

/// A length; -1 stands for nothing.
fn length(line: &[u8], most: usize) -> Result<Option<usize>, Malformed> {
    match number(line)? {
        -1 => Ok(None),
        length => match usize::try_from(length) {
            Ok(length) if length <= most => Ok(Some(length)),
            Ok(_) => Err(Malformed::Size),
            Err(_) => Err(Malformed::Number),
        },
    }
}
