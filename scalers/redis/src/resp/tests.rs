use super::*;
use proptest::prelude::*;

fn encode(reply: &Reply, out: &mut Vec<u8>) {
    match reply {
        Reply::Simple(text) => out.extend(format!("+{text}\r\n").bytes()),
        Reply::Error(text) => out.extend(format!("-{text}\r\n").bytes()),
        Reply::Integer(number) => out.extend(format!(":{number}\r\n").bytes()),
        Reply::Text(text) => out.extend(format!("${}\r\n{text}\r\n", text.len()).bytes()),
        Reply::Nil => out.extend(b"$-1\r\n"),
        Reply::Array(replies) => {
            out.extend(format!("*{}\r\n", replies.len()).bytes());
            replies.iter().for_each(|reply| encode(reply, out));
        }
    }
}

fn reply() -> impl Strategy<Value = Reply> {
    let leaf = prop_oneof![
        "[^\r\n]{0,20}".prop_map(Reply::Simple),
        "[^\r\n]{0,20}".prop_map(Reply::Error),
        any::<i64>().prop_map(Reply::Integer),
        any::<String>().prop_map(Reply::Text),
        Just(Reply::Nil),
    ];
    leaf.prop_recursive(3, 32, 6, |inner| proptest::collection::vec(inner, 0..6).prop_map(Reply::Array))
}

proptest! {
    #[test]
    fn reads_what_was_written_and_waits_for_the_rest(reply in reply(), after in any::<Vec<u8>>()) {
        let mut bytes = Vec::new();
        encode(&reply, &mut bytes);
        for cut in 0..bytes.len() {
            prop_assert_eq!(decode(&bytes[..cut]), Ok(None));
        }
        let length = bytes.len();
        bytes.extend(after);
        prop_assert_eq!(decode(&bytes), Ok(Some((reply, length))));
    }

    #[test]
    fn any_bytes_are_answered(bytes in proptest::collection::vec(prop_oneof![Just(b'*'), Just(b'$'), Just(b'1'), Just(b'\r'), Just(b'\n'), any::<u8>()], 0..200)) {
        if let Ok(Some((_, length))) = decode(&bytes) {
            prop_assert!(length > 0 && length <= bytes.len());
        }
    }
}

#[test]
fn commands() {
    assert_eq!(command(&["LLEN", "a b"]), b"*2\r\n$4\r\nLLEN\r\n$3\r\na b\r\n");
    assert_eq!(command(&["GET", "ä"]), "*2\r\n$3\r\nGET\r\n$2\r\nä\r\n".as_bytes());
}

#[test]
fn what_is_too_large_is_refused_before_it_arrives() {
    for (bytes, why) in [
        (&b"$99999999\r\n"[..], Malformed::Size),
        (b"*99999999\r\n", Malformed::Size),
        (b"*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n", Malformed::Size),
        (b"$-2\r\n", Malformed::Number),
        (b":one\r\n", Malformed::Number),
        (b":99999999999999999999\r\n", Malformed::Number),
        (b"+OK\rX", Malformed::End),
        (b"$2\r\nabc\r\n", Malformed::End),
        (b"HTTP/1.1 400 Bad Request\r\n", Malformed::Kind(b'H')),
    ] {
        assert_eq!(decode(bytes), Err(why), "{}", String::from_utf8_lossy(bytes));
    }
    let mut endless = b"+".to_vec();
    endless.resize(MOST_LINE + 1, b'x');
    assert_eq!(decode(&endless), Err(Malformed::Size));
    let nested = b"*2\r\n".repeat(4).into_iter().chain(b":1\r\n".repeat(5000)).collect::<Vec<u8>>();
    assert!(matches!(decode(&nested), Ok(Some(_))));
    let many = format!("*4000\r\n{}", "*200\r\n".to_owned() + &":1\r\n".repeat(5000));
    assert_eq!(decode(many.as_bytes()), Err(Malformed::Size));
}
