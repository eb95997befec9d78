//! Inputs for fuzz targets: good ones, spoiled. Bytes out of nowhere seldom get past a parser's first check.

/// Which seed, and what is done to it: kind, two places, and a byte.
pub type Edits = (u8, Vec<(u8, u16, u16, u8)>);

/// What parsers have trouble with.
const WORDS: [&str; 24] = [
    "",
    "\0",
    "\r\n",
    "\n",
    " ",
    "\u{e9}",
    "\u{202e}",
    "\u{1f980}",
    "NaN",
    "-inf",
    "1e308",
    "-1",
    "00",
    "4294967296",
    "18446744073709551616",
    "9223372036854775807",
    "..",
    "//",
    "@",
    "%2e%00",
    "&#x;",
    "\\u0000",
    "\"'",
    "{[(<",
];
/// No input grows beyond it.
const MOST: usize = 64 << 10;

/// A seed with some edits.
pub fn mangled<S: AsRef<[u8]>>(seeds: &[S], (seed, edits): &Edits) -> Vec<u8> {
    let pick = |n: usize| seeds.get(n.checked_rem(seeds.len()).unwrap_or_default()).map_or(&[][..], AsRef::as_ref);
    let mut bytes = pick(usize::from(*seed)).to_vec();
    for (kind, at, to, byte) in edits {
        let place = |n: u16| usize::from(n) % (bytes.len() + 1);
        let (at, to) = (place(*at), place(*to));
        let (low, high) = (at.min(to), at.max(to));
        let word = WORDS.get(usize::from(*byte) % WORDS.len()).copied().unwrap_or_default().as_bytes();
        let (range, new) = match kind % 8 {
            0 => (at..(at + 1).min(bytes.len()), vec![*byte]),
            1 => (at..at, vec![*byte]),
            2 => (low..high.min(low + 16), Vec::new()),
            3 => (low..high, Vec::new()),
            4 => (at..at, bytes.get(low..high).unwrap_or_default().to_vec()),
            5 => (at..at, word.to_vec()),
            6 => (at..at, bytes.get(low..high.min(low + 4)).unwrap_or_default().repeat(usize::from(*byte) * 16)),
            _ => (low..high, pick(usize::from(*byte)).to_vec()),
        };
        if bytes.len() + new.len() <= MOST {
            bytes.splice(range, new);
        }
    }
    bytes
}

/// The same as text.
pub fn mangled_text<S: AsRef<[u8]>>(seeds: &[S], edits: &Edits) -> String {
    String::from_utf8_lossy(&mangled(seeds, edits)).into_owned()
}
