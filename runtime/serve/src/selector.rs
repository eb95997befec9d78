//! The label selector of a metric read: it must name exactly one ScaledObject.
use smallvec::SmallVec;
use thiserror::Error;

/// The label by which HPAs select, as KEDA writes it.
pub(crate) const LABEL: &str = "scaledobject.keda.sh/name";

/// Decoded text: usual selectors fit without an allocation.
pub(crate) type Decoded = SmallVec<[u8; 192]>;

/// Why a selector does not choose exactly one metric. Each message names the remedy.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum SelectorError {
    #[error("which ScaledObject? add the query labelSelector={LABEL}%3DNAME")]
    Missing,
    #[error("the label selector contradicts itself: {LABEL} must equal exactly one name")]
    Contradictory,
    #[error("a metric is read of one ScaledObject at a time: {LABEL} must equal exactly one name")]
    Several,
    #[error("cannot select by {0:?}: the label selector must be {LABEL}=NAME and nothing else")]
    Unsupported(String),
    #[error("malformed label selector at {0:?}: it must be {LABEL}=NAME")]
    Malformed(String),
    #[error("malformed query: percent signs must be followed by two hexadecimal digits, and the text must be UTF-8")]
    Encoding,
}

/// The decoded `labelSelector` of a query; empty when there is none. Repeated ones must be equal.
pub(crate) fn from_query(query: &str) -> Result<Decoded, SelectorError> {
    let mut found: Option<Decoded> = None;
    for pair in query.split('&') {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        if &decode(name, Plus::Space)?[..] != b"labelSelector" {
            continue;
        }
        let value = decode(value, Plus::Space)?;
        if found.as_ref().is_some_and(|before| *before != value) {
            return Err(SelectorError::Contradictory);
        }
        found = Some(value);
    }
    Ok(found.unwrap_or_default())
}

/// Whether a query asks for a watch, which this API does not have.
pub(crate) fn asks_to_watch(query: &str) -> bool {
    query.split('&').any(|pair| matches!(pair, "watch=true" | "watch=1" | "watch"))
}

/// What a plus sign stands for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Plus {
    /// Itself, in paths.
    Literal,
    /// A space, in queries.
    Space,
}

/// Percent-decodes. The result is UTF-8.
pub(crate) fn decode(text: &str, plus: Plus) -> Result<Decoded, SelectorError> {
    let mut out = Decoded::new();
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'%' => {
                let digit = |digit: Option<u8>| digit.and_then(|digit| char::from(digit).to_digit(16));
                let (high, low) = (digit(bytes.next()), digit(bytes.next()));
                let (Some(high), Some(low)) = (high, low) else { return Err(SelectorError::Encoding) };
                u8::try_from(high * 16 + low).map_err(|_| SelectorError::Encoding)?
            }
            b'+' if plus == Plus::Space => b' ',
            byte => byte,
        });
    }
    match std::str::from_utf8(&out) {
        Ok(_) => Ok(out),
        Err(_) => Err(SelectorError::Encoding),
    }
}

/// The name of the one ScaledObject that a selector chooses. The grammar is that of `labels.Parse` of apimachinery; of what
/// it allows, only the equality `scaledobject.keda.sh/name = X` (also `==`, and `in (X)`) is answered.
pub(crate) fn object_name(selector: &str) -> Result<&str, SelectorError> {
    let mut chosen: Option<&str> = None;
    let mut rest = selector.trim();
    if rest.is_empty() {
        return Err(SelectorError::Missing);
    }
    loop {
        let (requirement, tail) = split_requirement(rest);
        for name in names(requirement.trim())?.split(',') {
            let name = name.trim();
            if !is_label_value(name) {
                return Err(SelectorError::Malformed(cut(requirement)));
            }
            match chosen {
                Some(before) if before != name && requirement.contains('(') => return Err(SelectorError::Several),
                Some(before) if before != name => return Err(SelectorError::Contradictory),
                _ => chosen = Some(name),
            }
        }
        match tail {
            Some(tail) => rest = tail,
            None => return chosen.ok_or(SelectorError::Missing),
        }
    }
}

/// Cuts at the first comma outside of parentheses.
fn split_requirement(text: &str) -> (&str, Option<&str>) {
    let mut depth = 0_u32;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'(' => depth += 1,
            b')' => depth = depth.saturating_sub(1),
            b',' if depth == 0 => return (&text[..at], Some(&text[at + 1..])),
            _ => {}
        }
    }
    (text, None)
}

/// The comma-separated names that one requirement allows.
fn names(requirement: &str) -> Result<&str, SelectorError> {
    let key_end = requirement
        .find(|c: char| c.is_whitespace() || matches!(c, '=' | '!' | '<' | '>' | '(' | ')'))
        .unwrap_or(requirement.len());
    let (key, rest) = requirement.split_at(key_end);
    let rest = rest.trim_start();
    if key.is_empty() && !rest.starts_with('!') {
        return Err(SelectorError::Malformed(cut(requirement)));
    }
    if key != LABEL || rest.is_empty() || rest.starts_with(['!', '<', '>']) {
        return Err(SelectorError::Unsupported(cut(requirement)));
    }
    if let Some(value) = rest.strip_prefix("==").or_else(|| rest.strip_prefix('=')) {
        let value = value.trim();
        // A comma cannot be here but inside of parentheses, which no value may have.
        return if value.contains(['(', ')']) { Err(SelectorError::Malformed(cut(requirement))) } else { Ok(value) };
    }
    let set = rest.strip_prefix("in").map(str::trim_start);
    match set.and_then(|set| set.strip_prefix('(')).and_then(|set| set.strip_suffix(')')) {
        Some(set) if !set.contains(['(', ')']) => Ok(set),
        _ if rest.starts_with("notin") => Err(SelectorError::Unsupported(cut(requirement))),
        _ => Err(SelectorError::Malformed(cut(requirement))),
    }
}

/// The rule for label values (`validation.IsValidLabelValue`), without the empty one, which names nothing.
fn is_label_value(text: &str) -> bool {
    let edge = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric());
    text.len() <= 63
        && edge(text.bytes().next())
        && edge(text.bytes().last())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
}

/// What is shown of a text that somebody sent.
pub(crate) fn cut(text: &str) -> String {
    text.chars().take(80).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    enum Expected {
        Name(&'static str),
        Missing,
        Contradictory,
        Several,
        Unsupported,
        Malformed,
    }
    use Expected::*;

    #[test]
    fn selectors() {
        let table = [
            ("scaledobject.keda.sh/name=orders", Name("orders")),
            ("scaledobject.keda.sh/name==orders", Name("orders")),
            (" scaledobject.keda.sh/name = orders ", Name("orders")),
            ("scaledobject.keda.sh/name in (orders)", Name("orders")),
            ("scaledobject.keda.sh/name in( orders )", Name("orders")),
            ("scaledobject.keda.sh/name in (orders,orders)", Name("orders")),
            ("scaledobject.keda.sh/name=in", Name("in")),
            ("scaledobject.keda.sh/name=a,scaledobject.keda.sh/name=a", Name("a")),
            ("scaledobject.keda.sh/name=a.b_c-D9", Name("a.b_c-D9")),
            ("", Missing),
            ("  ", Missing),
            ("scaledobject.keda.sh/name=a,scaledobject.keda.sh/name=b", Contradictory),
            ("scaledobject.keda.sh/name in (a,b)", Several),
            ("scaledobject.keda.sh/name", Unsupported),
            ("!scaledobject.keda.sh/name", Unsupported),
            ("scaledobject.keda.sh/name!=a", Unsupported),
            ("scaledobject.keda.sh/name notin (a)", Unsupported),
            ("scaledobject.keda.sh/name>1", Unsupported),
            ("app=orders", Unsupported),
            ("scaledobject.keda.sh/name=a,app=orders", Unsupported),
            ("scaledobject.keda.sh/names=a", Unsupported),
            ("scaledobject.keda.sh/name=", Malformed),
            ("scaledobject.keda.sh/name=a,", Malformed),
            (",scaledobject.keda.sh/name=a", Malformed),
            ("=a", Malformed),
            ("scaledobject.keda.sh/name in ()", Malformed),
            ("scaledobject.keda.sh/name in (a", Malformed),
            ("scaledobject.keda.sh/name in a", Malformed),
            ("scaledobject.keda.sh/name=(a)", Malformed),
            ("scaledobject.keda.sh/name=(a,a)", Malformed),
            ("scaledobject.keda.sh/name in (a))", Malformed),
            ("scaledobject.keda.sh/name===a", Malformed),
            ("scaledobject.keda.sh/name=-a", Malformed),
            ("scaledobject.keda.sh/name=a b", Malformed),
            ("scaledobject.keda.sh/name=é", Malformed),
        ];
        for (selector, expected) in table {
            let got = object_name(selector);
            let as_expected = match expected {
                Name(name) => got == Ok(name),
                Missing => got == Err(SelectorError::Missing),
                Contradictory => got == Err(SelectorError::Contradictory),
                Several => got == Err(SelectorError::Several),
                Unsupported => matches!(got, Err(SelectorError::Unsupported(_))),
                Malformed => matches!(got, Err(SelectorError::Malformed(_))),
            };
            assert!(as_expected, "{selector:?} gave {got:?}");
        }
    }

    #[test]
    fn queries() {
        let value = |query: &str| from_query(query).map(|value| String::from_utf8(value.to_vec()).unwrap());
        assert_eq!(value("labelSelector=scaledobject.keda.sh%2Fname%3Dx").unwrap(), "scaledobject.keda.sh/name=x");
        assert_eq!(value("a=b&label%53elector=x+y&labelSelector=x%20y").unwrap(), "x y");
        assert_eq!(value("labelSelector").unwrap(), "");
        assert_eq!(value("").unwrap(), "");
        assert_eq!(value("labelSelector=a&labelSelector=b"), Err(SelectorError::Contradictory));
        for malformed in ["labelSelector=%", "labelSelector=%4", "labelSelector=%zz", "labelSelector=%ff", "%f=1"] {
            assert_eq!(value(malformed), Err(SelectorError::Encoding), "{malformed}");
        }
    }

    proptest! {
        #[test]
        fn nothing_panics(text in ".{0,200}") {
            let _ = object_name(&text);
            let _ = from_query(&text);
            let _ = decode(&text, Plus::Literal);
        }

        #[test]
        fn words_of_the_grammar_do_not_panic(words in proptest::collection::vec(
            proptest::sample::select(vec![LABEL, "=", "==", "!", "in", "notin", "(", ")", ",", " ", "a", "b-", "é"]), 0..12,
        )) {
            let _ = object_name(&words.concat());
        }

        #[test]
        fn what_is_encoded_comes_back(text in ".{0,80}") {
            let encoded: String = text.bytes().map(|byte| format!("%{byte:02X}")).collect();
            prop_assert_eq!(&decode(&encoded, Plus::Space).unwrap()[..], text.as_bytes());
        }

        #[test]
        fn a_name_that_is_accepted_is_in_the_selector(text in "[a-z=!,() ]{0,12}") {
            let selector = format!("{LABEL}{text}");
            if let Ok(name) = object_name(&selector) {
                prop_assert!(is_label_value(name));
                prop_assert!(text.contains(name));
            }
        }
    }
}
