//! Errors of a server, as failures.
use crate::address::Place;
use windlass_sdk::{Failure, FailureKind};

/// Characters of a server's words that a message repeats.
const MOST_QUOTED: usize = 160;

/// Codes, the first word of an error, of a server that cannot answer now.
const NOT_NOW: [&str; 9] =
    ["LOADING", "MASTERDOWN", "CLUSTERDOWN", "BUSY", "TRYAGAIN", "OOM", "MISCONF", "READONLY", "NOREPLICAS"];

/// The failure that an error stands for.
pub(crate) fn failure(at: &Place, error: &str) -> Failure {
    let code = code(error);
    let has = |part: &str| error.contains(part);
    match kind(error) {
        FailureKind::Auth if code == "NOAUTH" => Failure::auth(format!("{at} wants a password")),
        FailureKind::Auth if code == "DENIED" => {
            Failure::auth(format!("{at} is in protected mode: it answers strangers only with a password"))
        }
        FailureKind::Auth => Failure::auth(format!(
            "{at}: the user needs the rights +eval +type +llen +scard +zcard +hlen and the key: {}",
            quote(error)
        )),
        FailureKind::Unreachable => Failure::unreachable(format!("{at} cannot answer now: {}", quote(error))),
        _ if matches!(code, "MOVED" | "ASK") => {
            Failure::bad_response(format!("{at} is a node of a cluster: use the trigger type redis-cluster"))
        }
        _ if has("unknown command") && has("SENTINEL") => Failure::bad_response(format!("{at} is no sentinel")),
        _ if has("unknown command") && has("EVAL") => {
            Failure::bad_response(format!("{at} runs no scripts: it does not know EVAL"))
        }
        _ => Failure::bad_response(format!("{at} answered: {}", quote(error))),
    }
}

/// The failure of a log-in. The server's words are left out: some servers repeat what was sent.
///
/// `None`: the server has no password, so that any will do, as for KEDA.
pub(crate) fn login(at: &Place, error: &str) -> Option<Failure> {
    if error.contains("without any password configured") || error.contains("no password is set") {
        return None;
    }
    if kind(error) == FailureKind::Unreachable {
        return Some(Failure::unreachable(format!("{at} cannot answer now: {}", code(error))));
    }
    Some(Failure::auth(format!("{at} refused the user or the password ({})", code(error))))
}

/// The failure of choosing a database.
pub(crate) fn database(at: &Place, number: u32, error: &str) -> Failure {
    match kind(error) {
        FailureKind::BadResponse => Failure::invalid(format!("databaseIndex: {at} has no database {number}")),
        _ => failure(at, error),
    }
}

/// Whether the user may not run a command.
pub(crate) fn is_forbidden(error: &str) -> bool {
    code(error) == "NOPERM"
}

fn kind(error: &str) -> FailureKind {
    match code(error) {
        "NOAUTH" | "WRONGPASS" | "NOPERM" | "DENIED" => FailureKind::Auth,
        code if NOT_NOW.contains(&code) => FailureKind::Unreachable,
        _ if error.contains("max number of clients") => FailureKind::Unreachable,
        // From within the script.
        _ if error.contains("can't run this command") || error.contains("can't access at least one of the keys") => {
            FailureKind::Auth
        }
        _ => FailureKind::BadResponse,
    }
}

fn code(error: &str) -> &str {
    let code = error.split(' ').next().unwrap_or_default();
    let is_code = !code.is_empty() && code.len() <= 32 && code.bytes().all(|byte| byte.is_ascii_uppercase());
    if is_code { code } else { "ERR" }
}

/// The beginning of a server's words.
fn quote(error: &str) -> String {
    error.chars().take(MOST_QUOTED).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_and_their_kinds() {
        let at = Place { host: "redis".to_owned(), port: 6379 };
        for (error, kind) in [
            ("NOAUTH Authentication required.", FailureKind::Auth),
            ("NOPERM this user has no permissions to run the 'eval' command", FailureKind::Auth),
            ("DENIED Redis is running in protected mode because …", FailureKind::Auth),
            ("ERR The user executing the script can't run this command or subcommand script: 1", FailureKind::Auth),
            ("LOADING Redis is loading the dataset in memory", FailureKind::Unreachable),
            ("MASTERDOWN Link with MASTER is down", FailureKind::Unreachable),
            ("CLUSTERDOWN The cluster is down", FailureKind::Unreachable),
            ("BUSY Redis is busy running a script.", FailureKind::Unreachable),
            ("ERR max number of clients reached", FailureKind::Unreachable),
            ("WRONGTYPE Operation against a key", FailureKind::BadResponse),
            ("MOVED 1 a:1", FailureKind::BadResponse),
            ("ERR unknown command 'EVAL', with args beginning with: ", FailureKind::BadResponse),
            ("", FailureKind::BadResponse),
        ] {
            assert_eq!(failure(&at, error).kind, kind, "{error}");
        }
    }

    #[test]
    fn a_log_in_never_repeats_what_was_sent() {
        let at = Place { host: "redis".to_owned(), port: 6379 };
        for error in ["ERR unknown command `AUTH`, with args beginning with: `s3cret`, ", "s3cret", "WRONGPASS s3cret"]
        {
            let failure = login(&at, error).unwrap();
            assert_eq!(failure.kind, FailureKind::Auth);
            assert!(!failure.message.contains("s3cret"), "{failure:?}");
        }
        assert_eq!(
            login(&at, "ERR AUTH <password> called without any password configured for the default user."),
            None
        );
        assert_eq!(login(&at, "ERR Client sent AUTH, but no password is set"), None);
        assert_eq!(login(&at, "ERR max number of clients reached").unwrap().kind, FailureKind::Unreachable);
    }
}
