//! What a server says, spoiled.
use crate::address::{Place, Redirection};
use crate::refusal;
use crate::resp::decode;
use windlass_testkit::{Edits, mangled, mangled_text};

const REPLIES: [&str; 8] = [
    "+OK\r\n",
    ":42\r\n",
    "$5\r\nhello\r\n",
    "$-1\r\n",
    "*3\r\n$6\r\nmaster\r\n:7\r\n*2\r\n+a\r\n-ERR b\r\n",
    "*-1\r\n",
    "-NOAUTH Authentication required.\r\n",
    "*4\r\n$2\r\nip\r\n$9\r\n127.0.0.1\r\n$4\r\nport\r\n$4\r\n6379\r\n",
];

#[test]
fn reply() {
    bolero::check!().with_type::<Edits>().for_each(|edits| {
        let bytes = mangled(&REPLIES, edits);
        let Ok(Some((reply, used))) = decode(&bytes) else { return };
        assert!(used <= bytes.len());
        // What is whole is the same whatever follows, and nothing before its end is whole.
        assert_eq!(decode(&bytes[..used]), Ok(Some((reply.clone(), used))));
        assert_eq!(decode(&[&bytes[..used], b"+more\r\n"].concat()), Ok(Some((reply, used))));
        assert_eq!(decode(&bytes[..used - 1]), Ok(None));
    });
}

const ERRORS: [&str; 5] = [
    "MOVED 3999 127.0.0.1:6381",
    "ASK 3999 [2001:db8::1]:6381",
    "WRONGPASS invalid username-password pair",
    "NOPERM this user has no permissions to run the 'llen' command",
    "LOADING Redis is loading the dataset in memory",
];

#[test]
fn refused() {
    let teller = Place { host: "10.0.0.1".to_owned(), port: 6379 };
    bolero::check!().with_type::<Edits>().for_each(|edits| {
        let error = mangled_text(&ERRORS, edits);
        if let Some(redirection) = Redirection::parse(&error, &teller) {
            assert!(redirection.to.port > 0 && !redirection.to.host.is_empty(), "{error:?}");
            assert!(
                error.starts_with(if redirection.once { "ASK" } else { "MOVED" })
                    || error.starts_with(char::is_whitespace)
            );
        }
        refusal::failure(&teller, &error);
        refusal::login(&teller, &error);
        refusal::database(&teller, 3, &error);
        refusal::is_forbidden(&error);
    });
}
